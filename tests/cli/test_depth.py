"""Depth on the command line: from pictures with depth maps to verdicts, and FAULT where one is missing."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.bundle import save
from sightline.cli.main import run
from sightline.errors import BundleError, FrameError
from sightline.inspector import load
from sightline.records import Verdict

Sightline = Callable[..., CompletedProcess[str]]
Document = Callable[..., Any]
WritePicture = Callable[..., None]
SIDE = 96


def write_depth(path: Path, seed: int, *, dent: bool = False) -> None:
    """The depth map of the picture at `path`; a dent lies in the middle."""
    rng = np.random.default_rng((1, seed))
    y, x = np.mgrid[:SIDE, :SIDE]
    height = 20_000 + 200 * np.sin(x / 6) + rng.normal(0, 4, (SIDE, SIDE))
    height -= 500 * np.exp(-((x - 48) ** 2 + (y - 48) ** 2) / 60) * dent
    assert cv2.imwrite(str(path.with_suffix(".depth.png")), np.rint(height).astype(np.uint16))


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory, picture: WritePicture) -> Path:
    """Twelve good parts for training, two for testing, and two with a dent that their pictures do not show."""
    root = tmp_path_factory.mktemp("stock") / "parts"
    places = [(f"train/good/{i:02}.png", i, False) for i in range(12)]
    places += [(f"test/good/{i:02}.png", i, False) for i in range(2)]
    places += [(f"test/dent/{i:02}.png", i, True) for i in range(2)]
    for name, seed, dent in places:
        picture(root / name, seed)
        write_depth(root / name, seed, dent=dent)
    return root


@pytest.fixture(scope="module")
def deep_model(stock: Path) -> Path:
    path = stock.parent / "deep.sight"
    assert run(["train", str(stock), "-o", str(path), "--size", "64", "--depth", "--quiet"]) == 0
    return path


@pytest.fixture
def parts(stock: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(stock, tmp_path / "parts"))


def test_depth_maps_are_found_and_a_dent_without_a_trace_in_the_picture_is_rejected(
    sightline: Sightline, deep_model: Path, stock: Path
) -> None:
    files = sorted((stock / "test/dent").iterdir())  # as a shell's * gives them, depth maps among them
    done = sightline("inspect", deep_model, *files, stock / "test/good")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 PASS, 2 REJECT"


def test_a_missing_depth_map_is_a_fault_and_the_others_are_judged(
    sightline: Sightline, deep_model: Path, parts: Path
) -> None:
    (parts / "test/good/00.depth.png").unlink()
    done = sightline("inspect", deep_model, parts / "test/good")
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()[:2]] == ["FAULT", "PASS"]
    assert "00.png: the model needs a depth map" in done.stderr


def test_a_depth_map_alone_is_not_a_picture(sightline: Sightline, deep_model: Path, stock: Path) -> None:
    done = sightline("inspect", deep_model, stock / "test/good/00.depth.png")
    assert done.returncode == 1
    assert "is a depth map; give its picture" in done.stderr


def test_the_evaluation_and_its_report_use_the_depth(
    document: Document, deep_model: Path, stock: Path, tmp_path: Path
) -> None:
    found = document("evaluate", deep_model, stock, "--report", tmp_path / "report.html")
    assert found["image"]["auroc"] == 1
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_training_says_what_it_looked_at(document: Document, stock: Path, tmp_path: Path) -> None:
    flat = document("train", stock, "-o", tmp_path / "flat.sight", "--size", 64, "--bank", 50)
    assert not flat["depth"]
    assert any("--depth takes them in" in warning for warning in flat["warnings"])


def test_pictures_without_a_depth_map_are_left_out_with_a_word(document: Document, parts: Path, tmp_path: Path) -> None:
    (parts / "train/good/03.depth.png").unlink()
    options = ("-o", tmp_path / "deep.sight", "--size", 64, "--bank", 50, "--depth")
    deep = document("train", parts, *options)
    assert (deep["depth"], deep["images"]) == (True, 11)
    assert any(w.startswith("left out: ") and "03.png: has no depth map" in w for w in deep["warnings"])


def test_padim_refuses_depth(sightline: Sightline, stock: Path, tmp_path: Path) -> None:
    done = sightline("train", stock, "-o", tmp_path / "x.sight", "--depth", "--method", "padim")
    assert done.returncode == 1
    assert "padim has no use for depth maps" in done.stderr


def test_the_bench_makes_up_a_depth_map_or_takes_the_one_beside(
    document: Document, deep_model: Path, stock: Path
) -> None:
    assert document("bench", deep_model, "--runs", 10, "--size", 64)["graph_ms_p50"] > 0
    assert document("bench", deep_model, "--runs", 10, "--image", stock / "test/good/00.png")["graph_ms_p50"] > 0


def test_python_takes_a_depth_map_as_path_bytes_or_array_and_gives_one_score(deep_model: Path, stock: Path) -> None:
    inspector, path = load(deep_model), stock / "test/dent/00.png"
    beside = path.with_suffix(".depth.png")
    pixels = cv2.imread(str(beside), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    expected = inspector.inspect(path)
    assert inspector.inspect(path.read_bytes(), depth=beside).score == expected.score
    assert inspector.inspect(path.read_bytes(), depth=beside.read_bytes()).score == expected.score
    assert inspector.inspect(path, depth=np.asarray(pixels, np.uint16)).score == expected.score
    assert expected.verdict is Verdict.REJECT


def test_a_file_whose_manifest_denies_the_graphs_depth_is_refused(deep_model: Path, tmp_path: Path) -> None:
    bundle = load(deep_model).bundle
    flat = replace(bundle.manifest, input=replace(bundle.manifest.input, depth=False))
    with pytest.raises(BundleError, match=r"has the inputs .*depth"):
        save(tmp_path / "flat.sight", bundle.graph, flat)


def test_python_refuses_none_another_size_and_one_too_many(deep_model: Path, trained: Path, stock: Path) -> None:
    path = stock / "test/good/00.png"
    with pytest.raises(FrameError, match="needs a depth map"):
        load(deep_model).inspect(path.read_bytes())
    with pytest.raises(FrameError, match="depth map is 50 x 40"):
        load(deep_model).inspect(path, depth=np.ones((40, 50), np.uint16))
    with pytest.raises(FrameError, match="learned from pictures alone"):
        load(trained).inspect(path, depth=np.ones((SIDE, SIDE), np.uint16))
    assert load(trained).inspect(path).score is not None  # one that lies beside is nobody's business
