"""How many bad parts were passed, estimated from the few passes that people looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.errors import OptionError
from sightline.evaluation.intervals import between_0_and_1
from sightline.evaluation.operating_characteristic import hypergeometric


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Passed parts of one kind, of which some were drawn at random and looked at."""

    name: str
    passed: int
    audited: int
    bad: int  # of those audited

    def __post_init__(self) -> None:
        if not 0 <= self.bad <= self.audited <= self.passed:
            raise OptionError(
                f"{self.name}: {self.bad} bad of {self.audited} audited of {self.passed} passed; "
                "each must be at most the next."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Bad parts among the passed ones, and the recall that leaves."""

    caught: int  # bad parts that were not passed
    escapes: float | None  # expected number; None: a stratum with passes was not audited at all
    escapes_low: int  # bounds of the interval
    escapes_high: int
    recall: float | None  # caught / (caught + escapes); None: no bad part is known or expected
    recall_low: float | None
    recall_high: float | None
    confidence: float
    audited: int
    passed: int


def recall_from_audit(strata: Sequence[Stratum], caught: int, confidence: float = 0.95) -> Estimate:
    """Recall on the line, from an audit sample drawn at random from each stratum's passes.

    The escapes expected are the sum of passed * bad / audited. Bounds are exact for each stratum (drawn without
    replacement, so hypergeometric), each at a confidence by which all hold together (Bonferroni): the interval covers
    the truth at least as often as it says, whatever the strata are.

    Args:
        caught: bad parts rejected, as far as people confirmed them.

    Source: Buonaccorsi 1987, The American Statistician 41(3), for the bounds; Cochran 1977, Sampling Techniques,
    section 5.3, for the weights.
    """
    between_0_and_1(confidence, "the confidence")
    if caught < 0 or not strata:
        raise OptionError("recall estimate: give at least one stratum, and 0 or more parts caught.")
    known = all(one.audited or not one.passed for one in strata)
    escapes = sum(one.passed * one.bad / one.audited for one in strata if one.audited) if known else None
    tail = (1 - confidence) / 2 / len(strata)
    bounds = [_bad_bounds(one, tail) for one in strata]
    low, high = sum(one[0] for one in bounds), sum(one[1] for one in bounds)
    return Estimate(
        caught=caught,
        escapes=escapes,
        escapes_low=low,
        escapes_high=high,
        recall=None if escapes is None else _recall(caught, escapes),
        recall_low=_recall(caught, high),
        recall_high=_recall(caught, low),
        confidence=confidence,
        audited=sum(one.audited for one in strata),
        passed=sum(one.passed for one in strata),
    )


def _recall(caught: int, escapes: float) -> float | None:
    return caught / (caught + escapes) if caught + escapes else None


def _bad_bounds(one: Stratum, tail: float) -> tuple[int, int]:
    """How few and how many bad parts the stratum may hold, given what its sample showed."""
    least, most = one.bad, one.passed - (one.audited - one.bad)

    def seldom_so_few(bad: int) -> bool:
        return hypergeometric(one.audited, one.bad, one.passed, bad) <= tail

    def seldom_so_many(bad: int) -> bool:
        return one.bad > 0 and 1 - hypergeometric(one.audited, one.bad - 1, one.passed, bad) <= tail

    low, beyond = least, most + 1  # the first that is too many lies in low + 1 .. beyond
    while beyond - low > 1:
        middle = (low + beyond) // 2
        low, beyond = (low, middle) if seldom_so_few(middle) else (middle, beyond)
    below, first = least - 1, most  # the last that is too few lies in below .. first - 1
    while first - below > 1:
        middle = (below + first) // 2
        below, first = (middle, first) if seldom_so_many(middle) else (below, middle)
    return first, low
