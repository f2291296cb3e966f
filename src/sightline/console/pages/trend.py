"""How the share of parts not passed goes over time, and how stations, lines, products, lots and tools compare."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nicegui import ui

from sightline.console.charts import COLOURS, DASHES, SYMBOLS, chart, heading, line, names_axis, numbers_axis, table
from sightline.console.figures import NOTHING, between, number, share, short_name
from sightline.console.pages.quality_figures import Comparison
from sightline.console.session import Session
from sightline.console.window import Window
from sightline.evaluation.intervals import rate
from sightline.service.routes.quality_models import CountsShown, TrendShown

_BY = {"station": "Station", "line": "Line", "product": "Product", "lot": "Lot", "tool": "Tool"}
_FEW = 20  # parts judged, with fewer of which a share says nothing


def show(session: Session, window: Window, found: Comparison, path: str) -> None:
    """The course of each, and their sums beside those of the shifts of the day."""
    text = session.text
    with ui.element("section").classes("card"):
        heading(
            session,
            text("Trend and comparison"),
            text(
                "Share of parts not passed by station, line, product, lot or tool, and by the shift of the day. Where"
                " the 95 % intervals of two do not overlap, they differ by more than chance. Periods with fewer than"
                " {few} parts are left out.",
                few=_FEW,
            ),
        )
        with ui.element("nav").classes("choices").props(f'aria-label="{text("Compare")}"'):
            for word, name in _BY.items():
                with ui.element("a") as link:
                    ui.label(text(name))
                link.props["href"] = replace(window, by=word).address(path)
                if word == window.by:
                    link.props("aria-current=true")
        with ui.element("div").classes("pair"):
            drawn = _drawn(session, found)
            with ui.element("div").classes("stack" if drawn else "pair whole"):
                ui.html(_compared(session, text(_BY[window.by]), found.places), sanitize=False)
                if found.more_places:
                    ui.label(text("{more} with fewer parts are left out.", more=found.more_places)).classes("muted")
                ui.html(_compared(session, text("Shift from"), _by_shift(found.shifts)), sanitize=False)


def _drawn(session: Session, found: Comparison) -> bool:
    """Whether there was enough to draw."""
    text = session.text
    courses = {name: [_share(one.counts) for one in course] for name, course in found.trends.items()}
    if sum(value is not None for course in courses.values() for value in course) < 2:
        ui.label(text("No period has {few} parts: too few for a course. Choose longer periods.", few=_FEW)).classes(
            "muted"
        )
        return False
    first = min(at for course in courses.values() for at, value in enumerate(course) if value is not None)
    names = [short_name(session, one.period.name) for one in next(iter(found.trends.values()))[first:]]
    drawn = [
        line(name or NOTHING, course[first:], colour=COLOURS[at], dash=DASHES[at], symbol=SYMBOLS[at])
        for at, (name, course) in enumerate(courses.items())
    ]
    options = {"xAxis": names_axis(names), "yAxis": numbers_axis(session, "", unit=" %"), "series": drawn}
    chart(session, options, _words(session, found.places))
    return True


def _words(session: Session, places: Mapping[str, CountsShown]) -> str:
    text = session.text
    said = [
        text(
            "{name}: {share} not passed",
            name=name or NOTHING,
            share=share(session, rate(_stopped(one), _judged(one)).value),
        )
        for name, one in places.items()
    ]
    return f"{text('Trend and comparison')}: {'; '.join(said)}"


def _share(counts: CountsShown) -> float | None:
    judged = _judged(counts)
    return round(100 * _stopped(counts) / judged, 3) if judged >= _FEW else None


def _stopped(counts: CountsShown) -> int:
    return counts.rejected + counts.review


def _judged(counts: CountsShown) -> int:
    return counts.parts - counts.fault


def _by_shift(shifts: Sequence[TrendShown]) -> dict[str, CountsShown]:
    """All shifts that begin at the same time of the day together."""
    sums: dict[str, dict[str, int]] = {}
    for one in shifts:
        so_far = sums.setdefault(one.period.name[11:16], {})
        for name, count in one.counts.model_dump().items():
            so_far[name] = so_far.get(name, 0) + count
    return {clock: CountsShown.model_validate(counts) for clock, counts in sorted(sums.items())}


def _compared(session: Session, name: str, places: Mapping[str, CountsShown]) -> str:
    text, rows = session.text, list[list[str]]()
    for place, counts in places.items():
        found = rate(_stopped(counts), _judged(counts))
        interval = between(session, found.low, found.high)
        of_judged = f"{share(session, found.value)} ({interval})"
        rows.append([place or NOTHING, number(session, counts.parts), number(session, found.count), of_judged])
    columns = [name, text("Parts"), text("Not passed"), text("Share (95 % interval)")]
    return table(columns, rows, caption=name)
