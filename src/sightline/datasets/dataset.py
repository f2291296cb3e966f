"""What every data set is once it is read, whatever its layout on disk."""

from dataclasses import dataclass
from pathlib import Path

from sightline.errors import DatasetError
from sightline.imaging.depth import is_depth_name

GOOD = "good"  # the label of a defect-free picture
SPLITS = ("train", "validation", "test")

_WORDS_FOR_GOOD = frozenset({"good", "ok", "normal"})


def label_named(name: str) -> str:
    """The label for a folder or cell called `name`: "good", "ok" and "normal", in any case, are `GOOD`."""
    word = name.strip()
    return GOOD if word.casefold() in _WORDS_FOR_GOOD else word


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture of a data set with its truth."""

    path: Path
    label: str  # GOOD or the defect type
    split: str = "train"  # one of SPLITS
    mask: Path | None = None  # picture in which non-zero is defect; None: not annotated

    def __post_init__(self) -> None:
        if not self.label:
            raise DatasetError(f'{self.path}: the label is empty; write "{GOOD}" or the name of the defect.')
        if is_depth_name(self.path):
            raise DatasetError(f"{self.path}: is a depth map, found by its name; list its picture instead.")
        if self.split not in SPLITS:
            raise DatasetError(f'{self.path}: split "{self.split}" is not known; use one of {", ".join(SPLITS)}.')

    @property
    def is_good(self) -> bool:
        return self.label == GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Pictures with labels and splits; at least one, in an order that depends on their names only."""

    name: str
    root: Path
    samples: tuple[Sample, ...]
    layout: str = "folder"  # how it lies on disk: folder, classes, mvtec, visa or csv

    def __post_init__(self) -> None:
        if not self.samples:
            raise DatasetError(f"{self.root}: no pictures; put PNG, JPEG, BMP, TIFF or WebP files there.")

    @property
    def train(self) -> tuple[Sample, ...]:
        return self._in("train")

    @property
    def validation(self) -> tuple[Sample, ...]:
        return self._in("validation")

    @property
    def test(self) -> tuple[Sample, ...]:
        return self._in("test")

    @property
    def train_good(self) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.train if sample.is_good)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that occur: good first, then the defect types by name."""
        return tuple(sorted({sample.label for sample in self.samples}, key=lambda label: (label != GOOD, label)))

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Split -> label -> number of pictures, for those that occur."""
        counts: dict[str, dict[str, int]] = {}
        for split in SPLITS:
            found = [sample.label for sample in self._in(split)]
            if found:
                counts[split] = {label: found.count(label) for label in self.labels if label in found}
        return counts

    def _in(self, split: str) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.split == split)
