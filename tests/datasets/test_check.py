"""What `check` sees: leaks, duplicates that are none, masks, unreadable files, labels."""

import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.datasets.check import CheckReport, check
from sightline.datasets.duplicates import Likeness
from sightline.datasets.findings import Severity
from sightline.datasets.masks import read_mask
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError

Grey = NDArray[np.uint8]


def part(seed: int, height: int = 96, width: int = 128) -> Grey:
    """A disc in a fixture under one light; each has its own texture and noise."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width), 60, np.float32)
    cv2.circle(picture, (width // 2, height // 2), height // 3, 160, -1)
    texture = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 4)
    return np.clip(picture + 60 * texture + rng.normal(0, 2, (height, width)), 0, 255).astype(np.uint8)


def save(path: Path, picture: NDArray[np.uint8] | NDArray[np.uint16], *options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made, content = cv2.imencode(path.suffix, picture, options)
    assert made
    path.write_bytes(content.tobytes())
    return path


def line_up(root: Path) -> Path:
    """An MVTec category that is fine: 20 good for training, 2 for testing, 1 crack with a mask."""
    for seed in range(20):
        save(root / f"train/good/{seed:03}.png", part(seed))
    save(root / "test/good/000.png", part(100))
    save(root / "test/good/001.png", part(101))
    save(root / "test/crack/000.png", part(102))
    save(root / "ground_truth/crack/000_mask.png", mask())
    return root


def mask(value: int = 255) -> Grey:
    drawn = np.zeros((96, 128), np.uint8)
    drawn[40:44, 50:90] = value
    return drawn


def said(report: CheckReport, severity: Severity) -> list[str]:
    return [finding.what for finding in report.findings if finding.severity is severity]


def pairs(report: CheckReport) -> list[tuple[Likeness, bool, list[str]]]:
    names = [[s.path.relative_to(report.root).as_posix() for s in group.samples] for group in report.duplicates]
    return [(group.likeness, group.is_leak, found) for group, found in zip(report.duplicates, names, strict=True)]


def test_a_data_set_that_is_fine_has_no_findings(tmp_path: Path) -> None:
    report = check(open_dataset(line_up(tmp_path)))
    assert report.findings == ()
    assert report.is_usable
    assert report.statistics.counts == {"train": {"good": 20}, "test": {"good": 2, "crack": 1}}
    assert report.statistics.sizes == {"128 x 96": 23}
    assert report.statistics.formats == {"8-bit grey": 23}


def test_parts_in_a_fixture_are_not_duplicates_though_they_correlate(tmp_path: Path) -> None:
    line_up(tmp_path)
    first, second = (cv2.resize(part(seed), (32, 32), interpolation=cv2.INTER_AREA).ravel() for seed in (0, 1))
    assert np.corrcoef(first, second)[0, 1] > 0.98
    assert check(open_dataset(tmp_path)).duplicates == ()


def test_the_same_file_in_train_and_test_is_a_leak_and_an_error(tmp_path: Path) -> None:
    line_up(tmp_path)
    (tmp_path / "test/good/000.png").write_bytes((tmp_path / "train/good/007.png").read_bytes())
    report = check(open_dataset(tmp_path))
    assert pairs(report) == [(Likeness.FILE, True, ["train/good/007.png", "test/good/000.png"])]
    assert said(report, Severity.ERROR) == ["1 picture occurs in more than one split, so a test proves nothing"]
    assert not report.is_usable


def test_the_same_pixels_in_another_file_are_a_leak(tmp_path: Path) -> None:
    line_up(tmp_path)
    save(tmp_path / "test/good/copy.bmp", part(7))
    report = check(open_dataset(tmp_path))
    assert pairs(report) == [(Likeness.PIXELS, True, ["train/good/007.png", "test/good/copy.bmp"])]
    assert not report.is_usable


@pytest.mark.parametrize("kind", ["jpeg", "brighter"])
def test_nearly_the_same_pixels_are_a_leak_to_be_looked_at(tmp_path: Path, kind: str) -> None:
    line_up(tmp_path)
    if kind == "jpeg":
        save(tmp_path / "test/good/again.jpg", part(7), cv2.IMWRITE_JPEG_QUALITY, 95)
    else:
        save(tmp_path / "test/good/again.png", np.clip(part(7) * 1.04 + 3, 0, 255).astype(np.uint8))
    report = check(open_dataset(tmp_path))
    assert [(likeness, leak) for likeness, leak, _ in pairs(report)] == [(Likeness.NEAR, True)]
    assert said(report, Severity.WARNING) == ["1 picture occurs in more than one split, nearly pixel for pixel"]
    assert report.is_usable


def test_leaks_come_before_repeats_within_a_split(tmp_path: Path) -> None:
    line_up(tmp_path)
    save(tmp_path / "train/good/000b.png", part(0))
    save(tmp_path / "test/good/leak.png", part(9))
    report = check(open_dataset(tmp_path))
    assert [leak for _, leak, _ in pairs(report)] == [True, False]
    assert [finding.severity for finding in report.findings] == [Severity.ERROR, Severity.NOTE]


def test_one_picture_with_two_labels_is_told(tmp_path: Path) -> None:
    line_up(tmp_path)
    save(tmp_path / "test/crack/000.png", part(100))
    assert "1 picture occurs with different labels" in said(check(open_dataset(tmp_path)), Severity.WARNING)


def test_blank_pictures_are_not_called_nearly_the_same(tmp_path: Path) -> None:
    for level in (0, 100, 101, 255):
        save(tmp_path / f"{level}.png", np.full((64, 64), level, np.uint8))
    for seed in range(3):
        save(tmp_path / f"part{seed}.png", part(seed))
    assert check(open_dataset(tmp_path)).duplicates == ()


def test_two_pictures_alone_are_compared_too(tmp_path: Path) -> None:
    save(tmp_path / "a.png", part(1))
    save(tmp_path / "b.jpg", part(1), cv2.IMWRITE_JPEG_QUALITY, 95)
    assert [likeness for likeness, _, _ in pairs(check(open_dataset(tmp_path)))] == [Likeness.NEAR]


def test_one_picture_is_reported_not_refused(tmp_path: Path) -> None:
    save(tmp_path / "only.png", part(0))
    report = check(open_dataset(tmp_path))
    assert said(report, Severity.NOTE) == ["only 1 good picture for training"]
    assert report.is_usable


def test_unreadable_files_are_listed_and_the_others_still_done(tmp_path: Path) -> None:
    line_up(tmp_path)
    whole = (tmp_path / "train/good/003.png").read_bytes()
    (tmp_path / "train/good/003.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "train/good/004.png").write_bytes(b"")
    report = check(open_dataset(tmp_path))
    assert [picture.path.name for picture in report.unreadable] == ["003.png", "004.png"]
    assert all(str(picture.path) in picture.reason for picture in report.unreadable)
    assert said(report, Severity.ERROR) == ["2 pictures cannot be read"]
    assert report.statistics.unreadable == 2
    assert sum(report.statistics.sizes.values()) == 21


def test_nothing_readable_still_gives_a_report(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    report = check(open_dataset(tmp_path))
    assert not report.is_usable
    assert report.statistics.sizes == {}
    assert report.statistics.brightness == {}


def test_pictures_over_the_cap_are_unreadable(tmp_path: Path) -> None:
    save(tmp_path / "a.png", part(0))  # 12,288 pixels
    assert len(check(open_dataset(tmp_path), max_megapixels=0.012).unreadable) == 1
    assert len(check(open_dataset(tmp_path), max_megapixels=0.013).unreadable) == 0


def test_mixed_sizes_and_formats_are_told(tmp_path: Path) -> None:
    save(tmp_path / "a.png", part(0))
    save(tmp_path / "b.png", part(1, 64, 80))
    save(tmp_path / "c.png", part(2).astype(np.uint16) * np.uint16(256))
    save(tmp_path / "d.png", np.dstack([part(3), part(4), part(5)]))
    report = check(open_dataset(tmp_path))
    assert report.statistics.sizes == {"128 x 96": 3, "80 x 64": 1}
    assert report.statistics.formats == {"8-bit grey": 2, "16-bit grey": 1, "8-bit RGB": 1}
    assert "2 different picture sizes" in said(report, Severity.NOTE)
    assert any(what.startswith("different pixel formats: 8-bit grey 2") for what in said(report, Severity.WARNING))


def test_brightness_and_contrast_are_measured_on_a_scale_from_black_to_white(tmp_path: Path) -> None:
    half = np.zeros((10, 10), np.uint8)
    half[:5] = 255  # mean 0.5, deviation 0.5
    save(tmp_path / "a.png", half)
    save(tmp_path / "b.png", np.full((10, 10), 0xFFFF, np.uint16))  # mean 1, deviation 0
    figures = check(open_dataset(tmp_path)).statistics
    assert asdict(figures.brightness["good"]) == {"lowest": 0.5, "median": 0.75, "highest": 1.0}
    assert asdict(figures.contrast["good"]) == {"lowest": 0.0, "median": 0.25, "highest": 0.5}


@pytest.mark.parametrize(
    ("name", "picture", "told"),
    [
        pytest.param("crack/000_mask.png", mask()[:, :100], "the mask is 100 x 96, its picture 128 x 96", id="size"),
        pytest.param("crack/000_mask.png", mask(0), 'marks nothing, but the picture is labelled "crack"', id="empty"),
        pytest.param("good/000_mask.png", mask(), "marks a defect, but the picture is labelled good", id="good"),
    ],
)
def test_masks_that_do_not_fit_are_told(tmp_path: Path, name: str, picture: Grey, told: str) -> None:
    save(line_up(tmp_path) / "ground_truth" / name, picture)
    report = check(open_dataset(tmp_path))
    assert len(report.mask_faults) == 1
    assert told in report.mask_faults[0]
    assert report.mask_faults[0].startswith(str(tmp_path / "ground_truth" / name))
    assert said(report, Severity.WARNING) == ["1 mask not fit for use"]


def test_an_unreadable_mask_is_told(tmp_path: Path) -> None:
    (line_up(tmp_path) / "ground_truth/crack/000_mask.png").write_bytes(b"\x89PNG")
    assert "000_mask.png" in check(open_dataset(tmp_path)).mask_faults[0]


def test_a_missing_mask_is_told_only_where_others_have_one(tmp_path: Path) -> None:
    save(line_up(tmp_path) / "test/crack/001.png", part(103))
    report = check(open_dataset(tmp_path))
    assert report.masks_missing == (tmp_path / "test/crack/001.png",)
    (tmp_path / "ground_truth/crack/000_mask.png").unlink()
    assert check(open_dataset(tmp_path)).findings == ()


def test_labels_that_cannot_be_meant_are_told(tmp_path: Path) -> None:
    for n, label in enumerate(("good", "Crack", "crack")):
        save(tmp_path / f"{label}/1.png", part(n))
    report = check(open_dataset(tmp_path))
    assert said(report, Severity.WARNING) == ["labels that differ only in spelling: Crack, crack"]
    assert "defects among the training pictures: Crack 1, crack 1" in said(report, Severity.NOTE)


def test_no_good_pictures_are_told(tmp_path: Path) -> None:
    save(tmp_path / "test/crack/1.png", part(0))
    expected = ["no good pictures for training; the labels are crack"]
    assert said(check(open_dataset(tmp_path)), Severity.WARNING) == expected


def test_subfolders_taken_as_good_are_told(tmp_path: Path) -> None:
    save(tmp_path / "scratch/1.png", part(0))
    report = check(open_dataset(tmp_path))
    assert "pictures in all subfolders are taken as good" in said(report, Severity.NOTE)


def test_the_report_goes_to_json(tmp_path: Path) -> None:
    save(line_up(tmp_path) / "test/good/leak.png", part(9))
    document = json.loads(json.dumps(asdict(check(open_dataset(tmp_path))), default=str))
    assert document["duplicates"][0]["likeness"] == "same file"
    assert document["findings"][0]["severity"] == "error"


@pytest.mark.parametrize("value", [1, 255], ids=["index", "white"])
def test_a_mask_is_what_is_not_zero(tmp_path: Path, value: int) -> None:
    read = read_mask(save(tmp_path / "m.png", mask(value)), 96, 128)
    assert read.dtype == np.bool_
    np.testing.assert_array_equal(read, mask() > 0)


def test_a_colour_mask_counts_any_channel(tmp_path: Path) -> None:
    drawn = np.zeros((4, 4, 3), np.uint8)
    drawn[1, 2] = (0, 0, 9)
    assert np.argwhere(read_mask(save(tmp_path / "m.png", drawn), 4, 4)).tolist() == [[1, 2]]


def test_a_mask_of_another_size_names_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"m\.png: the mask is 128 x 96, its picture 64 x 48 pixels"):
        read_mask(save(tmp_path / "m.png", mask()), 48, 64)
