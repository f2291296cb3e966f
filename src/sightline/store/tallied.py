"""Sums over inspections, quick at any number of them: whole hours from the tallies, the hours that a boundary cuts
through from the inspections themselves.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Column, ColumnElement, Float, Integer, Select, case, func, select, values
from sqlalchemy.orm import InstrumentedAttribute, Session

from sightline.store.schema import Defect, Inspection, Station, Tally

PRODUCTION = ("production", "audit")  # kinds of inspection whose parts are made to be sold
_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Which inspections: all that meet each condition; an empty one is met by all."""

    since_s: float
    until_s: float  # not itself
    station: str = ""
    line: str = ""
    product: str = ""
    lot: str = ""
    tool: str = ""
    kinds: tuple[str, ...] = PRODUCTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """How many parts have these keys in one period."""

    period: int  # place among the periods, from 0
    keys: tuple[str, ...]  # of what was grouped by, in that order
    parts: int
    defects: int
    late: int


def stations(session: Session, chosen: Slice) -> dict[int, Station]:
    """The stations that a slice concerns, by id."""
    query = select(Station)
    if chosen.station:
        query = query.where(Station.name == chosen.station)
    if chosen.line:
        query = query.where(Station.line == chosen.line)
    return {one.id: one for one in session.scalars(query)}


def tallied(
    session: Session, chosen: Slice, by: Sequence[str] = (), edges: Sequence[float] = ()
) -> tuple[Tallied, ...]:
    """Sums by keys and periods; those of no part are left out.

    Args:
        by: any of verdict, cause, label, product, kind, lot, tool, station, line.
        edges: where periods begin, and where the last one ends, ascending, in place of the slice's own times;
            none: the slice is one period.
    """
    edges = tuple(edges) or (chosen.since_s, chosen.until_s)
    known = stations(session, chosen)
    if not known:
        return ()
    columns = ["station_id" if name in ("station", "line") else name for name in by]
    sums: dict[tuple[int, tuple[str, ...]], list[int]] = {}
    for row in (
        *_whole_hours(session, chosen, columns, edges, known),
        *_pieces(session, chosen, columns, edges, known),
    ):
        period, *values, parts, defects, late = row
        if not parts:  # the sum of nothing, where it is not grouped
            continue
        keys = tuple(_key(name, value, known) for name, value in zip(by, values, strict=True))
        total = sums.setdefault((period, keys), [0, 0, 0])
        for place, count in enumerate((parts, defects, late)):
            total[place] += int(count or 0)
    return tuple(
        Tallied(period=period, keys=keys, parts=parts, defects=defects, late=late)
        for (period, keys), (parts, defects, late) in sorted(sums.items())
    )


def _key(name: str, value: object, known: dict[int, Station]) -> str:
    if name in ("station", "line"):
        assert isinstance(value, int), "a station's id"
        return known[value].name if name == "station" else known[value].line
    return str(value)


def _whole_hours(
    session: Session, chosen: Slice, columns: list[str], edges: Sequence[float], known: dict[int, Station]
) -> Iterator[tuple[Any, ...]]:
    cut = sorted({int(edge // _HOUR) for edge in edges if edge % _HOUR})
    grouped = [getattr(Tally, name) for name in columns]
    hour = [Tally.hour] if len(edges) > 2 else []
    query = select(*hour, *grouped, func.sum(Tally.parts), func.sum(Tally.defects), func.sum(Tally.late))
    query = query.where(Tally.hour >= int(edges[0] // _HOUR), Tally.hour < -(-edges[-1] // _HOUR))
    query = query.where(*_conditions(Tally, chosen, known)).group_by(*hour, *grouped)
    if cut:
        query = query.where(Tally.hour.not_in(cut))
    for row in session.execute(query):
        yield (bisect_right(edges, row[0] * _HOUR) - 1, *row[1:]) if hour else (0, *row)


def _pieces(
    session: Session, chosen: Slice, columns: list[str], edges: Sequence[float], known: dict[int, Station]
) -> Iterator[tuple[Any, ...]]:
    cut = [
        (period, since, until)
        for period, (begin, end) in enumerate(pairwise(edges))
        for since, until in _cut_hours(begin, end)
    ]
    if cut:
        yield from (tuple(row) for row in session.execute(_counted(cut, chosen, columns, known)))


def _cut_hours(begin: float, end: float) -> Iterator[tuple[float, float]]:
    """The parts of a period that are not whole hours: at its begin, and at its end."""
    first, last = -(-begin // _HOUR) * _HOUR, end // _HOUR * _HOUR
    if first > last:
        yield begin, end  # within one hour
        return
    if begin < first:
        yield begin, first
    if last < end:
        yield last, end


def _counted(
    cut: list[tuple[int, float, float]], chosen: Slice, columns: list[str], known: dict[int, Station]
) -> Select[*tuple[Any, ...]]:
    """Pieces are a table of their own: a query for each would take longer to write than to answer."""
    moments = (Column("since_s", Float(53)), Column("until_s", Float(53)))
    piece = values(Column("period", Integer), *moments, name="pieces").data(cut).cte().c
    grouped = [getattr(Inspection, name) for name in columns]
    found = select(func.count()).where(Defect.inspection_id == Inspection.id).scalar_subquery()
    query = select(
        piece.period,
        *grouped,
        func.count().label("parts"),
        func.sum(case((Inspection.label == "", 0), else_=found)).label("defects"),
        func.sum(case((Inspection.late, 1), else_=0)).label("late"),
    )
    within = (Inspection.at_s >= piece.since_s, Inspection.at_s < piece.until_s)
    query = query.where(*within, *_conditions(Inspection, chosen, known))
    return query.group_by(piece.period, *grouped)


def _conditions(
    table: type[Tally] | type[Inspection], chosen: Slice, known: dict[int, Station]
) -> Iterator[ColumnElement[bool]]:
    if chosen.kinds:
        yield table.kind.in_(chosen.kinds)
    for name, value in _named(chosen):
        yield getattr(table, name) == value
    if chosen.station or chosen.line:
        yield table.station_id.in_(known)


def conditions(chosen: Slice, known: dict[int, Station]) -> Iterator[ColumnElement[bool]]:
    """What inspections of a slice meet, without its times, such that no index of product or station is used for it:
    meant beside an index that leaves few rows.
    """
    if chosen.kinds:
        yield _bare(Inspection.kind).in_(chosen.kinds)
    for name, value in _named(chosen):
        yield _bare(getattr(Inspection, name)) == value
    if chosen.station or chosen.line:
        yield func.coalesce(Inspection.station_id, 0).in_(known)


def _named(chosen: Slice) -> Iterator[tuple[str, str]]:
    """Columns that a slice wants to have one value, with it."""
    for name in ("product", "lot", "tool"):
        if value := getattr(chosen, name):
            yield name, value


def _bare(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    return func.coalesce(column, "")
