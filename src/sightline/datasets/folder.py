"""Plain folders: good pictures only, or one folder per class.

A folder with a subfolder named good, ok or normal has one class per subfolder; in any other, every picture in it and
below it is good. Nothing says which pictures are for testing, so all are for training. A `ground_truth` folder holds
masks as in the MVTec layout and is never read as pictures.
"""

from pathlib import Path

from sightline.datasets.dataset import GOOD, Dataset, Sample, label_named
from sightline.datasets.mvtec import MASK_FOLDER, class_samples
from sightline.datasets.pictures import pictures_in, subfolders
from sightline.errors import DatasetError


def matches(path: Path) -> bool:
    """Any folder can be read this way, so ask the other layouts first."""
    return path.is_dir()


def read(path: Path) -> Dataset:
    """Read good pictures, or one class per folder.

    Raises:
        DatasetError: no pictures, or pictures that lie beside class folders and so have no class.
    """
    folders = subfolders(path)
    if any(label_named(name) == GOOD for name in folders):
        return read_classes(path)
    masks = path / MASK_FOLDER
    pictures = [picture for picture in pictures_in(path) if masks not in picture.parents]
    samples = tuple(Sample(path=picture, label=GOOD) for picture in pictures)
    return Dataset(name=path.resolve().name, root=path, samples=samples, layout="folder")


def has_classes(path: Path) -> bool:
    """Whether it has two subfolders with pictures, or more, which may be classes although none is called good."""
    return sum(bool(pictures_in(folder)) for name, folder in subfolders(path).items() if name != MASK_FOLDER) > 1


def read_classes(path: Path) -> Dataset:
    """Read one class per folder; raises DatasetError where a picture lies beside them."""
    stray = pictures_in(path, nested=False)
    if stray:
        raise DatasetError(f"{stray[0]}: lies beside class folders and has no class; move it into one of them.")
    samples = tuple(class_samples(path, "train", path / MASK_FOLDER))
    return Dataset(name=path.resolve().name, root=path, samples=samples, layout="classes")
