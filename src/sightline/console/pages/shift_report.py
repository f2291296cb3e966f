"""The shift report in the page, to read, to print and to take along."""

import time
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from sightline.console.figures import calendar, moment
from sightline.console.frame import framed
from sightline.console.session import Session
from sightline.evaluation.periods import Step
from sightline.service.routes.stations import Station

HERE = "/quality/shift"
_DAYS = 14  # of shifts that can be chosen; the address takes any time
_DAY = 86_400.0
_API = "/api/v1/reports/shift"


async def page(request: Request, at: str = "", line: str = "") -> None:
    """
    Args:
        at: a time within the shift, local; empty: the one that runs.
    """
    with framed(request, "/quality") as session:
        text = session.text
        stations = await session.api.get("/stations", list[Station])
        asked = {"at": at, "line": line, "language": session.language.value}
        query = urlencode({name: value for name, value in asked.items() if value})
        with ui.element("div").classes("headline"):
            ui.html(f"<h1>{text('Shift report')}</h1>", sanitize=False)
            ui.element("span").classes("grow")
            with ui.element("div").classes("actions"):
                ui.button(text("Print"), icon="print", on_click=lambda: ui.run_javascript(_PRINT)).props("flat")
                _link(text("Open alone"), "open_in_new", f"{_API}?{query}").props("target=_blank")
                _link(text("PDF"), "picture_as_pdf", f"{_API}.pdf?{query}").props("download")
        _choices(session, at, line, sorted({one.line for one in stations if one.line}))
        shown = ui.element("iframe").classes("report").props("id=report")
        shown.props["src"], shown.props["title"] = f"{_API}?{query}", text("Shift report")


_PRINT = "document.getElementById('report').contentWindow.print()"


def _link(name: str, icon: str, address: str) -> ui.element:
    with ui.element("a").classes("action") as link:
        ui.icon(icon).props("aria-hidden=true")
        ui.label(name)
    link.props["href"] = address
    return link


def _choices(session: Session, at: str, line: str, lines: list[str]) -> None:
    text, now_s = session.text, time.time()
    clocks = calendar(session)
    shifts = reversed(clocks.periods(now_s - _DAYS * _DAY, now_s, Step.SHIFT))
    known = {clocks.local(one.begin_s).strftime("%Y-%m-%dT%H:%M"): moment(session, one.begin_s) for one in shifts}
    running = next(iter(known))
    known[running] = text("{begin} (runs)", begin=known[running])
    chosen = at or running

    def go(at: str, line: str) -> None:
        told = urlencode({name: value for name, value in (("at", at), ("line", line)) if value})
        ui.navigate.to(f"{HERE}?{told}" if told else HERE)

    with ui.element("div").classes("filters"):
        shown = known if chosen in known else {chosen: chosen} | known
        ui.select(shown, label=text("Shift from"), value=chosen, on_change=lambda event: go(event.value, line)).props(
            "outlined dense options-dense"
        )
        options = {"": text("All lines")} | {one: one for one in (*lines, line) if one}
        ui.select(options, label=text("Line"), value=line, on_change=lambda event: go(at, event.value)).props(
            "outlined dense options-dense"
        )
