"""Which few kinds of defect make most of the rejects."""

from nicegui import ui
from nicegui.events import EChartPointClickEventArguments

from sightline.console.charts import (
    ACCENT,
    INK,
    MUTED,
    chart,
    heading,
    in_percent,
    line,
    names_axis,
    numbers_axis,
    table,
)
from sightline.console.figures import between, calendar, number, share
from sightline.console.part_filter import BETWEEN, PartFilter
from sightline.console.parts import defect
from sightline.console.session import Session
from sightline.console.window import Span
from sightline.evaluation.intervals import rate
from sightline.line.outcome import Kind
from sightline.service.routes.quality_models import BarShown, ParetoShown

_FEW = 5  # parts, with fewer of which an order says nothing
_VITAL = 0.8  # Juran 1951: the vital few make this share
_OTHERS = "others"


def show(session: Session, when: Span, found: ParetoShown) -> None:
    """The chart and its table; each kind leads to the inspections with it."""
    text = session.text
    with ui.element("section").classes("card"):
        heading(
            session,
            text("Pareto of defects"),
            text(
                "Parts not passed by the kind of their worst defect, the most frequent first; the line adds them up."
                " Strong bars are the fewest kinds that make 80 % (Juran 1951): begin there. Choose a kind to see"
                " its parts."
            ),
        )
        if not found.total:
            ui.label(text("No part with a defect was rejected in this time.")).classes("muted")
            return
        summary = _words(session, found)
        ui.label(summary)
        with ui.element("div").classes("pair"):
            if found.total >= _FEW:
                _drawn(session, when, found, summary)
            ui.html(_table(session, when, found), sanitize=False)


def _words(session: Session, found: ParetoShown) -> str:
    text = session.text
    if found.total < _FEW:
        return text("Only {total} parts with a defect: too few for an order.", total=found.total)
    few = _vital(found)
    return text(
        "{count} of {kinds} kinds make {share} of {total} parts with a defect: {names}.",
        count=len(few),
        kinds=len(found.bars),
        share=share(session, few[-1].cumulative, 0),
        total=number(session, found.total),
        names=", ".join(_called(session, one) for one in few),
    )


def _vital(found: ParetoShown) -> list[BarShown]:
    needed = next((at for at, one in enumerate(found.bars, 1) if one.cumulative >= _VITAL), len(found.bars))
    return found.bars[:needed]


def _drawn(session: Session, when: Span, found: ParetoShown, summary: str) -> None:
    text, few = session.text, len(_vital(found))
    sums = line(text("cumulative"), [round(100 * one.cumulative, 1) for one in found.bars], colour=INK)
    bars = {
        "name": text("Parts"),
        "type": "bar",
        "barMaxWidth": 64,
        "cursor": "pointer",
        "emphasis": {"disabled": True},
        "data": [
            {"value": one.count, "itemStyle": {"color": ACCENT if at < few else MUTED}}
            for at, one in enumerate(found.bars)
        ],
        "itemStyle": {"color": ACCENT},
        "label": {"show": True, "position": "top", "color": INK},
    }
    right = numbers_axis(session, "", unit=" %", most=100) | {"splitLine": {"show": False}}
    options = {
        "xAxis": names_axis([_called(session, one) for one in found.bars]),
        "yAxis": [numbers_axis(session, ""), right],
        "series": [bars, in_percent(session, sums) | {"yAxisIndex": 1}],
    }
    drawn = chart(session, options, summary)

    def lead_on(event: EChartPointClickEventArguments) -> None:
        if address := _inspections(session, when, found.bars[event.data_index].label):
            ui.navigate.to(address)

    drawn.on_point_click(lead_on)


def _table(session: Session, when: Span, found: ParetoShown) -> str:
    text = session.text
    rows: list[list[str | tuple[str, str]]] = []
    for one in found.bars:
        of_all = rate(one.count, found.total)
        rows.append(
            [
                (_called(session, one), _inspections(session, when, one.label)),
                number(session, one.count),
                f"{share(session, one.share, 0)} ({between(session, of_all.low, of_all.high, 0)})",
                share(session, one.cumulative, 0),
            ]
        )
    columns = [text("Defect"), text("Parts"), text("Share (95 % interval)"), text("cumulative")]
    return table(columns, rows, caption=text("Pareto of defects"))


def _called(session: Session, bar: BarShown) -> str:
    return session.text(_OTHERS) if bar.label == _OTHERS else defect(session, bar.label)


def _inspections(session: Session, when: Span, label: str) -> str:
    """Where the parts with this defect are; empty for all the rare kinds together."""
    if label == _OTHERS:
        return ""
    since, until = (_by_the_clock(session, at_s) for at_s in (when.since_s, when.until_s))
    chosen = PartFilter(
        within=BETWEEN,
        since=since,
        until=until,
        product=when.product,
        station=when.station,
        label=label,
        kind=Kind.PRODUCTION,  # a part of the audit sample passed, and one of a challenge does not count
    )
    return chosen.address("/inspections")


def _by_the_clock(session: Session, at_s: float) -> str:
    """As fields for a time have it."""
    return calendar(session).local(at_s).replace(tzinfo=None).isoformat(timespec="milliseconds")
