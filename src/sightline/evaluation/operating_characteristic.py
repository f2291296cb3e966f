"""How probably a sampling plan accepts a lot, by how bad the lot is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.errors import OptionError
from sightline.evaluation.intervals import beta_cdf, beta_quantile, between_0_and_1


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """The operating characteristic of a plan."""

    shares: tuple[float, ...]  # of bad parts in the lot, or defects per part
    accepted: tuple[float, ...]  # the probability that such a lot is accepted
    producer: float  # quality that is accepted with 95 %
    consumer: float  # quality that is accepted with 10 % only: the limiting quality


def operating(size: int, accept: int, shares: Sequence[float]) -> Operating:
    """Of lots that are large beside the sample, for bad parts (binomial).

    Source: ISO 2859-1:1999, tables 10: the computed values there are these.
    """
    if not 0 <= accept < size:
        raise OptionError(f"sampling plan: Ac {accept} of a sample of {size}; give 0 <= Ac < n.")
    return Operating(
        shares=tuple(shares),
        accepted=tuple(binomial(size, accept, share) for share in shares),
        producer=quality_accepted_with(0.95, size, accept),
        consumer=quality_accepted_with(0.10, size, accept),
    )


def binomial(size: int, accept: int, share: float) -> float:
    """P(at most `accept` bad in `size`), each part being bad with probability `share`."""
    return 1.0 if accept >= size else 1 - beta_cdf(share, accept + 1, size - accept)


def poisson(size: int, accept: int, per_part: float) -> float:
    """P(at most `accept` defects in `size` parts) at `per_part` defects a part: for AQLs of defects per 100 parts."""
    mean = size * per_part
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(accept + 1))


def hypergeometric(size: int, accept: int, lot: int, bad: int) -> float:
    """P(at most `accept` bad in a sample of `size`) from a lot with exactly `bad` bad parts: for small lots."""
    if not (0 <= bad <= lot and 0 <= size <= lot):
        raise OptionError(f"sampling plan: {bad} bad and a sample of {size} do not fit a lot of {lot}.")
    least, most = max(0, size + bad - lot), min(accept, bad, size)
    whole = _log_choose(lot, size)
    terms = (_log_choose(bad, k) + _log_choose(lot - bad, size - k) - whole for k in range(least, most + 1))
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def quality_accepted_with(probability: float, size: int, accept: int) -> float:
    """The share of bad parts at which a lot is accepted with this probability."""
    between_0_and_1(probability, "the probability of acceptance")
    return beta_quantile(1 - probability, accept + 1, size - accept)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
