"""Making a data set fit a format that carries less than it holds, and saying what is lost."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum

import numpy as np

from sightline.datasets.annotations import (
    Annotation,
    Geometry,
    LabelledPicture,
    LabelledSet,
    Mask,
    Polygon,
    Polygons,
    Rectangle,
    by_frequency,
)
from sightline.datasets.dataset import GOOD
from sightline.datasets.formats.format import Carries, Format
from sightline.datasets.formats.ground_truth import ANOMALY
from sightline.datasets.geometry import box_of, encoded, outlines_of, pixels_of
from sightline.imaging.depth import depth_files


class Loss(StrEnum):
    """What is lost of how many pictures or annotations."""

    SPLIT = "pictures are for validation or test, and the format has no splits"
    LABEL = "pictures have a label of their own, for which the format has no room"
    LABELS = "pictures have several labels, of which one stays"
    CONFIDENCE = "confidences are left out"
    UNLABELLED = "pictures that nobody has looked at are left out, as they would read as labelled"
    PLACE = "annotations are left out; only the picture's label stays"
    OUTLINE = "outlines or masks become boxes"
    PARTS = "regions of several parts become one annotation for each part"
    HOLES = "regions lose their holes"
    MERGED = "annotations are merged, as the format has one mask for a label"
    OVERLAP = "regions overlap, and a pixel keeps one label"
    REGION_LABEL = "annotations have another label than their picture, and take the picture's"
    MASK_SPLIT = "annotated pictures are in splits where the format has no masks"
    DEPTH = "depth maps are left behind"


Losses = Counter[Loss]


def fitted(dataset: LabelledSet, form: Format) -> tuple[LabelledSet, Losses]:
    """What of the data set the format can carry, and what is lost thereby.

    A box becomes an outline, and an outline a mask, without loss where the format has no such thing as the former.
    """
    losses: Losses = Counter()
    kept = [one for one in dataset.pictures if one.annotated or Carries.UNLABELLED in form.carries]
    losses[Loss.UNLABELLED] = len(dataset.pictures) - len(kept)
    pictures = tuple(_picture(picture, form, losses) for picture in kept)
    occurring = {annotation.label for picture in pictures for annotation in picture.annotations}
    has_regions = bool(form.carries & {Carries.BOX, Carries.POLYGON, Carries.MASK})
    classes = dataset.classes if has_regions else tuple(name for name in dataset.classes if name in occurring)
    return replace(dataset, pictures=pictures, classes=classes, format=form.name), +losses


def lines(losses: Losses) -> list[str]:
    """One for each kind of loss."""
    return [f"{number:,} {loss}" for loss, number in sorted(losses.items(), key=lambda item: list(Loss).index(item[0]))]


def _picture(picture: LabelledPicture, form: Format, losses: Losses) -> LabelledPicture:
    carries = form.carries
    annotations = tuple(_annotations(picture, form, losses))
    if Carries.INSTANCES not in carries:
        annotations = tuple(_merged(picture, annotations, carries, losses))
    losses.update(_of_picture(picture, annotations, carries))
    keeps = Carries.CONFIDENCE in carries
    return replace(
        picture,
        split=picture.split if Carries.SPLIT in carries else "train",
        labels=_labels(picture, annotations, carries),
        annotations=annotations if keeps else tuple(replace(one, confidence=None) for one in annotations),
        confidence=picture.confidence if keeps else None,
    )


def _labels(picture: LabelledPicture, kept: tuple[Annotation, ...], carries: frozenset[Carries]) -> tuple[str, ...]:
    """Those the format has room for; the first is the picture's."""
    if Carries.GOOD in carries:
        return () if kept else (GOOD if picture.label == GOOD else ANOMALY,)
    if Carries.LABEL not in carries:
        return ()
    found = _all_labels(picture, carries)
    return found if Carries.LABELS in carries else found[:1]


def _all_labels(picture: LabelledPicture, carries: frozenset[Carries]) -> tuple[str, ...]:
    """Those that must find room with the picture: where regions have none, theirs as well, the most frequent first."""
    if picture.labels or Carries.INSTANCES in carries or not picture.annotated:
        return picture.labels
    return tuple(by_frequency(picture.annotations)) or (GOOD,)


def _of_picture(picture: LabelledPicture, kept: tuple[Annotation, ...], carries: frozenset[Carries]) -> Iterator[Loss]:
    """What the picture as a whole loses."""
    if Carries.SPLIT not in carries and picture.split != "train":
        yield Loss.SPLIT
    if Carries.CONFIDENCE not in carries and any(
        sure is not None for sure in (picture.confidence, *(one.confidence for one in picture.annotations))
    ):
        yield Loss.CONFIDENCE
    if Carries.LABEL in carries and Carries.LABELS not in carries and len(_all_labels(picture, carries)) > 1:
        yield Loss.LABELS
    if Carries.LABEL not in carries and not _is_implied(picture, kept, carries):
        yield Loss.LABEL
    yield from (Loss.DEPTH for _ in depth_files(picture.path))


def _is_implied(picture: LabelledPicture, kept: tuple[Annotation, ...], carries: frozenset[Carries]) -> bool:
    """Whether the picture's own labels can be told from the annotations that are kept."""
    if not picture.labels:
        return True
    bare = LabelledPicture(path=picture.path, size=picture.size, annotations=kept)
    if picture.labels == (bare.label,):
        return True
    return Carries.GOOD in carries and not kept and picture.labels == (ANOMALY,)


def _annotations(picture: LabelledPicture, form: Format, losses: Losses) -> Iterator[Annotation]:
    masks_lost = form.carries.isdisjoint({Carries.BOX, Carries.POLYGON}) and picture.split not in form.mask_splits
    if picture.annotations and masks_lost:
        losses[Loss.MASK_SPLIT] += 1
        return
    for annotation in picture.annotations:
        assert picture.size is not None, "annotations have a size beside them"
        for geometry in _geometries(annotation.geometry, picture.size, form.carries, losses):
            yield replace(annotation, geometry=geometry)


def _geometries(
    geometry: Geometry, size: tuple[int, int], carries: frozenset[Carries], losses: Losses
) -> list[Geometry]:
    """The same place in the kinds of geometry that are carried; the nearest of them."""
    if _is_carried(geometry, carries):
        return [geometry]
    if isinstance(geometry, Polygons) and Carries.MASK in carries:
        return [encoded(pixels_of(geometry, *size))]
    if Carries.POLYGON in carries:
        outlines = outlines_of(geometry)
        return [outlines] if _is_carried(outlines, carries) else _simple(outlines, losses)
    if Carries.MASK in carries:
        return [encoded(pixels_of(geometry, *size))]
    if Carries.BOX in carries:
        losses[Loss.OUTLINE] += 1
        return [box_of(geometry)]
    losses[Loss.PLACE] += 1
    return []


def _is_carried(geometry: Geometry, carries: frozenset[Carries]) -> bool:
    if isinstance(geometry, Rectangle):
        return Carries.BOX in carries
    if isinstance(geometry, Mask):
        return Carries.MASK in carries
    simple = len(geometry.parts) == 1 or Carries.PARTS in carries
    return Carries.POLYGON in carries and simple and not any(part.holes for part in geometry.parts)


def _simple(outlines: Polygons, losses: Losses) -> list[Geometry]:
    """Each part on its own, without its holes."""
    losses[Loss.PARTS] += len(outlines.parts) > 1
    losses[Loss.HOLES] += any(part.holes for part in outlines.parts)
    return [Polygons(parts=(Polygon(outline=part.outline),)) for part in outlines.parts]


def _merged(
    picture: LabelledPicture, annotations: Iterable[Annotation], carries: frozenset[Carries], losses: Losses
) -> Iterator[Annotation]:
    """One mask for each label, or for the picture; of two labels the later has the pixels of both."""
    by_label: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        own = Carries.REGION_LABELS in carries
        losses[Loss.REGION_LABEL] += not own and annotation.label != picture.label
        by_label.setdefault(annotation.label if own else str(picture.label), []).append(annotation)
    if not by_label:
        return
    assert picture.size is not None, "annotations have a size beside them"
    taken = np.zeros(picture.size, np.bool_)
    for label, found in reversed(by_label.items()):
        losses[Loss.MERGED] += len(found) - 1
        marked = np.logical_or.reduce([pixels_of(annotation.geometry, *picture.size) for annotation in found])
        losses[Loss.OVERLAP] += bool((marked & taken).any())
        if (marked & ~taken).any():
            yield Annotation(label=label, geometry=encoded(marked & ~taken))
        taken |= marked
