"""From a classifier's probabilities to a name and a verdict; what is doubtful is never passed."""

from dataclasses import dataclass

from sightline.datasets.dataset import GOOD
from sightline.manifest import Naming, Thresholds
from sightline.records import FloatArray, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a picture shows."""

    label: str  # GOOD, or the defect's name
    confidence: float  # the probability of that
    verdict: Verdict


def name(naming: Naming, thresholds: Thresholds, probabilities: FloatArray, score: float) -> Named:
    """Name what a picture shows and judge it.

    It is a defect if the score reaches its threshold, and then the most probable one; or if a defect class reaches
    the threshold of its own, and then the most probable one of those. Otherwise it is good. Good is a PASS and a
    defect a REJECT, but below the review confidence, or in the score's REVIEW band, a person decides.

    Args:
        probabilities: (K,) finite, in the order of the classes.
        score: finite.
    """
    shares = {rule.name: float(share) for rule, share in zip(naming.classes, probabilities, strict=True)}
    defects = {label: share for label, share in shares.items() if label != GOOD}
    if not score < thresholds.reject:
        found = defects
    else:
        limits = {rule.name: rule.threshold for rule in naming.classes if rule.threshold is not None}
        found = {label: share for label, share in defects.items() if label in limits and not share < limits[label]}
    label = max(found, key=lambda each: found[each]) if found else GOOD
    confidence = shares.get(label, 0.0)
    in_band = label == GOOD and thresholds.review is not None and not score < thresholds.review
    if in_band or (naming.review_confidence is not None and not confidence >= naming.review_confidence):
        return Named(label=label, confidence=confidence, verdict=Verdict.REVIEW)
    return Named(label=label, confidence=confidence, verdict=Verdict.PASS if label == GOOD else Verdict.REJECT)
