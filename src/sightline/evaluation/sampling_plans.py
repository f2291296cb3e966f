"""Acceptance sampling by attributes: how many parts of a lot to look at, and how many bad ones to allow.

Source: ISO 2859-1:1999, tables 1, 2-A and 2-B, and MIL-STD-105E (= ANSI/ASQ Z1.4, ISO 2859-1:1989), table II-C, for
reduced inspection, where between Ac and Re the lot is accepted and normal inspection resumed. The tables are laid out
along diagonals, so each is kept as one diagonal: code letter + AQL, both counted, tell the plan.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import StrEnum

from sightline.errors import OptionError

LETTERS = "ABCDEFGHJKLMNPQRS"  # without I and O; S in tightened inspection only
AQLS = (
    *(0.010, 0.015, 0.025, 0.040, 0.065, 0.10, 0.15, 0.25, 0.40, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0),
    *(15.0, 25.0, 40.0, 65.0, 100.0, 150.0, 250.0, 400.0, 650.0, 1000.0),  # above 10: defects per 100 parts only
)
_LOTS = (8, 15, 25, 50, 90, 150, 280, 500, 1_200, 3_200, 10_000, 35_000, 150_000, 500_000)  # largest of each row
_CODES = {  # table 1, a letter for each row of lot sizes
    "S-1": "AAAABBBBCCCCDDD",
    "S-2": "AAABBBCCCDDDEEE",
    "S-3": "AABBCCDDEEFFGGH",
    "S-4": "AABCCDEEFGGHJJK",
    "I": "AABCCDEFGHJKLMN",
    "II": "ABCDEFGHJKLMNPQ",
    "III": "BCDEFGHJKLMNPQR",
}
_SIZES = (2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800, 1250, 2000, 3150)
_REDUCED_SIZES = (2, 2, 2, 3, 5, 8, 13, 20, 32, 50, 80, 125, 200, 315, 500, 800)
_UP, _DOWN = "up", "down"
_Cell = tuple[int, int] | str  # (Ac, Re), or an arrow to the plan that applies
_NORMAL: tuple[_Cell, ...] = (
    *((0, 1), _UP, _DOWN, (1, 2), (2, 3), (3, 4), (5, 6), (7, 8), (10, 11), (14, 15), (21, 22), (30, 31), (44, 45)),
)
_TIGHTENED: tuple[_Cell, ...] = (
    *(_DOWN, (0, 1), _UP, _DOWN, (1, 2), (2, 3), (3, 4), (5, 6), (8, 9), (12, 13), (18, 19), (27, 28), (41, 42)),
)
_REDUCED: tuple[_Cell, ...] = (
    *((0, 1), _UP, _DOWN, (0, 2), (1, 3), (1, 4), (2, 5), (3, 6), (5, 8), (7, 10), (10, 13), (14, 17), (21, 24)),
)
_REDUCED_B: tuple[_Cell, ...] = (
    *((0, 1), _UP, _DOWN, (0, 2), (1, 3), (2, 4), (3, 5), (5, 6), (7, 8), (10, 11), (14, 15), (21, 22), (30, 31)),
)
_LAST_SMALL = LETTERS.index("E")  # letters up to this have the two largest plans, too
_ORIGIN = 14  # letter + AQL, by their places, at which a diagonal begins


class Severity(StrEnum):
    """How strictly lots are inspected; `sampling_switching` says when it changes."""

    NORMAL = "normal"
    TIGHTENED = "tightened"
    REDUCED = "reduced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Look at `size` parts: accept the lot with at most `accept` bad ones, refuse it with `refuse` or more."""

    letter: str  # of the plan that applies, after following arrows
    size: int
    accept: int
    refuse: int  # accept + 1, or more in reduced inspection
    aql: float  # percent bad, or defects per 100 parts
    severity: Severity
    whole_lot: bool  # the sample is as large as the lot: inspect every part


def code_letter(lot: int, level: str = "II") -> str:
    """The sample size code letter, table 1.

    Args:
        lot: parts in it, at least 2.
        level: I, II, III, or S-1 to S-4.

    Raises:
        OptionError: the lot is too small, or there is no such level.
    """
    if lot < 2:
        raise OptionError(f"sampling plan: a lot of {lot}; ISO 2859-1 begins at 2 parts.")
    if level not in _CODES:
        raise OptionError(f"sampling plan: there is no level {level!r:.20}; give one of {', '.join(_CODES)}.")
    return _CODES[level][bisect_left(_LOTS, lot)]


def plan(lot: int, aql: float, level: str = "II", severity: Severity = Severity.NORMAL) -> Plan:
    """The single sampling plan for a lot.

    Raises:
        OptionError: the AQL is not one of the standard's, or as `code_letter` does.
    """
    found = of_letter(code_letter(lot, level), aql, severity)
    if found.size < lot:
        return found
    return Plan(
        letter=found.letter,
        size=lot,
        accept=found.accept,
        refuse=found.refuse,
        aql=aql,
        severity=severity,
        whole_lot=True,
    )


def of_letter(letter: str, aql: float, severity: Severity = Severity.NORMAL) -> Plan:
    """The plan at a code letter and AQL of tables 2-A, 2-B or 2-C, arrows followed."""
    if aql not in AQLS:
        shown = ", ".join(f"{one:g}" for one in AQLS)
        raise OptionError(f"sampling plan: an AQL of {aql:g} is not in ISO 2859-1; give one of {shown}.")
    row, column = LETTERS.index(letter), AQLS.index(aql)
    rows = len(_REDUCED_SIZES) + (severity is Severity.TIGHTENED)
    step, cell = 0, _cell(row, column, severity)
    while isinstance(cell, str):
        step = step or (1 if cell == _DOWN else -1)
        if not 0 <= row + step < rows:
            step = -step  # there is nothing further on: the next plan the other way applies
        row += step
        cell = _cell(row, column, severity)
    sizes = _REDUCED_SIZES if severity is Severity.REDUCED else _SIZES
    return Plan(
        letter=LETTERS[row],
        size=sizes[row],
        accept=cell[0],
        refuse=cell[1],
        aql=aql,
        severity=severity,
        whole_lot=False,
    )


def _cell(row: int, column: int, severity: Severity) -> _Cell:
    diagonal = {Severity.NORMAL: _NORMAL, Severity.TIGHTENED: _TIGHTENED, Severity.REDUCED: _REDUCED}[severity]
    if severity is Severity.REDUCED and row < 2:
        diagonal = (_NORMAL, _REDUCED_B)[row]  # A's sample cannot be smaller than in normal inspection
    place = row + column - _ORIGIN
    longest = len(diagonal) if row <= _LAST_SMALL else len(diagonal) - 2
    if place < 0:
        return _DOWN
    return diagonal[place] if place < longest else _UP


def tighter_aql(aql: float) -> float | None:
    """The AQL one step stricter; None for the strictest."""
    place = bisect_right(AQLS, aql) - 2
    return AQLS[place] if place >= 0 else None
