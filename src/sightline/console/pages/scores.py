"""How scores drift against the threshold, and when stations stood still."""

import math
from collections.abc import Sequence

from nicegui import ui

from sightline.console.charts import (
    ACCENT,
    DEFECT,
    INK,
    MUTED,
    Options,
    chart,
    heading,
    line,
    names_axis,
    numbers_axis,
    on_demand,
    table,
)
from sightline.console.figures import duration, moment, number, short_name
from sightline.console.pages.quality_figures import Drift
from sightline.console.session import Session
from sightline.service.routes.quality_models import ScoresShown, StopShown

_FEWEST = 20  # scores in all, with fewer of which quantiles say nothing
_SHARES = ("10 %", "50 %", "90 %", "99 %")  # of the quantiles that the API gives
_MOST_STOPS = 10


def show(session: Session, drift: Drift) -> None:
    """Quantiles of the scores by period, beside the thresholds: a score that reaches one is a reject."""
    text, found, thresholds = session.text, drift.periods, drift.thresholds
    with ui.element("section").classes("card"):
        heading(
            session,
            text("Scores over time"),
            text(
                "Quantiles of about 400 scores of each period: half of the parts lie below the line of 50 %. When"
                " they creep towards the threshold, something has changed: light, lens, material, or the parts"
                " themselves."
            ),
        )
        if sum(one.counted for one in found) < _FEWEST:
            ui.label(text("Fewer than {few} scores in this time: too few to show a drift.", few=_FEWEST)).classes(
                "muted"
            )
            return
        summary = _words(session, found, thresholds)
        ui.label(summary)
        first = next(at for at, one in enumerate(found) if one.counted)
        _drawn(session, found[first:], thresholds, summary)
        on_demand(session, _table(session, found))


def _words(session: Session, found: Sequence[ScoresShown], thresholds: Sequence[float]) -> str:
    text = session.text
    medians = [one.quantiles[1] for one in found if one.quantiles]
    said = text(
        "The median score went from {first} to {last}.",
        first=number(session, medians[0], 2),
        last=number(session, medians[-1], 2),
    )
    if len(thresholds) == 1:
        said += " " + text("The threshold is {threshold}.", threshold=number(session, thresholds[0], 2))
    return said


def _drawn(session: Session, found: Sequence[ScoresShown], thresholds: Sequence[float], summary: str) -> None:
    looks = (
        (MUTED, "dotted", "circle"),
        (ACCENT, "solid", "rect"),
        (MUTED, "dashed", "triangle"),
        (INK, "solid", "diamond"),
    )
    drawn = []
    for at, (colour, dash, symbol) in enumerate(looks):
        values = [one.quantiles[at] if one.quantiles else None for one in found]
        drawn.append(line(_SHARES[at], values, colour=colour, dash=dash, symbol=symbol))
    drawn[-1]["markLine"] = _marks(session, thresholds)
    reach = max([*thresholds, *(one.quantiles[-1] for one in found if one.quantiles)])
    options = {
        "xAxis": names_axis([short_name(session, one.period.name) for one in found]),
        "yAxis": numbers_axis(session, "") | {"max": _round_above(reach)},
        "series": drawn,
    }
    chart(session, options, summary)


def _round_above(value: float) -> float:
    """The next number of one digit: 3 for 2.4."""
    step = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return (math.floor(value / step) + 1) * step


def _marks(session: Session, thresholds: Sequence[float]) -> Options:
    name = session.text("Threshold")
    return {
        "symbol": "none",
        "lineStyle": {"color": DEFECT, "type": "dashed", "width": 2},
        "label": {"position": "insideStartTop", "color": DEFECT, "fontWeight": "bold", "formatter": name},
        "data": [{"yAxis": one} for one in thresholds],
        "emphasis": {"disabled": True},
    }


def _table(session: Session, found: Sequence[ScoresShown]) -> str:
    text = session.text
    rows = [
        [one.period.name, number(session, one.counted), *(number(session, value, 3) for value in one.quantiles)]
        for one in found
        if one.quantiles
    ]
    return table([text("Period"), text("Scores"), *_SHARES], rows, caption=text("Scores over time"))


def stops(session: Session, found: Sequence[StopShown]) -> None:
    """The longest times without a part."""
    text = session.text
    with ui.element("section").classes("card"):
        told = text("Times of more than five minutes in which a station saw no part; the longest 200 count.")
        heading(session, text("Stops"), told)
        if not found:
            ui.label(text("No station stood still for more than five minutes.")).classes("muted")
            return
        columns = [text("Station"), text("From"), text("Until"), text("Length")]
        rows = [
            [one.station, moment(session, one.begin_s), moment(session, one.end_s), duration(session, one.seconds)]
            for one in found
        ]
        ui.html(table(columns, rows[:_MOST_STOPS], caption=text("Stops")), sanitize=False)
        if len(rows) > _MOST_STOPS:
            rest = table(columns, rows[_MOST_STOPS:], caption=text("Stops"))
            on_demand(session, rest, name=text("{more} shorter ones", more=len(rows) - _MOST_STOPS))
