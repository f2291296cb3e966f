"""How good the parts are, and how good the inspection is, over a time that one chooses."""

from collections.abc import Callable
from dataclasses import replace

from fastapi import Request
from nicegui import ui

from sightline.console.frame import framed
from sightline.console.pages import (
    control_chart,
    defect_map,
    pareto,
    quality_escapes,
    quality_tiles,
    scores,
    shift_report,
    trend,
)
from sightline.console.pages.quality_figures import Figures, gathered
from sightline.console.session import Refused, Session
from sightline.console.window import PERIODS, Span, Window, chosen, span
from sightline.errors import OptionError
from sightline.service.routes.inspections import Names
from sightline.service.routes.stations import Station

HERE = "/quality"


async def page(
    request: Request,
    period: str = "7d",
    since: str = "",
    until: str = "",
    product: str = "",
    station: str = "",
    step: str = "",
    by: str = "station",
) -> None:
    """Figures and charts of what the address says."""
    asked = Window(period=period, since=since, until=until, product=product, station=station, step=step, by=by)
    window = chosen(asked)
    with framed(request, HERE) as session:
        names = await session.api.get("/inspections/names", Names)
        stations = await session.api.get("/stations", list[Station])
        _headline(session)
        _filters(session, window, names.products, [one.name for one in stations])
        try:
            when = span(session, window)
            found = await gathered(session, window, when)
        except (OptionError, Refused) as error:
            ui.label(session.heard(str(error))).classes("empty").props("role=alert")
            return
        if not found.summary.counts.parts:
            text = session.text(
                "No part was inspected in this time. Choose a longer one, or see on the page Line whether a station"
                " runs."
            )
            ui.label(text).classes("empty")
            return
        await _content(session, window, when, found)


async def _content(session: Session, window: Window, when: Span, found: Figures) -> None:
    quality_tiles.show(session, found)
    quality_escapes.show(session, found.escapes)
    pareto.show(session, when, found.pareto)
    control_chart.steps(session, window, when, HERE)
    with ui.element("div").classes("pair"):
        control_chart.show(session, found.share_chart, kind="p")
        control_chart.show(session, found.defects_chart, kind="u")
    trend.show(session, window, found, HERE)
    with ui.element("div").classes("pair"):
        await defect_map.show(session, found.positions, found.products)
        scores.show(session, found.scores, found.thresholds)
    scores.stops(session, found.stops)


def _headline(session: Session) -> None:
    with ui.element("div").classes("headline"):
        ui.html(f"<h1>{session.text('Quality')}</h1>", sanitize=False)
        ui.element("span").classes("grow")
        with ui.element("a").classes("action").props(f"href={shift_report.HERE}"):
            ui.icon("description").props("aria-hidden=true")
            ui.label(session.text("Shift report"))


def _filters(session: Session, window: Window, products: list[str], stations: list[str]) -> None:
    text = session.text

    def go(changed: Window) -> None:
        ui.navigate.to(changed.address(HERE))

    with ui.element("div").classes("filters"):
        with ui.element("nav").classes("choices").props(f'aria-label="{text("Time")}"'):
            for word, name in PERIODS.items():
                with ui.element("a") as link:
                    ui.label(text(name))
                link.props["href"] = replace(window, period=word, since="", until="", step="").address(HERE)
                if word == window.period:
                    link.props("aria-current=true")
        _select(
            text("Product"), products, window.product, text("All products"), lambda to: go(replace(window, product=to))
        )
        _select(
            text("Station"), stations, window.station, text("All stations"), lambda to: go(replace(window, station=to))
        )
    if window.period == "own":
        _own_range(session, window, go)


def _select(name: str, known: list[str], now: str, everything: str, go: Callable[[str], None]) -> None:
    options = {"": everything} | {one: one for one in (*known, now) if one}
    chosen_one = ui.select(options, label=name, value=now, on_change=lambda event: go(event.value))
    chosen_one.props("outlined dense options-dense")


def _own_range(session: Session, window: Window, go: Callable[[Window], None]) -> None:
    text = session.text
    with ui.element("div").classes("filters"):
        since = ui.input(text("From"), value=window.since).props("outlined dense type=datetime-local stack-label")
        until = ui.input(text("Until"), value=window.until).props("outlined dense type=datetime-local stack-label")
        ui.button(
            text("Show"),
            on_click=lambda: go(replace(window, since=since.value or "", until=until.value or "", step="")),
        ).props("unelevated")
