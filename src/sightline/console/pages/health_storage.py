"""What lies on the shelves, what goes next, and what is held."""

from collections.abc import Awaitable, Callable

from fastapi import Request
from nicegui import ui

from sightline.console.figures import NOTHING, moment, number, share
from sightline.console.layout import agreed, fact, facts, heading, row, table
from sightline.console.pages.health import HERE, health
from sightline.console.session import Session
from sightline.console.sizes import size
from sightline.console.telling import done
from sightline.service.rights import Right
from sightline.service.routes.pictures import HoldRecord
from sightline.service.routes.state import StorageState

_PAGE = 50  # holds at a time
Show = Callable[[], Awaitable[None]]


async def page(request: Request) -> None:
    """Tiers with their sizes, rules, and holds."""
    with health(request, f"{HERE}/storage") as session:
        state = await session.api.get("/health/storage", StorageState)
        _room(session, state)
        _piles(session, state)
        _rules(session, state)
        await _holds(session)


def _room(session: Session, state: StorageState) -> None:
    with ui.element("section").classes("card"):
        heading(session, "Room")
        if state.free_bytes is None or not state.total_bytes:
            ui.label(session.text("The disk cannot be read. Look whether it is there.")).classes("told")
        else:
            free = state.free_bytes / state.total_bytes
            ui.linear_progress(1 - free, show_value=False, color="primary" if free > 0.1 else "negative").props(
                f'size=14px rounded aria-label="{session.text("Used")}"'
            )
            told = session.text(
                "{free} of {total} are free ({share})",
                free=size(session, state.free_bytes),
                total=size(session, state.total_bytes),
                share=share(session, free),
            )
            ui.label(told)
        with facts():
            for tier, place in state.shelves.items():
                fact(session, tier, place)


def _piles(session: Session, state: StorageState) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        heading(session, "Pictures")
        if not state.piles:
            ui.label(text("There is no picture yet.")).classes("muted")
            return
        with table(session, "Tier", "Kept as", "Pictures", "Size", "Oldest", "The first may go", "Within a week"):
            for pile in state.piles:
                goes = NOTHING if pile.next_s is None else moment(session, pile.next_s)
                due = text("{count} ({size})", count=number(session, pile.due), size=size(session, pile.due_bytes))
                row(
                    text(pile.tier),
                    text(pile.kept_as),
                    number(session, pile.pictures),
                    size(session, pile.size_bytes),
                    moment(session, pile.oldest_s),
                    goes,
                    due if pile.due else NOTHING,
                )
        ui.label(text("What a review, a data set or a hold needs stays, even when its time is over.")).classes("muted")


def _rules(session: Session, state: StorageState) -> None:
    text = session.text

    def days(value: float | None) -> str:
        return text("never") if value is None else text("after {count} days", count=number(session, value))

    with ui.element("section").classes("card"):
        heading(session, "How long pictures are kept")
        with table(session, "Kept as", "Nearline", "Archive", "Removed"):
            for rule in state.rules:
                row(text(rule.kept_as), days(rule.nearline_days), days(rule.archive_days), days(rule.remove_days))
        if state.regulated:
            ui.label(text("Regulated products: {names}", names=", ".join(state.regulated)))


async def _holds(session: Session) -> None:
    with ui.element("section").classes("card").props("id=holds"):
        heading(session, "Holds")
        ui.label(
            session.text("Pictures of these parts stay, whatever their age: for a complaint, a recall, a court.")
        ).classes("muted")
        shown = ui.element("div")

        async def show(before: int | None = None) -> None:
            found = await session.api.get("/holds", list[HoldRecord], before=before, limit=_PAGE)
            with shown:
                if before is None:
                    shown.clear()
                if not found and before is None:
                    ui.label(session.text("Nothing is held.")).classes("muted")
                    return
                with table(session, "Product", "Serial number", "Reason", "By", "Since", ""):
                    for hold in found:
                        _hold(session, hold, show)
                if len(found) == _PAGE:
                    more = ui.button(session.text("More")).props("flat")

                    async def on() -> None:
                        more.delete()
                        await show(found[-1].id)

                    more.on_click(on)

        await show()
        if Right.MANAGE in session.caller.rights:
            _new_hold(session, show)


def _hold(session: Session, hold: HoldRecord, show: Show) -> None:
    async def lift() -> None:
        question = session.text(
            "Lift the hold of {product}? Its pictures then go as their class says.", product=hold.product
        )
        if await agreed(session, question, "Lift"):
            await session.api.change("DELETE", f"/holds/{hold.id}", HoldRecord)
            done(session.text("The hold is lifted"))
            await show()

    def end() -> None:
        if hold.lifted_s is not None:
            ui.label(session.text("lifted {moment}", moment=moment(session, hold.lifted_s))).classes("muted")
        elif Right.ADMINISTER in session.caller.rights:
            ui.button(session.text("Lift"), on_click=lift).props("flat dense")

    serial = hold.serial or session.text("all parts")
    row(hold.product, serial, hold.reason, hold.author, moment(session, hold.at_s), end)


def _new_hold(session: Session, show: Show) -> None:
    text = session.text
    with ui.element("div").classes("filters"):
        product = ui.input(text("Product")).props("outlined dense")
        serial = ui.input(text("Serial number, or empty for all")).props("outlined dense")
        reason = ui.input(text("Reason")).props("outlined dense")

        async def place() -> None:
            new = {"product": product.value or "", "serial": serial.value or "", "reason": reason.value or ""}
            await session.api.change("POST", "/holds", HoldRecord, new)
            done(text("The pictures are held"))
            for field in (product, serial, reason):
                field.set_value("")
            await show()

        ui.button(text("Hold"), on_click=place).props("unelevated")
