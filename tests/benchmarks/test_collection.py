"""Which data sets the accuracy bench finds, and how it knows them again."""

from pathlib import Path

import pytest

from collection import content, find_datasets
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError


def write(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture %d" % number)  # only names are looked at
    return root


COMPLETE = ("train/good/0", "train/good/1", "test/good/0", "test/crack/0", "ground_truth/crack/0_mask")


def names(folder: Path) -> list[str]:
    return [found.name for found in find_datasets(folder)]


def test_data_sets_are_found_one_folder_down_and_two(tmp_path: Path) -> None:
    write(tmp_path / "tile", *COMPLETE)
    write(tmp_path / "mvtec_ad" / "bottle", *COMPLETE)
    assert names(tmp_path) == ["mvtec_ad/bottle", "tile"]


def test_the_folder_may_be_a_data_set_itself(tmp_path: Path) -> None:
    assert names(write(tmp_path / "tile", *COMPLETE)) == ["tile"]


@pytest.mark.parametrize("missing", ["train/good", "test/good", "test/crack"])
def test_what_cannot_be_measured_is_passed_over_and_said(
    tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "whole", *COMPLETE)
    write(tmp_path / "half", *(name for name in COMPLETE if not name.startswith(missing)), "train/bad/0", "test/ok/1")
    expected = ["half", "whole"] if missing == "test/good" else ["whole"]  # "ok" counts as good
    assert names(tmp_path) == expected
    assert ("half" in capsys.readouterr().err) == (expected == ["whole"])


def test_other_folders_are_no_data_sets(tmp_path: Path) -> None:
    write(tmp_path / "natural", "0", "1")
    with pytest.raises(DatasetError, match="no data set in MVTec AD layout"):
        find_datasets(tmp_path)


def test_the_content_is_known_by_every_file_and_its_place(tmp_path: Path) -> None:
    first = content(open_dataset(write(tmp_path / "a", *COMPLETE)))
    assert content(open_dataset(write(tmp_path / "b", *COMPLETE))) == first
    (tmp_path / "b/ground_truth/crack/0_mask.png").write_bytes(b"another mask")
    assert content(open_dataset(tmp_path / "b")).digest != first.digest
    (tmp_path / "a/train/good/1.png").rename(tmp_path / "a/test/good/1.png")
    assert content(open_dataset(tmp_path / "a")).digest != first.digest


def test_a_test_picture_that_was_trained_on_is_counted(tmp_path: Path) -> None:
    root = write(tmp_path, *COMPLETE)
    assert content(open_dataset(root)).leaked == 0
    (root / "test/good/again.png").write_bytes((root / "train/good/0.png").read_bytes())
    assert content(open_dataset(root)).leaked == 1
