"""How the cameras and the scores of their views fare from day to day."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from sightline.evaluation.periods import Period
from sightline.records import Verdict
from sightline.store.schema import Frame, Inspection, Station
from sightline.store.tallied import Slice, conditions, stations

SCORES = 400  # of a period that are looked at, evenly spread over it
RECENT = 20_000  # inspections by which cameras are told
_QUANTILES = (0.1, 0.5, 0.9)
_MOST_COURSES = 50
_MOST_CAMERAS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Scores of one period."""

    begin_s: float
    counted: int
    low: float  # a tenth of them are below
    median: float
    high: float  # a tenth of them are above


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Scores of one view by one model, over time."""

    view: str
    model_id: str
    threshold: float | None  # of the newest of them
    points: tuple[Point, ...]  # of periods with scores only


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A view of a station, by the newest inspections."""

    station: str
    view: str
    pictures: int
    faults: int  # among them
    last_s: float
    cause: str  # of the faults, the last in the alphabet; empty: there is none


def courses(session: Session, chosen: Slice, periods: Sequence[Period]) -> tuple[Course, ...]:
    """The course of each view and model in the slice, at most 50, by view; a new model is a course of its own."""
    known = stations(session, chosen)
    points: dict[tuple[str, str], list[Point]] = {}
    thresholds: dict[tuple[str, str], float | None] = {}
    for period in periods:
        scores: dict[tuple[str, str], list[float]] = {}
        numbers = _spread(session, period)
        query = (
            select(Frame.view, Frame.model_id, Frame.score, Frame.threshold)
            .join(Inspection, Inspection.id == Frame.inspection_id)
            .where(Inspection.number.in_(numbers), Frame.score.is_not(None), *conditions(chosen, known))
        )
        for view, model_id, score, threshold in session.execute(query.order_by(Inspection.number)):
            assert score is not None, "by the condition above"
            scores.setdefault((view, model_id), []).append(score)
            thresholds[view, model_id] = threshold
        for key, found in scores.items():
            low, median, high = (float(value) for value in np.quantile(found, _QUANTILES))
            point = Point(begin_s=period.begin_s, counted=len(found), low=low, median=median, high=high)
            points.setdefault(key, []).append(point)
    return tuple(
        Course(view=view, model_id=model_id, threshold=thresholds[view, model_id], points=tuple(found))
        for (view, model_id), found in sorted(points.items())[:_MOST_COURSES]
    )


def cameras(session: Session) -> list[Camera]:
    """By station and view, as far as the newest inspections tell."""
    newest = session.scalar(select(func.max(Inspection.number))) or 0
    query = (
        select(
            Station.name,
            Frame.view,
            func.count(),
            func.sum(case((Frame.verdict == Verdict.FAULT.value, 1), else_=0)),
            func.max(Inspection.at_s),
            func.max(Frame.cause),
        )
        .join(Inspection, Inspection.id == Frame.inspection_id)
        .join(Station, Station.id == Inspection.station_id)
        .where(Inspection.number > newest - RECENT)
        .group_by(Station.name, Frame.view)
        .order_by(Station.name, Frame.view)
        .limit(_MOST_CAMERAS)
    )
    return [
        Camera(station=station, view=view, pictures=count, faults=int(faults), last_s=last_s, cause=cause or "")
        for station, view, count, faults, last_s, cause in session.execute(query)
    ]


def _spread(session: Session, period: Period) -> list[int]:
    """Numbers of inspections, evenly spread over a period; they grow with time."""
    within = (Inspection.at_s >= period.begin_s, Inspection.at_s < period.end_s)
    first, last = session.execute(select(func.min(Inspection.number), func.max(Inspection.number)).where(*within)).one()
    return [] if first is None else sorted({int(number) for number in np.linspace(first, last, SCORES)})
