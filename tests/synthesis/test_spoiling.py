"""Data sets of synthetic defects: whole or not at all, marked, with masks, from training pictures only."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.synthesis.conftest import taken

from sightline.datasets import csv_file
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.masks import read_mask
from sightline.datasets.opening import open_dataset
from sightline.datasets.synthetic import file_digest, is_synthetic, sources_of
from sightline.errors import DatasetError, OptionError
from sightline.imaging.decode import read_frame
from sightline.synthesis.contact_sheet import TILE_PX, contact_sheet
from sightline.synthesis.mixing import Mix
from sightline.synthesis.spoiling import Kind, SpoilConfig, write_synthetic

PAINTED = SpoilConfig(mix=Mix(per_class=2), kinds={Kind.CRACK: "crack", Kind.STAIN: "dirt"})
PASTED = SpoilConfig(mix=Mix(per_class=2), kinds={})


@pytest.fixture
def divided(tmp_path: Path, good_parts: Path) -> Dataset:
    """The good parts, and two with a dark spot and its mask, one in train and one in test."""
    samples = list(open_dataset(good_parts).samples)
    for seed, split in ((20, "train"), (21, "test")):
        pixels, mask = taken(seed, disc=True, channels=3).pixels.copy(), np.zeros((128, 128), np.uint8)
        pixels[50:60, 40:52] //= 3
        mask[50:60, 40:52] = 255
        path, truth = tmp_path / f"spot{seed}.png", tmp_path / f"spot{seed}_mask.png"
        assert cv2.imwrite(str(path), pixels)
        assert cv2.imwrite(str(truth), mask)
        samples.append(Sample(path=path, label="spot", split=split, mask=truth))
    return Dataset(name="parts", root=tmp_path, samples=tuple(samples), layout="csv")


def test_each_picture_has_its_mask_its_mark_and_its_entry(good_parts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = write_synthetic(open_dataset(good_parts), out, PAINTED)
    entries = json.loads((out / "synthetic.json").read_text())["pictures"]
    assert [entry["path"] for entry in entries] == [one.path for one in run.made]
    assert sorted({one.label for one in run.made}) == ["crack", "dirt"]
    for one in run.made:
        frame = read_frame(out / one.path)
        mask = read_mask(out / one.mask, frame.height, frame.width)
        before = read_frame(Path(one.source)).pixels
        change = np.abs(frame.pixels.astype(int) - before).max(axis=2)
        assert change[mask].mean() > 4
        assert is_synthetic(out / one.path)
        assert sources_of(out / one.path) == (one.source_sha256,) == (file_digest(Path(one.source)),)
        assert "/train/" in one.source


def test_the_folder_and_the_mixture_open_as_data_sets_with_masks(good_parts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_synthetic(open_dataset(good_parts), out, PAINTED)
    alone, mixed = open_dataset(out), open_dataset(out / "mixed.csv")
    assert alone.counts == {"train": {"crack": 2, "dirt": 2}}
    assert all(sample.mask for sample in alone.samples)
    assert mixed.counts == {"train": {"good": 4, "crack": 2, "dirt": 2}, "test": {"good": 1}}
    assert {sample.mask is not None for sample in mixed.samples if not sample.is_good} == {True}


def test_the_same_seed_writes_the_same_files_and_another_class_changes_none(good_parts: Path, tmp_path: Path) -> None:
    good = open_dataset(good_parts)
    write_synthetic(good, tmp_path / "a", PAINTED)
    write_synthetic(good, tmp_path / "b", replace(PAINTED, kinds={**PAINTED.kinds, Kind.DENT: "dent"}))
    write_synthetic(good, tmp_path / "c", replace(PAINTED, seed=1))
    name = "train/crack/synthetic_crack_001.png"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes()


def test_16_bit_grey_stays_16_bit_grey(tmp_path: Path) -> None:
    for seed in range(2):
        path = tmp_path / f"deep/{seed}.png"
        path.parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(path), taken(seed, bit_depth=16).pixels)
    run = write_synthetic(open_dataset(tmp_path / "deep"), tmp_path / "out", PAINTED)
    for one in run.made:
        frame = read_frame(tmp_path / "out" / one.path)
        assert frame.bit_depth == 16
        assert frame.pixels.shape[2] == 1
        assert len(np.unique(frame.pixels)) > 500


def test_only_defects_of_training_are_pasted(divided: Dataset, tmp_path: Path) -> None:
    run = write_synthetic(divided, tmp_path / "out", PASTED, defects=divided)
    assert {(one.label, one.method, one.defect) for one in run.made} == {
        ("spot", "pasted", str(tmp_path / "spot20.png"))
    }
    assert run.real == {"good": 4, "spot": 1}
    assert all(len(sources_of(tmp_path / "out" / one.path)) == 2 for one in run.made)


def test_painting_and_pasting_one_label_take_turns(divided: Dataset, tmp_path: Path) -> None:
    config = SpoilConfig(mix=Mix(per_class=3), kinds={Kind.STAIN: "spot"})
    run = write_synthetic(divided, tmp_path / "out", config, defects=divided)
    assert [one.method for one in run.made] == ["stain", "pasted", "stain"]


def test_defects_of_test_alone_are_refused_with_the_cure(divided: Dataset, tmp_path: Path) -> None:
    tested = replace(divided, samples=tuple(s for s in divided.samples if s.is_good or s.split == "test"))
    with pytest.raises(DatasetError, match="sightline data split"):
        write_synthetic(divided, tmp_path / "out", PASTED, defects=tested)


def test_a_picture_in_two_splits_is_refused(divided: Dataset, tmp_path: Path) -> None:
    other = replace(divided, samples=tuple(replace(s, split="train") for s in divided.samples))
    with pytest.raises(DatasetError, match=r"lies in test of one data set and in train"):
        write_synthetic(divided, tmp_path / "out", PASTED, defects=other)


def test_nothing_is_left_behind_where_a_defect_cannot_be_made(tmp_path: Path) -> None:
    for seed in range(2):
        path = tmp_path / f"plain/{seed}.png"
        path.parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(path), taken(seed).pixels)
    config = SpoilConfig(mix=Mix(per_class=2), kinds={Kind.STAIN: "stain", Kind.SHIFTED: "shifted"})
    with pytest.raises(DatasetError, match='no "shifted" could be made by shifted'):
        write_synthetic(open_dataset(tmp_path / "plain"), tmp_path / "out", config)
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]


def test_an_unreadable_good_picture_is_told_and_the_others_are_used(good_parts: Path, tmp_path: Path) -> None:
    (good_parts / "train/good/000.png").write_bytes(b"no picture")
    run = write_synthetic(open_dataset(good_parts), tmp_path / "out", replace(PAINTED, mix=Mix(per_class=6)))
    assert len(run.made) == 12
    assert len(run.unusable) == 1
    assert "000.png" in run.unusable[0]


def test_a_defect_whose_mask_marks_nothing_is_told_and_the_others_are_pasted(divided: Dataset, tmp_path: Path) -> None:
    other, empty = tmp_path / "spot22.png", tmp_path / "empty_mask.png"
    other.write_bytes((tmp_path / "spot20.png").read_bytes())
    assert cv2.imwrite(str(empty), np.zeros((128, 128), np.uint8))
    more = replace(divided, samples=(*divided.samples, Sample(path=other, label="spot", mask=empty)))
    run = write_synthetic(more, tmp_path / "out", replace(PASTED, mix=Mix(per_class=6)), defects=more)
    assert {one.defect for one in run.made} == {str(tmp_path / "spot20.png")}
    assert ["spot22.png: its mask marks nothing" in reason for reason in run.unusable] == [True]


def test_a_folder_that_is_not_empty_stays_as_it_is(good_parts: Path) -> None:
    with pytest.raises(DatasetError, match="not empty"):
        write_synthetic(open_dataset(good_parts), good_parts, PAINTED)


def test_synthetic_pictures_are_not_spoilt_again(good_parts: Path, tmp_path: Path) -> None:
    only = good_parts / "train/good/synthetic_000.png"
    (good_parts / "train/good/000.png").rename(only)
    mixed = open_dataset(good_parts)
    lone = replace(mixed, samples=tuple(s for s in mixed.samples if s.path == only))
    with pytest.raises(DatasetError, match="no good training pictures"):
        write_synthetic(lone, tmp_path / "out", PAINTED)


@pytest.mark.parametrize("label", ["", "good", "a/b", "..", ".hidden", "a\nb"])
def test_labels_that_cannot_be_folders_are_refused(label: str) -> None:
    with pytest.raises(OptionError, match="label of a defect"):
        SpoilConfig(mix=Mix(per_class=1), kinds={Kind.CRACK: label})


def test_severities_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(OptionError, match="severity"):
        SpoilConfig(mix=Mix(per_class=1), kinds={}, severity=(0.8, 0.2))


def test_a_sheet_shows_good_spoilt_and_mask_of_each_label(good_parts: Path, tmp_path: Path) -> None:
    run = write_synthetic(open_dataset(good_parts), tmp_path / "out", PAINTED)
    sheet = contact_sheet(tmp_path / "out", run.made)
    assert sheet.shape[1] > 6 * TILE_PX
    assert sheet.shape[0] > 2 * TILE_PX
    mask = sheet[30 : 20 + TILE_PX, 2 * (TILE_PX + 4) : 2 * (TILE_PX + 4) + TILE_PX]
    assert (mask == 255).any()
    assert (mask == 0).any()


def test_the_mixture_can_be_read_from_another_place_beside_its_pictures(good_parts: Path, tmp_path: Path) -> None:
    write_synthetic(open_dataset(good_parts), tmp_path / "out", PAINTED)
    moved = tmp_path / "later"
    moved.mkdir()
    for name in ("parts", "out"):
        (tmp_path / name).rename(moved / name)
    assert len(csv_file.read(moved / "out/mixed.csv").samples) == 9
