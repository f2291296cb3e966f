"""Bad parts that were passed and found later, one by one."""

from functools import partial

from nicegui import ui

from sightline.console.charts import heading
from sightline.console.figures import moment
from sightline.console.parts import defect
from sightline.console.session import Session
from sightline.console.telling import done
from sightline.service.rights import Right
from sightline.service.routes.escapes import EscapeRecord
from sightline.service.routes.quality_models import EscapeShown, EscapesShown

_HEADS = ("Found", "Part", "Kind of defect", "Where it was found", "Note", "Reported by")


def show(session: Session, found: EscapesShown) -> None:
    """The list; nothing where there is none."""
    if not found.count:
        return
    text = session.text
    may = Right.MANAGE in session.caller.rights
    with ui.element("section").classes("card"):
        heading(
            session,
            text("Escapes found later"),
            text("Each report leads to the part that was passed. One that was a mistake is taken back, with a reason."),
        )
        with (
            ui.element("div")
            .classes("scroll")
            .props(f'tabindex=0 role=region aria-label="{text("Escapes found later")}"'),
            ui.element("table").classes("table"),
        ):
            with ui.element("thead"), ui.element("tr"):
                for head in (*_HEADS, *([""] if may else [])):
                    with ui.element("th").props("scope=col"):
                        ui.label(text(head) if head else "")
            with ui.element("tbody"):
                for one in found.newest:
                    _row(session, one, may=may)
        if found.count > len(found.newest):
            ui.label(text("These are the {number} found last.", number=len(found.newest))).classes("muted")


def _row(session: Session, one: EscapeShown, *, may: bool) -> None:
    text, called = session.text, one.serial or one.product
    with ui.element("tr"):
        with ui.element("td"):
            ui.label(moment(session, one.found_s))
        with ui.element("td"):
            if one.inspection_id:
                ui.link(called, f"/inspections/{one.inspection_id}")
            else:
                ui.label(called)
        for told in (defect(session, one.label), one.found_where, one.note, one.reported_by):
            with ui.element("td"):
                ui.label(told)
        if may:
            with ui.element("td"):
                button = ui.button(text("Take back"), on_click=partial(_take_back, session, one))
                button.props("flat dense no-caps").props["aria-label"] = text("Take back {name}", name=called)


async def _take_back(session: Session, one: EscapeShown) -> None:
    text = session.text
    with ui.dialog() as dialog, ui.card().classes("card"):
        ui.html(f"<h2>{text('Take this report back?')}</h2>", sanitize=False)
        ui.label(text("The escape counts no longer. The audit trail keeps what was reported."))
        reason = ui.input(text("Reason")).props("outlined autofocus maxlength=1000")

        def submit() -> None:
            if why := (reason.value or "").strip():
                dialog.submit(why)
            else:
                reason.props(f'error error-message="{text("Say why.")}"')

        with ui.element("div").classes("actions"):
            ui.button(text("Take back"), on_click=submit).props("unelevated no-caps")
            ui.button(text("Cancel"), on_click=lambda: dialog.submit(None)).props("flat no-caps")
    why = await dialog
    dialog.delete()
    if why is not None:
        await session.api.change("POST", f"/escapes/{one.id}/take-back", EscapeRecord, {"reason": why})
        done(text("The report is taken back."))
        ui.navigate.reload()
