"""Weight files: what is written is read, and nothing else is."""

import json
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import OptionError
from sightline.models.safetensors import Tensors, read_tensors, to_bytes


def written(path: Path, header: dict[str, object] | bytes, body: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def test_tensors_and_texts_come_back(tmp_path: Path) -> None:
    square = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensors: Tensors = {"a": square, "b": np.array(7, np.int64), "c": np.zeros((0, 2), np.float32)}
    (tmp_path / "w").write_bytes(to_bytes(tensors, {"made": "here"}))
    found, texts = read_tensors(tmp_path / "w")
    assert texts == {"made": "here"}
    assert list(found) == list(tensors)
    for name, values in tensors.items():
        assert found[name].dtype == values.dtype
        assert np.array_equal(found[name], values)


def test_brain_floats_become_floats(tmp_path: Path) -> None:
    values = np.array([1.0, -2.5, 0.0], np.float32)
    entry = {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}
    path = written(tmp_path / "w", {"x": entry}, (values.view(np.uint32) >> 16).astype("<u2").tobytes())
    assert np.array_equal(read_tensors(path)[0]["x"], values)


@pytest.mark.parametrize(
    ("entry", "body"),
    [
        pytest.param({"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, b"1234", id="cut off"),
        pytest.param({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, b"12345678", id="another shape"),
        pytest.param({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}, b"12345678", id="negative side"),
        pytest.param({"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}, b"12345678", id="backwards"),
        pytest.param({"dtype": "OBJECT", "shape": [1], "data_offsets": [0, 8]}, b"12345678", id="unknown type"),
        pytest.param({"shape": [1]}, b"", id="no type"),
        pytest.param(5, b"", id="no entry"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, entry: object, body: bytes) -> None:
    with pytest.raises(OptionError, match=r"w: is not a whole safetensors file\. Save"):
        read_tensors(written(tmp_path / "w", {"x": entry}, body))


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\xff" * 8 + b"{}", (4).to_bytes(8, "little") + b"nope"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(OptionError, match="is not a whole safetensors file"):
        read_tensors(tmp_path / "w")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"gone: cannot be read \(No such file"):
        read_tensors(tmp_path / "gone")
