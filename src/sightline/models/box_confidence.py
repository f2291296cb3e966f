"""What the confidence of a box is worth: how probably it is right, and from which one on it should count."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.average_precision import matched
from sightline.records import BoolArray, Boxes, FloatArray

_LEVEL = 0.5  # intersection over union from which a box is right
_STEPS = 50  # of Newton's method, which takes a few
_LEAST_SLOPE, _MOST_SLOPE = 0.05, 20.0
_RIDGE = 1e-3  # keeps the slope finite where right and wrong boxes do not mix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Boxes found in some pictures, whether each is right, and how many there truly are."""

    confidences: FloatArray  # (n,)
    right: BoolArray  # (n,)
    total: int


def judged_boxes(truths: Sequence[Boxes], found: Sequence[Boxes], classes: int) -> Judged:
    """Compare what was found with the truth, class by class."""
    confidences, right = [np.empty(0, np.float32)], [np.empty(0, np.bool_)]
    for truth, seen in zip(truths, found, strict=True):
        for place in range(classes):
            own, others = (one.only(np.flatnonzero(one.classes == place)) for one in (seen, truth))
            confidences.append(own.confidences)
            right.append(matched(others, own, [_LEVEL])[0])
    return Judged(confidences=np.concatenate(confidences), right=np.concatenate(right), total=sum(map(len, truths)))


def calibration(judged: Judged) -> tuple[float, float]:
    """The a > 0 and b by which sigmoid(a logit + b) says how probably a box is right; 1 and 0 where nothing tells.

    Platt 1999, "Probabilistic outputs for support vector machines", section 2.2, with its targets.
    """
    hits = int(judged.right.sum())
    misses = len(judged.right) - hits
    if not hits or not misses:
        return 1.0, 0.0
    shares = judged.confidences.astype(np.float64).clip(1e-6, 1 - 1e-6)
    rows = np.stack([np.log(shares / (1 - shares)), np.ones(len(shares))], axis=1)
    wanted = np.where(judged.right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    line: NDArray[np.float64] = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-(rows @ line).clip(-50, 50)))
        slope = rows.T @ (likely - wanted) + _RIDGE * (line - [1.0, 0.0])
        curve = (rows * (likely * (1 - likely))[:, None]).T @ rows + _RIDGE * np.eye(2)
        line = line - np.linalg.solve(curve, slope)
    if not np.isfinite(line).all() or not _LEAST_SLOPE <= line[0] <= _MOST_SLOPE:
        return 1.0, 0.0
    return float(line[0]), float(line[1])


def best_f1(judged: Judged) -> tuple[float, float]:
    """The confidence from which on boxes should count for the highest F1, exact in float32, and that F1.

    Of equal ones the lowest, which is the safest; a half, where no box is right.
    """
    if not judged.right.any():
        return 0.5, 0.0
    order = np.argsort(-judged.confidences, kind="stable")
    sorted_ones = judged.confidences[order]
    hits = np.cumsum(judged.right[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + judged.total)
    last = np.append(sorted_ones[1:] < sorted_ones[:-1], True)  # of equal confidences all count, or none
    f1 = np.where(last, f1, -math.inf)
    best = int(np.flatnonzero(f1 >= f1.max() * (1 - 1e-9))[-1])
    return float(sorted_ones[best]), float(f1[best])
