"""How well boxes are found: average precision as COCO defines it, and precision and recall at a model's limits.

For each class, boxes found are taken from the most confident down. One is right if it overlaps a box of the truth that
no more confident one has taken, by an intersection over union of at least the level asked for, and takes that with
which it overlaps most. The precision at a recall is the highest at that recall or beyond; its mean over the recalls 0,
0.01, ..., 1 is the average precision (Lin et al. 2014, arXiv 1405.0312, and `COCOeval` of pycocotools, with which
tests/evaluation/test_average_precision.py compares).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.intervals import rate
from sightline.evaluation.results import BoxClassFigures, BoxFigures
from sightline.records import BoolArray, Boxes, FloatArray

LEVELS = tuple(float(level) for level in np.linspace(0.5, 0.95, 10))  # intersection over union
MOST_BOXES = 100  # of one class in one picture that count, the most confident ones
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Precisions:
    """Average precision of each class at each level; NaN for a class that the truth does not have."""

    levels: tuple[float, ...]
    values: NDArray[np.float64]  # (levels, classes)

    @property
    def by_class(self) -> NDArray[np.float64]:
        """(classes,) the mean over the levels."""
        mean: NDArray[np.float64] = self.values.mean(axis=0)
        return mean

    @property
    def mean(self) -> float:
        """Over levels and the classes that the truth has; 0 where it has none."""
        return _mean_of_present(self.values)

    def at(self, place: int) -> float:
        """The same at one level."""
        return _mean_of_present(self.values[place])


def overlaps(boxes: FloatArray, others: FloatArray) -> NDArray[np.float64]:
    """(n, m) intersection over union of boxes (n, 4) and (m, 4), left, top, right, bottom; 0 of two empty ones."""
    first, second = np.asarray(boxes, np.float64)[:, None], np.asarray(others, np.float64)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    common = sides.clip(0).prod(axis=-1)
    whole = sum((one[..., 2:] - one[..., :2]).clip(0).prod(axis=-1) for one in (first, second)) - common
    shares: NDArray[np.float64] = common / np.where(whole > 0, whole, 1)
    return shares


def average_precision(
    truths: Sequence[Boxes], found: Sequence[Boxes], classes: int, levels: Sequence[float] = LEVELS
) -> Precisions:
    """Compare what was found with the truth, picture by picture, both in the same order."""
    values = np.full((len(levels), classes), np.nan)
    for place in range(classes):
        pairs = [(_of(truth, place), _of(seen, place)) for truth, seen in zip(truths, found, strict=True)]
        total = sum(len(truth) for truth, _ in pairs)
        if not total:
            continue
        scores = np.concatenate([seen.confidences for _, seen in pairs])
        right = np.concatenate([matched(truth, seen, levels) for truth, seen in pairs], axis=1)
        right = right[:, np.argsort(-scores, kind="stable")]
        values[:, place] = [_area(row, total) for row in right]
    return Precisions(levels=tuple(levels), values=values)


def matched(truth: Boxes, found: Boxes, levels: Sequence[float]) -> BoolArray:
    """(levels, n) whether each box found is right, of one class; those found are from the most confident down."""
    right = np.zeros((len(levels), len(found)), np.bool_)
    if not len(truth):
        return right
    shares, asked = overlaps(found.corners, truth.corners), np.minimum(levels, 1 - 1e-10)
    free = np.ones((len(levels), len(truth)), np.bool_)
    rows = np.arange(len(levels))
    for place, share in enumerate(shares):
        open_ones = np.where(free, share, -1.0)[:, ::-1]  # of equal ones the last, as COCO takes it
        best = len(truth) - 1 - open_ones.argmax(axis=1)
        hit = free[rows, best] & (share[best] >= asked)
        right[:, place] = hit
        free[rows[hit], best[hit]] = False
    return right


def figures(
    names: Sequence[str],
    truths: Sequence[Boxes],
    found: Sequence[Boxes],
    limits: Sequence[float],
    precisions: Precisions,
    by: str,
) -> BoxFigures:
    """The figures of an evaluation.

    Args:
        limits: of each class, the confidence from which a box counts as found, for precision and recall.
        precisions: at LEVELS.
        by: what they were computed by, in words.
    """
    rows = []
    for place, name in enumerate(names):
        right = shown = total = 0
        for truth, seen in zip(truths, found, strict=True):
            of_truth, of_seen = _of(truth, place), _of(seen, place)
            counted = ~(of_seen.confidences < limits[place])
            total, shown = total + len(of_truth), shown + int(counted.sum())
            right += int(matched(of_truth, of_seen, LEVELS[:1])[0][counted].sum())
        rows.append(
            BoxClassFigures(
                name=name,
                boxes=total,
                ap50=None if not total else float(precisions.values[0, place]),
                ap50_95=None if not total else float(precisions.by_class[place]),
                precision=rate(right, shown),
                recall=rate(right, total),
            )
        )
    return BoxFigures(classes=tuple(rows), map50=precisions.at(0), map50_95=precisions.mean, by=by)


def _mean_of_present(values: NDArray[np.float64]) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else 0.0


def _of(boxes: Boxes, place: int) -> Boxes:
    """Those of one class, the most confident first, no more than count."""
    chosen = np.flatnonzero(boxes.classes == place)
    return boxes.only(chosen[np.argsort(-boxes.confidences[chosen], kind="stable")][:MOST_BOXES])


def _area(right: BoolArray, total: int) -> float:
    """Average precision from whether each box is right, the most confident first, and the number of true ones."""
    if not right.size:
        return 0.0
    hits = np.cumsum(right)
    precision = hits / np.arange(1, right.size + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / total, _RECALLS, side="left")
    return float(np.append(best, 0.0)[np.minimum(places, right.size)].mean())
