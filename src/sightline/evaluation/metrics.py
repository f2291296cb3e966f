"""How well scores tell defects from good parts, threshold by threshold, counted before divided."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import FrameError
from sightline.evaluation.results import ImageMetrics

Counts = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reached:
    """How many pictures reach each threshold; what reaches a threshold is rejected."""

    thresholds: Scores  # (K,) the distinct scores, descending
    good: Counts  # (K,) good pictures with score >= threshold; the last is all of them
    defects: Counts  # (K,) likewise defects


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RocCurve:
    """Recall against overkill; begins at (0, 0) with an infinite threshold and ends at (1, 1)."""

    thresholds: Scores  # (K + 1,) descending
    overkill: Scores  # (K + 1,) share of good pictures rejected
    recall: Scores  # (K + 1,) share of defects rejected


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrCurve:
    """Precision against recall; one point per distinct score, recall ascending to 1."""

    thresholds: Scores  # (K,) descending
    precision: Scores  # (K,) share of defects among the rejected
    recall: Scores  # (K,) share of defects rejected


def image_metrics(good_scores: ArrayLike, defect_scores: ArrayLike) -> ImageMetrics:
    """The threshold-free figures; all None when either kind is missing.

    Raises:
        FrameError: a score is not finite.
    """
    reached = reach(good_scores, defect_scores)
    if not (reached.good.size and reached.good[-1] and reached.defects[-1]):
        return ImageMetrics(
            auroc=None, average_precision=None, best_f1=None, best_f1_threshold=None, recall_at_1pct_overkill=None
        )
    f1, threshold = best_f1(reached)
    return ImageMetrics(
        auroc=area_under_roc(reached.good, reached.defects),
        average_precision=average_precision(reached.good, reached.defects),
        best_f1=f1,
        best_f1_threshold=threshold,
        recall_at_1pct_overkill=recall_at_overkill(reached, 0.01),
    )


def reach(good_scores: ArrayLike, defect_scores: ArrayLike) -> Reached:
    """Count both kinds at every distinct score; raises FrameError if a score is not finite."""
    good, defects = ascending(good_scores), ascending(defect_scores)
    thresholds = np.unique(np.concatenate([good, defects]))[::-1]
    return Reached(
        thresholds=thresholds,
        good=good.size - np.searchsorted(good, thresholds, side="left"),
        defects=defects.size - np.searchsorted(defects, thresholds, side="left"),
    )


def ascending(scores: ArrayLike) -> Scores:
    """A sorted float64 copy of one-dimensional scores, or FrameError if one of them is not finite."""
    values = np.sort(np.asarray(scores, dtype=np.float64).ravel())
    wrong = int(np.count_nonzero(~np.isfinite(values)))
    if wrong:
        raise FrameError(
            f"{wrong} of {values.size} scores are NaN or infinite. "
            "Such a picture is a FAULT: list it as not judged and leave it out of the figures."
        )
    return values


def roc_curve(good_scores: ArrayLike, defect_scores: ArrayLike) -> RocCurve:
    """The ROC curve; both kinds must be present."""
    reached = reach(good_scores, defect_scores)
    return RocCurve(
        thresholds=np.concatenate([[np.inf], reached.thresholds]),
        overkill=_shares(reached.good),
        recall=_shares(reached.defects),
    )


def pr_curve(good_scores: ArrayLike, defect_scores: ArrayLike) -> PrCurve:
    """The precision-recall curve; at least one defect must be present."""
    reached = reach(good_scores, defect_scores)
    return PrCurve(
        thresholds=reached.thresholds,
        precision=reached.defects / (reached.defects + reached.good),
        recall=reached.defects / reached.defects[-1],
    )


def area_under_roc(good: Counts, defects: Counts) -> float:
    """The chance that a defect scores higher than a good one, ties counting half.

    Args:
        good, defects: (K,) how many reach each threshold, thresholds descending, the last all of them and > 0.
    """
    return float(np.trapezoid(_shares(defects), _shares(good)))


def average_precision(good: Counts, defects: Counts) -> float:
    """Sum over thresholds of precision times the recall gained there; arguments as in `area_under_roc`."""
    gained = np.diff(_shares(defects))
    return float(np.sum(gained * defects / (good + defects)))


def best_f1(reached: Reached) -> tuple[float, float]:
    """The highest F1 of `score >= threshold` and its threshold; the lowest, which rejects most, among equals."""
    f1 = 2 * reached.defects / (reached.good + reached.defects + reached.defects[-1])
    best = int(np.flatnonzero(f1 == f1.max())[-1])
    return float(f1[best]), float(reached.thresholds[best])


def recall_at_overkill(reached: Reached, max_overkill: float) -> float:
    """The highest recall of any threshold that rejects at most this share of the good pictures."""
    # divided, not multiplied out: 29 / 100 <= 0.29 holds in floating point, 29 <= 0.29 * 100 does not
    allowed = reached.good / reached.good[-1] <= max_overkill
    return float(np.max(reached.defects, where=allowed, initial=0) / reached.defects[-1])


def _shares(counts: Counts) -> Scores:
    """(K + 1,) the counts as shares of the last, from 0 for an infinite threshold."""
    return np.concatenate([[0.0], counts / counts[-1]])


def macro_f1(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> float:
    """The mean over classes of 2 TP / (2 TP + FP + FN); a class that neither occurs nor is predicted is left out."""
    right = np.bincount(labels[predicted == labels], minlength=classes)
    either = np.bincount(labels, minlength=classes) + np.bincount(predicted, minlength=classes)
    return float(np.mean(2 * right[either > 0] / either[either > 0]))
