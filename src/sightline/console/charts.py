"""Charts in the colours of the look, each with its figures as words and as a table."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nicegui import ui

from sightline.console.session import Session

# SVG takes the variables of the style sheet, so that a chart changes with the look by itself
INK, MUTED, LINE, CARD = "var(--ink)", "var(--muted)", "var(--line)", "var(--card)"
ACCENT, DEFECT, PASS, REVIEW, FAULT = "var(--accent)", "var(--defect)", "var(--pass)", "var(--review)", "var(--fault)"
COLOURS = (ACCENT, DEFECT, PASS, FAULT, REVIEW, MUTED)
SYMBOLS = ("circle", "rect", "triangle", "diamond", "roundRect", "pin")  # series are not told by colour alone
DASHES = ("solid", "dashed", "dotted", "solid", "dashed", "dotted")
_FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif'  # of the style sheet
Options = dict[str, Any]


def chart(session: Session, options: Mapping[str, Any], summary: str, *, height_rem: float = 18) -> ui.echart:
    """A chart.

    Args:
        options: of ECharts, for what `axis` and the like do not say.
        summary: what is to be seen, for those who do not see it.
    """
    base: Options = {
        "animation": False,
        "color": list(COLOURS),
        "textStyle": {"color": INK, "fontFamily": _FONT},
        "grid": {"left": 8, "right": 16, "top": 44, "bottom": 8, "containLabel": True},
        "legend": {"top": 0, "left": 0, "type": "scroll", "itemGap": 18, "textStyle": {"color": INK}},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": CARD,
            "borderColor": LINE,
            "textStyle": {"color": INK},
            "axisPointer": {"lineStyle": {"color": MUTED}, "label": {"show": False}},
            ":valueFormatter": _written(session, ""),
        },
    }
    drawn = ui.echart(base | dict(options), renderer="svg").classes("chart").style(f"height: {height_rem}rem")
    drawn.props["role"], drawn.props["aria-label"] = "img", summary
    return drawn


def names_axis(names: Sequence[str]) -> Options:
    """An axis with a name for each point."""
    return {
        "type": "category",
        "data": list(names),
        "axisLabel": {"color": MUTED, "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": LINE}},
        "axisTick": {"show": False},
    }


def numbers_axis(session: Session, name: str, *, unit: str = "", most: float | None = None) -> Options:
    """An axis of numbers from 0, or from what they need."""
    return {
        "type": "value",
        "name": name,
        "nameTextStyle": {"color": MUTED, "align": "left"},
        "axisLabel": {"color": MUTED, ":formatter": _written(session, unit)},
        "splitLine": {"lineStyle": {"color": LINE}},
        "min": 0,
        **({} if most is None else {"max": most}),
    }


def line(name: str, values: Sequence[Any], *, colour: str, dash: str = "solid", symbol: str = "circle") -> Options:
    """A series of points joined by a line."""
    return {
        "name": name,
        "type": "line",
        "data": list(values),
        "symbol": symbol,
        "symbolSize": 7,
        "showSymbol": symbol != "none",
        "showAllSymbol": True,  # a point between two that are missing has no line
        "itemStyle": {"color": colour},
        "lineStyle": {"color": colour, "type": dash, "width": 2},
        "emphasis": {"disabled": True},
        "connectNulls": False,
    }


def in_percent(session: Session, options: Options) -> Options:
    """The tooltip's values of a series or a chart as percent."""
    return options | {"tooltip": {":valueFormatter": _written(session, " %")}}


def table(columns: Sequence[str], rows: Sequence[Sequence[str | tuple[str, str]]], *, caption: str) -> str:
    """HTML of a table.

    Args:
        rows: texts, or a text and the address that it leads to; those that begin with a figure stand on the right.
    """
    head = "".join(
        f"<th scope=col{'' if at == 0 else ' class=number'}>{escape(one)}</th>" for at, one in enumerate(columns)
    )
    body = "".join(f"<tr>{''.join(_cell(one, at) for at, one in enumerate(row))}</tr>" for row in rows)
    return (
        f'<div class=scroll role=region tabindex=0 aria-label="{escape(caption)}"><table class=table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def on_demand(session: Session, content: str, *, name: str = "") -> None:
    """HTML that shows itself when asked for: the figures behind a chart, or what the name says."""
    asked = escape(name or session.text("Figures as a table"))
    ui.html(f"<details class=behind><summary>{asked}</summary>{content}</details>", sanitize=False)


def what(session: Session, name: str, told: str) -> str:
    """HTML of a button that says what a figure is."""
    known_as = "what-" + "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    title = escape(session.text("What is this: {name}", name=name))
    return (
        f'<button type=button class=what popovertarget="{escape(known_as)}" aria-label="{title}">?</button>'
        f'<div popover id="{escape(known_as)}" class=told-what><h3>{escape(name)}</h3><p>{escape(told)}</p></div>'
    )


def heading(session: Session, name: str, told: str) -> None:
    """A card's heading, with what it is."""
    ui.html(f"<div class=heading><h2>{escape(name)}</h2>{what(session, name, told)}</div>", sanitize=False)


def _cell(one: str | tuple[str, str], at: int) -> str:
    text, to = one if isinstance(one, tuple) else (one, "")
    inner = f'<a href="{escape(to)}">{escape(text)}</a>' if to else escape(text)
    return f"<th scope=row>{inner}</th>" if at == 0 else f"<td class=number>{inner}</td>"


def _written(session: Session, unit: str) -> str:
    """JavaScript that writes a number as the reader does."""
    return (
        f"value => value == null ? '\\u2013' : Number(value).toLocaleString('{session.language}',"
        f" {{maximumFractionDigits: 3}}) + '{unit}'"
    )
