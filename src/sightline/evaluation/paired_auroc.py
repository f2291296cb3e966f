"""Two models on the same pictures: how far apart they are, with an interval that knows the pictures are the same."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import OptionError
from sightline.evaluation.metrics import ascending

_Z = 1.959963984540054  # of the two-sided 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its two-sided 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedAuroc:
    """Area under the ROC curve of two models, and of the second less the first."""

    first: Estimate
    second: Estimate
    difference: Estimate


def paired_auroc(first: ArrayLike, second: ArrayLike, is_defect: ArrayLike) -> PairedAuroc:
    """Compare two models by the scores that each gave the same pictures.

    Args:
        first, second: (N,) scores, in the same order.
        is_defect: (N,) the truth; two of each kind at least.

    Raises:
        OptionError: too few of a kind. FrameError: a score is not finite.

    Source: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44(3).
    """
    truth = np.asarray(is_defect, np.bool_)
    scores = np.stack([np.asarray(one, np.float64) for one in (first, second)])
    if min(truth.sum(), (~truth).sum()) < 2:
        raise OptionError("to compare two models takes two good pictures and two with defects at least.")
    placed = [_placements(row[truth], row[~truth]) for row in scores]
    areas = np.array([found.mean() for found, _ in placed])
    of_defects = np.cov(np.stack([found for found, _ in placed]))
    of_good = np.cov(np.stack([found for _, found in placed]))
    spread = of_defects / truth.sum() + of_good / (~truth).sum()
    apart = spread[0, 0] + spread[1, 1] - 2 * spread[0, 1]
    return PairedAuroc(
        first=_within(float(areas[0]), float(spread[0, 0]), 0.0),
        second=_within(float(areas[1]), float(spread[1, 1]), 0.0),
        difference=_within(float(areas[1] - areas[0]), float(apart), -1.0),
    )


def verdict_difference(only_first: int, only_second: int, total: int) -> Estimate:
    """The second's share of some verdict less the first's, over the same pictures.

    Args:
        only_first, only_second: pictures that one of them alone gave the verdict.

    Source: Agresti and Min 2005, Statistics in Medicine 24(5): half a picture is added to each of the four cells.
    """
    if total < 1:
        raise OptionError("to compare two models takes pictures that both have judged.")
    n, b, c = total + 2, only_first + 0.5, only_second + 0.5
    spread = (b + c - (c - b) ** 2 / n) / n**2
    middle = (c - b) / n
    reach = _Z * math.sqrt(max(0.0, spread))
    return Estimate(
        value=(only_second - only_first) / total, low=max(-1.0, middle - reach), high=min(1.0, middle + reach)
    )


def _placements(defects: NDArray[np.float64], good: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """For each defect the share of good pictures below it, for each good one that of defects above; ties count half."""
    low, high = ascending(good), ascending(defects)
    under = (np.searchsorted(low, defects, "left") + np.searchsorted(low, defects, "right")) / 2 / low.size
    over = 1 - (np.searchsorted(high, good, "left") + np.searchsorted(high, good, "right")) / 2 / high.size
    return under, over


def _within(value: float, variance: float, least: float) -> Estimate:
    reach = _Z * math.sqrt(max(0.0, variance))
    return Estimate(value=value, low=max(least, value - reach), high=min(1.0, value + reach))
