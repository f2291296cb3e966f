"""What stations report, into the tables: each record once, in its station's order, whole batches or nothing.

A record that does not join the one before it is stored all the same, and the place is kept in `breaks`: `missing`
(numbers between never came), `altered` (it names another digest than the record before has), `restarted`
(the station counts from a lower number again), `differs` (a record came again with other content; the first one stays).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import func, insert, select, tuple_
from sqlalchemy.orm import Session

from sightline.errors import AccessError, DeliveryRefused
from sightline.line.outcome import FIRST, Kind, Outcome, content, digest, document
from sightline.records import Verdict
from sightline.store.database import Database, in_turn, upsert
from sightline.store.reported import Reported, ReportedView, read
from sightline.store.schema import Base, Break, Defect, Frame, Inspection, Part, Station, Tally
from sightline.store.stations import row_of
from sightline.store.webhooks import publish_all

HOUR_S = 3600
_LOCK = 0x5167696E  # ours among PostgreSQL's advisory locks
_COUNTED_BY = ("hour", "product", "kind", "verdict", "cause", "label", "lot", "tool")  # beside the station
_AT_ONCE = 500  # values of an IN; SQLite takes 32,766

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a batch; all of it is durable."""

    through: str  # id of the last line
    stored: int
    known: int  # that were here already
    breaks: int  # places where the chain does not join


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A new record with its place in the plant's history."""

    record: Reported
    at_s: float


def ingest(
    database: Database, lines: Sequence[str], *, now_s: float, station: str = "", clock_s: float | None = None
) -> Receipt:
    """Store one batch of one station's records; those that are here already are confirmed all the same.

    Two servers take turns, so that `number` has the order in which records can be seen: who has read up to a number has
    missed none below it.

    Args:
        lines: one record each, docs/store-and-forward.md.
        station: the only one that the caller may report for; empty: any.
        clock_s: the station's own clock when it sent them; None: not told.

    Raises:
        DeliveryRefused: a record is wrong; nothing of the batch is stored, and the message names it.
        AccessError: they are another station's. StoreAway, StoreError: they are not stored; the station keeps them.
    """
    records = _read(lines, station)
    with database.writing() as session:
        in_turn(session.connection(), _LOCK)
        reporter = row_of(session, records[0].station, now_s=now_s)
        known = _known(session, [one.id for one in records])
        fresh: dict[str, Reported] = {}
        breaks = []
        for one in records:
            if one.id not in known:
                known[one.id], fresh[one.id] = one.line, one
            elif known[one.id] != one.line:
                breaks.append(_break(one, one.sequence, "differs"))
        ordered = sorted(fresh.values(), key=lambda record: record.sequence)
        breaks += _breaks(ordered, reporter)
        reporter.last_seen_s, reporter.clock_ahead_s = now_s, None if clock_s is None else clock_s - now_s
        placed = _placed(ordered, reporter, now_s)
        _store(session, placed, reporter, now_s)
        told = {"station_id": reporter.id, "received_s": now_s}
        if breaks:  # a record that comes again and again with other content is noted once
            noted = upsert(session, Break).on_conflict_do_nothing()
            session.connection().execute(noted, [row | told for row in breaks])
    return Receipt(through=records[-1].id, stored=len(placed), known=len(records) - len(placed), breaks=len(breaks))


def record(database: Database, outcome: Outcome, *, station: str, now_s: float) -> None:
    """Store one part of a station whose records this server writes, at the end of its chain.

    Raises:
        DeliveryRefused: a text of it is too long. StoreAway, StoreError: it is not stored.
    """
    with database.writing() as session:
        in_turn(session.connection(), _LOCK)
        reporter = row_of(session, station, now_s=now_s)
        line = document(content(outcome), reporter.last_sequence + 1, reporter.last_digest or FIRST, station)
        reporter.last_seen_s, reporter.clock_ahead_s = now_s, None
        _store(session, _placed([read(line, 1)], reporter, now_s), reporter, now_s)


def _read(lines: Sequence[str], station: str) -> list[Reported]:
    records = [read(line, place) for place, line in enumerate(lines, 1)]
    if not records:
        raise DeliveryRefused("batch: holds no record; send one in each line.")
    for place, record in enumerate(records, 1):
        if station and record.station != station:
            raise AccessError(f"line {place}: is of station {record.station!r}, the key is {station}'s.")
        if record.station != records[0].station:
            raise DeliveryRefused(
                f"record {record.id!r}, line {place}: is of station {record.station!r}, the first line of "
                f"{records[0].station!r}; send each station's apart."
            )
    return records


def _known(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """The lines of those that are here."""
    known: dict[str, str] = {}
    for some in _portions(ids):
        found = select(Inspection.id, Inspection.document).where(Inspection.id.in_(some))
        known.update((row.id, row.document) for row in session.execute(found))
    return known


def _breaks(records: Iterable[Reported], reporter: Station) -> Iterator[dict[str, object]]:
    """Where the chain does not join, and how."""
    sequence, last = reporter.last_sequence, reporter.last_digest
    for record in records:
        if not sequence:  # what came before a station first reported here is taken on trust
            joins, what = record.sequence != 1 or record.previous == FIRST, "altered"
        elif record.sequence == sequence + 1:
            joins, what = record.previous == last, "altered"
        else:
            joins, what = False, "missing" if record.sequence > sequence else "restarted"
        if not joins:
            yield _break(record, sequence, what)
        sequence, last = record.sequence, digest(record.line)


def _break(record: Reported, before: int, what: str) -> dict[str, object]:
    return {"inspection_id": record.id, "sequence": record.sequence, "before": before, "what": what}


def _placed(records: Sequence[Reported], reporter: Station, now_s: float) -> list[_Placed]:
    """When each was, as this server sees it, whatever the station's clock said; moves the station's end on."""
    ahead_s = reporter.clock_ahead_s or 0.0
    placed = []
    for record in records:
        reporter.last_at_s = max(reporter.last_at_s, min(record.unix_s - ahead_s, now_s))
        placed.append(_Placed(record=record, at_s=reporter.last_at_s))
    if records:
        reporter.last_sequence, reporter.last_digest = records[-1].sequence, digest(records[-1].line)
    return placed


def _store(session: Session, placed: Sequence[_Placed], reporter: Station, now_s: float) -> None:
    if not placed:
        return
    parts = _parts(session, placed)
    first = (session.scalar(select(func.max(Inspection.number))) or 0) + 1
    _fill(
        session,
        Inspection,
        [
            _inspection(place, number, reporter.id, now_s)
            | {"part_id": parts.get((place.record.serial, place.record.product))}
            for number, place in enumerate(placed, first)
        ],
    )
    _store_views(session, [place.record for place in placed])
    _count(session, placed, reporter.id)
    _announce(session, placed, now_s)


def _inspection(place: _Placed, number: int, station_id: int, now_s: float) -> dict[str, object]:
    record = place.record
    return {
        "id": record.id,
        "number": number,
        "station_id": station_id,
        "sequence": record.sequence,
        "part_number": record.part_number,
        "serial": record.serial,
        "lot": record.lot,
        "tool": record.tool,
        "product": record.product,
        "recipe": record.recipe,
        "kind": record.kind,
        "verdict": record.verdict,
        "judged": record.judged,
        "told": record.told,
        "score": record.score,
        "label": record.label,
        "cause": record.cause,
        "late": record.late,
        "at_s": place.at_s,
        "station_clock_s": record.unix_s,
        "received_s": now_s,
        "total_ms": record.total_ms,
        "document": record.line,
    }


def _announce(session: Session, placed: Sequence[_Placed], now_s: float) -> None:
    """Tell of the parts of production that did not pass; where nobody wants to know, that is all that it costs."""
    rejected = [
        place
        for place in placed
        if place.record.kind == Kind.PRODUCTION and place.record.verdict in (Verdict.REJECT, Verdict.FAULT)
    ]
    publish_all(session, "inspection.rejected", (_news(place) for place in rejected), now_s=now_s)


def _news(place: _Placed) -> dict[str, object]:
    record = place.record
    names = ("id", "station", "serial", "part_number", "product", "recipe")
    judged = ("verdict", "score", "label", "cause", "late")
    return {"at_s": place.at_s, **{name: getattr(record, name) for name in names + judged}}


def _parts(session: Session, placed: Sequence[_Placed]) -> dict[tuple[str, str], int]:
    """Ids by (serial, product), of those whose serial number is known; new ones are made."""
    first: dict[tuple[str, str], float] = {}
    for place in placed:
        if place.record.serial:
            first.setdefault((place.record.serial, place.record.product), place.at_s)
    if not first:
        return {}
    rows = [{"serial": serial, "product": product, "first_at_s": at_s} for (serial, product), at_s in first.items()]
    session.connection().execute(upsert(session, Part).on_conflict_do_nothing(), rows)
    ids = {}
    for some in _portions(list(first)):
        found = select(Part.serial, Part.product, Part.id).where(tuple_(Part.serial, Part.product).in_(some))
        ids.update({(row.serial, row.product): row.id for row in session.execute(found)})
    return ids


def _store_views(session: Session, records: Iterable[Reported]) -> None:
    plain: list[dict[str, object]] = []
    with_defects: list[dict[str, object]] = []
    defects = []
    for record in records:
        for view in record.views:
            row = _view(record.id, view)
            (with_defects if view.defects else plain).append(row)
            defects += [(record.id, view.view, defect) for defect in view.defects]
    _fill(session, Frame, plain)
    if not with_defects:
        return
    made = insert(Frame).returning(Frame.inspection_id, Frame.view, Frame.id)
    ids = {(row[0], row[1]): row[2] for row in session.connection().execute(made, with_defects)}
    rows = []
    for inspection_id, view_name, defect in defects:
        x, y, width, height = defect.box
        rows.append(
            {
                "inspection_id": inspection_id,
                "frame_id": ids[inspection_id, view_name],
                "label": defect.label,
                "confidence": defect.confidence,
                "x": x,
                "y": y,
                "width": width,
                "height": height,
                "area_px": defect.area_px,
                "area_mm2": defect.area_mm2,
                "peak": defect.peak,
                "severity": defect.severity,
            }
        )
    _fill(session, Defect, rows)


def _view(inspection_id: str, view: ReportedView) -> dict[str, object]:
    shadow = view.shadow
    return {
        "inspection_id": inspection_id,
        "view": view.view,
        "verdict": view.verdict,
        "score": view.score,
        "threshold": view.threshold,
        "model_id": view.model_id,
        "cause": view.cause,
        "reason": view.reason,
        "shadow_verdict": "" if shadow is None else shadow.verdict,
        "shadow_score": None if shadow is None else shadow.score,
        "shadow_model": "" if shadow is None else shadow.model_id,
    }


def _count(session: Session, placed: Iterable[_Placed], station_id: int) -> None:
    counts: dict[tuple[object, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for place in placed:
        record = place.record
        hour = int(place.at_s // HOUR_S)
        counted = counts[tuple(hour if name == "hour" else getattr(record, name) for name in _COUNTED_BY)]
        counted[0] += 1
        counted[1] += record.defects
        counted[2] += record.late
    sums = ("parts", "defects", "late")
    rows = [
        {"station_id": station_id, **dict(zip(_COUNTED_BY, key, strict=True)), **dict(zip(sums, counted, strict=True))}
        for key, counted in counts.items()
    ]
    made = upsert(session, Tally)
    added = made.on_conflict_do_update(
        index_elements=[column.name for column in Tally.__table__.primary_key],
        set_={name: getattr(Tally, name) + getattr(made.excluded, name) for name in sums},
    )
    session.connection().execute(added, rows)


def _fill(session: Session, table: type[Base], rows: Sequence[dict[str, object]]) -> None:
    if rows:
        session.connection().execute(insert(table), rows)


def _portions(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
