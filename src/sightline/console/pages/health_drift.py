"""How the scores of each view move from day to day, beside the good scores that its model was calibrated with."""

from typing import Any
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from sightline.console.figures import number, short_moment
from sightline.console.layout import row, table
from sightline.console.pages.health import HERE, health
from sightline.console.session import Session
from sightline.service.routes.state import DriftCourse
from sightline.service.routes.stations import Station

_DAYS = (7, 14, 30, 90)
_GREY = "#8a949e"  # legible on light and on dark


async def page(request: Request, station: str = "", product: str = "", days: int = 14) -> None:
    """A chart for each view and model.

    Args:
        days: up to today.
    """
    days = days if days in _DAYS else 14
    with health(request, f"{HERE}/drift") as session:
        await _filters(session, station, product, days)
        asked = list[DriftCourse]
        found = await session.api.get("/health/drift", asked, station=station, product=product, days=days)
        if not found:
            ui.label(session.text("No scores in this time. Choose a longer one, or another station.")).classes("empty")
        for course in found:
            _course(session, course)
        ui.label(
            session.text(
                "Brightness and sharpness of single pictures are checked at the station, and are not recorded."
            )
        ).classes("muted")


async def _filters(session: Session, station: str, product: str, days: int) -> None:
    stations = await session.api.get("/stations", list[Station])
    names = {"": session.text("All stations")} | {one.name: one.name for one in stations}
    chosen: dict[str, Any] = {"station": station, "product": product, "days": days}

    def go() -> None:
        query = "&".join(f"{name}={_quoted(value)}" for name, value in chosen.items() if value)
        ui.navigate.to(f"{HERE}/drift?{query}")

    def take(name: str, value: Any) -> None:
        chosen[name] = value or ""
        go()

    with ui.element("div").classes("filters"):
        ui.select(
            names,
            value=station if station in names else "",
            label=session.text("Station"),
            on_change=lambda event: take("station", event.value),
        ).props("outlined dense")
        field = ui.input(session.text("Product"), value=product).props("outlined dense clearable")
        field.on("keydown.enter", lambda: take("product", field.value)).on("clear", lambda: take("product", ""))
        spans = {span: session.text("{count} days", count=span) for span in _DAYS}
        ui.select(
            spans, value=days, label=session.text("Time"), on_change=lambda event: take("days", event.value)
        ).props("outlined dense")


def _quoted(value: object) -> str:
    return quote(str(value), "")


def _course(session: Session, course: DriftCourse) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        with ui.element("h2"):
            model = course.model or course.model_id[:12] or text("no model")
            ui.label(text("View {view}, model {model}", view=course.view, model=model))
        ui.label(_verdict(session, course))
        ui.echart(_chart(session, course)).classes("chart").props(f'role=img aria-label="{text("Scores by day")}"')
        with (
            ui.expansion(text("As a table")).props("dense"),
            table(session, "Day", "Scores", "A tenth below", "Median", "A tenth above"),
        ):
            for point in course.points:
                row(
                    short_moment(session, point.begin_s, day=True),
                    number(session, point.counted),
                    *(number(session, value, 3) for value in (point.low, point.median, point.high)),
                )


def _verdict(session: Session, course: DriftCourse) -> str:
    """What the chart says, in words."""
    last = course.points[-1]
    if course.good is None:
        return session.text("The model is not loaded, so its good scores are not known here.")
    low, _, high = course.good
    if low <= last.median <= high:
        return session.text("The last median lies where the model's good scores do.")
    if last.median > high:
        return session.text(
            "The last median lies above nine tenths of the model's good scores: look at light, lens and material."
        )
    return session.text("The last median lies below nine tenths of the model's good scores: is the camera still sharp?")


def _chart(session: Session, course: DriftCourse) -> dict[str, Any]:
    text = session.text
    days = [short_moment(session, point.begin_s, day=True) for point in course.points]
    lines = [
        ("A tenth above", [point.high for point in course.points], "#56b4e9", "dotted"),
        ("Median", [point.median for point in course.points], "#0072b2", "solid"),
        ("A tenth below", [point.low for point in course.points], "#56b4e9", "dotted"),
    ]
    marks = [{"yAxis": course.threshold, "name": text("Threshold"), "lineStyle": {"color": "#cf5200"}}]
    area: list[Any] = []
    if course.good is not None:
        low, middle, high = course.good
        marks.append({"yAxis": middle, "name": text("Good parts, median"), "lineStyle": {"color": "#00785a"}})
        area = [[{"yAxis": low}, {"yAxis": high}]]
    series: list[dict[str, Any]] = [
        {
            "type": "line",
            "name": text(name),
            "data": values,
            "symbolSize": 7,
            "lineStyle": {"color": colour, "type": kind, "width": 2},
            "itemStyle": {"color": colour},
        }
        for name, values, colour, kind in lines
    ]
    series[1]["markLine"] = {
        "symbol": "none",
        "data": [mark for mark in marks if mark["yAxis"] is not None],
        "label": {"formatter": "{b}", "position": "insideEndTop", "color": _GREY},
        "animation": False,
    }
    series[1]["markArea"] = {"data": area, "itemStyle": {"color": "#00785a", "opacity": 0.14}, "silent": True}
    axis = {"axisLabel": {"color": _GREY}, "axisLine": {"lineStyle": {"color": _GREY}}}
    return {
        "grid": {"left": 48, "right": 24, "top": 40, "bottom": 28},
        "legend": {"top": 0, "textStyle": {"color": _GREY}},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": days, **axis},
        "yAxis": {"type": "value", "splitLine": {"lineStyle": {"color": _GREY, "opacity": 0.25}}, **axis},
        "series": series,
        "animation": False,
    }
