"""Studies: agreement of people and machine, challenge parts, and acceptance sampling, each under an address."""

from fastapi import Request
from nicegui import ui

from sightline.console.charts import heading, table
from sightline.console.figures import NOTHING, moment, number
from sightline.console.frame import framed
from sightline.console.pages import challenges, new_study, sampling
from sightline.console.session import Refused, Session
from sightline.service.rights import Right
from sightline.service.routes.studies import StudyShown

HERE = "/studies"
_PAGE = 50  # studies shown at once
_SHOWN = {"agreement": "Agreement studies", "challenge": "Challenge parts", "sampling": "Sampling plans"}
KINDS = {"agreement": "Agreement", "challenge": "Challenge run"}


async def page(
    request: Request,
    show: str = "agreement",
    before: str = "",
    recall: str = "99",
    misses: str = "0",
    confidence: str = "95",
    days: str = "90",
    lot: str = "1000",
    aql: str = "1.0",
    level: str = "II",
    severity: str = "normal",
) -> None:
    """
    Args:
        show: agreement, challenge or sampling; the others are of one of them.
        before: id of the last study of the page before.
    """
    with framed(request, HERE) as session:
        ui.html(f"<h1>{session.text('Studies')}</h1>", sanitize=False)
        now = show if show in _SHOWN else "agreement"
        with ui.element("nav").classes("choices").props(f'aria-label="{session.text("Kind of study")}"'):
            for word, name in _SHOWN.items():
                with ui.element("a").props(f"href={HERE}?show={word}") as link:
                    ui.label(session.text(name))
                if word == now:
                    link.props("aria-current=page")
        try:
            if now == "challenge":
                await challenges.show(session, recall, misses, confidence, days)
            elif now == "sampling":
                await sampling.show(session, sampling.Wish(lot=lot, aql=aql, level=level, severity=severity))
            else:
                await _listed(session, before)
        except Refused as refused:
            ui.label(str(refused)).classes("empty").props("role=alert")


async def _listed(session: Session, before: str) -> None:
    text = session.text
    found = await session.api.get("/studies", list[StudyShown], before=before, limit=_PAGE)
    with ui.element("section").classes("card"):
        heading(
            session,
            text("Agreement studies"),
            text(
                "People judge parts whose truth is known, blind, in a random order and more than once; the machine"
                " is held to the same truth. The result says how far each may be relied on (AIAG MSA, 4th edition,"
                " attribute agreement analysis)."
            ),
        )
        if Right.MANAGE in session.caller.rights:
            with (
                ui.element("div").classes("actions"),
                ui.element("a").classes("action").props(f"href={new_study.HERE}"),
            ):
                ui.icon("add").props("aria-hidden=true")
                ui.label(text("New study"))
        if not found:
            told = text(
                "There is no study yet. Choose some good and some bad parts, and let people and the machine judge them."
            )
            ui.label(told).classes("muted")
            return
        ui.html(_table(session, found), sanitize=False)
        if len(found) == _PAGE:
            more = ui.element("a").classes("action").props(f"href={HERE}?before={found[-1].id}")
            with more:
                ui.label(text("Older ones"))


def _table(session: Session, found: list[StudyShown]) -> str:
    text = session.text
    columns = [text(name) for name in ("Study", "Kind", "Product", "Rounds", "State", "By", "Made")]
    rows: list[list[str | tuple[str, str]]] = [
        [
            (one.name, f"{HERE}/{one.id}"),
            text(KINDS[one.kind]),
            one.product or NOTHING,
            number(session, one.rounds),
            text("open") if one.closed_s is None else text("closed"),
            one.author,
            moment(session, one.created_s),
        ]
        for one in found
    ]
    return table(columns, rows, caption=text("Studies"))
