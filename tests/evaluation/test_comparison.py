"""Whether additional pictures helped: on real held-out ones only, with an interval that can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.datasets.dataset import Sample
from sightline.errors import DatasetError, OptionError
from sightline.evaluation.comparison import Difference, Judged, compare, judge

LABELS = ("good", "crack")


def judged(
    truth: Sequence[int], without: Sequence[int], with_: Sequence[int], groups: Sequence[int] | None = None
) -> Judged:
    numbers = [np.array(values, np.int64) for values in (truth, without, with_, groups or range(len(truth)))]
    return Judged(truth=numbers[0], without=numbers[1], with_=numbers[2], groups=numbers[3])


@dataclass(frozen=True, slots=True)
class Counting:
    """Says "crack" for every second picture once it has learnt from more than two, else "good"."""

    def probabilities(
        self, train: Sequence[Sample], judged: Sequence[Sample], labels: Sequence[str]
    ) -> NDArray[np.floating]:
        crack = np.array([float(len(train) > 2 and number % 2) for number in range(len(judged))])
        return np.stack([1 - crack, crack], axis=1)


def samples(*names: str, label: str = "good") -> list[Sample]:
    return [Sample(path=Path(f"{name}.png"), label=label, split="test") for name in names]


def test_macro_f1_and_recall_are_those_worked_out_by_hand() -> None:
    found = compare([judged([0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1])], LABELS)
    assert found.without_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert found.with_f1 == 1
    assert found.difference.value == pytest.approx(1 - (4 / 5 + 2 / 3) / 2)
    assert (found.without_recall, found.with_recall) == ((1, 0.5), (1, 1))
    assert found.judged == 4


def test_two_models_that_say_the_same_differ_by_nothing() -> None:
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 2, 50).tolist(), rng.integers(0, 2, 50).tolist()
    assert compare([judged(truth, said, said)], LABELS).difference == Difference(value=0, low=0, high=0)
    assert compare([judged(truth, said, said)], LABELS).difference.verdict == "no difference shown"


def test_the_interval_covers_no_difference_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, 80)
        without, with_ = (np.where(rng.random(80) < 0.7, truth, 1 - truth) for _ in range(2))
        gap = compare([judged(truth.tolist(), without.tolist(), with_.tolist())], LABELS, rounds=200).difference
        covered += gap.low <= 0 <= gap.high
    assert 52 <= covered <= 60


def test_a_plain_gain_is_shown_and_a_plain_loss_too() -> None:
    truth = [0, 1] * 60
    wrong = [0, 1, 0, 0] * 30
    assert compare([judged(truth, wrong, truth)], LABELS).difference.verdict == "helps"
    assert compare([judged(truth, truth, wrong)], LABELS).difference.verdict == "harms"


def test_pictures_of_one_part_count_as_one() -> None:
    truth, without, with_ = [0, 1] * 40, [0, 0] * 10 + [0, 1] * 30, [0, 1] * 40
    apart = compare([judged(truth, without, with_)], LABELS).difference
    together = compare([judged(truth, without, with_, [number // 20 for number in range(80)])], LABELS).difference
    assert together.value == apart.value
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_several_draws_are_averaged() -> None:
    gain, loss = judged([0, 1], [0, 0], [0, 1]), judged([0, 1], [0, 1], [0, 0])
    assert compare([gain, loss], LABELS).difference.value == pytest.approx(0)


def test_the_same_seed_gives_the_same_interval() -> None:
    draw = judged([0, 1] * 20, [0, 0] * 20, [0, 1, 0, 0] * 10)
    assert compare([draw], LABELS, seed=1) == compare([draw], LABELS, seed=1)


def test_a_learner_is_trained_without_and_with() -> None:
    held_out = [*samples("a"), *samples("b", label="crack")]
    found = judge(Counting(), samples("c", "d"), samples("synthetic_e"), held_out, LABELS)
    assert (found.truth.tolist(), found.without.tolist(), found.with_.tolist()) == ([0, 1], [0, 0], [0, 1])


def test_what_would_prove_nothing_is_refused() -> None:
    real, made, held = samples("a"), samples("synthetic_b"), samples("c")
    with pytest.raises(DatasetError, match="is synthetic"):
        judge(Counting(), real, made, samples("synthetic_x"), LABELS)
    with pytest.raises(DatasetError, match="counted as real"):
        judge(Counting(), made, made, held, LABELS)
    with pytest.raises(DatasetError, match="learnt from and held out"):
        judge(Counting(), real, made, real, LABELS)
    with pytest.raises(DatasetError, match="not among those"):
        judge(Counting(), real, made, samples("d", label="bent"), LABELS)
    with pytest.raises(OptionError, match="no held-out"):
        compare([], LABELS)
    with pytest.raises(OptionError, match="rounds"):
        compare([judged([0], [0], [0])], LABELS, rounds=10)
