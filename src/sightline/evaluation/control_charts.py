"""Control charts of counts: the share of rejected parts (p) and the defects per unit (u), with limits for each point.

Source: Montgomery, Introduction to Statistical Quality Control, 6th edition, sections 7.2 and 7.3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sightline.errors import OptionError
from sightline.evaluation.nelson_rules import Signal, signals

MIN_BASELINE = 20  # points that a centre should be learned from; Montgomery, section 7.2.1
_FAR = 1e6  # standard deviations


class Kind(StrEnum):
    P = "p"  # rejected parts / parts
    U = "u"  # defects / units


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """What was counted in one period."""

    name: str
    count: int  # rejected parts, or defects
    size: float  # parts, or units inspected; > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A subgroup on the chart."""

    name: str
    count: int
    size: float
    value: float
    low: float  # limits at 3 sigma for a subgroup of this size, never below 0 (p: nor above 1)
    high: float
    deviation: float  # of the value from the centre, in standard deviations of a subgroup of this size
    rules: tuple[int, ...]  # of Nelson, that it has a part in breaking


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlChart:
    """Points in order of time, their centre, and what is unusual about them."""

    kind: Kind
    centre: float
    given: bool  # the centre was given, not learned from these points
    points: tuple[Point, ...]
    signals: tuple[Signal, ...]

    @property
    def provisional(self) -> bool:
        """The centre was learned from too few points, so its limits are only a hint."""
        return not self.given and len(self.points) < MIN_BASELINE


def p_chart(subgroups: Sequence[Subgroup], centre: float | None = None) -> ControlChart:
    """The share of rejected parts by period, and which points have a cause of their own.

    Args:
        subgroups: in order of time; those of size 0 are left out, as they have no share.
        centre: share in a period that was known to be stable; None: of all these parts together.

    Raises:
        OptionError: there is nothing to chart, or the centre is not between 0 and 1.
    """
    kept = _kept(subgroups)
    for one in kept:
        if one.count > one.size:
            raise OptionError(f"{one.name}: {one.count} of {one.size:g} parts are rejected; a share is at most 1.")
    middle = _centre(kept) if centre is None else centre
    if not 0 <= middle <= 1:
        raise OptionError(f"the centre of a p-chart is {middle}; it must lie between 0 and 1.")
    return _chart(Kind.P, kept, middle, given=centre is not None)


def u_chart(subgroups: Sequence[Subgroup], centre: float | None = None) -> ControlChart:
    """The defects per unit by period; as `p_chart`, but a unit may have several.

    Raises:
        OptionError: there is nothing to chart, or the centre is negative.
    """
    kept = _kept(subgroups)
    middle = _centre(kept) if centre is None else centre
    if not (middle >= 0 and math.isfinite(middle)):
        raise OptionError(f"the centre of a u-chart is {middle}; it must be 0 or more.")
    return _chart(Kind.U, kept, middle, given=centre is not None)


def _kept(subgroups: Sequence[Subgroup]) -> list[Subgroup]:
    for one in subgroups:
        if one.count < 0 or not (one.size >= 0 and math.isfinite(one.size)):
            raise OptionError(f"{one.name}: {one.count} of {one.size:g} cannot have been counted.")
    kept = [one for one in subgroups if one.size > 0]
    if not kept:
        raise OptionError("control chart: no part was inspected in any of the periods.")
    return kept


def _centre(subgroups: Sequence[Subgroup]) -> float:
    return sum(one.count for one in subgroups) / sum(one.size for one in subgroups)


def _chart(kind: Kind, subgroups: Sequence[Subgroup], centre: float, *, given: bool) -> ControlChart:
    variance = centre * (1 - centre) if kind is Kind.P else centre
    sigmas = [math.sqrt(variance / one.size) for one in subgroups]
    values = [one.count / one.size for one in subgroups]
    deviations = [_deviation(value - centre, sigma) for value, sigma in zip(values, sigmas, strict=True)]
    found = signals(deviations)
    points = tuple(
        Point(
            name=one.name,
            count=one.count,
            size=one.size,
            value=value,
            low=max(0.0, centre - 3 * sigma),
            high=min(1.0, centre + 3 * sigma) if kind is Kind.P else centre + 3 * sigma,
            deviation=deviation,
            rules=tuple(signal.rule for signal in found if at in signal.points),
        )
        for at, (one, value, sigma, deviation) in enumerate(zip(subgroups, values, sigmas, deviations, strict=True))
    )
    return ControlChart(kind=kind, centre=centre, given=given, points=points, signals=found)


def _deviation(gap: float, sigma: float) -> float:
    """A centre of 0 allows no spread: anything above it is as far away as can be told."""
    if sigma:
        return gap / sigma
    return math.copysign(_FAR, gap) if gap else 0.0
