"""What an inspection costs and saves, in money, beside people who inspect every part."""

import math
from dataclasses import dataclass

from sightline.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What each thing costs, all in one currency."""

    escape: float  # a bad part that reaches the customer
    overkill: float  # a good part that is scrapped or inspected again
    review: float  # a person who looks at one part on a screen
    manual: float  # a person who inspects one part
    running: float = 0.0  # of the system, for the period
    currency: str = "EUR"

    def __post_init__(self) -> None:
        for name in ("escape", "overkill", "review", "manual", "running"):
            price = getattr(self, name)
            if not (price >= 0 and math.isfinite(price)):
                raise OptionError(f"price of {name} is {price}; give 0 or more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """How well people inspect without the system; from an agreement study, or what is assumed."""

    recall: float = 0.8  # See 2012, Visual Inspection: A Review of the Literature, SAND2012-8590: 20 to 30 % are missed
    overkill: float = 0.01  # share of the good parts that they reject

    def __post_init__(self) -> None:
        for name in ("recall", "overkill"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"manual inspection: {name} is {getattr(self, name)}; it must lie between 0 and 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantities:
    """What happened in the period; estimates may be fractions."""

    parts: int
    bad: float  # truly bad parts among them: caught and escaped
    escapes: float
    overkill: float
    reviewed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Money spent in the period, by what for."""

    escapes: float
    overkill: float
    people: float
    running: float

    @property
    def total(self) -> float:
        return self.escapes + self.overkill + self.people + self.running


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """The system beside manual inspection of the same parts."""

    system: Cost
    manual: Cost
    currency: str

    @property
    def saved(self) -> float:
        """Above 0: the system is cheaper."""
        return self.manual.total - self.system.total


def value(counts: Quantities, prices: Prices, manual: Manual) -> Value:
    """Money saved in a period.

    manual = parts * manual price + bad * (1 - recall) * escape + (parts - bad) * overkill share * overkill;
    system = escapes * escape + overkill * overkill price + reviewed * review + running.
    """
    if min(counts.bad, counts.escapes, counts.overkill, counts.reviewed) < 0 or counts.bad > counts.parts:
        raise OptionError(f"{counts.bad:g} bad of {counts.parts} parts: counts must fit each other and be 0 or more.")
    system = Cost(
        escapes=counts.escapes * prices.escape,
        overkill=counts.overkill * prices.overkill,
        people=counts.reviewed * prices.review,
        running=prices.running,
    )
    people = Cost(
        escapes=counts.bad * (1 - manual.recall) * prices.escape,
        overkill=(counts.parts - counts.bad) * manual.overkill * prices.overkill,
        people=counts.parts * prices.manual,
        running=0.0,
    )
    return Value(system=system, manual=people, currency=prices.currency)


def first_pass_yield(parts: int, passed: int) -> float | None:
    """Share of the parts that pass at their first inspection; None where there were none.

    Source: ISO 22400-2:2014, first pass yield = good at the first time / inspected.
    """
    if not 0 <= passed <= parts:
        raise OptionError(f"first-pass yield: {passed} passed of {parts}; give 0 <= passed <= parts.")
    return passed / parts if parts else None
