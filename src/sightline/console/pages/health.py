"""Health: the server, its stations and cameras; each of its parts has an address."""

import time
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from sightline.console.figures import NOTHING, moment, number, share
from sightline.console.layout import Tab, fact, facts, heading, mark, row, tabbed, table
from sightline.console.parts import cause
from sightline.console.session import Refused, Session
from sightline.console.sizes import ago
from sightline.service.routes.state import CameraState, Quick, ServerState
from sightline.service.routes.stations import Break, Station

HERE = "/health"
_TABS = (
    Tab(path=HERE, title="Server and stations"),
    Tab(path=f"{HERE}/drift", title="Drift"),
    Tab(path=f"{HERE}/storage", title="Storage"),
    Tab(path=f"{HERE}/jobs", title="Jobs"),
    Tab(path=f"{HERE}/alerts", title="Alerts"),
)
_EVERY_S = 5.0  # the server and the stations are looked at again; a station tells of itself every ten
_SILENT_S = 60.0  # after which a station is shown as silent
_WRONG_CLOCK_S = 2.0
_BREAKS = 20
_MOST_TOLD = 30  # devices or alarms of a station


def health(request: Request, here: str) -> AbstractContextManager[Session]:
    """A part of Health in its frame."""
    return tabbed(request, HERE, "Health", _TABS, here)


async def page(request: Request, station: str = "") -> None:
    """The server, and the stations that report to it.

    Args:
        station: whose broken records are shown.
    """
    with health(request, HERE) as session:
        shown = ui.element("div").classes("stack")

        async def look() -> None:
            try:
                state = await session.api.get("/health/server", ServerState)
                stations = await session.api.get("/stations", list[Station])
            except Refused:  # the server is away for a moment; the next look tells
                return
            shown.clear()
            with shown:
                _server(session, state)
                _stations(session, stations)

        await look()
        ui.timer(_EVERY_S, look, immediate=False)
        if station:
            await _breaks(session, station)
        await _cameras(session)


def _stations(session: Session, stations: list[Station]) -> None:
    heading(session, "Stations")
    if not stations:
        ui.label(session.text("No station has reported yet. Give it a key (Admin) and this server's address.")).classes(
            "empty"
        )
    with ui.element("div").classes("cards"):
        for one in stations:
            _station(session, one)


def _server(session: Session, state: ServerState) -> None:
    with ui.element("div").classes("tiles"):
        ready = session.text("Ready") if state.ready else session.text("Not ready")
        wrong = [f"{session.text(part)}: {told}" for part, told in state.parts.items() if told != "ok"]
        _tile(session, "Server", ready, "; ".join(wrong) or state.version, "pass" if state.ready else "fault")
        _quick(session, "Answers", state.requests)
        _quick(session, "Pictures judged", state.judging)
        _tile(session, "Waiting to be judged", number(session, state.waiting), session.text("pictures"), "")
        for model in state.models:
            kind = {"ready": "pass", "failed": "fault"}.get(model.state, "review")
            _tile(session, "Model", f"{model.name}/{model.version}", model.reason or session.text(model.state), kind)


def _quick(session: Session, title: str, quick: Quick) -> None:
    value = NOTHING if quick.p50_ms is None else f"{number(session, quick.p50_ms)} ms"
    slow = NOTHING if quick.p99_ms is None else f"{number(session, quick.p99_ms)} ms"
    detail = session.text("half of {count}; 99 % within {slow}", count=number(session, quick.count), slow=slow)
    _tile(session, title, value, detail, "")


def _tile(session: Session, title: str, value: str, detail: str, kind: str) -> None:
    with ui.element("div").classes(f"tile {kind}"):
        ui.label(session.text(title)).classes("name")
        ui.label(value).classes("value")
        ui.label(detail).classes("detail")


def _station(session: Session, one: Station) -> None:
    text, status = session.text, one.status
    with ui.element("section").classes("card"):
        with ui.element("div").classes("headline"):
            with ui.element("h3"):
                ui.label(one.name)
            _state(session, one)
        if reason := status.get("reason"):
            ui.label(str(reason)[:300])
        with facts():
            fact(session, "Last seen", ago(session, one.last_seen_s))
            fact(session, "Last part", ago(session, one.last_at_s or None))
            fact(session, "Records here", number(session, one.last_sequence))
            backlog = status.get("backlog")
            if isinstance(backlog, int):
                fact(session, "Records still there", number(session, backlog))
            fact(session, "Clock", _clock(session, one.clock_ahead_s))
            for name, state in _devices(status):
                fact(session, name, state)
        for alarm in _listed(status.get("alarms")):
            ui.label(str(alarm)[:300]).classes("told")
        if one.breaks:
            told = text("Records do not join in {count} places", count=number(session, one.breaks))
            ui.link(told, f"{HERE}?station={quote(one.name, '')}")
        if not status:
            ui.label(text("It tells nothing of its cameras, PLC and disk yet.")).classes("muted")


def _devices(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Of what a station told, which may be anything."""
    told = [one for one in _listed(status.get("devices")) if isinstance(one, dict)]
    return [(str(one.get("name", ""))[:60], str(one.get("state", ""))[:200]) for one in told]


def _listed(value: object) -> list[Any]:
    return value[:_MOST_TOLD] if isinstance(value, list) else []


def _state(session: Session, one: Station) -> None:
    state = str(one.status.get("state", ""))
    if _silent(one):
        mark(session.text("silent"), "fault")
    elif state:
        mark(session.text(state), "pass" if one.status.get("ready") else "fault")


def _silent(one: Station) -> bool:
    return time.time() - one.last_seen_s > _SILENT_S


def _clock(session: Session, ahead_s: float | None) -> str:
    if ahead_s is None:
        return session.text("not told")
    seconds = number(session, abs(ahead_s), 2)
    if abs(ahead_s) < 0.01:
        return session.text("correct")
    told = (
        session.text("{seconds} s fast", seconds=seconds)
        if ahead_s > 0
        else session.text("{seconds} s slow", seconds=seconds)
    )
    return f"{told}: {session.text('set it by NTP')}" if abs(ahead_s) > _WRONG_CLOCK_S else told


async def _breaks(session: Session, station: str) -> None:
    found = await session.api.get("/stations/breaks", list[Break], station=station, limit=_BREAKS)
    with ui.element("section").classes("card").props("id=breaks"):
        with ui.element("h2"):
            ui.label(session.text("Where the records of {station} do not join", station=station))
        ui.label(
            session.text("Records were lost or altered before they came here. Look at the station's disk.")
        ).classes("muted")
        with table(session, "Received", "What", "Before", "Record", "Inspection"):
            for one in found:
                row(
                    moment(session, one.received_s),
                    session.text(one.what),
                    number(session, one.before),
                    number(session, one.sequence),
                    partial(ui.link, one.inspection_id[:13], f"/inspections/{one.inspection_id}"),
                )


async def _cameras(session: Session) -> None:
    found = await session.api.get("/health/cameras", list[CameraState])
    heading(session, "Cameras")
    if not found:
        ui.label(session.text("No camera has seen a part yet.")).classes("empty")
        return
    with ui.element("div").classes("card"):
        ui.label(session.text("By the newest 20,000 parts")).classes("muted")
        with table(session, "Station", "View", "Last picture", "Pictures", "Faults", "Cause"):
            for one in found:
                faults = f"{number(session, one.faults)} ({share(session, one.faults / max(one.pictures, 1))})"
                row(
                    one.station,
                    one.view,
                    ago(session, one.last_s),
                    number(session, one.pictures),
                    faults,
                    cause(session, one.cause),
                )
