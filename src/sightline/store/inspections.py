"""Questions that people and pages ask of the inspections; each is answered in bounded time, however many there are.

Lists are newest first and paged by key: the place of a page's last row is where the next page begins. A page looks at
SCANNED rows at most, so that one with a rare combination of conditions may hold fewer rows than were asked for, even
none, and still have a next one.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from sightline.errors import NotFoundError, OptionError
from sightline.records import Verdict
from sightline.store.schema import Defect, Frame, Inspection, Station

SCANNED = 20_000  # rows that one page looks at
_FIRST = 500  # that it looks at first, which is mostly enough
MOST = 2_000  # rows of one page
_COLUMNS = (  # of a summary; the document is left where it is
    *("id", "number", "station_id", "sequence", "part_number", "serial", "product", "recipe", "kind", "verdict"),
    *("lot", "tool"),
    *("judged", "told", "score", "label", "cause", "late", "at_s", "station_clock_s", "received_s", "total_ms"),
)
# roughly by how few rows one value has
_INDEXED = ("serial", "lot", "label", "tool", "station_id", "product", "verdict", "kind")

_PLACE = re.compile(r"\d{1,12}\.\d{1,20}_\d{1,18}", re.ASCII)
_Condition = ColumnElement[bool]
_Row = Inspection | Row[Any]  # both have the columns as attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which inspections; what is empty or None lets all through."""

    since_s: float | None = None  # at_s, included
    until_s: float | None = None  # excluded
    product: str = ""
    serial: str = ""
    lot: str = ""
    tool: str = ""
    station: str = ""
    verdict: str = ""
    label: str = ""  # of the most anomalous defect
    kind: str = ""
    cause: str = ""  # of a FAULT
    model: str = ""  # id of a model that judged one of its views
    late: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page ends."""

    at_s: float
    number: int

    def __str__(self) -> str:
        return f"{self.at_s!r}_{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one view of a part came to."""

    view: str
    verdict: str
    score: float | None
    threshold: float | None
    model_id: str
    cause: str
    reason: str
    picture: str | None  # digest; None: none was stored, or it has not come yet
    overlay: str | None
    shadow_verdict: str  # of a model that decides nothing; empty: there was none, or it was silent
    shadow_score: float | None
    shadow_model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One part judged once, as in a list."""

    id: str
    number: int
    station: str
    sequence: int
    part_number: int
    serial: str
    lot: str  # empty: not known, as the tool
    tool: str
    product: str
    recipe: int
    kind: str
    verdict: str
    judged: str  # by its views, whatever was told; empty: they did not say
    told: str  # to the PLC: ok, ng, fault; empty: nothing, or not known
    score: float | None
    label: str
    cause: str
    late: bool
    at_s: float
    station_clock_s: float
    received_s: float
    total_ms: float | None
    views: tuple[View, ...] = ()

    @property
    def place(self) -> Place:
        return Place(at_s=self.at_s, number=self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of a list."""

    items: tuple[Summary, ...]
    next: Place | None  # None: this is the last


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One defect of a view."""

    view: str
    label: str
    confidence: float | None
    x: int
    y: int
    width: int
    height: int
    area_px: int
    area_mm2: float | None
    peak: float | None
    severity: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """All that is known of one inspection."""

    summary: Summary
    defects: tuple[Finding, ...]
    document: dict[str, object]  # the record as it came


def place(text: str) -> Place:
    """What `str` of a place says; raises OptionError for anything else."""
    if not _PLACE.fullmatch(text):
        raise OptionError(f"before: {text!r:.60} is no place; give the `next` of the page before.")
    at_s, _, number = text.partition("_")
    return Place(at_s=float(at_s), number=int(number))


def page(session: Session, chosen: Filter, *, before: Place | None = None, limit: int = 50) -> Page:
    """The newest inspections of these, after the place where the page before ended."""
    found = scan(session, chosen, before=before, limit=limit)
    return replace(found, items=with_views(session, found.items))


def scan(session: Session, chosen: Filter, *, before: Place | None = None, limit: int = 50) -> Page:
    """As `page`, without the views."""
    limit = max(1, min(limit, MOST))
    stations = _stations(session)
    first, rest = _conditions(chosen, before, {name: id_ for id_, name in stations.items()})
    columns = [getattr(Inspection, name) for name in _COLUMNS]
    inner = select(*columns).where(*first).order_by(Inspection.at_s.desc(), Inspection.number.desc())
    if not rest and not chosen.model:
        return _page(session.execute(inner.limit(limit + 1)).all(), limit, stations)
    for most in (_FIRST, SCANNED):
        found = _page(_matching(session, inner.limit(most), rest, chosen.model, limit + 1), limit, stations)
        if found.next is not None:
            return found
    end = session.execute(inner.with_only_columns(Inspection.at_s, Inspection.number).offset(SCANNED - 1).limit(1))
    last = end.one_or_none()
    return found if last is None else replace(found, next=Place(at_s=last.at_s, number=last.number))


def one(session: Session, inspection_id: str) -> Detail:
    """Raises NotFoundError where there is none of this id."""
    row = session.get(Inspection, inspection_id)
    if row is None:
        raise NotFoundError(f"inspection {inspection_id!r:.60}: is not known.")
    (summary,) = with_views(session, _summaries([row], _stations(session)))
    found = select(Defect, Frame.view).join(Frame, Frame.id == Defect.frame_id)
    defects = session.execute(found.where(Defect.inspection_id == row.id).order_by(Defect.id))
    return Detail(
        summary=summary,
        defects=tuple(_finding(defect, view) for defect, view in defects),
        document=json.loads(row.document),
    )


def neighbours(session: Session, chosen: Filter, of: Place) -> tuple[str | None, str | None]:
    """The ids of the next older and the next newer one of these; None: there is none, or none near.

    Near: of the SCANNED rows beside it that one index answers for.
    """
    older = scan(session, chosen, before=of, limit=1).items
    first, rest = _conditions(chosen, None, {name: id_ for id_, name in _stations(session).items()})
    first.append(tuple_(Inspection.at_s, Inspection.number) > (of.at_s, of.number))
    columns = [getattr(Inspection, name) for name in _COLUMNS]
    following = select(*columns).where(*first).order_by(Inspection.at_s, Inspection.number).limit(SCANNED)
    newer = _matching(session, following, rest, chosen.model, 1, newest_first=False)
    return (older[0].id if older else None), (newer[0].id if newer else None)


def history(session: Session, serial: str, *, product: str = "", limit: int = 200) -> tuple[Summary, ...]:
    """Every time that a part was judged, at all stations, newest first; empty where the serial number is not known."""
    if not serial:
        return ()
    found = select(Inspection).where(Inspection.serial == serial).order_by(Inspection.number.desc())
    if product:
        found = found.where(Inspection.product == product)
    rows = session.scalars(found.limit(max(1, min(limit, MOST)))).all()
    return with_views(session, _summaries(rows, _stations(session)))


def since(session: Session, number: int, *, station: str = "", limit: int = 200) -> tuple[Summary, ...]:
    """What came to the server after this number, in the order of its coming; none is ever missed in between."""
    found = select(Inspection).where(Inspection.number > number).order_by(Inspection.number)
    stations = _stations(session)
    if station:
        found = found.where(Inspection.station_id.in_([id_ for id_, name in stations.items() if name == station]))
    rows = session.scalars(found.limit(max(1, min(limit, MOST)))).all()
    return with_views(session, _summaries(rows, stations))


def newest(session: Session) -> int:
    """The highest number there is; 0: there is no inspection."""
    found = session.scalar(select(Inspection.number).order_by(Inspection.number.desc()).limit(1))
    return found or 0


def names(session: Session, column: InstrumentedAttribute[str]) -> list[str]:
    """The different values of a column in order, the empty one left out; each is one look into an index."""
    one_after = select(func.min(column).label("name")).where(column > "").cte(recursive=True)
    following = select(func.min(column)).where(column > one_after.c.name).scalar_subquery()
    all_ = one_after.union_all(select(following).where(one_after.c.name.is_not(None)))
    return list(session.scalars(select(all_.c.name).where(all_.c.name.is_not(None)).order_by(all_.c.name)))


def products(session: Session) -> list[str]:
    """All that was ever inspected."""
    return names(session, Inspection.product)


def labels(session: Session) -> list[str]:
    """All kinds of defect that were ever the worst one of a part."""
    return names(session, Inspection.label)


def documents(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """The records of these as they came, by id."""
    found = select(Inspection.id, Inspection.document).where(Inspection.id.in_(ids))
    return {row.id: row.document for row in session.execute(found)}


def with_views(session: Session, items: Sequence[Summary]) -> tuple[Summary, ...]:
    """The same with what each view came to, in the order of the views' names."""
    found = select(Frame).where(Frame.inspection_id.in_([item.id for item in items])).order_by(Frame.view)
    views: dict[str, list[View]] = defaultdict(list)
    for frame in session.scalars(found):
        views[frame.inspection_id].append(_view(frame))
    return tuple(replace(item, views=tuple(views[item.id])) for item in items)


def _conditions(
    chosen: Filter, before: Place | None, stations: dict[str, int]
) -> tuple[list[_Condition], dict[str, object]]:
    """What one index answers in the order of time, and the others by column."""
    asked: dict[str, object] = {
        name: getattr(chosen, name) for name in (*_INDEXED, "cause") if getattr(chosen, name, "")
    }
    if chosen.station:
        asked["station_id"] = stations.get(chosen.station, -1)
    if chosen.cause and not chosen.verdict:
        asked["verdict"] = Verdict.FAULT  # no other has a cause, and these have an index
    if chosen.late is not None:
        asked["late"] = chosen.late
    first: list[_Condition] = []
    best = next((name for name in _INDEXED if name in asked), None)
    if best:
        first.append(getattr(Inspection, best) == asked.pop(best))
    if chosen.since_s is not None:
        first.append(Inspection.at_s >= chosen.since_s)
    if chosen.until_s is not None:
        first.append(Inspection.at_s < chosen.until_s)
    if before is not None:
        first.append(tuple_(Inspection.at_s, Inspection.number) < (before.at_s, before.number))
    return first, asked


def _matching(
    session: Session,
    some: Select[Any],
    rest: dict[str, object],
    model: str,
    limit: int,
    *,
    newest_first: bool = True,
) -> Sequence[Row[Any]]:
    """Those among some rows that meet the other conditions, too."""
    scanned = some.subquery()
    wanted = select(scanned).where(*(scanned.c[name] == value for name, value in rest.items()))
    if model:
        wanted = wanted.where(exists().where(Frame.inspection_id == scanned.c.id, Frame.model_id == model))
    order = [column.desc() if newest_first else column for column in (scanned.c.at_s, scanned.c.number)]
    return session.execute(wanted.order_by(*order).limit(limit)).all()


def _page(rows: Sequence[_Row], limit: int, stations: dict[int, str]) -> Page:
    """A page of rows that were asked for with one more than fits."""
    items = _summaries(rows[:limit], stations)
    return Page(items=items, next=items[-1].place if len(rows) > limit else None)


def _stations(session: Session) -> dict[int, str]:
    return {row.id: row.name for row in session.execute(select(Station.id, Station.name))}


def _summaries(rows: Iterable[_Row], stations: dict[int, str]) -> tuple[Summary, ...]:
    return tuple(
        Summary(
            id=row.id,
            number=row.number,
            station=stations[row.station_id],
            sequence=row.sequence,
            part_number=row.part_number,
            serial=row.serial,
            lot=row.lot,
            tool=row.tool,
            product=row.product,
            recipe=row.recipe,
            kind=row.kind,
            verdict=row.verdict,
            judged=row.judged,
            told=row.told,
            score=row.score,
            label=row.label,
            cause=row.cause,
            late=row.late,
            at_s=row.at_s,
            station_clock_s=row.station_clock_s,
            received_s=row.received_s,
            total_ms=row.total_ms,
        )
        for row in rows
    )


def _view(frame: Frame) -> View:
    return View(
        view=frame.view,
        verdict=frame.verdict,
        score=frame.score,
        threshold=frame.threshold,
        model_id=frame.model_id,
        cause=frame.cause,
        reason=frame.reason,
        picture=frame.picture,
        overlay=frame.overlay,
        shadow_verdict=frame.shadow_verdict,
        shadow_score=frame.shadow_score,
        shadow_model=frame.shadow_model,
    )


def _finding(defect: Defect, view: str) -> Finding:
    return Finding(
        view=view,
        label=defect.label,
        confidence=defect.confidence,
        x=defect.x,
        y=defect.y,
        width=defect.width,
        height=defect.height,
        area_px=defect.area_px,
        area_mm2=defect.area_mm2,
        peak=defect.peak,
        severity=defect.severity,
    )
