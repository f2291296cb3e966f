"""Opening a data set without being told its layout."""

from collections.abc import Callable
from pathlib import Path

from sightline.datasets import csv_file, folder, mvtec, visa
from sightline.datasets.dataset import Dataset
from sightline.datasets.pictures import is_picture, subfolders
from sightline.errors import DatasetError


def _categories(path: Path) -> list[Path]:
    return [child for child in subfolders(path).values() if mvtec.matches(child)]


def _is_collection(path: Path) -> bool:
    return bool(_categories(path))


def _refuse_collection(path: Path) -> Dataset:
    """Read as one folder, the defects of all categories would count as good pictures."""
    found = _categories(path)
    some = ", ".join(child.name for child in found[:8]) + (", ..." if len(found) > 8 else "")
    raise DatasetError(f"{path}: holds data sets of its own ({some}); point to one, such as {found[0]}.")


_LAYOUTS: tuple[tuple[Callable[[Path], bool], Callable[[Path], Dataset]], ...] = (
    (csv_file.matches, csv_file.read),
    (visa.matches, visa.read),
    (mvtec.matches, mvtec.read),
    (_is_collection, _refuse_collection),  # before the plain folder, which takes any
    (folder.matches, folder.read),
)


def open_dataset(path: Path) -> Dataset:
    """Read the data set at `path`: a folder of good pictures, class folders, MVTec AD, VisA or a CSV.

    Only names are looked at; whether the pictures can be read is seen when they are.

    Raises:
        DatasetError: nothing is there, it is one picture or another kind of file, it holds no pictures, or it holds
            several data sets.
    """
    try:
        path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot be opened ({reason}); check the path.") from error
    if not path.is_dir() and not csv_file.matches(path):
        kind = "one picture" if is_picture(path) else "not a data set"
        raise DatasetError(f"{path}: is {kind}; give a folder of pictures, such as {path.parent}, or a .csv file.")
    return next(read(path) for matches, read in _LAYOUTS if matches(path))


def open_labelled(path: Path) -> Dataset:
    """The same for what learns names: class folders are classes although none of them is called good.

    Without a folder called good, `open_dataset` takes all pictures below a folder as good, as they came from the line.

    Raises:
        DatasetError: as `open_dataset`.
    """
    dataset = open_dataset(path)
    if dataset.layout == "folder" and folder.has_classes(path):
        return folder.read_classes(path)
    return dataset
