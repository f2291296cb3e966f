"""`sightline export` and `sightline info`, and what every command says of a file that it cannot trust."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from sightline.bundle import load
from sightline.imaging.decode import read_frame
from sightline.inspector import load as load_inspector

Sightline = Callable[..., CompletedProcess[str]]
Document = Callable[..., Any]
Refused = Callable[..., str]


def test_the_exported_graph_gives_the_same_score_without_sightline(
    sightline: Sightline, trained: Path, good: Path, tmp_path: Path
) -> None:
    output = tmp_path / "part.onnx"
    done = sightline("export", trained, "--to", "onnx", "-o", output)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{output}: onnx graph of model {load(trained).model_id}, ")
    assert "  verdicts  0 of 12 changed\n" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"part.onnx", "part.onnx.json"}
    session = ort.InferenceSession(output.read_bytes(), providers=["CPUExecutionProvider"])
    score = session.run(["score"], {"image": read_frame(good / "00.png").pixels})[0]
    assert np.asarray(score).item() == pytest.approx(load_inspector(trained).inspect(good / "00.png").score, abs=1e-4)


def test_an_export_as_json_is_what_lies_beside_it(
    document: Document, trained: Path, good: Path, tmp_path: Path
) -> None:
    found = document("export", trained, "--to", "onnx", "--images", good, "-o", tmp_path / "part.onnx")
    assert found == json.loads((tmp_path / "part.onnx.json").read_text("utf-8"))
    assert found["judged_on"] == "12 pictures of good, all of it"


def test_int8_without_pictures_is_told(refused: Refused, trained: Path, tmp_path: Path) -> None:
    assert "give --images" in refused("export", trained, "--to", "onnx", "--int8", "-o", tmp_path / "part.onnx")


def test_an_export_that_cannot_be_written_is_told(refused: Refused, trained: Path, tmp_path: Path) -> None:
    place = tmp_path / "no/part.onnx"
    assert refused("export", trained, "--to", "onnx", "-o", place).startswith(f"{place}: cannot be written (")


@pytest.mark.parametrize("words", [["--to", "pickle", "-o", "x"], ["-o", "x"], ["--to", "onnx"]], ids=" ".join)
def test_an_export_to_nothing_known_is_wrong_usage(sightline: Sightline, trained: Path, words: list[str]) -> None:
    assert sightline("export", trained, *words).returncode == 2


def test_info_shows_the_file_in_two_columns(sightline: Sightline, trained: Path) -> None:
    done = sightline("info", trained)
    assert (done.returncode, done.stderr) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert list(rows) == ["model", "takes", "made", "settings", "calibrated", "rule", "promise", "file"]
    assert rows["model"].startswith(f"{load(trained).model_id} (patchcore), Sightline ")
    assert rows["takes"] == "uint8, 8 bits; looks at 64 x 64 px"
    assert rows["made"].startswith("from   12 good pictures of good, seed 0, backbone ")


def test_info_as_json_is_the_manifest(document: Document, trained: Path) -> None:
    found = document("info", trained)
    assert list(found) == [
        *("model_id", "format_version", "sightline_version", "method", "graph_sha256", "input", "working_size"),
        *("tile", "labels", "thresholds", "calibration", "provenance"),
    ]
    assert len(found["calibration"]["good_scores"]) == 12


def test_info_tells_of_tiles(sightline: Sightline, good: Path, tmp_path: Path) -> None:
    words = ["train", good, "-o", tmp_path / "tiled.sight", "--size", 128, "--tile", 112, "--bank", 20, "--quiet"]
    assert "in tiles of 112" in sightline(*words).stdout
    assert "looks at 128 x 128 px in tiles of 112" in sightline("info", tmp_path / "tiled.sight").stdout


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(contents["manifest.json"])
    change(manifest)
    contents["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def missing(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def a_picture(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def newer(path: Path) -> None:
    rewritten(path, lambda manifest: manifest.update(format_version=99, invention=1))


def older(path: Path) -> None:
    rewritten(path, lambda manifest: manifest.update(format_version=0))


def altered(path: Path) -> None:
    rewritten(path, lambda manifest: manifest["thresholds"].update(reject=1e6))


BAD = [
    (missing, "no such file"),
    (a_folder, "is a folder"),
    (empty, "is empty"),
    (a_picture, "it looks like a PNG picture"),
    (cut_off, "is cut off"),
    (flipped, "CRC"),
    (newer, "was made by a newer Sightline"),
    (older, "was made by an older Sightline"),
    (altered, "the manifest was altered or damaged"),
]


@pytest.mark.parametrize(("spoil", "said"), [pytest.param(*case, id=case[0].__name__) for case in BAD])
@pytest.mark.parametrize(
    "words",
    [
        ["info", "MODEL"],
        ["export", "MODEL", "--to", "onnx", "-o", "OUT"],
        ["bench", "MODEL"],
        ["inspect", "MODEL", "DATA", "--overlay", "OUT"],
        ["evaluate", "MODEL", "DATA", "--report", "OUT"],
        ["calibrate", "MODEL", "--max-overkill", "0.1", "-o", "OUT"],
    ],
    ids=lambda words: str(words[0]),
)
def test_a_file_that_cannot_be_trusted_ends_in_one_line_with_its_path_and_nothing_is_written(
    refused: Refused,
    model: Path,
    good: Path,
    tmp_path: Path,
    words: list[str],
    spoil: Callable[[Path], None],
    said: str,
) -> None:
    spoil(model)
    names = {"MODEL": model, "DATA": good, "OUT": tmp_path / "out"}
    message = refused(*(names.get(word, word) for word in words))
    assert message.startswith(f"{model}: ")
    assert said in message
    assert not (tmp_path / "out").exists()
