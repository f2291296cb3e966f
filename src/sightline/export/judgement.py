"""An export beside the model it was made from, on the same pictures: same verdicts, or a stated loss."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import GOOD
from sightline.errors import OptionError
from sightline.evaluation.metrics import image_metrics, macro_f1
from sightline.manifest import Thresholds
from sightline.name_rules import Naming
from sightline.naming import name
from sightline.precision import MOST_LOST
from sightline.records import AnomalyMap, FloatArray, Frame, Verdict

Name = Callable[[Frame, AnomalyMap], str]
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
    changed: int  # pictures whose verdict, or name, is another
    changed_pictures: tuple[str, ...]  # the first of them
    largest_deviation: float  # of a finite score, as a share of the threshold
    tolerance: float | None  # that deviation's limit; None: int8, for which verdicts count
    max_loss: float  # share of changed verdicts that is allowed
    auroc_model: float | None  # None: no labels, or one kind of picture only
    auroc_export: float | None
    macro_f1_model: float | None = None  # None: it does not name, or no picture has a label
    macro_f1_export: float | None = None

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
        lost = (self.macro_f1_model or 0) - (self.macro_f1_export or 0)
        if lost > MOST_LOST:
            return f"the macro F1 falls by {lost:.3g} to {self.macro_f1_export:.3f}, {MOST_LOST} may be lost"
        return None


def verdict_of(score: float, thresholds: Thresholds) -> Verdict:
    """As `Inspector.inspect` decides."""
    if not np.isfinite(score):
        return Verdict.FAULT
    if thresholds.review is not None and thresholds.review <= score < thresholds.reject:
        return Verdict.REVIEW
    return Verdict.PASS if score < thresholds.reject else Verdict.REJECT


def said(found: AnomalyMap, thresholds: Thresholds, naming: Naming | None) -> tuple[Verdict, str | None]:
    """Verdict, and name where the model names, as `Inspector.inspect` decides."""
    verdict = verdict_of(found.score, thresholds)
    if naming is None or found.probabilities is None or verdict is Verdict.FAULT:
        return verdict, None
    if not np.isfinite(found.probabilities).all():
        return Verdict.FAULT, None
    named = name(naming, thresholds, found.probabilities, found.score, found.similarities)
    return named.verdict, named.label


def judge(
    frames: Iterable[tuple[Frame, str | None]],
    model: Score,
    export: Score,
    thresholds: Thresholds,
    *,
    tolerance: float | None,
    max_loss: float,
    naming: Naming | None = None,
    named: Name | None = None,
) -> Judgement:
    """Score each frame by both. An export that gives no similarities is compared with what the model says without.

    Args:
        frames: with their label; None: not known.
        tolerance: largest deviation of a score, as a share of the threshold; None: verdicts alone count.
        max_loss: share of changed verdicts that is allowed.
        naming: of a classifier, whose names count like verdicts.
        named: by the map, what the part is called, which counts likewise; None: its regions have no names.

    Raises:
        OptionError: there are no frames. FrameError: a frame cannot be judged.
    """
    scores: list[tuple[float, float]] = []
    labels: list[str | None] = []
    changed: list[str] = []
    guesses: list[tuple[FloatArray | None, FloatArray | None]] = []
    for frame, label in frames:
        ours, theirs = model(frame), export(frame)
        if theirs.similarities is None:
            ours = replace(ours, similarities=None)
        answers = [said(found, thresholds, naming) for found in (ours, theirs)]
        if answers[0] != answers[1] or (named is not None and named(frame, ours) != named(frame, theirs)):
            changed.append(frame.source)
        scores.append((ours.score, theirs.score))
        guesses.append((ours.probabilities, theirs.probabilities))
        labels.append(label)
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
        macro_f1_model=_macro_f1([pair[0] for pair in guesses], labels, naming),
        macro_f1_export=_macro_f1([pair[1] for pair in guesses], labels, naming),
    )


def _macro_f1(shares: list[FloatArray | None], labels: list[str | None], naming: Naming | None) -> float | None:
    """By the most probable class, of the pictures whose label is one that was learnt."""
    if naming is None:
        return None
    names = [rule.name for rule in naming.classes]
    known = [
        (int(np.argmax(one)), names.index(label))
        for one, label in zip(shares, labels, strict=True)
        if one is not None and label in names
    ]
    if not known:
        return None
    predicted, truth = np.array(known).T
    return macro_f1(predicted, truth, len(names))


def _auroc(scores: NDArray[np.float64], labels: list[str | None]) -> float | None:
    """NaN counts as below every score, so a model that fails is not a model that finds."""
    limits = np.finfo(np.float64)
    usable = np.nan_to_num(scores, nan=limits.min, posinf=limits.max, neginf=limits.min)
    good = usable[[label == GOOD for label in labels]]
    return image_metrics(good, usable[[label not in (GOOD, None) for label in labels]]).auroc
