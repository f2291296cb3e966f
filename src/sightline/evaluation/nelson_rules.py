"""The eight tests for special causes on a control chart.

Source: Nelson 1984, "The Shewhart control chart: tests for special causes", Journal of Quality Technology 16(4).
Points come in standard deviations from the centre, so that limits may differ from point to point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Deviations = NDArray[np.float64]
_Test = Callable[[Deviations], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One test: it fails where it holds for `length` points in a row."""

    number: int
    length: int
    words: str  # what was seen
    hint: str  # what it often comes from
    test: _Test


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A rule that was broken, and by which points."""

    rule: int
    words: str
    hint: str
    points: tuple[int, ...]  # places in the chart, from 0; runs that overlap are one


def signals(deviations: Sequence[float]) -> tuple[Signal, ...]:
    """All signals of a chart, by rule and then by place.

    Args:
        deviations: of each point from the centre, in standard deviations of that point.
    """
    z = np.asarray(deviations, np.float64)
    return tuple(
        Signal(rule=rule.number, words=rule.words, hint=rule.hint, points=points)
        for rule in RULES
        for points in _runs(z, rule)
    )


def _runs(z: Deviations, rule: Rule) -> list[tuple[int, ...]]:
    runs: list[set[int]] = []
    for start in range(len(z) - rule.length + 1):
        if rule.test(z[start : start + rule.length]):
            run = set(range(start, start + rule.length))
            if runs and runs[-1] & run:
                runs[-1] |= run
            else:
                runs.append(run)
    return [tuple(_concerned(z, sorted(run), rule)) for run in runs]


def _concerned(z: Deviations, run: list[int], rule: Rule) -> list[int]:
    """Of rules that ask for some of the points only, those that are beyond; all of them for the others."""
    least = {5: 2.0, 6: 1.0}.get(rule.number)
    if least is None:
        return run
    side = np.sign(z[run].sum())
    return [at for at in run if z[at] * side > least]


def _one_side(z: Deviations) -> bool:
    return bool((z > 0).all() or (z < 0).all())


def _steady(z: Deviations) -> bool:
    steps = np.diff(z)
    return bool((steps > 0).all() or (steps < 0).all())


def _alternating(z: Deviations) -> bool:
    steps = np.diff(z)
    return bool((steps[1:] * steps[:-1] < 0).all())


def _most_beyond(z: Deviations, needed: int, sigmas: float) -> bool:
    return bool((z > sigmas).sum() >= needed or (z < -sigmas).sum() >= needed)


RULES = (
    Rule(
        number=1,
        length=1,
        words="one point beyond 3 sigma",
        hint="a single event: a wrong setting, a bad batch, a new person",
        test=lambda z: bool(abs(z[0]) > 3),
    ),
    Rule(
        number=2,
        length=9,
        words="nine points in a row on one side of the centre",
        hint="the level has moved and stays there",
        test=_one_side,
    ),
    Rule(
        number=3,
        length=6,
        words="six points in a row steadily rising or falling",
        hint="a drift: wear, dirt, temperature",
        test=_steady,
    ),
    Rule(
        number=4,
        length=14,
        words="fourteen points in a row alternating up and down",
        hint="two causes in turn: two tools, two suppliers, over-correction",
        test=_alternating,
    ),
    Rule(
        number=5,
        length=3,
        words="two of three points in a row beyond 2 sigma on one side",
        hint="the level has moved a good deal",
        test=lambda z: _most_beyond(z, 2, 2.0),
    ),
    Rule(
        number=6,
        length=5,
        words="four of five points in a row beyond 1 sigma on one side",
        hint="the level has moved a little",
        test=lambda z: _most_beyond(z, 4, 1.0),
    ),
    Rule(
        number=7,
        length=15,
        words="fifteen points in a row within 1 sigma of the centre",
        hint="sources are mixed within the points, or the limits are too wide",
        test=lambda z: bool((abs(z) < 1).all()),
    ),
    Rule(
        number=8,
        length=8,
        words="eight points in a row beyond 1 sigma, on both sides",
        hint="points come from two different sources",
        test=lambda z: bool((abs(z) > 1).all() and (z > 0).any() and (z < 0).any()),
    ),
)
