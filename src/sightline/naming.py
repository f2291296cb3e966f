"""From a classifier's probabilities to a name and a verdict; what is doubtful is never passed."""

from dataclasses import dataclass, replace

import numpy as np

from sightline.datasets.dataset import GOOD
from sightline.evaluation.thresholds import for_recall
from sightline.manifest import Thresholds
from sightline.name_rules import ClassRule, Naming
from sightline.records import FloatArray, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a picture shows."""

    label: str  # GOOD, or the defect's name
    confidence: float  # the probability of that; of a class that was taught, how like its examples the picture is
    verdict: Verdict


def name(
    naming: Naming,
    thresholds: Thresholds,
    probabilities: FloatArray,
    score: float,
    similarities: FloatArray | None = None,
) -> Named:
    """Name what a picture shows and judge it.

    It is of a class that was taught if it is as like its examples as they are to one another, and liker than to any
    class learnt: a REJECT. Else it is a defect if the score reaches its threshold, and then the most probable one; or
    if a defect class reaches the threshold of its own, and then the most probable one of those. Otherwise it is good.
    Good is a PASS and a defect a REJECT; but below the review confidence, in the score's REVIEW band, or where it is
    like no class that is known, a person decides.

    Args:
        probabilities: (K,) finite, in the order of the classes.
        score: finite.
        similarities: (K + T,) finite, in the order of the classes and those taught; None: the graph gives none.
    """
    if similarities is not None and (taught := _taught(naming, similarities)) is not None:
        return taught
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
    strange = (
        naming.least_similarity is not None
        and similarities is not None
        and not similarities.max() >= naming.least_similarity
    )
    if strange or in_band or (naming.review_confidence is not None and not confidence >= naming.review_confidence):
        return Named(label=label, confidence=confidence, verdict=Verdict.REVIEW)
    return Named(label=label, confidence=confidence, verdict=Verdict.PASS if label == GOOD else Verdict.REJECT)


def _taught(naming: Naming, similarities: FloatArray) -> Named | None:
    """The class taught that a picture is of, if any."""
    learnt, rest = np.split(similarities, [len(naming.classes)])
    likely = [
        (float(found), rule.name)
        for found, rule in zip(rest, naming.taught, strict=True)
        if found >= rule.similarity and found > learnt.max()
    ]
    if not likely:
        return None
    found, label = max(likely)
    return Named(label=label, confidence=min(1.0, max(0.0, found)), verdict=Verdict.REJECT)


def with_recall(
    rule: ClassRule, of_class: FloatArray, of_good: FloatArray, min_recall: float, *, guaranteed: bool = False
) -> tuple[ClassRule, tuple[str, ...]]:
    """The class's rule with the highest threshold that catches so large a share of its pictures, and what to know.

    What it catches is not passed, whatever it is named. The warnings say so where the pictures are too few to prove
    the recall at 95 % confidence.

    Args:
        of_class, of_good: the class's probabilities on pictures of it, and on good ones, none of them learnt from.
        guaranteed: then too few pictures are an OptionError.

    Raises:
        OptionError: the recall is out of range or cannot be guaranteed. DatasetError: no picture of the class.
    """
    found = for_recall(of_good, {rule.name: of_class}, {rule.name: min_recall}, guaranteed)
    caught = found.recall[rule.name]
    changed = replace(
        rule,
        threshold=found.value,
        min_recall=min_recall,
        caught=caught.count,
        examples=caught.total,
        promise=found.promise,
    )
    return changed, found.warnings
