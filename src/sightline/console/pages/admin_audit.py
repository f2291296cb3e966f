"""The audit trail: who changed what, found, proven and taken away."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from sightline.console.figures import calendar, moment, number
from sightline.console.layout import heading, mark, row, table
from sightline.console.pages.admin import HERE, admin
from sightline.console.session import Session
from sightline.service.routes.audit import AuditRow, Proof

_PAGE = 50
_MOST = 30  # values of one change that are shown
_LONGEST = 200  # characters of one


async def page(
    request: Request, who: str = "", action: str = "", subject: str = "", since: str = "", until: str = ""
) -> None:
    """Changes, the newest first.

    Args:
        since: a day, as 2026-11-17. until: the last day.
    """
    with admin(request, f"{HERE}/audit") as session:
        _proof(session)
        chosen = {"who": who, "action": action, "subject": subject, "since": since, "until": until}
        _filters(session, chosen)
        since_s, until_s = _day(session, since), _day(session, until, days=1)
        asked = {"who": who, "action": action, "subject": subject, "since_s": since_s, "until_s": until_s}
        with ui.element("section").classes("card") as shown:
            await _rows(session, shown, asked)


def _proof(session: Session) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        heading(session, "Is the trail as it was written?")
        ui.label(
            text("Each row holds the seal of the one before: whoever changes, removes or adds one breaks the chain.")
        ).classes("muted")
        told = ui.element("div").props("role=status")

        async def prove() -> None:
            proof = await session.api.get("/audit/proof", Proof)
            told.clear()
            with told:
                if proof.whole:
                    mark(text("whole"), "pass")
                    ui.label(
                        text(
                            "All {count} rows are as they were written. Seal of the last: {seal}…",
                            count=number(session, proof.rows),
                            seal=proof.digest[:16],
                        )
                    )
                else:
                    mark(text("broken"), "fault")
                    ui.label(
                        text(
                            "The trail is broken: {damage}. Compare with an export kept elsewhere.", damage=proof.damage
                        )
                    )

        with ui.element("div").classes("actions"):
            ui.button(text("Prove it"), on_click=prove).props("unelevated")
            ui.link(text("Export"), "/api/v1/audit/export").props("download").classes("strong")
        ui.label(text("Keep exports elsewhere: they alone tell when somebody wrote the whole trail anew.")).classes(
            "muted"
        )


def _filters(session: Session, chosen: dict[str, str]) -> None:
    text = session.text
    fields: dict[str, ui.input] = {}

    def go() -> None:
        given = {name: field.value or "" for name, field in fields.items()}
        query = urlencode({name: value.strip() for name, value in given.items() if value.strip()})
        ui.navigate.to(f"{HERE}/audit?{query}")

    with ui.element("div").classes("filters"):
        for name, label in (("who", text("Who")), ("action", text("What")), ("subject", text("On what, say user:ada"))):
            fields[name] = ui.input(label, value=chosen[name]).props("outlined dense clearable").on("keydown.enter", go)
        for name, label in (("since", text("From the day")), ("until", text("Up to the day"))):
            fields[name] = ui.input(label, value=chosen[name]).props("outlined dense type=date stack-label")
        ui.button(text("Search"), icon="search", on_click=go).props("unelevated")
        if any(chosen.values()):
            ui.link(text("Show all"), f"{HERE}/audit")


def _day(session: Session, day: str, *, days: int = 0) -> float | None:
    """When a day of the plant begins, or so many days later; None where none was given."""
    try:
        begin = datetime.fromisoformat(day)
    except ValueError:
        return None
    zone = calendar(session).local(0.0).tzinfo
    return (begin.replace(tzinfo=zone) + timedelta(days=days)).timestamp()


async def _rows(
    session: Session, shown: ui.element, asked: dict[str, str | float | None], before: int | None = None
) -> None:
    text = session.text
    found = await session.api.get("/audit", list[AuditRow], before=before, limit=_PAGE, **asked)
    with shown:
        if not found and before is None:
            ui.label(text("Nothing was changed that fits. Ask for less.")).classes("muted")
            return
        with table(session, "Number", "When", "Who", "What", "On what", "Before and after"):
            for one in found:
                _row(session, one)
        if len(found) == _PAGE:
            more = ui.button(text("More")).props("flat")

            async def on() -> None:
                more.delete()
                await _rows(session, shown, asked, found[-1].number)

            more.on_click(on)


def _row(session: Session, one: AuditRow) -> None:
    def changed() -> None:
        with ui.element("dl").classes("facts changes"):
            for name, before, after in _changes(one.before, one.after):
                with ui.element("dt"):
                    ui.label(name)
                with ui.element("dd"):
                    if before:
                        ui.label(before).classes("was")
                    if before and after:
                        ui.label("→").props("aria-hidden=true")
                    if after:
                        ui.label(after)
        if one.signed:
            mark(session.text("signed"), "pass")

    def filtered(name: str, value: str) -> None:
        ui.link(value, f"{HERE}/audit?{urlencode({name: value})}")

    row(
        number(session, one.number),
        moment(session, one.at_s),
        lambda: filtered("who", one.who),
        lambda: filtered("action", one.action),
        lambda: filtered("subject", one.subject),
        changed,
    )


def _changes(before: object, after: object) -> Iterator[tuple[str, str, str]]:
    """(name, before, after) of what is not the same."""
    former = before if isinstance(before, dict) else {} if before is None else {"": before}
    latter = after if isinstance(after, dict) else {} if after is None else {"": after}
    names = list(dict.fromkeys([*former, *latter]))
    for name in [name for name in names if former.get(name) != latter.get(name)][:_MOST]:
        yield str(name).replace("_", " "), _written(former.get(name)), _written(latter.get(name))


def _written(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
