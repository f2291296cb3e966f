"""Two models on the same pictures."""

import numpy as np
import pytest

from sightline.errors import OptionError
from sightline.evaluation.paired_auroc import paired_auroc, verdict_difference

TRUTH = [False] * 4 + [True] * 4
SHARP = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
MIXED = [1.0, 2.0, 3.0, 6.5, 5.0, 6.0, 7.0, 8.0]  # two defects lie below one of the good pictures


def test_areas_are_the_shares_of_pairs_in_order() -> None:
    found = paired_auroc(MIXED, SHARP, TRUTH)
    assert (found.first.value, found.second.value, found.difference.value) == (14 / 16, 1.0, 2 / 16)
    assert found.first.low < 14 / 16 <= found.first.high <= 1


def test_a_model_is_as_good_as_itself() -> None:
    same = paired_auroc(MIXED, MIXED, TRUTH).difference
    assert (same.value, same.low, same.high) == pytest.approx((0, 0, 0))


def test_the_interval_covers_what_is_true_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(120) < 60
    covered = 0
    for _ in range(300):
        base = rng.normal(size=120) + 1.5 * truth
        one, other = (base + rng.normal(size=120) for _ in range(2))
        found = paired_auroc(one, other, truth).difference
        covered += found.low <= 0 <= found.high
    assert 0.91 <= covered / 300 <= 0.985


def test_too_few_of_a_kind_are_refused() -> None:
    with pytest.raises(OptionError, match="two good pictures"):
        paired_auroc([1, 2, 3], [1, 2, 3], [False, False, True])


def test_a_difference_of_verdicts_counts_those_on_which_one_stands_alone() -> None:
    found = verdict_difference(10, 2, 100)
    assert found.value == -0.08
    assert found.low < -0.08 < found.high < 0
    assert verdict_difference(0, 0, 10).low < 0 < verdict_difference(0, 0, 10).high
