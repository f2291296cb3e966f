"""p- and u-charts: does the quality vary by more than chance, and where."""

from collections.abc import Sequence
from dataclasses import replace

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
from sightline.console.figures import NOTHING, number, share, short_name
from sightline.console.session import Session
from sightline.console.texts import Texts
from sightline.console.window import Span, Window
from sightline.evaluation.periods import Step
from sightline.service.routes.quality_models import ChartShown, PointShown, SignalShown

NAMES: Texts = {"p": "p-chart: share of parts not passed", "u": "u-chart: defects per part"}
_FEWEST = 5  # points, with fewer of which limits mean nothing
_MOST_TOLD = 8  # signals in words; the chart marks all
_STEPS = {Step.HOUR: "by the hour", Step.SHIFT: "by the shift", Step.DAY: "by the day"}
_ONE_SIDED = (1, 2, 5, 6)  # rules that say whether there is more or less than usual


def steps(session: Session, window: Window, when: Span, path: str) -> None:
    """The choice of how long the periods are that the charts compare."""
    with ui.element("nav").classes("choices").props(f'aria-label="{session.text("Length of the periods")}"'):
        for step, name in _STEPS.items():
            with ui.element("a") as link:
                ui.label(session.text(name))
            link.props["href"] = replace(window, step=str(step)).address(path)
            if step is when.step:
                link.props("aria-current=true")


def show(session: Session, found: ChartShown | None, *, kind: str) -> None:
    """One chart in a card.

    Args:
        kind: p, the share of parts not passed, or u, defects per part.
    """
    with ui.element("section").classes("card"):
        _title(session, kind)
        points = found.points if found else []
        if found is None or len(points) < _FEWEST:
            few = session.text(
                "{points} periods with parts: a control chart needs at least {least}. Choose a longer time or"
                " shorter periods.",
                points=len(points),
                least=_FEWEST,
            )
            ui.label(few).classes("muted")
            return
        told = words(session, found)
        _drawn(session, found, " ".join(told))
        with ui.element("ul").classes("signals").props(f'aria-label="{session.text("Signals")}"'):
            for sentence in told:
                with ui.element("li"):
                    ui.label(sentence)
        on_demand(session, _table(session, found))


def words(session: Session, found: ChartShown) -> list[str]:
    """What the chart says: each signal with its time and what it often means, or that there is none."""
    text = session.text
    said = [_signal(session, found, one) for one in found.signals[:_MOST_TOLD]]
    if not said:
        said = [text("No signal: what varies in these {points} points is chance.", points=len(found.points))]
    elif len(found.signals) > _MOST_TOLD:
        said.append(text("And {more} more signals, which the chart marks.", more=len(found.signals) - _MOST_TOLD))
    if found.provisional:
        said.append(text("The limits are provisional: fewer than 20 points. Take signals as a hint."))
    if found.points and sum(one.count for one in found.points) < len(found.points):
        said.append(text("On average less than one was counted in a period: longer periods would show more."))
    return said


def _signal(session: Session, found: ChartShown, one: SignalShown) -> str:
    text = session.text
    first, last = found.points[one.points[0]], found.points[one.points[-1]]
    when = first.name if first is last else text("{first} to {last}", first=first.name, last=last.name)
    more = sum(found.points[at].deviation for at in one.points) > 0
    level = text("more than usual") if more else text("fewer than usual")
    what_seen = f"{text(one.words)}, {level}" if one.rule in _ONE_SIDED else text(one.words)
    return text(
        "{when}: {what} (rule {rule} of Nelson). It often means: {hint}.",
        when=when,
        what=what_seen,
        rule=one.rule,
        hint=text(one.hint),
    )


def _title(session: Session, kind: str) -> None:
    text = session.text
    if kind == "p":
        told = text(
            "The share of parts not passed in each period, with limits at 3 sigma for its number of parts"
            " (Montgomery, 7.2). Points outside, or in a pattern that chance seldom makes (Nelson 1984), are marked:"
            " look for a cause there."
        )
        heading(session, text(NAMES[kind]), told)
        return
    told = text(
        "Defects per part in each period, with limits at 3 sigma for its number of parts (Montgomery, 7.3). A part"
        " may have several defects. Marked points have a cause of their own."
    )
    heading(session, text(NAMES[kind]), told)


def _drawn(session: Session, found: ChartShown, summary: str) -> None:
    text, points = session.text, found.points
    scale, unit = (100.0, " %") if found.kind == "p" else (1.0, "")
    limits = [
        _limit(text("limits at 3 sigma"), [scale * one.high for one in points]),
        _limit(text("limits at 3 sigma"), [scale * one.low for one in points]),
        line(text("centre"), [scale * found.centre] * len(points), colour=INK, symbol="none"),
    ]
    values = line(text("value"), [_point(one, scale) for one in points], colour=ACCENT)
    options = {
        "xAxis": names_axis([short_name(session, one.name) for one in points]),
        "yAxis": numbers_axis(session, "", unit=unit),
        "series": [*limits, values],
    }
    chart(session, options, summary)


def _limit(name: str, values: Sequence[float]) -> Options:
    drawn = line(name, values, colour=MUTED, dash="dashed", symbol="none") | {"step": "middle"}
    return drawn | {"lineStyle": {"color": MUTED, "type": "dashed", "width": 1.5}}


def _point(one: PointShown, scale: float) -> Options:
    """A point that breaks rules has another shape and colour, and the rules' numbers."""
    if not one.rules:
        return {"value": scale * one.value}
    rules = ", ".join(str(rule) for rule in one.rules)
    return {
        "value": scale * one.value,
        "symbol": "diamond",
        "symbolSize": 14,
        "itemStyle": {"color": DEFECT},
        "label": {"show": True, "position": "top", "color": DEFECT, "fontWeight": "bold", "formatter": rules},
    }


def _table(session: Session, found: ChartShown) -> str:
    text = session.text

    def shown(value: float) -> str:
        return share(session, value, 2) if found.kind == "p" else number(session, value, 3)

    rows = [
        [
            one.name,
            number(session, one.count),
            number(session, one.size),
            shown(one.value),
            f"{shown(one.low)} {NOTHING} {shown(one.high)}",
            ", ".join(str(rule) for rule in one.rules) or NOTHING,
        ]
        for one in found.points
    ]
    columns = [text(name) for name in ("Period", "Count", "Parts", "Value", "Limits", "Rules")]
    return table(columns, rows, caption=text("Figures as a table"))
