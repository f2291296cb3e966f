"""Deciding one part, holding its pictures, and telling that it escaped: for those who may."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from nicegui import ui

from sightline.console.part_facts import reviews
from sightline.console.session import Session
from sightline.console.telling import done
from sightline.records import Verdict
from sightline.service.rights import Right
from sightline.service.routes.escapes import EscapeRecord, NewEscape
from sightline.service.routes.inspections import Inspection
from sightline.service.routes.pictures import HoldRecord, NewHold
from sightline.service.routes.reviews import NewReview, ReviewRecord, ReviewsRecord

_STATES = {
    "open": "Nobody has decided yet.",
    "disputed": "People disagree.",
    "settled": "People decided: {verdict} {label}",
}


@dataclass(slots=True, kw_only=True, eq=False)
class Decision:
    """The card in which somebody decides."""

    session: Session
    part: Inspection
    kinds: Sequence[str]  # of defects, to choose from
    said: ReviewsRecord
    told: ui.label = field(init=False)
    list: ui.html = field(init=False)
    kind: ui.select = field(init=False)
    note: ui.input = field(init=False)
    taken_back: ui.button = field(init=False)

    def build(self) -> None:
        text = self.session.text
        with ui.element("section").classes("card"):
            ui.html(f"<h2>{text('Decision')}</h2>", sanitize=False)
            self.told = ui.label().classes("strong").props("role=status")
            if Right.REVIEW in self.session.caller.rights:
                self._controls()
            self.list = ui.html("", sanitize=False)
        self.show()

    def _controls(self) -> None:
        text = self.session.text
        with ui.element("div").classes("filters"):
            self.kind = ui.select(
                [*self.kinds],
                label=text("Kind of defect"),
                with_input=True,
                new_value_mode="add-unique",
                clearable=True,
            ).props("outlined dense")
            self.note = ui.input(text("Note")).props("outlined dense maxlength=4000")
            for field in (self.kind, self.note):
                field.classes("full")
        with ui.element("div").classes("decide"):
            good = ui.button(text("Pass"), icon="check", color=None, on_click=lambda: self.decide("PASS")).classes(
                "pass"
            )
            bad = ui.button(text("Reject"), icon="close", color=None, on_click=lambda: self.decide("REJECT")).classes(
                "reject"
            )
            for button in (good, bad):
                button.props("unelevated no-caps")
        self.taken_back = ui.button(text("Take my decision back"), icon="undo", on_click=self.undo)
        self.taken_back.props("outline no-caps")

    def show(self) -> None:
        """What was said until now."""
        session, outcome = self.session, self.said.outcome
        verdict = session.text(outcome.verdict) if outcome.verdict else ""
        self.told.set_text(session.text(_STATES[outcome.state], verdict=verdict, label=outcome.label).strip())
        self.list.set_content(reviews(session, self.said.reviews) if self.said.reviews else "")
        if Right.REVIEW in session.caller.rights:
            self.taken_back.set_visibility(self._mine() is not None)

    def _mine(self) -> ReviewRecord | None:
        standing = (one for one in self.said.reviews if one.undone_s is None)
        return next((one for one in standing if one.reviewer == self.session.caller.name), None)

    async def decide(self, verdict: Literal["PASS", "REJECT"]) -> None:
        """Keep what this person says; it takes the place of what they said before."""
        label = str(self.kind.value or "").strip() if verdict == "REJECT" else ""
        body = NewReview(verdict=verdict, label=label, note=self.note.value or "")
        await self.session.api.change("POST", f"/inspections/{self.part.id}/reviews", ReviewRecord, body)
        await self._again()
        done(self.session.text("Decided: {verdict}", verdict=self.session.text(verdict)))

    async def undo(self) -> None:
        """Take back what this person said last."""
        path = f"/inspections/{self.part.id}/reviews/undo"
        await self.session.api.change("POST", path, ReviewRecord | None)  # type: ignore[arg-type]
        await self._again()
        done(self.session.text("Your decision was taken back."))

    async def _again(self) -> None:
        self.said = await self.session.api.get(f"/inspections/{self.part.id}/reviews", ReviewsRecord)
        self.show()


def hold_button(session: Session, part: Inspection) -> None:
    """Keep the part's pictures; nothing for those who may not."""
    if Right.MANAGE not in session.caller.rights or not part.serial:
        return
    text = session.text
    with ui.dialog() as dialog, ui.card().classes("card"):
        ui.html(f"<h2>{text('Keep the pictures of this part')}</h2>", sanitize=False)
        ui.label(text("They stay, whatever their age, until an administrator lifts the hold."))
        reason = ui.input(text("Reason")).props("outlined autofocus maxlength=1000")

        async def place() -> None:
            if not (why := (reason.value or "").strip()):
                reason.props(f'error error-message="{text("Say why.")}"')
                return
            body = NewHold(product=part.product, serial=part.serial, reason=why)
            await session.api.change("POST", "/holds", HoldRecord, body)
            dialog.close()
            done(text("The pictures are held."))

        _buttons(session, dialog, ui.button(text("Place the hold"), on_click=place))
    ui.button(text("Hold"), icon="lock", on_click=dialog.open).props("outline no-caps")


def escape_button(session: Session, part: Inspection) -> None:
    """Tell that the part was bad after all; only of a part that was passed."""
    if Right.REVIEW not in session.caller.rights or part.verdict != Verdict.PASS:
        return
    text = session.text
    with ui.dialog() as dialog, ui.card().classes("card"):
        ui.html(f"<h2>{text('This part was bad, and was passed')}</h2>", sanitize=False)
        label = ui.input(text("Kind of defect")).props("outlined autofocus maxlength=120")
        where = ui.input(text("Where it was found")).props("outlined maxlength=255")
        note = ui.input(text("Note")).props("outlined maxlength=4000")

        async def report() -> None:
            body = NewEscape(
                inspection_id=part.id, label=label.value or "", found_where=where.value or "", note=note.value or ""
            )
            await session.api.change("POST", "/escapes", EscapeRecord, body)
            dialog.close()
            done(text("The escape is reported."))

        _buttons(session, dialog, ui.button(text("Report the escape"), on_click=report))
    ui.button(text("Escape"), icon="report", on_click=dialog.open).props("outline no-caps")


def _buttons(session: Session, dialog: ui.dialog, act: ui.button) -> None:
    act.props("unelevated no-caps")
    with ui.element("div").classes("actions") as row:
        ui.button(session.text("Cancel"), on_click=dialog.close).props("flat no-caps")
    act.move(row, 0)
