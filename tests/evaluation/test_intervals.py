import math

import pytest
from scipy.stats import beta, binomtest

from sightline.errors import OptionError
from sightline.evaluation.intervals import beta_cdf, beta_quantile, lower_bound, rate, zero_miss_sample_size

COUNTS = [(0, 1), (1, 1), (0, 20), (20, 20), (1, 20), (10, 20), (19, 20), (3, 59), (499, 500), (37, 100_000)]
SHAPES = [(0.5, 0.5), (1, 1), (1, 300), (5, 496), (250, 250), (2.5, 0.1), (100_000, 10)]


@pytest.mark.parametrize(("count", "total"), COUNTS)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_the_interval_is_clopper_pearson(count: int, total: int, confidence: float) -> None:
    ours, exact = rate(count, total, confidence), binomtest(count, total).proportion_ci(confidence, method="exact")
    assert (ours.count, ours.total, ours.value) == (count, total, count / total)
    assert ours.low == pytest.approx(exact.low, abs=1e-9)
    assert ours.high == pytest.approx(exact.high, abs=1e-9)


def test_no_miss_in_59_leaves_up_to_6_percent() -> None:
    assert rate(0, 59).high == pytest.approx(1 - 0.025 ** (1 / 59), abs=1e-12)


def test_nothing_counted_is_not_measured() -> None:
    nothing = rate(0, 0)
    assert (nothing.total, nothing.value, nothing.low, nothing.high) == (0, None, None, None)


@pytest.mark.parametrize(("a", "b"), SHAPES)
@pytest.mark.parametrize("probability", [1e-6, 0.025, 0.5, 0.975, 1 - 1e-6])
def test_beta_quantile_and_distribution_agree_with_scipy(a: float, b: float, probability: float) -> None:
    x = beta_quantile(probability, a, b)
    assert x == pytest.approx(beta.ppf(probability, a, b), rel=1e-9, abs=1e-12)
    assert beta_cdf(x, a, b) == pytest.approx(beta.cdf(x, a, b), abs=1e-9)


@pytest.mark.parametrize(("x", "expected"), [(-0.1, 0), (0, 0), (1, 1), (1.1, 1)])
def test_beta_distribution_ends_at_0_and_1(x: float, expected: float) -> None:
    assert beta_cdf(x, 2, 3) == expected


@pytest.mark.parametrize(("recall", "needed"), [(0.5, 5), (0.95, 59), (0.98, 149), (0.99, 299), (0.999, 2995)])
def test_sample_size_without_a_miss(recall: float, needed: int) -> None:
    assert zero_miss_sample_size(recall) == needed
    assert lower_bound(needed, needed) >= recall > lower_bound(needed - 1, needed - 1)


def test_an_exact_power_needs_no_further_example() -> None:
    assert zero_miss_sample_size(0.5, confidence=0.875) == 3


def test_lower_bound_of_nothing_caught_is_nothing() -> None:
    assert lower_bound(0, 10) == 0


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 1.5, math.nan])
def test_a_confidence_outside_0_to_1_is_refused(confidence: float) -> None:
    with pytest.raises(OptionError, match=r"the confidence is .*between 0 and 1"):
        rate(1, 2, confidence)
