"""What is known of a picture beyond good or not: its labels, and where on it each defect lies.

Coordinates are in pixels of the upright picture and continuous: pixel (row, column) covers [column, column + 1) x
[row, row + 1), so the whole of a picture is the rectangle (0, 0, width, height).
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.dataset import GOOD, SPLITS
from sightline.errors import DatasetError

Point = tuple[float, float]  # (x, y)
Ring = tuple[Point, ...]  # closed: the last point is joined to the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """An upright box."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        sides = (self.left, self.top, self.right, self.bottom)
        if not all(map(math.isfinite, sides)) or self.right < self.left or self.bottom < self.top:
            raise DatasetError(f"a box from x {self.left} to {self.right}, y {self.top} to {self.bottom} is none.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """What one ring encloses, less what the holes enclose; where a ring crosses itself, even and odd decide."""

    outline: Ring
    holes: tuple[Ring, ...] = ()

    def __post_init__(self) -> None:
        for ring in (self.outline, *self.holes):
            if len(ring) < 3:
                raise DatasetError(f"an outline has {len(ring)} points; it takes 3.")
            if not all(math.isfinite(x) and math.isfinite(y) for x, y in ring):
                raise DatasetError("an outline has a point that is not finite.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygons:
    """One region, which may consist of several parts that do not touch."""

    parts: tuple[Polygon, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise DatasetError("a region has no outline.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """Pixels of a picture as lengths of runs, column after column, as COCO counts them; at least one is marked."""

    height: int
    width: int
    runs: tuple[int, ...]  # unmarked, marked, unmarked, ...; the first may be 0

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or any(run < 0 for run in self.runs):
            raise DatasetError("a mask has a side or a run below 0.")
        if sum(self.runs) != self.height * self.width:
            raise DatasetError(f"the runs of a mask add up to {sum(self.runs)}, not {self.width} x {self.height}.")
        if not any(self.runs[1::2]):
            raise DatasetError("a mask marks nothing; remove it, or draw the defect.")


Geometry = Rectangle | Polygons | Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One defect, or another thing, with its place in the picture."""

    label: str
    geometry: Geometry
    confidence: float | None = None  # 0..1; None: as sure as its author was

    def __post_init__(self) -> None:
        _check_label(self.label)
        _check_confidence(self.confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPicture:
    """One picture with all that is known of it."""

    path: Path
    size: tuple[int, int] | None = None  # (height, width), upright; None: not looked at, as nothing needed it yet
    split: str = "train"  # one of SPLITS
    labels: tuple[str, ...] = ()  # of the picture as a whole
    annotations: tuple[Annotation, ...] = ()
    annotated: bool = True  # False: nobody has looked yet, so that no annotation does not mean no defect
    confidence: float | None = None  # of `labels`, 0..1; None: as sure as their author was

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise DatasetError(f'{self.path}: split "{self.split}" is not known; use one of {", ".join(SPLITS)}.')
        if self.annotations and self.size is None:
            raise DatasetError(f"{self.path}: has annotations but no size; read it from the picture.")
        for label in self.labels:
            _check_label(label)
        _check_confidence(self.confidence)
        for annotation in self.annotations:
            assert self.size is not None, "annotations have a size beside them"
            _check_place(self.path, annotation, *self.size)

    @property
    def label(self) -> str | None:
        """The one word for this picture: its own label, else the most frequent of its annotations, else good.

        None where nobody has looked at it.
        """
        if self.labels:
            return self.labels[0]
        if self.annotations:
            return by_frequency(self.annotations)[0]
        return GOOD if self.annotated else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """Pictures with labels and annotations; at least one."""

    name: str
    root: Path
    pictures: tuple[LabelledPicture, ...]
    classes: tuple[str, ...] = ()  # of annotations, in the order of the source; those that never occur as well
    format: str = ""  # a name in the table of formats, or a layout of `open_dataset`

    def __post_init__(self) -> None:
        if not self.pictures:
            raise DatasetError(f"{self.root}: lists no pictures.")
        known = set(self.classes)
        missing = sorted({label for label in self._annotated_labels() if label not in known})
        object.__setattr__(self, "classes", (*self.classes, *missing))

    @property
    def labels(self) -> tuple[str, ...]:
        """The words for whole pictures that occur (`LabelledPicture.label`): good first, then by name."""
        found = {picture.label for picture in self.pictures} - {None}
        return tuple(sorted((label for label in found if label), key=lambda label: (label != GOOD, label)))

    @property
    def annotations(self) -> int:
        """How many there are."""
        return sum(len(picture.annotations) for picture in self.pictures)

    def in_split(self, split: str) -> tuple[LabelledPicture, ...]:
        return tuple(picture for picture in self.pictures if picture.split == split)

    def _annotated_labels(self) -> Iterator[str]:
        return (annotation.label for picture in self.pictures for annotation in picture.annotations)


def by_frequency(annotations: Iterable[Annotation]) -> list[str]:
    """Their labels, the most frequent first; of equally many the first by name."""
    counts = Counter(annotation.label for annotation in annotations)
    return sorted(counts, key=lambda label: (-counts[label], label))


def bounds(geometry: Geometry) -> Rectangle | None:
    """The box of a rectangle or of outlines; None for a mask, which lies within its picture by its making."""
    if isinstance(geometry, Rectangle):
        return geometry
    if isinstance(geometry, Mask):
        return None
    return around(point for part in geometry.parts for point in part.outline)


def around(points: Iterable[Point]) -> Rectangle:
    xs, ys = zip(*points, strict=True)
    return Rectangle(left=min(xs), top=min(ys), right=max(xs), bottom=max(ys))


def _check_label(label: str) -> None:
    if not label.strip():
        raise DatasetError("a label is empty; name the defect.")


def _check_confidence(confidence: float | None) -> None:
    if confidence is not None and not 0 <= confidence <= 1:
        raise DatasetError(f"a confidence is {confidence}; it lies between 0 and 1.")


def _check_place(path: Path, annotation: Annotation, height: int, width: int) -> None:
    """Catch annotations that were made for a picture of another size."""
    geometry = annotation.geometry
    if isinstance(geometry, Mask) and (geometry.height, geometry.width) != (height, width):
        raise DatasetError(
            f'{path}: a mask of "{annotation.label}" is {geometry.width} x {geometry.height}, the picture '
            f"{width} x {height} pixels; make the mask from the picture at its full size."
        )
    box = bounds(geometry)
    if box and (box.left > width or box.top > height or box.right < 0 or box.bottom < 0):
        raise DatasetError(
            f'{path}: "{annotation.label}" at x {box.left:g} to {box.right:g}, y {box.top:g} to {box.bottom:g} lies '
            f"outside the picture of {width} x {height} pixels; was it drawn at another size?"
        )
