"""How sure a count makes us: exact binomial intervals and the beta distribution behind them."""

import math

from sightline.errors import OptionError
from sightline.evaluation.results import Rate


def rate(count: int, total: int, confidence: float = 0.95) -> Rate:
    """The proportion `count / total` with its exact two-sided interval.

    Source: Clopper and Pearson 1934, Biometrika 26(4), in the beta form: the bounds are quantiles of
    Beta(count, total - count + 1) and Beta(count + 1, total - count).
    """
    tail = (1 - between_0_and_1(confidence, "the confidence")) / 2
    assert 0 <= count <= total, f"{count} of {total} is not a proportion"
    if total == 0:
        return Rate(count=0, total=0, value=None, low=None, high=None)
    low = beta_quantile(tail, count, total - count + 1) if count else 0.0
    high = beta_quantile(1 - tail, count + 1, total - count) if count < total else 1.0
    return Rate(count=count, total=total, value=count / total, low=low, high=high)


def lower_bound(count: int, total: int, confidence: float = 0.95) -> float:
    """The rate that `count` of `total` proves: the true one is at least this, at the one-sided confidence."""
    assert 0 <= count <= total, f"{count} of {total} is not a proportion"
    tail = 1 - between_0_and_1(confidence, "the confidence")
    return beta_quantile(tail, count, total - count + 1) if count else 0.0


def zero_miss_sample_size(recall: float, confidence: float = 0.95) -> int:
    """How many defects must all be caught to prove `recall`: the least n with recall**n <= 1 - confidence."""
    doubt = 1 - between_0_and_1(confidence, "the confidence")
    ratio = math.log(doubt) / math.log(between_0_and_1(recall, "the recall to prove"))
    return max(1, math.ceil(ratio - 1e-9))  # an exact power must not be rounded up to one more


def between_0_and_1(number: float, what: str) -> float:
    """The number itself, or OptionError; `what` begins the message."""
    if not 0 < number < 1:
        raise OptionError(f"{what} is {number}; it must lie between 0 and 1, both excluded.")
    return number


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x in 0..1 with I_x(a, b) = probability, to the last bits of a double; a, b > 0."""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if beta_cdf(middle, a, b) < probability:
            low = middle
        else:
            high = middle
        if high - low <= 1e-15 * high:
            break
    return (low + high) / 2


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b); a, b > 0, x in 0..1.

    Source: Press et al., Numerical Recipes, 3rd edition, section 6.4.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):  # the side on which the fraction converges fast
        return math.exp(scale) * _fraction(x, a, b) / a
    return 1 - math.exp(scale) * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of I_x(a, b) by the modified Lentz method; takes of the order of sqrt(a + b) terms."""
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 1000 + 20 * math.isqrt(math.ceil(a + b))):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step = 1.0
        for term in (even, odd):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            step = c * d
            value *= step
        if abs(step - 1) < 1e-15:
            break
    return value


def _nonzero(number: float) -> float:
    return number if abs(number) > 1e-300 else 1e-300
