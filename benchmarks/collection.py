"""The data sets of the accuracy bench: found by their layout, known by their content."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.opening import open_dataset
from sightline.errors import DatasetError

_DEPTH = 2  # folders below the one named in which data sets are looked for: mvtec_ad/bottle


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A data set that can be measured."""

    name: str  # its path below the folder that was searched
    dataset: Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a data set held when it was measured."""

    digest: str  # 12 hexadecimal digits over every picture, its split, label and mask
    leaked: int  # test pictures that are, byte for byte, among the training pictures


def find_datasets(folder: Path) -> list[Found]:
    """Data sets in MVTec AD layout in or below `folder`, by name; the others are told about on standard error.

    Measured can be those with good training pictures, and with good and defective test pictures.

    Raises:
        DatasetError: there is none.
    """
    found = []
    for name, place in _candidates(folder, folder.resolve().name, 0):
        try:
            dataset = open_dataset(place)
        except DatasetError as error:
            print(f"passed over: {error}", file=sys.stderr)
            continue
        if dataset.train_good and len({sample.is_good for sample in dataset.test}) == 2:
            found.append(Found(name=name, dataset=dataset))
        else:
            print(f"passed over: {place}: needs train/good, test/good and test/<defect>.", file=sys.stderr)
    if not found:
        raise DatasetError(
            f"{folder}: no data set in MVTec AD layout is here. Point --data at the folder that has them."
        )
    return found


def content(dataset: Dataset) -> Content:
    """Read every file once. Raises OSError where one cannot be read."""
    whole, train, test = hashlib.sha256(), set[bytes](), list[bytes]()
    for sample in dataset.samples:
        picture = hashlib.sha256(sample.path.read_bytes()).digest()
        mask = hashlib.sha256(sample.mask.read_bytes()).digest() if sample.mask else b""
        whole.update(f"{sample.split}/{sample.label}/".encode() + picture + mask)
        if sample.split == "test":
            test.append(picture)
        else:
            train.add(picture)
    return Content(digest=whole.hexdigest()[:12], leaked=sum(picture in train for picture in test))


def _candidates(folder: Path, name: str, depth: int) -> Iterator[tuple[str, Path]]:
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        yield name, folder
    elif depth < _DEPTH:
        for child in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
            yield from _candidates(child, child.name if depth == 0 else f"{name}/{child.name}", depth + 1)
