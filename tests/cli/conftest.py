"""Tiny pictures, a model of them, and the command line called in this process."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.cli.main import run

Sightline = Callable[..., CompletedProcess[str]]
SIDE = 96  # px


def write_picture(path: Path, seed: int, *, defect: bool = False, depth: int = 8, side: int = SIDE) -> None:
    """A woven pattern with noise; a defect is a bright square in the middle, which `write_mask` marks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    pixels = 120 + 30 * np.sin(x / 6 + 0.2 * rng.normal()) + 20 * np.cos(y / 9) + rng.normal(0, 4, (side, side))
    if defect:
        pixels[32:64, 32:64] = 235 + rng.normal(0, 4, (32, 32))
    scale = 1 if depth == 8 else 16
    values = (scale * pixels.clip(0, 255)).astype(np.uint8 if depth == 8 else np.uint16)
    assert cv2.imwrite(str(path), values)


def write_mask(path: Path, side: int = SIDE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((side, side), np.uint8)
    mask[32:64, 32:64] = 255
    assert cv2.imwrite(str(path), mask)


@pytest.fixture
def sightline(capsys: pytest.CaptureFixture[str]) -> Sightline:
    """Runs one command line in this process; words of any type."""

    def call(*words: object) -> CompletedProcess[str]:
        capsys.readouterr()
        arguments = [str(word) for word in words]
        status = run(arguments)
        said = capsys.readouterr()
        return CompletedProcess(arguments, status, said.out, said.err)

    return call


@pytest.fixture
def document(sightline: Sightline) -> Callable[..., Any]:
    """What a command line with --json prints: one document, in strict JSON."""

    def call(*words: object, status: int = 0) -> Any:
        done = sightline(*words, "--json")
        assert done.returncode == status, done.stderr

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        return json.loads(done.stdout, parse_constant=refuse)

    return call


@pytest.fixture
def refused(sightline: Sightline) -> Callable[..., str]:
    """The one line that a command line ends with, exit status 1 and nothing on standard output."""

    def call(*words: object) -> str:
        done = sightline(*words)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr.startswith("sightline: error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr.removeprefix("sightline: error: ").rstrip("\n")

    return call


@pytest.fixture(scope="session")
def picture() -> Callable[..., None]:
    """`write_picture`, for tests that make their own."""
    return write_picture


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve good pictures."""
    folder = tmp_path_factory.mktemp("pictures") / "good"
    for seed in range(12):
        write_picture(folder / f"{seed:02}.png", seed)
    return folder


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In MVTec AD layout: twelve good to train; to test, three holes with masks, two stains without, and four good.

    Those are four of the twelve, so that they pass whatever the backbone.
    """
    root = tmp_path_factory.mktemp("sets") / "parts"
    for seed in range(12):
        write_picture(root / f"train/good/{seed:03}.png", seed)
    for seed in range(4):
        write_picture(root / f"test/good/{seed:03}.png", seed)
    for seed in range(3):
        write_picture(root / f"test/hole/{seed:03}.png", 200 + seed, defect=True)
        write_mask(root / f"ground_truth/hole/{seed:03}_mask.png")
    for seed in range(2):
        write_picture(root / f"test/stain/{seed:03}.png", 300 + seed, defect=True)
    return root


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, good: Path) -> Path:
    """A model of the good pictures, for reading only."""
    path = tmp_path_factory.mktemp("models") / "part.sight"
    assert run(["train", str(good), "-o", str(path), "--size", "64", "--quiet"]) == 0
    return path


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A copy of the model, alone in a folder."""
    folder = tmp_path / "model"
    folder.mkdir()
    return Path(shutil.copy(trained, folder / "part.sight"))
