"""Webhooks: who is told of events."""

from typing import Any, get_args

from fastapi import Request
from nicegui import ui

from sightline.console.figures import number
from sightline.console.layout import agreed, heading, icon_button, mark, row, table
from sightline.console.pages.admin import HERE, admin
from sightline.console.pages.admin_keys import show_once
from sightline.console.session import Session
from sightline.console.telling import done
from sightline.service.routes.webhooks import Event, Tried, WebhookOut


async def page(request: Request) -> None:
    """All webhooks, and a new one."""
    with admin(request, f"{HERE}/webhooks") as session:
        await _Webhooks(session).show()


class _Webhooks:
    """The list, made anew after each change."""

    def __init__(self, session: Session) -> None:
        self._session = session
        with ui.element("section").classes("card"):
            self._form()
        self._secret = ui.element("div")
        self._shown = ui.element("section").classes("card")

    async def show(self) -> None:
        """All of them."""
        session = self._session
        found = await session.api.get("/webhooks", list[WebhookOut])
        self._shown.clear()
        with self._shown:
            if not found:
                ui.label(session.text("Nobody is told of anything yet.")).classes("muted")
                return
            with table(session, "Address", "Events", "State", "Waiting", "Given up", ""):
                for hook in found:
                    self._row(hook)

    def _form(self) -> None:
        session, text = self._session, self._session.text
        heading(session, "Tell somebody")
        with ui.element("div").classes("filters"):
            url = ui.input(text("https://…, or an address of Apprise such as mailtos://…")).props("outlined dense")
            url.classes("long")
            events = _events(session, ["alert.raised"])

            async def add() -> None:
                given = {"url": url.value or "", "events": list(events.value or ())}
                made = await session.api.change("POST", "/webhooks", WebhookOut, given)
                url.set_value("")
                show_once(session, self._secret, made.url, made.secret or "")
                await self.show()

            ui.button(text("Add"), on_click=add).props("unelevated")

    def _row(self, hook: WebhookOut) -> None:
        text = self._session.text

        def actions() -> None:
            with ui.element("div").classes("actions tight"):
                icon_button("send", text("Send a test"), lambda: self._test(hook))
                icon_button("edit", text("Change"), lambda: self._edit(hook))
                pause = ("pause", text("Pause")) if hook.active else ("play_arrow", text("Go on"))
                icon_button(*pause, lambda: self._change(hook, {"active": not hook.active}))
                icon_button("delete", text("Remove"), lambda: self._remove(hook))

        row(
            hook.url,
            ", ".join(text(event) for event in hook.events),
            lambda: mark(text("on") if hook.active else text("paused"), "pass" if hook.active else "review"),
            number(self._session, hook.waiting),
            number(self._session, hook.given_up),
            actions,
        )

    async def _test(self, hook: WebhookOut) -> None:
        text = self._session.text
        tried = await self._session.api.change("POST", f"/webhooks/{hook.id}/test", Tried)
        seconds = number(self._session, tried.seconds, 1)
        if tried.delivered:
            done(text("Delivered in {seconds} s: {detail}", seconds=seconds, detail=tried.detail))
        else:
            told = text("Not delivered: {detail}", detail=tried.detail)
            ui.notify(told, type="negative", position="top", close_button=text("Close"), timeout=12_000)

    async def _edit(self, hook: WebhookOut) -> None:
        session, text = self._session, self._session.text
        with ui.dialog() as dialog, ui.card().classes("question").props('aria-modal="true"'):
            ui.label(hook.url).classes("strong")
            url = ui.input(text("Another address; empty: this one stays")).props("outlined autofocus")
            events = _events(session, list(hook.events))
            secret = ui.switch(text("Make a new secret"))
            with ui.element("div").classes("actions end"):
                ui.button(text("Leave it"), on_click=lambda: dialog.submit(False)).props("flat")
                ui.button(text("Save"), on_click=lambda: dialog.submit(True)).props("unelevated")
        wanted = {"events": list(events.value or ())} if await dialog else None
        if wanted is not None:
            given = {**wanted, "url": url.value or None, "new_secret": bool(secret.value)}
            await self._change(hook, given)
        dialog.delete()

    async def _change(self, hook: WebhookOut, wanted: dict[str, Any]) -> None:
        told = await self._session.api.change("PATCH", f"/webhooks/{hook.id}", WebhookOut, wanted)
        if told.secret:
            show_once(self._session, self._secret, told.url, told.secret)
        await self.show()

    async def _remove(self, hook: WebhookOut) -> None:
        question = self._session.text("Remove {url}? What is on its way to it is lost.", url=hook.url)
        if await agreed(self._session, question, "Remove"):
            await self._session.api.change("DELETE", f"/webhooks/{hook.id}", type(None))
            await self.show()


def _events(session: Session, value: list[str]) -> ui.select:
    names = {event: session.text(event) for event in get_args(Event)}
    chosen = ui.select(names, value=value, multiple=True, label=session.text("Events"))
    chosen.props("outlined dense use-chips").classes("long")
    return chosen
