"""What a model says of one picture, with what the protocols of other clients ask for beside it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import GOOD
from sightline.errors import BundleError
from sightline.evaluation.thresholds import p_value
from sightline.explaining import Resemblance, why_not
from sightline.imaging.overlay import overlay
from sightline.imaging.writing import indexed_png, png
from sightline.inspector import Inspector
from sightline.products import Limits
from sightline.records import UNNAMED, Box, Frame, Inspection, Verdict

BACKGROUND = (255, 255, 255)
_COLOURS = tuple(  # of the first defects by place; far apart, none of them white
    (shade >> 16, shade >> 8 & 255, shade & 255)
    for shade in (0x23A436, 0xD62728, 0x1F77B4, 0xFF7F0E, 0x9467BD, 0x8C564B, 0xE377C2, 0x7F7F7F, 0xBCBD22, 0x17BECF)
)
DAMAGED = "the good pictures in this model's file are damaged; bring the file back, or train again."
_MOST_DECADES = 300.0  # that exp() can take


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for beside the inspection itself."""

    product: str | None = None
    overlay: bool = False  # the picture with heat, contours and boxes, as PNG
    nearest: bool = False  # what its unusual places looked most like
    mask: bool = False  # which pixels belong to which label, as PNG


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """Which pixels belong to which label."""

    content: bytes  # PNG with a palette, of the picture's size; 0: background, n: the n-th of `labels`
    labels: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]  # of the labels, RGB
    shares: tuple[float, ...]  # of the picture's pixels, 0..1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearest:
    """What a picture's unusual places looked most like among the good ones."""

    resemblances: tuple[Resemblance, ...] = ()
    reason: str = ""  # why there are none, in one line; empty: nothing hinders it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """One picture judged by one version of a model."""

    model: str
    version: int
    inspection: Inspection
    anomalous: float  # 0..1, how sure it is that the picture is not good; 0.5 at the threshold
    classes: dict[str, float] = field(default_factory=dict)  # label -> how sure, good among them; empty for a FAULT
    overlay: bytes | None = None
    mask: Mask | None = None
    nearest: Nearest | None = None
    queued_ms: float = 0.0

    @property
    def is_anomalous(self) -> bool:
        """Anything but a PASS: doubt rejects."""
        return self.inspection.verdict is not Verdict.PASS

    @property
    def confidence(self) -> float:
        """In `is_anomalous`, whichever it is."""
        return self.anomalous if self.is_anomalous else 1.0 - self.anomalous


def answered(inspector: Inspector, picture: bytes | Frame, wish: Wish, name: str, version: int) -> Answer:
    """Judge a picture and make what is wished for; errors as `Inspector.inspect`."""
    given = inspector.frame(picture) if wish.overlay or wish.nearest else picture
    inspection = inspector.inspect(given, product=wish.product)
    sure = anomalous(inspection, inspector.limits(wish.product))
    return Answer(
        model=name,
        version=version,
        inspection=inspection,
        anomalous=sure,
        classes=_classes(inspection, sure),
        overlay=_drawn(given, inspection) if isinstance(given, Frame) and wish.overlay else None,
        mask=mask_of(inspection, inspector.manifest.labels) if wish.mask else None,
        nearest=nearest_of(inspector, given, inspection) if isinstance(given, Frame) and wish.nearest else None,
    )


def nearest_of(inspector: Inspector, frame: Frame, inspection: Inspection) -> Nearest:
    """What the frame's unusual places looked most like; a model that cannot tell says why: it judges all the same."""
    if inspector.bundle.exemplars is None:
        return Nearest(reason=why_not(inspector.bundle))
    try:
        return Nearest(resemblances=inspector.explain(frame, inspection))
    except BundleError:
        return Nearest(reason=DAMAGED)


def anomalous(inspection: Inspection, limits: Limits) -> float:
    """How sure it is that a picture is not good, 0..1, and one half where its score is the threshold.

    With p the share of good parts that are at least as unusual (the inspection's p-value), and a the same share at the
    threshold, it is a / (a + p): as likely good as not where p is what was agreed to be rejected. A p-value cannot
    become smaller than 1 / (n + 1); above the threshold p falls off on, exponentially, as fast as it did from the
    median good part to the threshold. Scores without a calibration: score / (score + threshold). A classifier knows
    it itself: 1 - the probability of good. It is a figure to sort and filter by; verdicts come from the threshold.
    """
    if inspection.score is None:
        return 1.0
    if inspection.probabilities is not None and GOOD in inspection.probabilities:
        return 1.0 - inspection.probabilities[GOOD]
    score, threshold, good = inspection.score, inspection.threshold, limits.good_scores
    if not good.size:
        return score / (score + threshold) if score > 0 and threshold > 0 else float(score >= threshold)
    at_threshold = p_value(threshold, good)
    p = p_value(score, good)
    middle = float(np.median(good))
    if score > threshold > middle and at_threshold < 0.5:
        rate = math.log(0.5 / at_threshold) / (threshold - middle)
        p = at_threshold * math.exp(-min(_MOST_DECADES, rate * (score - threshold)))
    return at_threshold / (at_threshold + p)


def _classes(inspection: Inspection, sure: float) -> dict[str, float]:
    if inspection.verdict is Verdict.FAULT:
        return {}
    if inspection.probabilities is not None:
        return dict(inspection.probabilities)
    label = inspection.defects[0].label if inspection.defects else UNNAMED
    return {GOOD: 1.0 - sure, label: sure}


def _drawn(frame: Frame, inspection: Inspection) -> bytes | None:
    if inspection.map is None:
        return None
    drawn = overlay(
        frame.pixels,
        frame.bit_depth,
        inspection.map,
        inspection.threshold,
        review_threshold=inspection.review_threshold,
        defects=inspection.defects,
        verdict=inspection.verdict,
    )
    return png(drawn)


def mask_of(inspection: Inspection, labels: tuple[str, ...]) -> Mask | None:
    """The regions of a picture by label; None where the model shows none, as a classifier or for a FAULT.

    Args:
        labels: of the model, good first, which the inspection's segments refer to.
    """
    if inspection.height is None or inspection.width is None or inspection.probabilities is not None:
        return None
    if inspection.map is None and inspection.segments is None:
        return None
    found = tuple(dict.fromkeys(defect.label for defect in inspection.defects))
    places = np.zeros((inspection.height, inspection.width), np.uint8)
    if found:
        _paint(places, inspection, {label: place for place, label in enumerate(found, start=1)}, labels)
    counts = [np.count_nonzero(places == place) for place in range(1, len(found) + 1)]
    colours = tuple(_COLOURS[place % len(_COLOURS)] for place in range(len(found)))
    return Mask(
        content=indexed_png(places, (BACKGROUND, *colours)),
        labels=found,
        colours=colours,
        shares=tuple(count / places.size for count in counts),
    )


def _paint(
    places: NDArray[np.uint8], inspection: Inspection, order: Mapping[str, int], labels: tuple[str, ...]
) -> None:
    size = (places.shape[1], places.shape[0])
    if inspection.segments is not None:
        renumber = np.array([order.get(label, 0) for label in labels], np.uint8)
        places[:] = renumber[_enlarged(inspection.segments, size)]
        return
    inside: Any = None
    if inspection.map is not None and inspection.boxes is None:
        marked = inspection.threshold if inspection.review_threshold is None else inspection.review_threshold
        inside = inspection.map >= np.float32(marked)
    for defect in reversed(inspection.defects):  # the most anomalous on top
        box = defect.box
        here = (slice(box.y, box.y + box.height), slice(box.x, box.x + box.width))
        places[here] = (
            order[defect.label]
            if inside is None
            else np.where(_enlarged_within(inside, size, box), order[defect.label], places[here])
        )


def _enlarged_within(inside: NDArray[np.bool_], size: tuple[int, int], box: Box) -> NDArray[np.bool_]:
    """(box.height, box.width) of what `_enlarged` would make: most of a large picture is in no box."""
    width, height = size
    rows = np.arange(box.y, box.y + box.height) * inside.shape[0] // height
    columns = np.arange(box.x, box.x + box.width) * inside.shape[1] // width
    return inside[np.ix_(rows, columns)].astype(np.bool_, copy=False)


def _enlarged(values: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return cv2.resize(values, size, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
