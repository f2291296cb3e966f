"""Jobs: start, list, look on, cancel, fetch what they left."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from sightline.errors import BusyError, NotFoundError, OptionError, StoreError
from sightline.service.access import Caller, needs
from sightline.service.job_task import described, inside
from sightline.service.plant import Here, Plant
from sightline.service.rights import Right
from sightline.store import jobs as store
from sightline.store.jobs import ENDED, State, Told

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]
MOST_WATCHING = 200  # streams of events at a time, of one server
_MOST_FILES = 200  # of a job, in a list
_LOOK_S = 0.5
_LONGEST_S = 3600.0  # of one stream; the browser opens it again


class JobOrder(BaseModel):
    """What is to be done."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"kind": "train", "params": {"data": "cap", "name": "cap"}}}
    )
    kind: str = Field(max_length=32)
    params: dict[str, Any] = Field(default_factory=dict, max_length=64)


class JobOut(BaseModel):
    """One job."""

    id: str = Field(examples=["5f0c6b0e-9c0e-4a39-8f57-2f6c7e1f5d11"])
    kind: str = Field(examples=["train"])
    params: dict[str, Any]
    state: State
    progress: float = Field(description="0 to 1, of the stage that the message names", examples=[0.4])
    message: str = Field(examples=["reading: 12 of 30"])
    result: dict[str, Any] | None
    attempts: int
    cancel: bool = Field(description="somebody asked for its end")
    author: str
    created_s: float
    started_s: float | None
    ended_s: float | None


class JobPage(BaseModel):
    """Some jobs, the newest first."""

    jobs: list[JobOut]
    next: str | None = Field(description="give it as `before` for what comes behind; null: there is no more")


class LineOut(BaseModel):
    """One line of a log."""

    number: int
    at_s: float
    text: str = Field(examples=["warning: 12 good pictures are few; from 50 on the limits are more reliable."])


class FileOut(BaseModel):
    """A file that a job left."""

    name: str = Field(examples=["report.html"])
    size_bytes: int = Field(examples=[24000])


class KindOut(BaseModel):
    """What a job can be."""

    kind: str = Field(examples=["train"])
    told: str = Field(examples=["learn a model from pictures"])
    params: dict[str, Any] = Field(description="JSON schema of its parameters")


@router.get("/kinds")
def kinds(_: Viewer, plant: Here) -> list[KindOut]:
    """What jobs there are, with their parameters."""
    return [KindOut(**one) for one in described(plant.jobs.kinds)]


@router.post("", status_code=202)
def start(order: JobOrder, caller: Manager, plant: Here) -> JobOut:
    """Queue a job; its parameters are checked first."""
    job_id = plant.jobs.submit(order.kind, order.params, author=caller.name, now_s=time.time())
    return _one(plant, job_id)


@router.get("")
def listed(
    _: Viewer,
    plant: Here,
    state: Annotated[State | None, Query()] = None,
    kind: Annotated[str, Query(max_length=32)] = "",
    before: Annotated[str, Query(max_length=80, description="`next` of the page in front")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobPage:
    """The newest first."""
    with plant.database.reading() as session:
        found = store.jobs(session, state=state or "", kind=kind, before=_key(before), limit=limit)
    full = len(found) == limit
    return JobPage(jobs=[_out(job) for job in found], next=f"{found[-1].created_s!r},{found[-1].id}" if full else None)


@router.get("/{job_id}")
def one(job_id: str, _: Viewer, plant: Here) -> JobOut:
    """One job."""
    return _one(plant, job_id)


@router.post("/{job_id}/cancel")
def cancel(job_id: str, caller: Manager, plant: Here) -> JobOut:
    """Ask for its end; one that runs ends within seconds."""
    with plant.database.writing() as session:
        return _out(store.cancel(session, job_id, by=caller.name, now_s=time.time()))


@router.get("/{job_id}/log")
def log(
    job_id: str,
    _: Viewer,
    plant: Here,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="number of the last line that is known")] = 0,
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
) -> list[LineOut]:
    """Its log, from the line behind `after` on."""
    with plant.database.reading() as session:
        store.job(session, job_id)
        return [
            LineOut(number=o.number, at_s=o.at_s, text=o.text)
            for o in store.lines(session, job_id, after=after, limit=limit)
        ]


@router.get("/{job_id}/files")
def files(job_id: str, _: Viewer, plant: Here) -> list[FileOut]:
    """What it left, by name; at most 200."""
    folder = plant.jobs.site.folder_of(_one(plant, job_id).id)
    if not folder.is_dir():
        return []
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())[:_MOST_FILES]
    return [FileOut(name=path.name, size_bytes=path.stat().st_size) for path in paths if path.name[0] != "."]


@router.get("/{job_id}/files/{name}", response_class=FileResponse)
def file(job_id: str, name: str, _: Viewer, plant: Here) -> FileResponse:
    """A file that it left, by the name in its result."""
    found = _one(plant, job_id)
    folder = plant.jobs.site.folder_of(found.id)
    if "/" in name or not folder.is_dir():
        raise NotFoundError(f"job {job_id}: has no file {name!r:.100}.")
    path = inside(folder, name, "file")
    if not path.is_file():
        raise NotFoundError(f"job {job_id}: has no file {name!r:.100}.")
    # never shown in the browser as one of our pages
    return FileResponse(path, filename=path.name, content_disposition_type="attachment")


@router.get("/{job_id}/events", response_class=StreamingResponse)
async def events(job_id: str, request: Request, _: Viewer, plant: Here) -> StreamingResponse:
    """Server-sent events: `job` when anything of it changes, `log` for each line; ends when the job has ended.

    A browser that connects again (Last-Event-ID) gets the lines that it has not seen.
    """
    seen = request.headers.get("last-event-id", "")
    first = await run_in_threadpool(_one, plant, job_id)
    if len(plant.jobs.watching) >= MOST_WATCHING:
        raise BusyError(f"jobs: {MOST_WATCHING} are looking on already. Try again later.")
    after = int(seen) if seen.isdecimal() and len(seen) < 10 else 0
    return StreamingResponse(_stream(plant, first, after), media_type="text/event-stream")


async def _stream(plant: Plant, first: JobOut, after: int) -> AsyncIterator[str]:
    place, until = object(), time.monotonic() + _LONGEST_S
    plant.jobs.watching.add(place)
    try:
        told: JobOut | None = None
        while time.monotonic() < until:
            try:
                now, lines = await run_in_threadpool(_look, plant, first.id, after)
            except StoreError as error:
                yield _event("away", {"detail": str(error)})
                return
            for line in lines:
                after = line.number
                yield _event("log", line.model_dump(), after)
            if now != told:
                yield _event("job", now.model_dump())
                told = now
            if now.state in ENDED and not lines:
                return
            if not lines:
                await asyncio.sleep(_LOOK_S)
    finally:
        plant.jobs.watching.discard(place)


def _look(plant: Plant, job_id: str, after: int) -> tuple[JobOut, list[LineOut]]:
    with plant.database.reading() as session:
        found = _out(store.job(session, job_id))
        lines = store.lines(session, job_id, after=after, limit=200)
        return found, [LineOut(number=line.number, at_s=line.at_s, text=line.text) for line in lines]


def _event(name: str, data: dict[str, Any], number: int | None = None) -> str:
    identity = "" if number is None else f"id: {number}\n"
    return f"{identity}event: {name}\ndata: {json.dumps(data)}\n\n"


def _one(plant: Plant, job_id: str) -> JobOut:
    with plant.database.reading() as session:
        return _out(store.job(session, job_id))


def _out(job: Told) -> JobOut:
    return JobOut(
        id=job.id,
        kind=job.kind,
        params=dict(job.params),
        state=job.state,
        progress=job.progress,
        message=job.message,
        result=None if job.result is None else dict(job.result),
        attempts=job.attempts,
        cancel=job.cancel,
        author=job.author,
        created_s=job.created_s,
        started_s=job.started_s,
        ended_s=job.ended_s,
    )


def _key(before: str) -> tuple[float, str] | None:
    if not before:
        return None
    moment, _, job_id = before.partition(",")
    try:
        return float(moment), job_id
    except ValueError as error:
        raise OptionError(
            f"before {before!r:.80}: is no place in the list; give `next` of the page in front."
        ) from error
