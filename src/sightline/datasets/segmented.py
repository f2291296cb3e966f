"""Pictures with the class of every pixel, from mask files or from annotated outlines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.annotations import Annotation, Rectangle
from sightline.datasets.dataset import GOOD, Dataset, Sample, label_named
from sightline.datasets.geometry import area_of, pixels_of
from sightline.datasets.labelled import guessed, open_classes, open_labelled
from sightline.datasets.masks import read_mask
from sightline.errors import DatasetError

MOST_CLASSES = 100
ClassMap = NDArray[np.uint8]  # (H, W): 0 where nothing is wrong, else 1 + the place of the class among the names


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedSet:
    """A data set whose pictures of defects say where each defect lies."""

    dataset: Dataset  # without the pictures of defects that do not say so
    drawn: Mapping[Path, tuple[Annotation, ...]] = field(default_factory=dict)  # where no mask file says it
    undrawn: int = 0  # pictures of defects left out, as they do not say where

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of defects, by name."""
        found = {sample.label for sample in self.dataset.samples if sample.mask is not None}
        found |= {label_named(one.label) for annotations in self.drawn.values() for one in annotations}
        return tuple(sorted(found - {GOOD}))

    def classes_of(self, sample: Sample, names: Sequence[str], height: int, width: int) -> ClassMap:
        """The truth of a picture of `height` x `width`; where regions overlap, the smaller one is seen.

        A class that is not among the names is marked as the one after the last: something is wrong there.

        Raises:
            DatasetError: a mask cannot be read or does not fit the picture.
        """
        classes = np.zeros((height, width), np.uint8)
        places = {name: 1 + place for place, name in enumerate(names)}
        if sample.mask is not None and not sample.is_good:
            classes[read_mask(sample.mask, height, width)] = places.get(sample.label, len(names) + 1)
        for one in sorted(self.drawn.get(sample.path, ()), key=lambda one: -area_of(one.geometry)):
            if (label := label_named(one.label)) != GOOD:
                classes[pixels_of(one.geometry, height, width)] = places.get(label, len(names) + 1)
        return classes


def open_segmented(path: Path) -> SegmentedSet:
    """Read the data set at `path` for what learns or judges outlines.

    Raises:
        DatasetError: as `open_labelled`; no picture of a defect says where it lies, or only by a box; or too many
            classes.
    """
    if guessed(path) in (None, "mvtec", "csv", "classes"):
        found = _kept(open_classes(path), {})
    else:
        found = _of_annotations(path)
    names = found.names
    if not names:
        raise DatasetError(
            f"{path}: no picture of a defect has a mask or an outline. Give masks (ground_truth/<class>/NAME_mask.png) "
            "or annotated outlines; a classifier, --method classifier, needs none."
        )
    if len(names) > MOST_CLASSES:
        raise DatasetError(f"{path}: has {len(names)} classes of defects; {MOST_CLASSES} at most can be told apart.")
    return found


def _of_annotations(path: Path) -> SegmentedSet:
    labelled = open_labelled(path)
    samples, drawn = [], dict[Path, tuple[Annotation, ...]]()
    for picture in labelled.pictures:
        if picture.label is None:
            continue
        if any(isinstance(one.geometry, Rectangle) for one in picture.annotations):
            raise DatasetError(
                f"{picture.path}: a defect is marked by a box; outlines are learnt from masks or polygons. "
                "Draw the outlines, or take --method detector."
            )
        samples.append(Sample(path=picture.path, label=label_named(picture.label), split=picture.split))
        if picture.annotations:
            drawn[picture.path] = picture.annotations
    if not samples:
        raise DatasetError(f"{path}: no picture has a label; label some first.")
    return _kept(Dataset(name=labelled.name, root=labelled.root, samples=tuple(samples), layout=labelled.format), drawn)


def _kept(dataset: Dataset, drawn: Mapping[Path, tuple[Annotation, ...]]) -> SegmentedSet:
    kept = tuple(one for one in dataset.samples if one.is_good or one.mask is not None or one.path in drawn)
    undrawn = len(dataset.samples) - len(kept)
    return SegmentedSet(dataset=replace(dataset, samples=kept or dataset.samples), drawn=drawn, undrawn=undrawn)
