"""A data set on disk: its layout, its repeatability, and what happens when it cannot be written."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.errors import DatasetError, OptionError, StoreError
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.defects import DefectType
from sightline.synthesis.parts import PartConfig, render

TINY = PartConfig(size=64)
FEW = Counts(good_train=2, good_test=1, per_defect=1)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_layout_is_that_of_mvtec(tmp_path: Path) -> None:
    write_dataset(tmp_path / "set", TINY, FEW)
    expected = {"train/good/000.png", "train/good/001.png", "test/good/000.png"}
    expected |= {f"test/{kind}/000.png" for kind in DefectType}
    expected |= {f"ground_truth/{kind}/000_mask.png" for kind in DefectType}
    assert set(contents(tmp_path / "set")) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_file_holds_the_rendered_pixels_and_a_black_and_white_mask(tmp_path: Path) -> None:
    write_dataset(tmp_path / "set", TINY, FEW, seed=9)
    stream = 2 + list(DefectType).index(DefectType.DENT)
    part = render(TINY, np.random.default_rng((9, stream, 0)), defect=DefectType.DENT)
    picture = cv2.imread(str(tmp_path / "set/test/dent/000.png"), cv2.IMREAD_UNCHANGED)
    mask = cv2.imread(str(tmp_path / "set/ground_truth/dent/000_mask.png"), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert mask is not None
    np.testing.assert_array_equal(picture[..., ::-1], part.pixels)
    np.testing.assert_array_equal(mask, part.mask.astype(np.uint8) * 255)


def test_16_bit_pictures_are_16_bit_on_disk(tmp_path: Path) -> None:
    write_dataset(tmp_path / "set", PartConfig(size=64, bit_depth=16), Counts(good_train=1, good_test=0, per_defect=0))
    picture = cv2.imread(str(tmp_path / "set/train/good/000.png"), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.dtype == np.uint16
    assert picture.max() > 255


def test_the_same_seed_gives_the_same_files_and_more_pictures_change_none(tmp_path: Path) -> None:
    write_dataset(tmp_path / "small", TINY, FEW, seed=4)
    write_dataset(tmp_path / "large", TINY, Counts(good_train=3, good_test=2, per_defect=2), seed=4)
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    assert small == {name: large[name] for name in small}
    assert len({large[name] for name in large if "mask" not in name}) == 3 + 2 + 2 * len(DefectType)


def test_another_seed_gives_other_pictures(tmp_path: Path) -> None:
    one = Counts(good_train=1, good_test=0, per_defect=0)
    write_dataset(tmp_path / "a", TINY, one, seed=1)
    write_dataset(tmp_path / "b", TINY, one, seed=2)
    assert contents(tmp_path / "a") != contents(tmp_path / "b")


def test_an_empty_folder_is_filled_and_parents_are_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    one = Counts(good_train=1, good_test=0, per_defect=0)
    write_dataset(tmp_path / "empty", TINY, one)
    write_dataset(tmp_path / "new" / "deep", TINY, one)
    assert contents(tmp_path / "empty") == contents(tmp_path / "new" / "deep")


def test_an_occupied_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DatasetError, match=r"not empty; give a new one"):
        write_dataset(tmp_path, TINY, FEW)
    assert contents(tmp_path) == {"mine.txt": b"keep"}


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("keep")
    with pytest.raises(DatasetError, match="not a folder"):
        write_dataset(tmp_path / "set", TINY, FEW)


def test_a_folder_that_fills_up_meanwhile_is_refused_and_left_alone(tmp_path: Path) -> None:
    def intrude(done: int, total: int) -> None:
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / "mine.txt").write_text("keep")

    with pytest.raises(DatasetError, match="not empty"):
        write_dataset(tmp_path / "set", TINY, FEW, progress=intrude)
    assert contents(tmp_path) == {"set/mine.txt": b"keep"}


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "set", TINY, FEW, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"set: cannot be written \(No space left on device\)"):
        write_dataset(tmp_path / "set", TINY, FEW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_without_permission_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        write_dataset(tmp_path / "set", TINY, FEW)


def test_progress_counts_every_picture(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_dataset(tmp_path / "set", TINY, FEW, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 10) for done in range(1, 11)]


@pytest.mark.parametrize("counts", [{"good_train": -1}, {"per_defect": 100_001}])
def test_a_count_out_of_range_is_refused_by_name(counts: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=next(iter(counts))):
        Counts(**counts)


def test_a_set_of_nothing_and_a_negative_seed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="all counts are 0"):
        Counts(good_train=0, good_test=0, per_defect=0)
    with pytest.raises(OptionError, match="seed is -1"):
        write_dataset(tmp_path / "set", TINY, FEW, seed=-1)
