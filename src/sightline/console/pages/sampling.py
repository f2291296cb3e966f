"""Acceptance sampling: how many parts of a lot to look at, and what such a plan lets through."""

from dataclasses import asdict, dataclass, replace
from html import escape
from urllib.parse import urlencode

from nicegui import ui

from sightline.console.charts import (
    ACCENT,
    DEFECT,
    INK,
    PASS,
    Options,
    chart,
    heading,
    line,
    numbers_axis,
    on_demand,
    table,
)
from sightline.console.figures import number, share
from sightline.console.session import Session
from sightline.evaluation.sampling_plans import AQLS
from sightline.service.routes.quality_models import SamplingShown

LEVELS = ("I", "II", "III", "S-1", "S-2", "S-3", "S-4")
SEVERITIES = {"normal": "Normal", "tightened": "Tightened", "reduced": "Reduced"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the address asks for."""

    lot: str
    aql: str
    level: str
    severity: str

    @property
    def address(self) -> str:
        return f"/studies?show=sampling&{urlencode(asdict(self))}"


async def show(session: Session, wish: Wish) -> None:
    """
    Raises:
        Refused: there is no such plan, with why.
    """
    text = session.text
    with ui.element("section").classes("card"):
        heading(
            session,
            text("Acceptance sampling plan"),
            text(
                "How many parts of a lot to look at, and how many bad ones to allow: single sampling by ISO 2859-1."
                " AQL is the share of bad parts, in percent, that is still accepted most of the time. Begin with"
                " level II and normal inspection; the standard says when to change over."
            ),
        )
        _asked(session, wish)
        found = await session.api.get(
            "/quality/sampling-plan",
            SamplingShown,
            lot=wish.lot,
            aql=wish.aql,
            level=wish.level,
            severity=wish.severity,
        )
        ui.html(_tiles(session, found), sanitize=False).classes("tiles")
        ui.label(_words(session, found)).props("role=status")
        if found.plan.severity == "reduced" and found.plan.refuse > found.plan.accept + 1:
            told = text("Between Ac and Re the lot is accepted, and normal inspection resumes with the next.")
            ui.label(told).classes("muted")
    with ui.element("section").classes("card"):
        heading(
            session,
            text("Operating characteristic"),
            text(
                "How probably the plan accepts a lot, by how bad it is. Producer's risk: 5 % of lots as good as the"
                " one point are refused. Consumer's risk: 10 % of lots as bad as the other point are accepted all"
                " the same."
            ),
        )
        _drawn(session, found)


def _asked(session: Session, wish: Wish) -> None:
    text = session.text

    def go(changed: Wish) -> None:
        ui.navigate.to(changed.address)

    with ui.element("div").classes("filters"):
        lot = ui.number(
            text("Parts in the lot"), value=_number(wish.lot), min=2, max=1_000_000_000, step=1, format="%d"
        )
        lot.props("outlined dense").on("keydown.enter", lambda: go(replace(wish, lot=f"{lot.value or 0:.0f}")))
        aqls = {f"{one:g}": number(session, one, 3).rstrip("0").rstrip(".,") for one in AQLS}
        now = f"{_number(wish.aql) or 0:g}"
        ui.select(
            aqls,
            label="AQL, %",
            value=now if now in aqls else None,
            on_change=lambda event: go(replace(wish, aql=event.value)),
        ).props("outlined dense options-dense")
        ui.select(
            list(LEVELS),
            label=text("Inspection level"),
            value=wish.level if wish.level in LEVELS else None,
            on_change=lambda event: go(replace(wish, level=event.value)),
        ).props("outlined dense options-dense")
        ui.select(
            {word: text(name) for word, name in SEVERITIES.items()},
            label=text("Inspection"),
            value=wish.severity if wish.severity in SEVERITIES else None,
            on_change=lambda event: go(replace(wish, severity=event.value)),
        ).props("outlined dense options-dense")
        ui.button(text("Work out"), on_click=lambda: go(replace(wish, lot=f"{lot.value or 0:.0f}"))).props("unelevated")


def _tiles(session: Session, found: SamplingShown) -> str:
    text, plan = session.text, found.plan
    shown = (
        (text("Code letter"), plan.letter, text("of the lot: {letter}", letter=found.code_letter)),
        (
            "n",
            number(session, plan.size),
            text("every part of the lot") if plan.whole_lot else text("parts to look at"),
        ),
        ("Ac", number(session, plan.accept), text("accept with at most so many bad ones")),
        ("Re", number(session, plan.refuse), text("refuse with so many or more")),
    )
    return "".join(
        f"<div class=tile><div class=name>{escape(name)}</div><div class=value>{escape(value)}</div>"
        f"<div class=detail>{escape(detail)}</div></div>"
        for name, value, detail in shown
    )


def _words(session: Session, found: SamplingShown) -> str:
    return session.text(
        "Look at {size} parts: accept the lot with at most {accept} bad ones, refuse it with {refuse} or more. Lots"
        " with {producer} bad parts are accepted with 95 %, those with {consumer} with 10 %.",
        size=number(session, found.plan.size),
        accept=found.plan.accept,
        refuse=found.plan.refuse,
        producer=share(session, found.operating.producer, 2),
        consumer=share(session, found.operating.consumer, 2),
    )


def _drawn(session: Session, found: SamplingShown) -> None:
    text, known = session.text, found.operating
    points = [
        [round(100 * bad, 4), round(100 * accepted, 3)]
        for bad, accepted in zip(known.shares, known.accepted, strict=True)
    ]
    curve = line(text("lots accepted"), points, colour=ACCENT, symbol="none")
    risks = [
        _risk(session, text("producer's risk 5 %"), known.producer, 95, PASS, "triangle"),
        _risk(session, text("consumer's risk 10 %"), known.consumer, 10, DEFECT, "diamond"),
    ]
    options = {
        "tooltip": {"trigger": "item", "confine": True},
        "grid": {"left": 8, "right": 24, "top": 44, "bottom": 28, "containLabel": True},
        "xAxis": numbers_axis(session, text("bad parts in the lot"), unit=" %")
        | {"nameLocation": "middle", "nameGap": 28},
        "yAxis": numbers_axis(session, "", unit=" %", most=100),
        "series": [curve, *risks],
    }
    chart(session, options, _words(session, found), height_rem=22)
    rows = [
        [share(session, bad, 2), share(session, accepted)]
        for bad, accepted in zip(known.shares, known.accepted, strict=True)
    ]
    on_demand(
        session,
        table([text("bad parts in the lot"), text("lots accepted")], rows, caption=text("Operating characteristic")),
    )


def _risk(session: Session, name: str, bad: float, accepted: float, colour: str, symbol: str) -> Options:
    return {
        "name": name,
        "type": "scatter",
        "data": [[round(100 * bad, 4), accepted]],
        "symbol": symbol,
        "symbolSize": 16,
        "itemStyle": {"color": colour},
        "emphasis": {"disabled": True},
        "label": {"show": True, "position": "right", "color": INK, "formatter": share(session, bad, 2)},
    }


def _number(told: str) -> float | None:
    try:
        return float(told)
    except ValueError:
        return None
