"""What a format is: how it is told, read and written, and what it can carry."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sightline.datasets.annotations import LabelledPicture, LabelledSet
from sightline.datasets.dataset import SPLITS
from sightline.errors import DatasetError, FrameError
from sightline.imaging.decode import read_size

SHORT = {"train": "train", "validation": "val", "test": "test"}  # how most tools call the splits
_SPLIT_WORDS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_SPLIT_WORDS |= dict.fromkeys(("val", "valid", "validation", "dev"), "validation")
_WORD = re.compile(r"[a-z]+")


class Carries(StrEnum):
    """What a format has room for."""

    LABEL = "one label for a picture"
    LABELS = "several labels for a picture"
    GOOD = "whether a picture is good"  # all others are called "anomaly"
    BOX = "boxes"
    POLYGON = "outlines"
    PARTS = "several outlines for one region"
    MASK = "masks"
    INSTANCES = "each region on its own"  # without: the regions of a label are one
    REGION_LABELS = "labels of regions"  # without: all regions have the picture's label
    SPLIT = "train, validation and test"
    CONFIDENCE = "confidence"
    UNLABELLED = "pictures that nobody has looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A picture with its place below the folder that is written."""

    picture: LabelledPicture
    place: str  # with forward slashes: images/train/0001.png

    @property
    def name(self) -> str:
        return self.place.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        assert self.picture.size is not None, "the conversion looks at every picture"
        return self.picture.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A data set on its way to disk: its pictures are in `folder`, the annotations are for the format to write."""

    folder: Path
    placed: tuple[Placed, ...]
    classes: tuple[str, ...]  # of annotations, in their order
    prefix: str = ""  # for formats that name pictures by URI: what comes before each place

    def uri(self, place: str) -> str:
        return f"{self.prefix.rstrip('/')}/{place}" if self.prefix else place

    def by_split(self) -> Iterator[tuple[str, list[Placed]]]:
        """(split, pictures) of the splits that occur."""
        for split in SPLITS:
            found = [placed for placed in self.placed if placed.picture.split == split]
            if found:
                yield split, found


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way in which a labelled data set lies on disk."""

    name: str
    title: str  # for people
    carries: frozenset[Carries]
    matches: Callable[[Path], bool]  # looks at names and beginnings of files only
    read: Callable[[Path], LabelledSet]
    place: Callable[[LabelledPicture, str], str]  # where a picture goes that shall be called so, below the folder
    write: Callable[[Export], None]
    has_uris: bool = False  # whether pictures are named by URI
    mask_splits: tuple[str, ...] = SPLITS  # those whose pictures may have masks


def in_images(_picture: LabelledPicture, name: str) -> str:
    """All pictures in one folder."""
    return f"images/{name}"


def in_split_folder(picture: LabelledPicture, name: str) -> str:
    """One folder per split."""
    return f"images/{SHORT[picture.split]}/{name}"


def split_named(text: str) -> str | None:
    """The split that one of the words in a file's or folder's name stands for; None if none does."""
    return next((_SPLIT_WORDS[word] for word in _WORD.findall(text.lower()) if word in _SPLIT_WORDS), None)


def size_of(path: Path, declared: tuple[float, float] | None = None) -> tuple[int, int]:
    """(height, width) of a picture; DatasetError if it cannot be read or is not what a list declares."""
    try:
        size = read_size(path)
    except FrameError as error:
        raise DatasetError(str(error)) from error
    if declared is not None and declared != size:
        raise DatasetError(
            f"{path}: is {size[1]} x {size[0]} pixels, but its annotations are for {declared[1]:g} x {declared[0]:g}; "
            "use the pictures that were annotated."
        )
    return size


def files_in(path: Path, suffix: str, *below: str) -> list[Path]:
    """`path` itself if it is a file of that suffix; else those in it and in its folders called `below`, sorted."""
    if path.is_file():
        return [path] if path.suffix.lower() == suffix else []
    folders = [path, *(child for child in _folders(path) if child.name.lower() in below)]
    return sorted(file for folder in folders for file in folder.glob("*") if _is_listed(file, suffix))


def root_of(files: Iterable[Path], *below: str) -> Path:
    """The folder below which the pictures of a list lie: the list's own, or the one above if that is called `below`."""
    folder = next(iter(files)).parent
    return folder.parent if folder.name.lower() in below else folder


def _folders(path: Path) -> list[Path]:
    return [child for child in path.iterdir() if child.is_dir()] if path.is_dir() else []


def _is_listed(file: Path, suffix: str) -> bool:
    return file.suffix.lower() == suffix and not file.name.startswith(".") and file.is_file()
