"""Work in the background: what runs, what ran, and one job with its log and files."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_args
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from sightline.console.figures import NOTHING, duration, moment
from sightline.console.form import Form, named
from sightline.console.layout import agreed, fact, facts, heading, mark, row, table
from sightline.console.pages.health import HERE, health
from sightline.console.session import Refused, Session
from sightline.console.sizes import ago, size
from sightline.console.telling import done
from sightline.service.rights import Right
from sightline.service.routes.jobs import FileOut, JobOut, JobPage, KindOut, LineOut
from sightline.store.jobs import ENDED, State

JOBS = f"{HERE}/jobs"
_EVERY_S = 1.0
_LINES = 2000  # of a log that are shown
_KINDS: dict[str, str] = {"done": "pass", "failed": "fault", "running": "review"}


async def page(request: Request, state: str = "") -> None:
    """All jobs, the newest first.

    Args:
        state: only those in this state.
    """
    with health(request, JOBS) as session:
        text = session.text
        with ui.element("div").classes("filters"):
            states = {"": text("All")} | {one: text(one) for one in get_args(State)}
            ui.select(
                states,
                value=state if state in states else "",
                label=text("State"),
                on_change=lambda event: ui.navigate.to(f"{JOBS}?state={event.value}" if event.value else JOBS),
            ).props("outlined dense")
            if Right.MANAGE in session.caller.rights:
                ui.button(text("Start a job"), icon="add", on_click=lambda: ui.navigate.to(f"{JOBS}/new")).props(
                    "unelevated"
                )
        await _list(session, state)


async def _list(session: Session, state: str) -> None:
    found = await session.api.get("/jobs", JobPage, state=state, limit=50)
    shown = ui.element("div").classes("card")
    rows: dict[str, Callable[[JobOut], bool]] = {}

    def add(page: JobPage) -> None:
        with shown:
            if not page.jobs and not rows:
                ui.label(session.text("There is no job. Training, search, export and storage run as jobs.")).classes(
                    "muted"
                )
                return
            with table(session, "Job", "State", "Progress", "By", "Started", "Took", ""):
                for job in page.jobs:
                    rows[job.id] = _row(session, job)
            if page.next:
                more = ui.button(session.text("More")).props("flat")

                async def on() -> None:
                    more.delete()
                    add(await session.api.get("/jobs", JobPage, state=state, limit=50, before=page.next))

                more.on_click(on)

    async def look() -> None:
        try:
            page = await session.api.get("/jobs", JobPage, state=state, limit=50)
        except Refused:  # the server is away for a moment; the next look tells
            return
        known = all(job.id in rows for job in page.jobs)
        same = [rows[job.id](job) for job in page.jobs if job.id in rows]
        if not known or not all(same):
            shown.clear()
            rows.clear()
            add(page)

    add(found)
    ui.timer(_EVERY_S, look)


def _row(session: Session, job: JobOut) -> Callable[[JobOut], bool]:
    """One job; what brings it up to date, and says whether that was enough."""
    bar: list[tuple[ui.linear_progress, ui.label]] = []

    def progress() -> None:
        if job.state not in ENDED:
            told = ui.label(job.message or session.text("waits"))
            bar.append((_bar(session, job), told))
        elif job.message:
            ui.label(session.heard(job.message)[:200])

    def cancel() -> None:
        if job.state not in ENDED and Right.MANAGE in session.caller.rights:
            stop = ui.button(session.text("Cancel"), on_click=lambda: _cancel(session, job)).props("flat dense")
            stop.set_enabled(not job.cancel)

    row(
        lambda: ui.link(session.text(job.kind), f"{JOBS}/{job.id}"),
        lambda: mark(_state(session, job), _KINDS.get(job.state, "")),
        progress,
        job.author,
        ago(session, job.started_s or job.created_s),
        _took(session, job),
        cancel,
    )

    def told(now: JobOut) -> bool:
        for line, label in bar:
            line.set_value(now.progress)
            label.set_text(now.message or session.text("waits"))
        return (now.state, now.cancel) == (job.state, job.cancel)

    return told


def _bar(session: Session, job: JobOut) -> ui.linear_progress:
    label = session.text("Progress")
    return ui.linear_progress(job.progress, show_value=False).props(
        f'size=10px rounded instant-feedback aria-label="{label}"'
    )


def _state(session: Session, job: JobOut) -> str:
    return session.text("is being cancelled") if job.cancel and job.state not in ENDED else session.text(job.state)


def _took(session: Session, job: JobOut) -> str:
    if job.started_s is None:
        return NOTHING
    until_s = job.ended_s or datetime.now(UTC).timestamp()
    seconds = max(0.0, until_s - job.started_s)
    return f"{seconds:.0f} s" if seconds < 120 else duration(session, seconds)


async def _cancel(session: Session, job: JobOut) -> None:
    question = session.text("Cancel the job {kind}? What it did so far is lost.", kind=session.text(job.kind))
    if await agreed(session, question, "Cancel the job"):
        await session.api.change("POST", f"/jobs/{job.id}/cancel", JobOut)
        done(session.text("The job is told to end"))


async def new(request: Request, kind: str = "", like: str = "") -> None:
    """The form of a kind of job.

    Args:
        like: a job whose parameters are filled in.
    """
    with health(request, JOBS) as session:
        text = session.text
        kinds = await session.api.get("/jobs/kinds", list[KindOut])
        former = await session.api.get(f"/jobs/{quote(like, '')}", JobOut) if like else None
        chosen = former.kind if former else kind
        heading(session, "Start a job")
        names = {one.kind: f"{text(one.kind)}: {text(one.told)}" for one in kinds}
        ui.select(
            names,
            value=chosen if chosen in names else None,
            label=text("Kind"),
            on_change=lambda event: ui.navigate.to(f"{JOBS}/new?kind={quote(event.value, '')}"),
        ).props("outlined").classes("long")
        schema = next((one.params for one in kinds if one.kind == chosen), None)
        if schema is None:
            return
        with ui.element("section").classes("card"):
            form = Form(session, schema, former.params if former else {})

            async def start() -> None:
                job = await session.api.change("POST", "/jobs", JobOut, {"kind": chosen, "params": form.values})
                ui.navigate.to(f"{JOBS}/{job.id}")

            with ui.element("div").classes("actions"):
                ui.button(text("Start"), on_click=start).props("unelevated")
                ui.button(text("Leave it"), on_click=lambda: ui.navigate.to(JOBS)).props("flat")


async def one(request: Request, job_id: str) -> None:
    """One job: how far it is, what it says, what it left."""
    with health(request, JOBS) as session:
        try:
            job = await session.api.get(f"/jobs/{quote(job_id, '')}", JobOut)
        except Refused as error:
            ui.label(str(error)).classes("empty").props("role=alert")
            return
        head = ui.element("section").classes("card")
        with ui.element("section").classes("card"):
            heading(session, "Log")
            log = (
                ui.log(max_lines=_LINES).classes("log").props(f'role=log tabindex=0 aria-label="{session.text("Log")}"')
            )
        rest = ui.element("div")
        await _follow(session, job, head, log, rest)


async def _follow(session: Session, job: JobOut, head: ui.element, log: ui.log, rest: ui.element) -> None:
    """Show the job, and go on until it has ended."""
    last, told = 0, job

    async def look() -> None:
        nonlocal last, told
        try:
            now = await session.api.get(f"/jobs/{job.id}", JobOut)
            lines = await session.api.get(f"/jobs/{job.id}/log", list[LineOut], after=last, limit=500)
        except Refused:  # the server is away for a moment; the next look tells
            return
        for line in lines:
            log.push(f"{moment(session, line.at_s)}  {line.text}")
            last = line.number
        if now != told:
            told = now
            _head(session, now, head)
        if now.state in ENDED and not lines:
            timer.deactivate()
            await _left(session, now, rest)

    _head(session, job, head)
    timer = ui.timer(_EVERY_S, look, immediate=False)
    await look()


def _head(session: Session, job: JobOut, head: ui.element) -> None:
    text = session.text
    head.clear()
    with head:
        with ui.element("div").classes("headline"):
            with ui.element("h2"):
                ui.label(text(job.kind))
            mark(_state(session, job), _KINDS.get(job.state, ""))
            ui.element("span").classes("grow")
            if Right.MANAGE in session.caller.rights:
                _actions(session, job)
        if job.message:
            ui.label(session.heard(job.message))
        if job.state not in ENDED:
            _bar(session, job)
        with facts():
            fact(session, "By", job.author)
            fact(session, "Ordered", moment(session, job.created_s))
            fact(session, "Took", _took(session, job))
            if job.attempts > 1:
                fact(session, "Attempts", str(job.attempts))
            for name, value in job.params.items():
                fact(session, named(session, name), _written(value))


def _actions(session: Session, job: JobOut) -> None:
    if job.state not in ENDED:
        stop = ui.button(session.text("Cancel"), on_click=lambda: _cancel(session, job)).props("outline")
        stop.set_enabled(not job.cancel)
    else:
        ui.button(session.text("Start again"), on_click=lambda: ui.navigate.to(f"{JOBS}/new?like={job.id}")).props(
            "outline"
        )


async def _left(session: Session, job: JobOut, rest: ui.element) -> None:
    """Its result and its files."""
    files = await session.api.get(f"/jobs/{job.id}/files", list[FileOut])
    rest.clear()
    with rest:
        if job.result:
            with ui.element("section").classes("card"):
                heading(session, "Result")
                with facts():
                    for name, value in list(job.result.items())[:60]:
                        fact(session, name.replace("_", " ").capitalize(), _written(value))
        if files:
            with ui.element("section").classes("card"):
                heading(session, "Files")
                with table(session, "Name", "Size"):
                    for file in files:
                        address = f"/api/v1/jobs/{job.id}/files/{quote(file.name, '')}"
                        row(partial(_link, file.name, address), size(session, file.size_bytes))


def _link(name: str, address: str) -> None:
    ui.link(name, address).props("download")


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)[:500]
