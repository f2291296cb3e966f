"""A recipe's thresholds in place of a model's own."""

from dataclasses import replace

from sightline.errors import OptionError
from sightline.inspector import find_defects
from sightline.records import Inspection, Verdict


def judged_by(inspection: Inspection, reject_at: float, review_at: float | None) -> Inspection:
    """The same score against a recipe's thresholds instead of the model's own.

    Raises:
        OptionError: the model names what it sees, so that its verdict is not a matter of one threshold.
    """
    if inspection.score is None or inspection.verdict is Verdict.FAULT:
        return inspection
    if inspection.probabilities is not None:
        raise OptionError("a model that names defects has its own thresholds; take reject_at out of the recipe.")
    score = inspection.score
    verdict = Verdict.PASS if score < reject_at else Verdict.REJECT
    if review_at is not None and review_at <= score < reject_at:
        verdict = Verdict.REVIEW
    marked = reject_at if review_at is None else review_at
    values, height, width = inspection.map, inspection.height, inspection.width
    assert values is not None
    assert height is not None
    assert width is not None
    defects = find_defects(values, marked, height, width)
    return replace(inspection, verdict=verdict, threshold=reject_at, review_threshold=review_at, defects=defects)
