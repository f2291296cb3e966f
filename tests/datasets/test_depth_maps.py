"""Depth maps in a data set: never taken for pictures, and what is wrong with them is told."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.datasets.check import check
from sightline.datasets.depth_maps import depth_maps
from sightline.datasets.frames import FrameFiles
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError, FrameError


def write(path: Path, *, depth: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(path.name))
    assert cv2.imwrite(str(path), rng.integers(0, 255, (24, 32), np.uint8))
    if depth:
        assert cv2.imwrite(str(path.with_suffix(".depth.png")), rng.integers(1, 999, (24, 32), np.uint16))


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    for index in range(3):
        write(tmp_path / f"train/good/{index:03}.png")
    write(tmp_path / "test/dent/000.png")
    return tmp_path


def test_depth_maps_are_not_pictures(parts: Path) -> None:
    dataset = open_dataset(parts)
    assert [sample.path.name for sample in dataset.samples] == ["000.png", "001.png", "002.png", "000.png"]
    assert len(open_dataset(parts / "train/good").samples) == 3


def test_a_folder_of_depth_maps_alone_holds_no_pictures(parts: Path) -> None:
    for path in (parts / "train/good").glob("00?.png"):
        path.unlink()
    with pytest.raises(DatasetError, match="no pictures"):
        open_dataset(parts / "train/good")


def test_a_csv_that_lists_one_is_refused(parts: Path) -> None:
    table = parts / "parts.csv"
    table.write_text("image,label\ntrain/good/000.depth.png,good\n")
    with pytest.raises(DatasetError, match=r"000\.depth\.png: is a depth map.*list its picture"):
        open_dataset(table)


def test_a_set_with_all_its_depth_maps_has_nothing_wrong(parts: Path) -> None:
    maps = depth_maps(open_dataset(parts))
    assert (maps.found, maps.faults, maps.missing, maps.without_picture) == (4, (), (), ())


def test_a_set_without_depth_maps_is_not_blamed(tmp_path: Path) -> None:
    write(tmp_path / "a.png", depth=False)
    assert depth_maps(open_dataset(tmp_path)).missing == ()


def test_what_is_missing_misfits_or_lies_alone_is_found(parts: Path) -> None:
    good = parts / "train/good"
    (good / "000.depth.png").unlink()
    cv2.imwrite(str(good / "001.depth.png"), np.ones((20, 32), np.uint16))
    cv2.imwrite(str(good / "old.depth.png"), np.ones((24, 32), np.uint16))
    maps = depth_maps(open_dataset(parts))
    assert [path.name for path in maps.missing] == ["000.png"]
    assert len(maps.faults) == 1
    assert "001.depth.png" in maps.faults[0]
    assert [path.name for path in maps.without_picture] == ["old.depth.png"]
    report = check(open_dataset(parts), progress=False)
    assert not report.is_usable
    told = [finding.what for finding in report.findings]
    assert "1 depth map not fit for use" in told
    assert "1 picture without a depth map, while others have one" in told
    assert "1 depth map without a picture" in told


def test_frames_carry_their_depth_when_asked(parts: Path) -> None:
    paths = sorted((parts / "train/good").glob("00?.png"))
    assert FrameFiles(paths=paths)[0].depth is None
    assert FrameFiles(paths=paths, depth=True)[0].depth is not None
    (parts / "train/good/002.depth.png").unlink()
    with pytest.raises(FrameError, match=r"002\.png: has no depth map"):
        FrameFiles(paths=paths, depth=True)[2]
