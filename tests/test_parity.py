"""One graph: Python, the command line and a bare ONNX Runtime session give a picture the same score.

The promise is agreement to 1e-4. As all three run the very same graph on the same pixels, it is in truth the same
bits, and that is what is tested.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

import sightline
from sightline.cli.main import run
from sightline.datasets.opening import open_dataset
from sightline.records import Verdict
from sightline.training import TrainConfig, train

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def scene(seed: int, height: int, width: int, channels: int = 1, white: int = 255) -> Pixels:
    """A ribbed surface with a bright blot, of any size."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    ribs = 0.5 + 0.15 * np.sin(x / 9) * np.cos(y / 11)
    pixels = ribs[:, :, None] * np.linspace(1, 0.8, channels) + rng.normal(0, 0.02, (height, width, channels))
    pixels[height // 3 : height // 2, width // 3 : width // 3 + 50] += 0.1 * seed
    levels: NDArray[np.float64] = (pixels.clip(0, 1) * white).round()
    return levels.astype(np.uint8) if white == 255 else levels.astype(np.uint16)


def write(path: Path, pixels: Pixels) -> Path:
    assert cv2.imwrite(str(path), pixels[:, :, ::-1])  # BGR is how OpenCV wants it
    return path


def model(folder: Path, name: str, pictures: Sequence[Pixels], config: TrainConfig) -> Path:
    data = folder / name
    data.mkdir()
    for index, pixels in enumerate(pictures):
        write(data / f"{index}.png", pixels)
    path = folder / f"{name}.sight"
    train(open_dataset(data), path, config)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parity")


@pytest.fixture(scope="module")
def eight_bit(folder: Path) -> Path:
    """PatchCore, 256 x 96."""
    config = TrainConfig(size=(96, 256), dimensions=32, bank=200)
    return model(folder, "eight", [scene(seed % 2, 120, 320, 3) for seed in range(6)], config)


@pytest.fixture(scope="module")
def twelve_bit(folder: Path) -> Path:
    """PaDiM in tiles, 192 x 112, of a 12-bit camera in 16-bit files."""
    pictures = [scene(seed % 2, 120, 320, white=4095) for seed in range(6)]
    return model(folder, "twelve", pictures, TrainConfig(method="padim", size=(112, 192), tile=96, dimensions=8))


def by_python(model: Path, pictures: Sequence[Path]) -> list[float | None]:
    inspector = sightline.load(model)
    return [inspector.inspect(picture).score for picture in pictures]


def by_bare_session(model: Path, pictures: Sequence[Path], graph: Path) -> list[float]:
    """Through nothing of ours but the graph that `sightline export` writes."""
    assert run(["export", str(model), "--to", "onnx", "-o", str(graph)]) == 0
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    scores = []
    for picture in pictures:
        pixels = cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        image = pixels[:, :, None] if pixels.ndim == 2 else np.ascontiguousarray(pixels[:, :, ::-1])
        scores.append(float(session.run(["score"], {"image": image})[0]))
    return scores


def read_json(text: str) -> list[dict[str, Any]]:
    inspections: list[dict[str, Any]] = json.loads(text)["inspections"]
    return inspections


def by_command(model: Path, pictures: Sequence[Path], *options: str) -> list[dict[str, Any]]:
    """In a process of its own, as a user runs it."""
    program = "from sightline.cli.main import main; main()"
    command = [sys.executable, "-c", program, "inspect", str(model), *map(str, pictures), "--json", *options]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return read_json(ended.stdout)


def test_large_pictures_of_any_shape_get_the_same_score_everywhere(eight_bit: Path, tmp_path: Path) -> None:
    pictures = [
        write(tmp_path / "wide-grey.png", scene(2, 700, 1900)),
        write(tmp_path / "tall-rgb.png", scene(3, 2300, 640, 3)),
        write(tmp_path / "tall-rgb.bmp", scene(3, 2300, 640, 3)),
        write(tmp_path / "small-rgb.png", scene(4, 37, 501, 3)),
    ]
    scores = by_python(eight_bit, pictures)
    assert all(score is not None and np.isfinite(score) for score in scores)
    assert scores[1] == scores[2]  # whatever the file
    assert len(set(scores)) == 3
    assert by_bare_session(eight_bit, pictures, tmp_path / "bare.onnx") == scores
    inspections = by_command(eight_bit, pictures, "--workers", "3", "--threads", "1")
    assert [inspection["score"] for inspection in inspections] == scores


def test_sixteen_bit_pictures_get_the_same_score_everywhere(
    twelve_bit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = [
        write(tmp_path / "wide.png", scene(2, 700, 1900, white=4095)),
        write(tmp_path / "tall.tif", scene(3, 2300, 640, white=4095)),
    ]
    scores = by_python(twelve_bit, pictures)
    assert by_bare_session(twelve_bit, pictures, tmp_path / "bare.onnx") == scores
    capsys.readouterr()
    assert run(["inspect", str(twelve_bit), *map(str, pictures), "--json", "--quiet"]) == 0
    assert [inspection["score"] for inspection in read_json(capsys.readouterr().out)] == scores


def test_pixels_bytes_and_files_of_a_large_picture_get_the_same_score(eight_bit: Path, tmp_path: Path) -> None:
    pixels = scene(2, 700, 1900, 3)
    path = write(tmp_path / "wide.png", pixels)
    inspector = sightline.load(eight_bit)
    assert (
        inspector.inspect(pixels).score == inspector.inspect(path).score == inspector.inspect(path.read_bytes()).score
    )


def test_verdict_and_defects_of_the_command_line_are_those_of_python(eight_bit: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "wide.png", scene(5, 700, 1900, 3))
    ours = sightline.load(eight_bit).inspect(path)
    (theirs,) = by_command(eight_bit, [path])
    assert ours.verdict is Verdict.REJECT
    assert theirs["verdict"] == ours.verdict
    assert (theirs["threshold"], theirs["p_value"]) == (ours.threshold, ours.p_value)
    assert (theirs["height"], theirs["width"]) == (700, 1900)
    assert [d["peak"] for d in theirs["defects"]] == [d.peak for d in ours.defects]
    assert [d["box"]["x"] for d in theirs["defects"]] == [d.box.x for d in ours.defects]


@pytest.mark.shared
def test_real_pictures_get_the_same_score_everywhere(shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / "kolektor_commutator"
    (tmp_path / "good").mkdir()
    for path in sorted((data / "train" / "good").iterdir())[:6]:
        (tmp_path / "good" / path.name).symlink_to(path)
    sight = tmp_path / "commutator.sight"
    train(open_dataset(tmp_path / "good"), sight, TrainConfig(size=(256, 96), dimensions=32, bank=200))
    pictures = [path for kind in ("crack", "good") for path in sorted((data / "test" / kind).iterdir())[:2]]
    scores = by_python(sight, pictures)
    assert len(set(scores)) == 4
    assert by_bare_session(sight, pictures, tmp_path / "bare.onnx") == scores
    assert [inspection["score"] for inspection in by_command(sight, pictures)] == scores
