"""How good the parts are, and how good the inspection is, over a time that one chooses."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from fastapi import Request
from nicegui import ui

from sightline.console.frame import framed
from sightline.console.later import Later
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
from sightline.console.pages.quality_figures import Asking, Glance
from sightline.console.session import Refused, Session
from sightline.console.window import PERIODS, Span, Window, chosen, span
from sightline.errors import OptionError
from sightline.service.routes.inspections import Names
from sightline.service.routes.quality_models import SummaryShown
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
    """Figures and charts of what the address says, each when it is there."""
    asked = Window(period=period, since=since, until=until, product=product, station=station, step=step, by=by)
    window = chosen(asked)
    with framed(request, HERE) as session:
        names = await session.api.get("/inspections/names", Names)
        stations = await session.api.get("/stations", list[Station])
        _headline(session)
        _filters(session, window, names.products, [one.name for one in stations])
        try:
            when = span(session, window)
        except OptionError as error:
            ui.label(session.heard(str(error))).classes("empty").props("role=alert")
            return
        content = ui.element("div").classes("stack")
        with content:
            ui.label(session.text("Calculating …")).classes("empty").props("role=status aria-busy=true")

        async def fill() -> None:
            await _fill(session, window, when, content)

        ui.timer(0.0, fill, once=True)  # the page is there first: much is read for its figures


async def _fill(session: Session, window: Window, when: Span, content: ui.element) -> None:
    """The cards, each when its figures are there, or that there are none in this time."""
    asking, later = Asking(session, window, when), Later(session)
    try:
        summary = await asking.summary()
    except Refused as refused:
        content.clear()
        with content:
            ui.label(str(refused)).classes("empty").props("role=alert")
        return
    content.clear()
    with content:
        if not summary.counts.parts:
            text = session.text(
                "No part was inspected in this time. Choose a longer one, or see on the page Line whether a station"
                " runs."
            )
            ui.label(text).classes("empty")
            return
        _cards(session, window, when, later, asking, summary)
    await later.fill()


def _glance(session: Session, found: Glance) -> None:
    quality_tiles.show(session, found)
    quality_escapes.show(session, found.escapes)


def _cards(session: Session, window: Window, when: Span, later: Later, asking: Asking, summary: SummaryShown) -> None:
    text = session.text
    later.card(text("At a glance"), partial(asking.glance, summary), partial(_glance, session))
    later.card(text("Pareto of defects"), asking.pareto, partial(pareto.show, session, when))
    control_chart.steps(session, window, when, HERE)
    with ui.element("div").classes("pair"):
        for kind, name in control_chart.NAMES.items():
            later.card(text(name), partial(asking.chart, kind), partial(control_chart.show, session, kind=kind))
    later.card(
        text("Trend and comparison"),
        asking.comparison,
        lambda found: trend.show(session, window, found, HERE),
    )
    with ui.element("div").classes("pair"):
        later.card(text("Defect positions"), asking.positions, partial(defect_map.show, session))
        later.card(text("Scores over time"), asking.drift, partial(scores.show, session))
    later.card(text("Stops"), asking.stops, partial(scores.stops, session))


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
