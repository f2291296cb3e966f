"""Asking for what a change of models, thresholds and recipes takes: a reason, and where it must be signed passwords."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from nicegui import ui

from sightline.console.session import Session
from sightline.service.access import SIGNATURE, WITNESS
from sightline.service.routes.accounts import Me


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A reason, with headers that sign the change."""

    reason: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


async def ask_reason(session: Session, title: str, action: str, *, told: str = "") -> Signed | None:
    """What the person gives; None: nothing shall change.

    Args:
        title: what is about to happen, as a question.
        action: the button's name.
        told: what it means, in a sentence.
    """
    text = session.text
    me = await session.api.get("/account", Me)
    with ui.dialog() as dialog, ui.card().classes("card ask").props(f'role=dialog aria-label="{title}"'):
        ui.label(title).classes("strong").props("role=heading aria-level=2")
        if told:
            ui.label(told).classes("muted")
        reason = ui.input(text("Reason")).props("outlined autofocus maxlength=1000").classes("full")
        password, witness, witnessed = _signatures(session, me)
        wrong = ui.label().classes("told").props("role=alert")

        def submit() -> None:
            given = [box.value for box in (password, witness, witnessed) if box is not None]
            if not (reason.value or "").strip() or not all(given):
                wrong.set_text(text("Something is missing."))
                return
            dialog.submit(_signed(reason.value, *given))

        reason.on("keydown.enter", submit)
        with ui.element("div").classes("actions end"):
            ui.button(text("Cancel"), on_click=lambda: dialog.submit(None)).props("flat")
            ui.button(action, on_click=submit).props("unelevated")
    found = await dialog
    dialog.delete()
    return found if isinstance(found, Signed) else None


def _signatures(session: Session, me: Me) -> tuple[ui.input | None, ui.input | None, ui.input | None]:
    if not me.signature:
        return None, None, None
    text = session.text
    password = _password(text("Your password, as signature"), "current-password")
    if not me.two_people:
        return password, None, None
    witness = ui.input(text("Name of the second person")).props("outlined autocomplete=off").classes("full")
    return password, witness, _password(text("Password of the second person"), "off")


def _password(label: str, kind: str) -> ui.input:
    return ui.input(label, password=True).props(f"outlined autocomplete={kind}").classes("full")


def _signed(reason: str, password: str = "", witness: str = "", witnessed: str = "") -> Signed:
    headers = {SIGNATURE: _encoded(password)} if password else {}
    if witness:
        headers[WITNESS] = _encoded(f"{witness}:{witnessed}")
    return Signed(reason=reason.strip(), headers=headers)


def _encoded(secret: str) -> str:
    return base64.b64encode(secret.encode()).decode()
