"""One verdict from the views of a part."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sightline.errors import OptionError
from sightline.line.toml_table import Positive
from sightline.records import Inspection, Verdict

MISSING, MODEL = "view_missing", "model_failed"  # causes of a FAULT, as counters have them
_GRAVITY = {Verdict.PASS: 0, Verdict.REVIEW: 1, Verdict.REJECT: 2, Verdict.FAULT: 3}


class Fusing(StrEnum):
    """How verdicts become one."""

    WORST = "worst"  # any view may reject
    WEIGHTED = "weighted"  # the weighted mean of score over threshold, for views that show the same surface


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionRule:
    """How verdicts become one; in both rules a view without a verdict makes the part a FAULT."""

    rule: Fusing = Fusing.WORST
    veto: Positive = 2.0  # WEIGHTED: a view that reaches so many times its threshold rejects alone

    def __post_init__(self) -> None:
        if not self.veto >= 1:
            raise OptionError(f"veto is {self.veto}; it counts in thresholds, so give 1 or more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """What the views of a part come to."""

    verdict: Verdict
    view: str  # that decided: the worst, by verdict and then by score over threshold
    score: float | None  # of that view; None for a FAULT, and for a part that was judged too late
    cause: str | None = None  # of a FAULT
    reason: str | None = None  # of a FAULT, for people

    def __post_init__(self) -> None:
        assert (self.verdict is Verdict.FAULT) == (self.cause is not None), "a FAULT, and only a FAULT, has a cause"


Fuse = Callable[[Mapping[str, Inspection]], Fused]  # of the views of a part, all of which were judged


def fuse(
    weights: Mapping[str, float], inspections: Mapping[str, Inspection | None], rule: FusionRule | None = None
) -> Fused:
    """One verdict for the part.

    Args:
        weights: of all views that the recipe has, each above 0.
        inspections: by view; None, or left out: it did not come in time. What the recipe does not have counts too.
    """
    rule = rule or FusionRule()
    for view in (*weights, *inspections):
        inspection = inspections.get(view)
        if inspection is None:
            return _fault(view, MISSING, f"{view}: no result in time")
        if (reason := _unjudged(inspection)) is not None:
            return _fault(view, MODEL, f"{view}: {reason}")
    judged = {view: one for view, one in inspections.items() if one is not None}
    worst = max(judged, key=lambda view: (_GRAVITY[judged[view].verdict], _relative(judged[view])))
    verdict = judged[worst].verdict
    if rule.rule is Fusing.WEIGHTED:
        if not all(one.threshold > 0 for one in judged.values()):
            return _fault(worst, MODEL, f"{worst}: the weighted rule needs thresholds above 0")
        verdict = _weighted(weights, judged, rule.veto)
    return Fused(verdict=verdict, view=worst, score=judged[worst].score)


def _fault(view: str, cause: str, reason: str) -> Fused:
    return Fused(verdict=Verdict.FAULT, view=view, score=None, cause=cause, reason=reason)


def _unjudged(inspection: Inspection) -> str | None:
    """Why an inspection is no verdict; None: it is one."""
    if inspection.verdict is Verdict.FAULT:
        return inspection.fault or "could not be judged"
    numbers = (inspection.score, inspection.threshold)
    return None if all(n is not None and math.isfinite(n) for n in numbers) else "a score or threshold is not finite"


def _relative(inspection: Inspection) -> float:
    """How near a score is to its threshold: 1 reaches it; scores of different models compare so as well as they can."""
    score, threshold = inspection.score, inspection.threshold
    assert score is not None
    return score / threshold if threshold > 0 else score - threshold + 1


def _weighted(weights: Mapping[str, float], judged: Mapping[str, Inspection], veto: float) -> Verdict:
    total = sum(weights.get(view, 1.0) for view in judged)
    shares = {view: weights.get(view, 1.0) / total for view in judged}
    mean = sum(shares[view] * _relative(one) for view, one in judged.items())
    band = sum(shares[view] * _band(one) for view, one in judged.items())
    by_score = Verdict.PASS if mean < band else Verdict.REVIEW
    if not (mean < 1 and all(_relative(one) < veto for one in judged.values())):  # so that doubt rejects
        by_score = Verdict.REJECT
    by_name = [one.verdict for one in judged.values() if one.probabilities is not None]  # not a matter of scores
    return max(by_score, *by_name, key=_GRAVITY.__getitem__) if by_name else by_score


def _band(inspection: Inspection) -> float:
    """Where doubt begins, as `_relative`."""
    review = inspection.review_threshold
    return 1.0 if review is None else review / inspection.threshold
