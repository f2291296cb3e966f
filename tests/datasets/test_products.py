"""Several data sets by product: named, called like their folders, or the subfolders of one."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.datasets.products import open_products
from sightline.errors import DatasetError, InspectionError, OptionError


def pictures(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        assert cv2.imwrite(str(folder / f"{name}.png"), np.zeros((8, 8), np.uint8))
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Three products; one is in MVTec AD layout."""
    pictures(tmp_path / "tile/train/good")
    pictures(tmp_path / "cap")
    pictures(tmp_path / "odd=name")
    return tmp_path


def test_a_product_is_called_as_told_or_like_its_folder(shop: Path) -> None:
    found = open_products([f"lid={shop / 'cap'}", str(shop / "tile"), str(shop / "odd=name")])
    assert list(found) == ["lid", "tile", "odd=name"]
    assert [dataset.root for dataset in found.values()] == [shop / "cap", shop / "tile", shop / "odd=name"]
    assert found["tile"].layout == "mvtec"


def test_one_folder_holds_a_product_in_each_subfolder(shop: Path) -> None:
    assert list(open_products([str(shop)])) == ["cap", "odd=name", "tile"]


def test_a_folder_seen_from_within_has_a_name(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop / "cap")
    assert list(open_products([".", "../tile"])) == ["cap", "tile"]


@pytest.mark.parametrize(
    ("places", "kind", "expected"),
    [
        (["cap"], DatasetError, "does not hold the data sets of several products"),
        (["none"], DatasetError, "does not hold the data sets of several products"),
        (["cap", "cap"], OptionError, "two products are called 'cap'; write NAME=DATA"),
        (["a=cap", "a=tile"], OptionError, "two products are called 'a'"),
        (["=cap", "tile"], OptionError, "'=cap' is not a product; write NAME=DATA"),
        (["a=", "tile"], OptionError, "'a=' is not a product; write NAME=DATA"),
        (["a=none", "tile"], DatasetError, "none: cannot be opened"),
    ],
)
def test_what_names_no_products_is_refused_in_one_line(
    shop: Path, monkeypatch: pytest.MonkeyPatch, places: list[str], kind: type[InspectionError], expected: str
) -> None:
    monkeypatch.chdir(shop)
    with pytest.raises(kind) as caught:
        open_products(places)
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()
