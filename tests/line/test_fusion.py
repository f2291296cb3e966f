"""Views become one verdict; what is missing or not a number never passes."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sightline.errors import OptionError
from sightline.line.fusion import MISSING, MODEL, Fusing, FusionRule, fuse
from sightline.line.thresholds import judged_by
from sightline.records import Inspection, Verdict

WEIGHTED = FusionRule(rule=Fusing.WEIGHTED)
WEIGHTS = {"top": 3.0, "side": 1.0}


def seen(score: float | None, *, threshold: float = 1.0, review: float | None = None) -> Inspection:
    if score is None:
        verdict = Verdict.FAULT
    elif not score < threshold:
        verdict = Verdict.REJECT
    else:
        verdict = Verdict.PASS if review is None or score < review else Verdict.REVIEW
    values = None if score is None else np.array([[score, 0]], np.float32)
    return Inspection(
        source="",
        verdict=verdict,
        score=score,
        threshold=threshold,
        review_threshold=review,
        p_value=None,
        model_id="m",
        width=20,
        height=10,
        map=values,
        fault="the graph failed" if score is None else None,
    )


@pytest.mark.parametrize(
    ("top", "side", "verdict", "view"),
    [
        (seen(0.5), seen(0.6), Verdict.PASS, "side"),
        (seen(0.5), seen(1.0), Verdict.REJECT, "side"),
        (seen(0.95, review=0.9), seen(0.99), Verdict.REVIEW, "top"),
        (seen(5.0, threshold=4.0), seen(2.0), Verdict.REJECT, "side"),
    ],
)
def test_the_worst_view_decides(top: Inspection, side: Inspection, verdict: Verdict, view: str) -> None:
    found = fuse(WEIGHTS, {"top": top, "side": side})
    assert (found.verdict, found.view) == (verdict, view)


@pytest.mark.parametrize("rule", [FusionRule(), WEIGHTED], ids=["worst", "weighted"])
@pytest.mark.parametrize(
    ("inspections", "cause"),
    [
        pytest.param({}, MISSING, id="none"),
        pytest.param({"top": seen(0.1)}, MISSING, id="one is missing"),
        pytest.param({"top": seen(0.1), "side": None}, MISSING, id="one is late"),
        pytest.param({"top": seen(0.1), "side": seen(None)}, MODEL, id="a fault"),
        pytest.param({"top": seen(0.1), "side": seen(0.1, threshold=math.nan)}, MODEL, id="no threshold"),
        pytest.param({"top": seen(0.1), "side": seen(0.1, threshold=math.inf)}, MODEL, id="infinite"),
        pytest.param({"top": seen(0.1), "side": seen(0.1), "back": seen(None)}, MODEL, id="an unknown view's fault"),
    ],
)
def test_what_was_not_judged_makes_the_part_a_fault(
    rule: FusionRule, inspections: dict[str, Inspection | None], cause: str
) -> None:
    found = fuse(WEIGHTS, inspections, rule)
    assert (found.verdict, found.cause, found.score) == (Verdict.FAULT, cause, None)


@pytest.mark.parametrize(
    ("top", "side", "verdict"),
    [
        pytest.param(seen(0.9), seen(1.2), Verdict.PASS, id="outvoted: 0.975"),
        pytest.param(seen(0.9), seen(1.3), Verdict.REJECT, id="the mean reaches 1"),
        pytest.param(seen(0.1), seen(2.0), Verdict.REJECT, id="veto"),
        pytest.param(seen(0.1), seen(1.99), Verdict.PASS, id="just below the veto"),
        pytest.param(seen(0.9, review=0.8), seen(0.9, review=0.8), Verdict.REVIEW, id="doubt"),
        pytest.param(seen(0.1, review=0.8), seen(0.9, review=0.8), Verdict.PASS, id="doubt outvoted"),
        pytest.param(seen(0.1), seen(0.1, threshold=-1.0), Verdict.FAULT, id="thresholds cannot be compared"),
    ],
)
def test_the_weighted_rule(top: Inspection, side: Inspection, verdict: Verdict) -> None:
    assert fuse(WEIGHTS, {"top": top, "side": side}, WEIGHTED).verdict is verdict


def test_a_named_defect_is_not_outvoted() -> None:
    named = replace(seen(0.2), verdict=Verdict.REJECT, probabilities={"good": 0.2, "dent": 0.8})
    assert fuse(WEIGHTS, {"top": seen(0.1), "side": named}, WEIGHTED).verdict is Verdict.REJECT


def test_a_veto_below_the_threshold_is_refused() -> None:
    with pytest.raises(OptionError, match="1 or more"):
        FusionRule(veto=0.5)


@pytest.mark.parametrize(
    ("reject_at", "review_at", "verdict", "regions"),
    [
        (0.6, None, Verdict.PASS, 0),
        (0.5, None, Verdict.REJECT, 1),
        (0.6, 0.5, Verdict.REVIEW, 1),
        (math.nan, None, Verdict.REJECT, 0),
    ],
)
def test_a_recipes_thresholds_replace_the_models(
    reject_at: float, review_at: float | None, verdict: Verdict, regions: int
) -> None:
    found = judged_by(seen(0.5), reject_at, review_at)
    assert (found.verdict, len(found.defects), found.review_threshold) == (verdict, regions, review_at)


def test_thresholds_do_not_make_a_fault_a_verdict_nor_overrule_names() -> None:
    assert judged_by(seen(None), 9.0, None).verdict is Verdict.FAULT
    with pytest.raises(OptionError, match="names defects"):
        judged_by(replace(seen(0.5), probabilities={"good": 1.0, "dent": 0.0}), 9.0, None)
