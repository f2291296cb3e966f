"""When an export may be written: same verdicts, or a stated loss."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from sightline.errors import OptionError
from sightline.export.judgement import Judgement, Score, judge, verdict_of
from sightline.manifest import Thresholds
from sightline.name_rules import ClassRule, Naming
from sightline.records import AnomalyMap, Frame, Verdict

BAND = Thresholds(reject=2.0, review=1.0, rule="", promise="", max_overkill=None)
PLAIN = Thresholds(reject=2.0, review=None, rule="", promise="", max_overkill=None)


def saying(scores: Sequence[float]) -> Score:
    """A detector that gives these scores one after another."""
    left = iter(scores)
    return lambda frame: AnomalyMap(score=next(left), values=np.zeros((1, 1), np.float32))


def judged(
    model: Sequence[float],
    export: Sequence[float],
    good: Sequence[bool | None] = (),
    tolerance: float | None = None,
    max_loss: float = 0.0,
) -> Judgement:
    pixels = np.zeros((1, 1, 1), np.uint8)
    labels = [{True: "good", False: "dent", None: None}[one] for one in good] or [None] * len(model)
    frames = [(Frame(pixels=pixels, source=f"{index}.png"), label) for index, label in enumerate(labels)]
    return judge(frames, saying(model), saying(export), PLAIN, tolerance=tolerance, max_loss=max_loss)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (0.99, Verdict.PASS),
        (1.0, Verdict.REVIEW),
        (2.0, Verdict.REJECT),
        (float("nan"), Verdict.FAULT),
        (float("inf"), Verdict.FAULT),
    ],
)
def test_a_score_that_reaches_a_threshold_is_not_below_it(score: float, verdict: Verdict) -> None:
    assert verdict_of(score, BAND) is verdict


def test_equal_scores_are_no_loss() -> None:
    found = judged([1, 3], [1, 3], tolerance=0.0)
    assert (found.pictures, found.changed, found.loss, found.largest_deviation) == (2, 0, 0.0, 0.0)
    assert found.refusal is None


def test_one_changed_verdict_refuses_an_export_that_may_change_none_and_is_named() -> None:
    found = judged([1.9, 3], [2.0, 3])
    assert found.changed_pictures == ("0.png",)
    assert found.refusal == "1 of 2 verdicts change (50 %), 0 % may"


def test_a_loss_at_the_limit_is_allowed_and_one_above_is_not() -> None:
    model, export = [0.0] * 4, [0.0, 0.0, 0.0, 3.0]
    assert judged(model, export, max_loss=0.25).refusal is None
    assert judged(model, export, max_loss=0.24).refusal is not None


def test_a_score_that_moves_too_far_refuses_although_no_verdict_changes() -> None:
    found = judged([1.0], [1.1], tolerance=0.01)
    assert found.largest_deviation == pytest.approx(0.05)
    assert found.refusal == "a score moves by 5 % of the threshold, 1 % may"


def test_an_export_that_gives_no_number_changes_the_verdict() -> None:
    assert judged([1.0], [float("nan")], tolerance=0.01).changed == 1


def test_auroc_is_told_where_both_kinds_occur_and_otherwise_not() -> None:
    both = judged([0, 1, 3, 4], [0, 3, 1, 4], [True, True, False, False], max_loss=0.9)
    assert (both.auroc_model, both.auroc_export) == (1.0, 0.75)
    assert judged([0, 1], [0, 1], [True, True]).auroc_model is None


def test_an_export_cannot_be_judged_on_nothing() -> None:
    with pytest.raises(OptionError, match="no pictures"):
        judged([], [])


NAMING = Naming(classes=(ClassRule(name="crack", images=4), ClassRule(name="dent", images=4)), review_confidence=None)


def naming(shares: Sequence[float], similarities: float | None = None) -> Score:
    """A classifier of two defects that gives the first these probabilities."""
    left = iter(shares)

    def score(frame: Frame) -> AnomalyMap:
        first = next(left)
        like = None if similarities is None else np.full(2, similarities, np.float32)
        values, both = np.ones((1, 1), np.float32), np.array([first, 1 - first], np.float32)
        return AnomalyMap(score=1.0, values=values, probabilities=both, similarities=like)

    return score


def named(model: Score, export: Score, labels: Sequence[str], rule: Naming = NAMING) -> Judgement:
    frames = [(Frame(pixels=np.zeros((1, 1, 1), np.uint8), source=f"{i}.png"), label) for i, label in enumerate(labels)]
    limits = Thresholds(reject=0.5, review=None, rule="", promise="", max_overkill=None)
    return judge(frames, model, export, limits, tolerance=None, max_loss=0.9, naming=rule)


def test_another_name_is_a_change_although_the_verdict_stays() -> None:
    found = named(naming([0.9, 0.6]), naming([0.9, 0.4]), ["crack", "dent"])
    assert (found.changed, found.changed_pictures) == (1, ("1.png",))


def test_a_macro_f1_that_falls_is_refused_whatever_share_of_verdicts_may_change() -> None:
    found = named(naming([0.9, 0.1, 0.1]), naming([0.9, 0.6, 0.1]), ["crack", "dent", "dent"])
    assert found.macro_f1_model == 1
    assert found.macro_f1_export == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert found.refusal == "the macro F1 falls by 0.333 to 0.667, 0.005 may be lost"


def test_a_better_export_is_not_refused_for_its_macro_f1() -> None:
    assert named(naming([0.9, 0.6]), naming([0.9, 0.4]), ["crack", "dent"]).refusal is None


def test_an_export_without_similarities_is_compared_with_what_the_model_says_without() -> None:
    rule = replace(NAMING, least_similarity=0.5)
    strange, plain = naming([0.9], 0.1), naming([0.9])
    assert named(strange, plain, ["crack"], rule).changed == 0
    assert named(naming([0.9], 0.1), naming([0.9], 0.9), ["crack"], rule).changed == 1


def test_a_probability_that_is_no_number_is_a_fault() -> None:
    assert named(naming([0.9]), naming([float("nan")]), ["crack"]).changed == 1
