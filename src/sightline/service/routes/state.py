"""How the plant is: its server, its cameras, its scores over time, and what lies on its shelves."""

import math
import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from sightline.evaluation.periods import Step
from sightline.service.access import needs
from sightline.service.plant import Here, Plant
from sightline.service.readiness import OK, readiness
from sightline.service.rights import Right
from sightline.service.serving import State
from sightline.service.settings import Settings
from sightline.store import drift, stock
from sightline.store.retention import Kept
from sightline.store.schema import Model
from sightline.store.tallied import Slice

router = APIRouter(prefix="/api/v1/health", tags=["health"], dependencies=[Depends(needs(Right.VIEW))])
Place = Annotated[str, Query(max_length=255, pattern=r"^[^\x00]*$")]
_SOON_DAYS = 7
_DAY_S = 86_400.0


class Quick(BaseModel):
    """How long answers took; bounds of the histogram, so that it was at most this."""

    count: int = Field(examples=[1200])
    p50_ms: float | None = Field(description="null: there was none, or slower than can be told", examples=[25.0])
    p99_ms: float | None = Field(examples=[250.0])


class Judges(BaseModel):
    """A model that judges what is sent."""

    name: str = Field(examples=["cap"])
    version: int = Field(examples=[3])
    state: str = Field(examples=["ready"])
    reason: str = Field(description="Why it does not judge", examples=[""])


class ServerState(BaseModel):
    """This server."""

    version: str = Field(examples=["0.1.0"])
    ready: bool = Field(examples=[True])
    parts: dict[str, str] = Field(description="`ok`, or what is the matter", examples=[{"database": "ok"}])
    requests: Quick = Field(description="Since it started")
    judging: Quick = Field(description="Pictures that were sent to be judged, since it started")
    waiting: int = Field(description="Pictures that wait to be judged", examples=[0])
    models: list[Judges]


class CameraState(BaseModel):
    """A view of a station, by the newest 20,000 inspections."""

    model_config = ConfigDict(from_attributes=True)
    station: str = Field(examples=["press-3"])
    view: str = Field(examples=["top"])
    pictures: int = Field(examples=[1200])
    faults: int = Field(examples=[2])
    last_s: float = Field(examples=[1790000000.0])
    cause: str = Field(description="Of a fault among them; empty: there is none", examples=["camera"])


class DriftPoint(BaseModel):
    """Scores of one day."""

    begin_s: float = Field(examples=[1790000000.0])
    counted: int = Field(description="Scores looked at", examples=[400])
    low: float = Field(description="A tenth of them are below", examples=[0.4])
    median: float = Field(examples=[0.6])
    high: float = Field(description="A tenth of them are above", examples=[0.9])


class DriftCourse(BaseModel):
    """Scores of one view by one model, day by day."""

    view: str = Field(examples=["top"])
    model_id: str = Field(examples=["3f2a9c51d07b"])
    model: str = Field(description="Name and version; empty: the plant does not know it", examples=["cap/3"])
    threshold: float | None = Field(examples=[1.2])
    good: tuple[float, float, float] | None = Field(
        description="10, 50 and 90 % of the good scores that the model was calibrated with; null: it is not loaded",
        examples=[[0.4, 0.6, 0.9]],
    )
    points: list[DriftPoint]


class PileState(BaseModel):
    """The pictures of one class in one tier."""

    model_config = ConfigDict(from_attributes=True)
    tier: str = Field(examples=["hot"])
    kept_as: str = Field(examples=["reject"])
    pictures: int = Field(examples=[1200])
    size_bytes: int = Field(examples=[240000000])
    oldest_s: float = Field(examples=[1790000000.0])
    next_s: float | None = Field(description="When the time of the first is over; null: never", examples=[1853072000.0])
    due: int = Field(description="Whose time is over within a week", examples=[12])
    due_bytes: int = Field(examples=[2400000])


class KeepingRule(BaseModel):
    """How long pictures of a class are kept; null: never."""

    kept_as: str = Field(examples=["reject"])
    nearline_days: float | None = Field(examples=[30])
    archive_days: float | None = Field(examples=[180])
    remove_days: float | None = Field(examples=[730])


class StorageState(BaseModel):
    """Room, and what takes it."""

    free_bytes: int | None = Field(description="Of the disk of the store's folder", examples=[500000000000])
    total_bytes: int | None = Field(examples=[1000000000000])
    shelves: dict[str, str] = Field(description="Folder or bucket by tier", examples=[{"hot": "plant/pictures"}])
    piles: list[PileState]
    rules: list[KeepingRule]
    regulated: list[str] = Field(description="Products whose pictures are kept for years", examples=[["implant-*"]])


@router.get("/server")
def server(plant: Here, request: Request) -> ServerState:
    """Whether it can serve, how quick it was, and which models judge."""
    parts = readiness(plant, request.app.state.settings)
    figures = plant.serving.figures()
    count, bounds = request.app.state.metrics.latency()
    return ServerState(
        version=version("sightline"),
        ready=all(state == OK for state in parts.values()),
        parts=parts,
        requests=_quick(count, ((bound * 1e3, below) for bound, below in bounds)),
        judging=_quick(figures.judged, figures.latency_ms),
        waiting=figures.waiting,
        models=[
            Judges(name=one.name, version=one.version, state=one.state, reason=one.reason)
            for one in plant.serving.models()
        ],
    )


@router.get("/cameras")
def cameras(plant: Here) -> list[CameraState]:
    """What each camera saw last, and how often it failed."""
    with plant.database.reading() as session:
        return [CameraState.model_validate(one) for one in drift.cameras(session)]


@router.get("/drift")
def drifting(
    plant: Here, station: Place = "", product: Place = "", days: Annotated[int, Query(ge=1, le=90)] = 14
) -> list[DriftCourse]:
    """Scores of each view day by day, beside the good scores of the model that gave them."""
    now_s = time.time()
    chosen = Slice(since_s=now_s - (days - 1) * _DAY_S, until_s=now_s, station=station, product=product)
    periods = plant.quality.calendar.periods(chosen.since_s, chosen.until_s, Step.DAY)
    with plant.database.reading() as session:
        found = drift.courses(session, chosen, periods)
        wanted = {course.model_id for course in found if course.model_id}
        rows = session.execute(select(Model.model_id, Model.name, Model.version).where(Model.model_id.in_(wanted)))
        names = {model_id: (name, number) for model_id, name, number in rows}
    return [
        DriftCourse(
            view=course.view,
            model_id=course.model_id,
            model="/".join(map(str, names.get(course.model_id, ()))),
            threshold=course.threshold,
            good=_good(plant, names.get(course.model_id)),
            points=[DriftPoint(**asdict(point)) for point in course.points],
        )
        for course in found
    ]


@router.get("/storage")
def storage(plant: Here, request: Request) -> StorageState:
    """Tiers with their sizes, what retention removes within a week, and the rules of it."""
    settings: Settings = request.app.state.settings
    try:
        usage = shutil.disk_usage(settings.store.folder)
    except OSError:  # readiness tells it
        usage = None
    with plant.database.reading() as session:
        piles = stock.piles(session, until_s=time.time() + _SOON_DAYS * _DAY_S)
    rules = [plant.pictures.retention.rule(kept) for kept in Kept]
    return StorageState(
        free_bytes=usage and usage.free,
        total_bytes=usage and usage.total,
        shelves=settings.store.picture_shelves,
        piles=[PileState.model_validate(pile) for pile in piles],
        rules=[
            KeepingRule(
                kept_as=rule.name,
                nearline_days=rule.nearline_days,
                archive_days=rule.archive_days,
                remove_days=rule.remove_days,
            )
            for rule in rules
        ],
        regulated=list(plant.pictures.retention.regulated),
    )


def _quick(count: int, bounds: Iterable[tuple[float, float]]) -> Quick:
    known = list(bounds)
    return Quick(count=count, p50_ms=_within(known, 0.5 * count), p99_ms=_within(known, 0.99 * count))


def _within(bounds: list[tuple[float, float]], wanted: float) -> float | None:
    """The bound that so many are within."""
    return next((ms for ms, below in bounds if 0 < wanted <= below and math.isfinite(ms)), None)


def _good(plant: Plant, model: tuple[str, int] | None) -> tuple[float, float, float] | None:
    served = {(one.name, one.version) for one in plant.serving.models() if one.state is State.READY}
    if model is None or model not in served:
        return None
    scores = plant.serving.manifest(model[0]).calibration.good_scores
    if not scores:
        return None
    low, median, high = (float(value) for value in np.quantile(scores, (0.1, 0.5, 0.9)))
    return low, median, high
