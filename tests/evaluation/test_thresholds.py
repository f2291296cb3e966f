import json
import math
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import beta

from sightline.errors import DatasetError, FrameError, InspectionError, OptionError
from sightline.evaluation.intervals import lower_bound
from sightline.evaluation.thresholds import (
    Threshold,
    cost_curve,
    for_cost,
    for_overkill,
    for_recall,
    p_value,
    review_for_recall,
    review_for_share,
)

Floats = list[float]


def just_above(score: float) -> float:
    return float(np.nextafter(np.float32(score), np.float32(np.inf)))


def rejected(scores: ArrayLike, threshold: float) -> int:
    return int(np.count_nonzero(np.asarray(scores) >= threshold))


# --- overkill


@pytest.mark.parametrize(
    ("n", "max_overkill", "k", "rate"),
    [
        pytest.param(99, 0.01, 99, 1 / 100, id="just enough: the highest good score passes"),
        pytest.param(98, 0.01, 98, 1 / 99, id="one too few: what can be promised is more than asked"),
        pytest.param(198, 0.01, 198, 1 / 199, id="one short of the next step"),
        pytest.param(199, 0.01, 198, 2 / 200, id="the highest of 199 is rejected"),
        pytest.param(99, 0.07, 93, 7 / 100, id="a rate that floating point rounds up: 1 - 0.07"),
        pytest.param(99, 0.29, 71, 29 / 100, id="a rate that floating point rounds down: 0.29 * 100"),
        pytest.param(1, 0.5, 1, 0.5, id="one picture"),
    ],
)
def test_the_threshold_lies_just_above_the_kth_good_score(n: int, max_overkill: float, k: int, rate: float) -> None:
    scores = np.random.default_rng(n).permutation(np.arange(1, n + 1))
    found = for_overkill(scores, max_overkill)
    assert found.value == just_above(k)
    assert found.guarantee is not None
    assert found.guarantee.rate == rate
    assert found.guarantee.images == n
    assert bool(found.warnings) == (rate > max_overkill)


def test_the_score_that_the_threshold_was_set_with_passes() -> None:
    scores = [0.1, 0.2, 0.3]
    exact = np.array(scores, np.float32)  # each a little more or less
    assert rejected(scores, for_overkill(scores, 0.25).value) == 0
    assert rejected(exact, for_overkill(exact, 0.25).value) == 0
    assert rejected(scores, for_overkill(scores, 0.5).value) == 1


def test_the_threshold_is_exact_in_float32_and_survives_json() -> None:
    found = for_overkill(np.random.default_rng(0).random(50), 0.1)
    assert float(np.float32(found.value)) == found.value
    assert json.loads(json.dumps(asdict(found)))["value"] == found.value


def test_too_few_pictures_are_told_how_many_are_needed_and_what_they_can_promise() -> None:
    (warning,) = for_overkill(np.arange(49), 0.01).warnings
    assert "49 good pictures cannot promise 1 % overkill" in warning
    assert "the least they can promise is 2 %" in warning
    assert "At least 99 good pictures" in warning


@pytest.mark.parametrize(("n", "max_overkill"), [(30, 0.05), (99, 0.01), (120, 0.1)])
def test_overkill_keeps_its_promise_over_many_calibrations(n: int, max_overkill: float) -> None:
    """With uniform scores the true overkill of a threshold t is 1 - t, so nothing need be drawn to measure it."""
    rng = np.random.default_rng(5)
    found = [for_overkill(rng.random(n), max_overkill) for _ in range(500)]
    true = np.array([1 - threshold.value for threshold in found])
    guarantee = found[0].guarantee
    assert guarantee is not None
    assert true.mean() == pytest.approx(guarantee.rate, abs=4 * true.std() / math.sqrt(true.size))
    assert true.mean() <= max_overkill + 4 * true.std() / math.sqrt(true.size)
    inside = np.mean((guarantee.low <= true) & (true <= guarantee.high))
    assert inside >= 0.93


def test_overkill_keeps_its_promise_on_fresh_parts_with_ties() -> None:
    rng = np.random.default_rng(6)
    shares = [
        np.mean(np.round(rng.gamma(2, 2, 500), 0) >= for_overkill(np.round(rng.gamma(2, 2, 60), 0), 0.1).value)
        for _ in range(200)
    ]
    assert np.mean(shares) <= 0.1


def test_the_interval_is_that_of_an_order_statistic() -> None:
    guarantee = for_overkill(np.arange(500), 0.01).guarantee  # 5 of 501 gaps
    assert guarantee is not None
    assert guarantee.low == pytest.approx(beta.ppf(0.025, 5, 496), abs=1e-9)
    assert guarantee.high == pytest.approx(beta.ppf(0.975, 5, 496), abs=1e-9)


# --- cost


@pytest.mark.parametrize(
    ("good", "defects", "escape", "overkill", "rate", "value", "cost"),
    [
        pytest.param([1, 2], [5, 6], 50, 1, 0.01, just_above(2), 0, id="free anywhere in the gap: its low end"),
        pytest.param([1, 4], [3, 6], 10, 1, 0.5, just_above(1), 0.25, id="an escape is dear: reject one good"),
        pytest.param([1, 4], [3, 6], 1, 10, 0.5, just_above(4), 0.25, id="an overkill is dear: pass one defect"),
        pytest.param([1, 4], [3, 6], 1, 1, 0.5, just_above(1), 0.25, id="a tie goes to the lower threshold"),
        pytest.param([2], [2], 100, 1, 0.5, 2, 0.5, id="not told apart, an escape is dear: reject both"),
        pytest.param([2], [2], 1, 100, 0.5, just_above(2), 0.5, id="not told apart, an overkill is dear: pass both"),
        pytest.param([1, 2, 3, 9], [4, 5, 6, 7], 99, 1, 0.01, just_above(3), 0.99 / 4, id="rare defects"),
    ],
)
def test_the_cheapest_threshold(
    good: Floats, defects: Floats, escape: float, overkill: float, rate: float, value: float, cost: float
) -> None:
    found = for_cost(good, defects, escape, overkill, rate)
    assert found.value == value
    assert found.cost_per_part == pytest.approx(cost)


def test_cost_counts_escapes_and_overkill_with_intervals() -> None:
    found = for_cost([1, 4], [3, 6], 1, 10, 0.5)
    assert found.escape is not None
    assert found.overkill is not None
    assert (found.escape.count, found.escape.total) == (1, 2)
    assert (found.overkill.count, found.overkill.total) == (0, 2)
    assert found.overkill.high == pytest.approx(1 - math.sqrt(0.025))


def test_a_missing_defect_rate_is_said_to_be_taken_as_1_percent() -> None:
    found = for_cost([1], [2], 50, 1)
    assert found.value == for_cost([1], [2], 50, 1, 0.01).value
    assert found.warnings == ("no defect rate was given: 1 % of parts are taken to be defective.",)


@pytest.mark.parametrize(("escape", "verb"), [(1000, "reject"), (0.001, "pass")])
def test_a_model_that_does_not_pay_is_said_so(escape: float, verb: str) -> None:
    found = for_cost([1, 5], [2, 4, 0], escape, 1, 0.5)
    assert f"the cheapest is to {verb} every part" in found.warnings[0]


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_at_all_is_cheaper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    good, defects = np.round(rng.normal(0, 2, 40)), np.round(rng.normal(2, 2, 20))
    found = for_cost(good, defects, 20, 1, 0.1)
    costs = [
        0.1 * 20 * np.mean(defects < t) + 0.9 * np.mean(good >= t) for t in np.arange(-12, 12, 0.5)
    ]  # every way to part whole numbers
    assert found.cost_per_part == pytest.approx(min(costs))


def test_the_cost_curve_runs_from_rejecting_everything_to_passing_everything() -> None:
    curve = cost_curve([1, 2], [2, 3], 10, 1, 0.2)
    np.testing.assert_array_equal(curve.thresholds, [1, just_above(1), just_above(2), just_above(3)])
    np.testing.assert_array_equal(curve.overkill, [1, 0.5, 0, 0])
    np.testing.assert_array_equal(curve.escape, [0, 0, 0.5, 1])
    np.testing.assert_allclose(curve.cost, [0.8, 0.4, 1, 2])


# --- recall

TYPES = {"crack": [3.0, 5, 6, 7], "dent": [1.0, 8]}


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        pytest.param({"crack": 1.0}, 3, id="all cracks: a score equal to the threshold is caught"),
        pytest.param({"crack": 0.75}, 5, id="exactly three of four"),
        pytest.param({"crack": 0.76}, 3, id="a little more takes the fourth"),
        pytest.param({"dent": 0.5}, 8, id="half of the dents"),
        pytest.param({"dent": 0.5, "crack": 0.75}, 5, id="the stricter of two"),
        pytest.param({"all": 0.5}, 6, id="half of everything"),
        pytest.param({"all": 1.0}, 1, id="everything"),
    ],
)
def test_the_highest_threshold_that_catches_enough(asked: dict[str, float], value: float) -> None:
    assert for_recall([0.0], TYPES, asked).value == value


def test_recall_is_counted_for_every_type() -> None:
    found = for_recall([0, 2, 5, 9], TYPES, {"crack": 0.75})
    assert {name: (rate.count, rate.total) for name, rate in found.recall.items()} == {
        "crack": (3, 4),
        "dent": (1, 2),
        "all": (4, 6),
    }
    assert found.escape is not None
    assert found.overkill is not None
    assert (found.escape.count, found.overkill.count) == (2, 2)


def test_a_score_that_float32_rounds_up_is_still_caught() -> None:
    assert for_recall([], {"dent": [0.1]}, {"dent": 1}).value <= 0.1


def test_recall_that_the_examples_do_not_prove_is_told_with_the_number_needed() -> None:
    (warning,) = for_recall([], {"crack": np.arange(20)}, {"crack": 0.99}).warnings
    assert "catching 20 of 20 examples proves a recall of 86.09 %" in warning
    assert "At least 299 examples" in warning


def test_guaranteed_recall_takes_as_many_as_its_lower_bound_needs() -> None:
    scores = np.arange(1, 101)  # of 100, 99 caught prove 95.3 %, 98 prove 93.8 %
    found = for_recall([], {"crack": scores}, {"crack": 0.95}, guaranteed=True)
    assert lower_bound(99, 100) >= 0.95 > lower_bound(98, 100)
    assert found.value == 2
    assert found.warnings == ()


def test_guaranteed_recall_holds_over_many_calibrations() -> None:
    rng = np.random.default_rng(8)
    draws = rng.random((60, 80))
    true = [1 - for_recall([], {"crack": draw}, {"crack": 0.9}, guaranteed=True).value for draw in draws]
    assert np.mean(np.array(true) >= 0.9) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / len(true))


@pytest.mark.parametrize(
    ("asked", "cure"), [(0.95, "At least 59 examples"), (1.0, "No number of examples proves 100 %")]
)
def test_a_guarantee_that_the_examples_cannot_give_is_refused(asked: float, cure: str) -> None:
    with pytest.raises(OptionError, match=f"58 examples of crack cannot guarantee .*{cure}"):
        for_recall([], {"crack": np.arange(58)}, {"crack": asked}, guaranteed=True)


def test_a_type_without_examples_is_refused_with_those_there_are() -> None:
    with pytest.raises(OptionError, match=r"'scratch'\. There are: crack, dent, all\."):
        for_recall([], {**TYPES, "scratch": []}, {"scratch": 0.9})


# --- review


@pytest.mark.parametrize(
    ("threshold", "max_review", "value"),
    [
        pytest.param(just_above(19), 0.1, just_above(17), id="closed by a good score: two gaps of twenty"),
        pytest.param(just_above(15), 0.1, just_above(13), id="with good scores above"),
        pytest.param(30.0, 0.1, just_above(18), id="above all: the last gap is open, and counts"),
        pytest.param(15.5, 0.1, just_above(14), id="inside a gap: it counts whole"),
        pytest.param(just_above(3), 0.9, just_above(1), id="no more than there is"),
    ],
)
def test_the_review_band_holds_at_most_its_share_of_gaps(threshold: float, max_review: float, value: float) -> None:
    found = review_for_share(threshold, np.arange(1, 20), max_review)
    assert found.value == value
    assert found.value < threshold
    assert found.guarantee is not None
    assert found.guarantee.rate <= max_review


@pytest.mark.parametrize(
    ("threshold", "max_review", "reason"),
    [
        pytest.param(10.0, 0.01, "19 good pictures cannot promise 1 % review", id="too few pictures"),
        pytest.param(1.0, 0.5, "no good score lies below", id="all rejected"),
    ],
)
def test_without_room_there_is_no_band(threshold: float, max_review: float, reason: str) -> None:
    found = review_for_share(threshold, np.arange(1, 20), max_review)
    assert found.value == threshold
    assert reason in found.warnings[0]


def test_the_review_band_keeps_its_promise_over_many_calibrations() -> None:
    rng = np.random.default_rng(9)
    shares, found = [], None
    for _ in range(300):
        scores = rng.random(60)
        threshold = for_overkill(scores, 0.05).value
        found = review_for_share(threshold, scores, 0.1)
        shares.append(threshold - found.value)
    assert found is not None
    assert found.guarantee is not None
    assert np.mean(shares) == pytest.approx(6 / 61, abs=0.01)
    inside = (found.guarantee.low <= np.array(shares)) & (np.array(shares) <= found.guarantee.high)
    assert inside.mean() >= 0.93


@pytest.mark.parametrize(("threshold", "value"), [(6.0, 3.0), (2.0, 2.0)], ids=["a band", "reject alone is enough"])
def test_reject_and_review_together_reach_the_recall(threshold: float, value: float) -> None:
    found = review_for_recall(threshold, [0.0, 4.0], TYPES, {"crack": 1.0})
    assert found.value == value
    assert found.recall["crack"].value == 1


# --- p-value


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        pytest.param(0.0, 1.0, id="below all"),
        pytest.param(2.0, 3 / 4, id="equal to one counts it"),
        pytest.param(2.5, 2 / 4, id="between two"),
        pytest.param(9.0, 1 / 4, id="above all is never zero"),
    ],
)
def test_p_value_by_hand(score: float, expected: float) -> None:
    assert p_value(score, np.array([1, 2, 3], np.float32)) == expected


def test_p_value_does_not_round_the_score_to_float32() -> None:
    good = np.array([0.1], np.float32)  # a little more than 0.1
    assert p_value(0.1, good) == 1
    assert p_value(float(good[0]) + 1e-12, good) == 0.5


def test_p_value_at_or_below_the_rate_is_what_the_threshold_rejects() -> None:
    good = np.sort(np.random.default_rng(1).random(199)).astype(np.float32)
    threshold = for_overkill(good, 0.05).value
    for score in [*good.tolist(), threshold]:
        assert (p_value(score, good) <= 0.05) == (score >= threshold)


# --- what is refused


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, math.nan])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(OptionError, match=r"the overkill rate is .*, both excluded"):
        for_overkill([1.0], share)
    with pytest.raises(OptionError, match=r"the share to review is .*, both excluded"):
        review_for_share(1.0, [1.0], share)
    with pytest.raises(OptionError, match=r"the defect rate is .*, both excluded"):
        for_cost([1.0], [2.0], 1, 1, share)


@pytest.mark.parametrize(
    ("error", "words", "call"),
    [
        pytest.param(DatasetError, "good pictures", lambda: for_overkill([], 0.1), id="no good"),
        pytest.param(DatasetError, "defects", lambda: for_cost([1], [], 1, 1), id="no defects"),
        pytest.param(DatasetError, "defect examples", lambda: for_recall([1], {}, {"all": 1}), id="no examples"),
        pytest.param(OptionError, "no recall was asked", lambda: for_recall([1], TYPES, {}), id="no recall"),
        pytest.param(OptionError, "above 0", lambda: for_recall([1], TYPES, {"all": 0}), id="recall 0"),
        pytest.param(OptionError, "not above 1", lambda: for_recall([1], TYPES, {"all": 99}), id="recall 99"),
        pytest.param(OptionError, "cost of an escape is 0", lambda: for_cost([1], [2], 0, 1), id="free escape"),
        pytest.param(OptionError, "an overkill is inf", lambda: for_cost([1], [2], 1, math.inf), id="infinite cost"),
        pytest.param(FrameError, "NaN", lambda: for_overkill([1, math.nan], 0.1), id="nan good"),
        pytest.param(FrameError, "NaN", lambda: for_recall([1], {"a": [math.nan]}, {"a": 1}), id="nan defect"),
        pytest.param(FrameError, "score is nan", lambda: p_value(math.nan, np.ones(2)), id="nan p-value"),
        pytest.param(OptionError, "would be inf", lambda: for_overkill([1e300], 0.1), id="beyond float32"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    error: type[InspectionError], words: str, call: Callable[[], object]
) -> None:
    with pytest.raises(error, match=words) as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_a_threshold_tells_what_was_asked_and_what_holds() -> None:
    found: Threshold = for_overkill(np.arange(1, 200), 0.01)
    assert found.asked == "reject at most 1 % of good parts"
    assert found.rule == "REJECT if score >= 198, just above good score number 198 of 199 from the lowest up"
    assert "probability of at most 1 %" in found.promise
    assert "with 95 % confidence" in found.promise
