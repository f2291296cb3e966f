"""The stations that report to the plant, and how each stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sightline.store.database import upsert
from sightline.store.schema import Break, Station

MOST = 1_000  # stations in a list, breaks of a station


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A station as the plant knows it."""

    name: str
    line: str
    first_seen_s: float
    last_seen_s: float
    clock_ahead_s: float | None  # its clock less ours when it last reported; None: it did not tell
    last_sequence: int
    last_at_s: float
    breaks: int  # places where its records do not join
    status: dict[str, object] = field(default_factory=dict)  # what it last told of itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A place where a station's records do not join; store/ingest.py has the words."""

    inspection_id: str
    sequence: int
    before: int
    what: str
    received_s: float


def standings(session: Session) -> list[Standing]:
    """All stations, by name."""
    counted = select(Break.station_id, func.count().label("breaks")).group_by(Break.station_id).subquery()
    found = select(Station, counted.c.breaks).outerjoin(counted, counted.c.station_id == Station.id)
    return [
        Standing(
            name=station.name,
            line=station.line,
            first_seen_s=station.first_seen_s,
            last_seen_s=station.last_seen_s,
            clock_ahead_s=station.clock_ahead_s,
            last_sequence=station.last_sequence,
            last_at_s=station.last_at_s,
            breaks=breaks or 0,
            status=dict(station.status),
        )
        for station, breaks in session.execute(found.order_by(Station.name).limit(MOST))
    ]


def row_of(session: Session, name: str, *, now_s: float) -> Station:
    """A station's row, made where it was not known; of two servers that make it at once, one does."""
    chosen = select(Station).where(Station.name == name)
    there = session.scalar(chosen)
    if there is None:
        made = upsert(session, Station).values(name=name, first_seen_s=now_s, last_seen_s=now_s)
        session.execute(made.on_conflict_do_nothing())
        there = session.scalars(chosen).one()
    return there


def tell(session: Session, name: str, status: Mapping[str, object], *, now_s: float) -> None:
    """Note what a station tells of itself; one that was not known is from now on."""
    there = row_of(session, name, now_s=now_s)
    there.status, there.last_seen_s = dict(status), max(now_s, there.last_seen_s)


def broken(session: Session, station: str, *, limit: int = 100) -> list[Broken]:
    """Where its records do not join, newest first."""
    found = select(Break).join(Station, Station.id == Break.station_id).where(Station.name == station)
    return [
        Broken(
            inspection_id=row.inspection_id,
            sequence=row.sequence,
            before=row.before,
            what=row.what,
            received_s=row.received_s,
        )
        for row in session.scalars(found.order_by(Break.id.desc()).limit(max(1, min(limit, MOST))))
    ]
