"""Attribute agreement analysis: may we rely on the verdicts of these people, and of this machine?

Source: AIAG, Measurement Systems Analysis, 4th edition 2010, chapter III section C: analyses of cross tabulations,
effectiveness, and the limits for an appraiser. A REVIEW or a FAULT of a machine counts as not passed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np

from sightline.errors import OptionError
from sightline.evaluation.agreement import Kappa, cohen, fleiss
from sightline.evaluation.intervals import rate
from sightline.evaluation.results import Rate


class Standing(StrEnum):
    """What the limits say of an appraiser."""

    ACCEPTABLE = "acceptable"
    MARGINAL = "marginal"  # may do, needs improvement
    UNACCEPTABLE = "unacceptable"
    UNKNOWN = "unknown"  # the study holds no bad part, or no good one


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where an appraiser is acceptable, and where marginal; the defaults are AIAG's."""

    effectiveness: float = 0.90
    miss: float = 0.02
    false_alarm: float = 0.05
    marginal_effectiveness: float = 0.80
    marginal_miss: float = 0.05
    marginal_false_alarm: float = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What somebody said of one item in one round."""

    appraiser: str
    item: str
    round: int
    reject: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraiser:
    """How one person, or the machine, did."""

    name: str
    effectiveness: Rate  # items that were right in all rounds
    miss: Rate  # single decisions: bad items that were passed
    false_alarm: Rate  # single decisions: good items that were rejected
    repeatability: Rate  # items that were said the same of in all rounds, of those with two rounds or more
    kappa: Kappa | None  # single decisions against the standard; None: it rated nothing
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """How far two appraisers agree, item by item and round by round."""

    first: str
    second: str
    kappa: Kappa


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A study's result."""

    items: int
    bad: int
    appraisers: tuple[Appraiser, ...]  # by name
    pairs: tuple[Pair, ...]
    between: Kappa | None  # Fleiss, over all decisions on items that all rated as often; None: there are too few
    all_agree: Rate  # items of which all said the same in all rounds, of those that all rated
    all_right: Rate  # and that was right: the effectiveness of the system as a whole
    limits: Limits


def analyse(standard: Mapping[str, bool], ratings: Sequence[Rating], limits: Limits | None = None) -> Agreement:
    """Hold what was said against what is true.

    Args:
        standard: item -> whether it is bad.
        ratings: one for each appraiser, item and round; items may be left out, and rounds.
        limits: None: AIAG's.

    Raises:
        OptionError: a rating is of an item without a standard, or is there twice.
    """
    limits = limits or Limits()
    said: dict[str, dict[str, dict[int, bool]]] = {}
    for one in ratings:
        if one.item not in standard:
            raise OptionError(f"agreement: item {one.item} was rated and has no standard.")
        rounds = said.setdefault(one.appraiser, {}).setdefault(one.item, {})
        if one.round in rounds:
            raise OptionError(f"agreement: {one.appraiser} rated item {one.item} twice in round {one.round}.")
        rounds[one.round] = one.reject
    common = [item for item in standard if said and all(item in of for of in said.values())]
    unanimous = [item for item in common if len({v for of in said.values() for v in of[item].values()}) == 1]
    first = next(iter(said.values()), {})
    right = sum(next(iter(first[item].values())) == standard[item] for item in unanimous)
    return Agreement(
        items=len(standard),
        bad=sum(standard.values()),
        appraisers=tuple(_appraiser(name, said[name], standard, limits) for name in sorted(said)),
        pairs=tuple(_pairs(said)),
        between=_between([[*(v for of in said.values() for v in of[item].values())] for item in common]),
        all_agree=rate(len(unanimous), len(common)),
        all_right=rate(right, len(common)),
        limits=limits,
    )


def _appraiser(
    name: str, said: Mapping[str, Mapping[int, bool]], standard: Mapping[str, bool], limits: Limits
) -> Appraiser:
    table = np.zeros((2, 2), np.int64)  # said x true, 1 is bad
    for item, rounds in said.items():
        for reject in rounds.values():
            table[int(reject), int(standard[item])] += 1
    again = [rounds for rounds in said.values() if len(rounds) > 1]
    right = sum(all(reject == standard[item] for reject in rounds.values()) for item, rounds in said.items())
    effectiveness = rate(right, len(said))
    miss = rate(int(table[0, 1]), int(table[:, 1].sum()))
    false_alarm = rate(int(table[1, 0]), int(table[:, 0].sum()))
    return Appraiser(
        name=name,
        effectiveness=effectiveness,
        miss=miss,
        false_alarm=false_alarm,
        repeatability=rate(sum(len(set(rounds.values())) == 1 for rounds in again), len(again)),
        kappa=cohen(table) if said else None,
        standing=_standing(effectiveness, miss, false_alarm, limits),
    )


def _standing(effectiveness: Rate, miss: Rate, false_alarm: Rate, limits: Limits) -> Standing:
    """The worst of the three counts; an interval that reaches over a limit does not change it, but is shown."""
    if effectiveness.value is None or miss.value is None or false_alarm.value is None:
        return Standing.UNKNOWN
    if (
        effectiveness.value >= limits.effectiveness
        and miss.value <= limits.miss
        and false_alarm.value <= limits.false_alarm
    ):
        return Standing.ACCEPTABLE
    if (
        effectiveness.value >= limits.marginal_effectiveness
        and miss.value <= limits.marginal_miss
        and false_alarm.value <= limits.marginal_false_alarm
    ):
        return Standing.MARGINAL
    return Standing.UNACCEPTABLE


def _pairs(said: Mapping[str, Mapping[str, Mapping[int, bool]]]) -> Iterable[Pair]:
    for first, second in combinations(sorted(said), 2):
        table = np.zeros((2, 2), np.int64)
        for item in said[first].keys() & said[second].keys():
            one, other = said[first][item], said[second][item]
            for number in one.keys() & other.keys():
                table[int(one[number]), int(other[number])] += 1
        if table.any():
            yield Pair(first=first, second=second, kappa=cohen(table))


def _between(decisions: Sequence[Sequence[bool]]) -> Kappa | None:
    most = max((len(of_item) for of_item in decisions), default=0)
    full = [of_item for of_item in decisions if len(of_item) == most]
    if most < 2:
        return None
    return fleiss([[most - sum(of_item), sum(of_item)] for of_item in full])
