"""An export beside the model it was made from, on the same pictures: same verdicts, or a stated loss."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.evaluation.metrics import image_metrics
from sightline.manifest import Thresholds
from sightline.records import AnomalyMap, Frame, Verdict

Score = Callable[[Frame], AnomalyMap]
FLOAT_TOLERANCE = 0.001  # of the threshold
# The shipped backbone computes in 8 bits, where another order of additions tips values to the next level
# (backbone/CARD.md); OpenVINO moved scores of 48 rendered parts by up to 3 % of the threshold, and no verdict.
INTEGER_TOLERANCE = 0.05
_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How the export's scores and verdicts differ from the model's."""

    pictures: int
    changed: int  # pictures whose verdict is another
    changed_pictures: tuple[str, ...]  # the first of them
    largest_deviation: float  # of a finite score, as a share of the threshold
    tolerance: float | None  # that deviation's limit; None: int8, for which verdicts count
    max_loss: float  # share of changed verdicts that is allowed
    auroc_model: float | None  # None: no labels, or one kind of picture only
    auroc_export: float | None

    @property
    def loss(self) -> float:
        """Share of changed verdicts."""
        return self.changed / self.pictures

    @property
    def refusal(self) -> str | None:
        """Why the export must not be written; None: it may."""
        if self.loss > self.max_loss:
            return (
                f"{self.changed} of {self.pictures} verdicts change ({100 * self.loss:.3g} %), "
                f"{100 * self.max_loss:.3g} % may"
            )
        if self.tolerance is not None and not self.largest_deviation <= self.tolerance:
            return (
                f"a score moves by {100 * self.largest_deviation:.3g} % of the threshold, "
                f"{100 * self.tolerance:.3g} % may"
            )
        return None


def verdict_of(score: float, thresholds: Thresholds) -> Verdict:
    """As `Inspector.inspect` decides."""
    if not np.isfinite(score):
        return Verdict.FAULT
    if thresholds.review is not None and thresholds.review <= score < thresholds.reject:
        return Verdict.REVIEW
    return Verdict.PASS if score < thresholds.reject else Verdict.REJECT


def judge(
    frames: Iterable[tuple[Frame, bool | None]],
    model: Score,
    export: Score,
    thresholds: Thresholds,
    *,
    tolerance: float | None,
    max_loss: float,
) -> Judgement:
    """Score each frame by both.

    Args:
        frames: with whether it is good; None: not known.
        tolerance: largest deviation of a score, as a share of the threshold; None: verdicts alone count.
        max_loss: share of changed verdicts that is allowed.

    Raises:
        OptionError: there are no frames. FrameError: a frame cannot be judged.
    """
    scores: list[tuple[float, float]] = []
    labels: list[bool | None] = []
    changed: list[str] = []
    for frame, good in frames:
        pair = model(frame).score, export(frame).score
        if verdict_of(pair[0], thresholds) is not verdict_of(pair[1], thresholds):
            changed.append(frame.source)
        scores.append(pair)
        labels.append(good)
    if not scores:
        raise OptionError("there are no pictures to judge the export on.")
    both = np.array(scores, np.float64)
    finite = both[np.isfinite(both).all(axis=1)]  # what is no number for one alone is a changed verdict
    scale = max(abs(thresholds.reject), 1e-12)
    return Judgement(
        pictures=len(scores),
        changed=len(changed),
        changed_pictures=tuple(changed[:_LISTED]),
        largest_deviation=float(np.abs(finite[:, 1] - finite[:, 0]).max(initial=0) / scale),
        tolerance=tolerance,
        max_loss=max_loss,
        auroc_model=_auroc(both[:, 0], labels),
        auroc_export=_auroc(both[:, 1], labels),
    )


def _auroc(scores: NDArray[np.float64], labels: list[bool | None]) -> float | None:
    """NaN counts as below every score, so a model that fails is not a model that finds."""
    limits = np.finfo(np.float64)
    usable = np.nan_to_num(scores, nan=limits.min, posinf=limits.max, neginf=limits.min)
    good = usable[[label is True for label in labels]]
    return image_metrics(good, usable[[label is False for label in labels]]).auroc
