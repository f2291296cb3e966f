"""Live parts: of one station or of all, for a desk or for a screen on the wall."""

import asyncio
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from sightline.console.frame import framed
from sightline.console.gate import ASSETS
from sightline.console.live import Feed, News, State
from sightline.console.live_texts import causes, texts
from sightline.console.session import Refused, Session
from sightline.records import Verdict
from sightline.service.rights import Right
from sightline.service.routes import inspections as shown
from sightline.service.routes.accounts import Me
from sightline.service.routes.inspections import Inspection, Inspections
from sightline.service.routes.stations import Station
from sightline.store import inspections as stored
from sightline.store.inspections import Summary

SHOWN = 100  # parts that a page begins with; the browser keeps no more
_STOPPED = (Verdict.REJECT, Verdict.REVIEW, Verdict.FAULT)
_STOPPED_SHOWN = 12  # of each of these
_STILL_S = 60.0  # between two looks whether the one who follows still may


async def page(request: Request, station: str = "", kiosk: bool = False) -> None:
    """Parts as they are judged.

    Args:
        station: its name; empty: all of them.
        kiosk: for a screen on the wall: no menu, large figures.
    """
    with framed(request, "/", wide=True, bare=kiosk) as session:
        ui.add_head_html(f'<link rel="stylesheet" href="{ASSETS}/line.css">')
        if not kiosk:
            await _head(session, station)
        live = Live(session, station, kiosk=kiosk)
        feed: Feed = session.app.state.feed
        ui.context.client.on_delete(feed.follow(live.take))  # before asking, so that none is missed in between
        live.begin(await _parts(session, station), feed.state)
        ui.timer(_STILL_S, lambda: _still(session))


async def _head(session: Session, station: str) -> None:
    stations = await session.api.get("/stations", list[Station])
    names = {"": session.text("All stations")} | {one.name: one.name for one in stations}
    names.setdefault(station, station)
    with ui.element("div").classes("headline"):
        ui.html(f"<h1>{escape(session.text('Line'))}</h1>", sanitize=False)
        ui.select(
            names,
            value=station,
            label=session.text("Station"),
            on_change=lambda event: ui.navigate.to(address(event.value)),
        ).props("outlined dense options-dense").classes("station")
        ui.element("span").classes("grow")
        if not stations and Right.MANAGE in session.caller.rights:  # the first page of a new plant says nothing else
            ui.link(session.text("Begin with a new product"), "/new-product").classes("action")
        ui.button(
            session.text("For a wall screen"),
            icon="fullscreen",
            on_click=lambda: ui.navigate.to(address(station, kiosk=True)),
        ).props("flat")


def address(station: str, *, kiosk: bool = False) -> str:
    """The page's, for this station."""
    query = ({"station": station} if station else {}) | ({"kiosk": "1"} if kiosk else {})
    return f"/?{urlencode(query)}" if query else "/"


async def _parts(session: Session, station: str) -> list[Inspection]:
    """The last parts, and the last of each kind that did not pass; oldest first."""

    async def asked(limit: int, verdict: str = "") -> list[Inspection]:
        found = await session.api.get("/inspections", Inspections, station=station, verdict=verdict, limit=limit)
        return found.items

    pages = await asyncio.gather(asked(SHOWN), *(asked(_STOPPED_SHOWN, verdict) for verdict in _STOPPED))
    found = {item.number: item for items in pages for item in items}
    return [found[number] for number in sorted(found)]


async def _still(session: Session) -> None:
    """Whoever was shut out, or logged out elsewhere, goes on seeing nothing."""
    try:
        await session.api.get("/account", Me)
    except Refused as error:
        if error.status in (401, 403):
            ui.navigate.reload()


class Live(Element, component="../assets/line.js"):
    """Draws parts in the browser; each page is sent only what is new."""

    def __init__(self, session: Session, station: str, *, kiosk: bool) -> None:
        super().__init__()
        self._station, self._heard = station, session.heard
        self.props["texts"] = texts(session)
        self.props["causes"] = causes(session)
        self.props["language"] = str(session.language)
        self.props["zone"] = session.app.state.settings.quality.time_zone
        self.props["station"] = station
        self.props["kiosk"] = kiosk
        self.props["acknowledges"] = Right.REVIEW in session.caller.rights

    def begin(self, parts: Sequence[Inspection], state: State | None) -> None:
        """What the page shows at first; the rest is news."""
        self.props["first"] = {"parts": _shown(parts), "state": state and self._state(state)}

    def take(self, news: News) -> None:
        """As a feed's reader."""
        told: dict[str, Any] = {}
        if parts := self._ours((*news.parts, *news.changed)):
            told["parts"] = _shown(parts)
        if news.state is not None:
            told["state"] = self._state(news.state)
        if news.away:
            told["away"] = True
        if told:
            self.run_method("take", told)

    def _ours(self, parts: Iterable[Summary]) -> list[Summary]:
        return [part for part in parts if self._station in ("", part.station)]

    def _state(self, state: State) -> dict[str, Any]:
        stations = [one for one in state.stations if self._station in ("", one.name)]
        others = {one.name for one in state.stations} - {one.name for one in stations}
        return {
            "at": state.at_s,
            "shift": {"name": state.shift.name, "begin": state.shift.begin_s},
            "counts": {
                name: {
                    "PASS": counts.passed,
                    "REJECT": counts.rejected,
                    "REVIEW": counts.review,
                    "FAULT": counts.fault,
                    "late": counts.late,
                }
                for name, counts in state.counts.items()
                if name not in others
            },
            "stations": [{"name": one.name, "seen": one.last_seen_s} for one in stations],
            "alerts": [
                {
                    "id": one.id,
                    "rule": one.rule,
                    "subject": one.subject,
                    "message": self._heard(one.message),
                    "raised": one.raised_s,
                    "by": one.acknowledged_by if one.acknowledged_s is not None else None,
                }
                for one in state.alerts
                if one.subject.partition("/")[0] not in others
            ],
        }


def _shown(parts: Iterable[Inspection | Summary]) -> list[dict[str, Any]]:
    """What a browser draws of each."""
    return [_part(part) for part in parts]


def _part(part: Inspection | Summary) -> dict[str, Any]:
    views: Sequence[shown.View | stored.View] = part.views
    view = max(
        views,
        key=lambda one: (one.verdict == part.verdict, one.score == part.score, one.picture is not None),
        default=None,
    )
    return {
        "number": part.number,
        "id": part.id,
        "name": part.serial or f"{part.part_number or part.sequence}",
        "station": part.station,
        "product": part.product,
        "verdict": str(part.verdict),
        "label": part.label,
        "cause": part.cause,
        "reason": view.reason if view else "",
        "late": part.late,
        "at": part.at_s,
        "received": part.received_s,
        "ms": part.total_ms,
        "score": part.score,
        "threshold": view.threshold if view else None,
        "picture": view and (view.overlay or view.picture),
    }
