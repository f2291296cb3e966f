"""Keys of stations and programs: made, shown once, revoked."""

import json
import time
from typing import Any

from fastapi import Request
from nicegui import ui

from sightline.console.figures import moment
from sightline.console.layout import agreed, heading, mark, row, table
from sightline.console.pages.admin import HERE, admin, rights_of
from sightline.console.session import Session
from sightline.console.sizes import ago
from sightline.console.telling import done
from sightline.service.rights import Role
from sightline.service.routes.keys import KeyRecord, MadeKey

_PAGE = 200
_DAYS = (30, 90, 365, 730)


async def page(request: Request) -> None:
    """All keys, and a new one."""
    with admin(request, f"{HERE}/keys") as session:
        ui.label(
            session.text("Stations and programs bring a key. Give each its own, with no more rights than it needs.")
        ).classes("muted")
        form, made = ui.element("section").classes("card"), ui.element("div")
        shown = ui.element("section").classes("card")
        with form:
            _form(session, made, shown)
        await _list(session, shown)


def _form(session: Session, made: ui.element, shown: ui.element) -> None:
    text = session.text
    heading(session, "Make a key")
    with ui.element("div").classes("filters"):
        name = ui.input(text("What it is for")).props("outlined dense")
        role = ui.select({one.value: text(one.value) for one in Role}, value=Role.STATION.value, label=text("Role"))
        role.props("outlined dense")
        scopes = ui.select(
            _scopes(session, Role.STATION), value=[], multiple=True, label=text("Rights; empty: all of the role")
        )
        scopes.props("outlined dense use-chips").classes("long")
        role.on_value_change(lambda event: scopes.set_options(_scopes(session, event.value), value=[]))
        station = ui.input(text("Only for the station; empty: any")).props("outlined dense")
        spans: dict[Any, str] = {0: text("for ever")} | {day: text("{count} days", count=day) for day in _DAYS}
        days = ui.select(spans, value=365, label=text("Valid for")).props("outlined dense")

        async def make() -> None:
            wanted = {
                "name": name.value or "",
                "role": role.value,
                "scopes": list(scopes.value or ()),
                "station": station.value or "",
                "days": days.value or None,
            }
            key = await session.api.change("POST", "/keys", MadeKey, wanted)
            name.set_value("")
            show_once(session, made, key.name, key.key)
            await _list(session, shown)

        ui.button(text("Make the key"), on_click=make).props("unelevated")


def _scopes(session: Session, role: str) -> dict[str, str]:
    return {right.value: session.text(right.value) for right in rights_of(role)}


def show_once(session: Session, made: ui.element, name: str, secret: str) -> None:
    """A secret that was just made; it is gone from the page when this is closed."""
    text = session.text
    made.clear()
    with made, ui.element("section").classes("card secret").props("role=status"):
        ui.label(text("The key {name}. It is never shown again: copy it now.", name=name)).classes("strong")
        ui.input(text("Key"), value=secret).props("outlined readonly").classes("mono long")

        def copy() -> None:
            ui.run_javascript(f"navigator.clipboard?.writeText({json.dumps(secret)})")
            done(text("Copied"))

        with ui.element("div").classes("actions"):
            ui.button(text("Copy"), icon="content_copy", on_click=copy).props("outline")
            ui.button(text("I have it"), on_click=made.clear).props("flat")


async def _list(session: Session, shown: ui.element, after: int = 0) -> None:
    found = await session.api.get("/keys", list[KeyRecord], after=after, limit=_PAGE)
    if not after:
        shown.clear()
    with shown:
        if not found and not after:
            ui.label(session.text("There is no key yet.")).classes("muted")
            return
        with table(session, "For", "Key", "Role", "Rights", "Station", "Holds until", "Last used", ""):
            for key in found:
                _row(session, key, shown)
        if len(found) == _PAGE:
            more = ui.button(session.text("More")).props("flat")

            async def on() -> None:
                more.delete()
                await _list(session, shown, found[-1].id)

            more.on_click(on)


def _row(session: Session, key: KeyRecord, shown: ui.element) -> None:
    text = session.text

    async def revoke() -> None:
        question = text(
            "Revoke the key {name}? What uses it is refused at once, and it cannot be brought back.", name=key.name
        )
        if await agreed(session, question, "Revoke"):
            await session.api.change("DELETE", f"/keys/{key.id}", type(None))
            done(text("The key is revoked"))
            await _list(session, shown)

    def end() -> None:
        if key.revoked_s is not None:
            mark(text("revoked"), "fault")
        elif key.expires_s is not None and key.expires_s < time.time():
            mark(text("expired"), "review")
        else:
            ui.button(text("Revoke"), on_click=revoke).props("flat dense")

    until = text("for ever") if key.expires_s is None else moment(session, key.expires_s)
    rights = ", ".join(text(right) for right in key.scopes) or text("all of the role")
    row(
        key.name,
        f"{key.shown}…",
        text(key.role),
        rights,
        key.station or text("any"),
        until,
        ago(session, key.used_s),
        end,
    )
