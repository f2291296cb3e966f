"""How far reviewers agree, in their daily work."""

import time
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from sightline.console.figures import NOTHING, number, share
from sightline.console.frame import framed
from sightline.console.pages.review import AGREEMENT, HERE, tabs
from sightline.console.session import Session
from sightline.service.routes.inspections import Names
from sightline.service.routes.quality_models import KappaShown
from sightline.service.routes.reviews import AgreementRecord

_DAY_S = 86_400.0
_DAYS = {"7": "Last 7 days", "30": "Last 30 days", "365": "Last year", "": "All times"}
# Landis and Koch 1977, Biometrics 33(1), table in section 4: the least kappa that is called so
_WORDS = ((0.81, "almost perfect"), (0.61, "substantial"), (0.41, "moderate"), (0.21, "fair"), (0.0, "slight"))


async def page(request: Request, product: str = "", days: str = "30") -> None:
    """
    Args:
        days: back from now; empty: all.
    """
    with framed(request, HERE) as session:
        days = days if days in _DAYS else "30"
        names = await session.api.get("/inspections/names", Names)
        since_s = time.time() - float(days) * _DAY_S if days else None
        found = await session.api.get("/reviews/agreement", AgreementRecord, product=product, since_s=since_s)
        with ui.element("div").classes("headline"):
            ui.html(f"<h1>{session.text('Review')}</h1>", sanitize=False)
            tabs(session, AGREEMENT)
            ui.element("span").classes("grow")
            _filters(session, names.products, product, days)
        if not found.reviewers:
            ui.label(session.text("Nobody has reviewed a part in this time.")).classes("empty")
            return
        _between(session, found)
        _reviewers(session, found)
        if found.pairs:
            _pairs(session, found)
        note = session.text(
            "Reviewed parts are the doubtful ones, so that agreement is lower here than in a study of chosen parts."
        )
        ui.label(note).classes("muted")


def _filters(session: Session, products: list[str], product: str, days: str) -> None:
    text = session.text

    def go(name: str, event: ValueChangeEventArguments[Any]) -> None:
        query = {"product": product, "days": days} | {name: event.value or ""}
        ui.navigate.to(f"{AGREEMENT}?{urlencode(query)}")

    all_ = {"": text("all products"), product or "": product or text("all products")}
    ui.select(
        all_ | {one: one for one in products},
        label=text("Product"),
        value=product,
        on_change=lambda event: go("product", event),
    ).props("outlined dense stack-label options-dense").classes("chooser")
    ui.select(
        {key: text(words) for key, words in _DAYS.items()},
        label=text("Time"),
        value=days,
        on_change=lambda event: go("days", event),
    ).props("outlined dense stack-label options-dense").classes("chooser")


def _between(session: Session, found: AgreementRecord) -> None:
    text, between = session.text, found.between
    with ui.element("div").classes("card"):
        ui.html(f"<h2>{text('Among all')}</h2>", sanitize=False)
        if between is None:
            ui.label(text("No part was looked at by two people; in the queue, choose that two people decide."))
            return
        words = text("Fleiss' kappa {kappa}; {parts} parts were looked at by two people, who agree on {share} of them.")
        ui.label(
            words.format(
                kappa=_kappa(session, between),
                parts=number(session, between.items),
                share=share(session, between.agreed),
            )
        )


def _reviewers(session: Session, found: AgreementRecord) -> None:
    heads = ("Reviewer", "Reviews", "Seconds each", "With other people", "Parts", "With the machine", "Parts")
    rows = [
        (
            one.name,
            number(session, one.reviews),
            number(session, one.seconds, 1),
            _kappa(session, one.others),
            number(session, one.others.items if one.others else 0),
            _kappa(session, one.machine),
            number(session, one.machine.items if one.machine else 0),
        )
        for one in found.reviewers
    ]
    _table(session, "By reviewer (Cohen's kappa)", heads, rows)


def _pairs(session: Session, found: AgreementRecord) -> None:
    heads = ("Reviewer", "Other reviewer", "Cohen's kappa", "Agreed", "Parts")
    rows = [
        (
            one.first,
            one.second,
            _kappa(session, one.kappa),
            share(session, one.kappa.agreed),
            number(session, one.kappa.items),
        )
        for one in found.pairs
    ]
    _table(session, "Two people each", heads, rows)


def _table(session: Session, title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    text = session.text
    top = "".join(f"<th scope=col>{escape(text(head))}</th>" for head in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    with ui.element("div").classes("card"):
        ui.html(f"<h2>{escape(text(title))}</h2>", sanitize=False)
        with ui.element("div").classes("scroll").props(f'tabindex=0 role=region aria-label="{escape(text(title))}"'):
            ui.html(f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody>", sanitize=False, tag="table").classes("table")


def _kappa(session: Session, kappa: KappaShown | None) -> str:
    """The value, its 95 % interval, and what it is called."""
    if kappa is None:
        return NOTHING
    if kappa.value is None:
        return session.text("all said the same")
    word = next((name for least, name in _WORDS if kappa.value >= least), "none")
    told = number(session, kappa.value, 2)
    if kappa.interval is not None:
        told += f" ({number(session, kappa.interval[0], 2)} … {number(session, kappa.interval[1], 2)})"
    return f"{told}, {session.text(word)}"
