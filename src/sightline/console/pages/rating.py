"""Judging the parts of a study blind, by keyboard."""

import time
from collections.abc import Awaitable, Callable

from fastapi import Request
from nicegui import ui
from nicegui.events import KeyEventArguments

from sightline.console.figures import number
from sightline.console.frame import framed, missing
from sightline.console.session import Refused, Session
from sightline.console.viewer import Viewer
from sightline.service.routes.inspections import Detail
from sightline.service.routes.studies import NextShown, StudyShown, TaskShown

_KEYS = {"p": False, "r": True}  # key: whether it rejects


async def page(request: Request, id: str) -> None:  # noqa: A002 - the name in the path
    """One part after the other, until all are judged in all rounds."""
    if not id.isdecimal():
        missing(request)
        return
    with framed(request, "/studies", wide=True) as session:
        try:
            study = await session.api.get(f"/studies/{id}", StudyShown)
            task = (await session.api.get(f"/studies/{id}/next", NextShown)).task
        except Refused as refused:  # there is none, or it is closed
            ui.label(str(refused)).classes("empty").props("role=alert")
            return
        with ui.element("div").classes("headline"):
            with ui.element("h1"):
                ui.label(study.name)
            ui.element("span").classes("grow")
            with ui.element("a").classes("action").props(f"href=/studies/{id}"):
                ui.label(session.text("Paused"))
        await _Rating(session, study.id, task).show()


class _Rating:
    """The part that is judged now; what others say of it, and what is true, is not on the page."""

    def __init__(self, session: Session, study: int, task: TaskShown | None) -> None:
        self._session, self._study, self._task = session, study, task
        self._since_s = 0.0
        self._busy = False  # a key pressed twice must not judge the next part

    async def show(self) -> None:
        self._place = ui.element("div").classes("rating")
        await self._shown()
        ui.keyboard(on_key=self._key, ignore=["input", "select", "textarea"], repeating=False)

    async def _key(self, event: KeyEventArguments) -> None:
        pressed = event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta
        if event.action.keydown and not pressed and (reject := _KEYS.get(str(event.key).lower())) is not None:
            await self._judge(reject=reject)

    async def _judge(self, *, reject: bool) -> None:
        if self._busy or self._task is None:
            return
        self._busy = True
        try:
            given = {"item": self._task.item, "reject": reject, "seconds": round(time.monotonic() - self._since_s, 2)}
            path = f"/studies/{self._study}/ratings"
            self._task = (await self._session.api.change("POST", path, NextShown, given)).task
            await self._shown()
        finally:
            self._busy = False

    async def _shown(self) -> None:
        text, task = self._session.text, self._task
        pictures = [] if task is None else await self._pictures(task)
        self._place.clear()
        with self._place:
            if task is None:
                with ui.element("div").classes("empty").props("role=status"):
                    ui.label(text("You have judged every part. Thank you."))
                    ui.link(text("Back to the study"), f"/studies/{self._study}")
                return
            told = text(
                "Part {place} of {of}, round {round}",
                place=number(self._session, task.done + 1),
                of=number(self._session, task.of),
                round=task.round,
            )
            ui.label(told).props("role=status")
            bar = ui.linear_progress(task.done / task.of, show_value=False).props("aria-hidden=true")
            bar.classes("progress")
            with ui.element("div").classes("seen"):
                for digest in pictures:
                    Viewer(digest, name=text("The part to judge"))
            with ui.element("div").classes("actions verdicts"):
                _button(text("Pass (P)"), "pass", lambda: self._judge(reject=False))
                _button(text("Reject (R)"), "reject", lambda: self._judge(reject=True))
            told = text("Judge as you would at the line: a decision cannot be taken back, and a slip counts.")
            ui.label(told).classes("muted")
        self._since_s = time.monotonic()

    async def _pictures(self, task: TaskShown) -> list[str]:
        """All views of the part; nothing else of its record leaves the server."""
        if not task.inspection:
            return [task.picture]
        found = await self._session.api.get(f"/inspections/{task.inspection}", Detail)
        return [view.picture for view in found.inspection.views if view.picture]


def _button(name: str, kind: str, on_click: Callable[[], Awaitable[None]]) -> None:
    ui.button(name, on_click=on_click, color=None).props("unelevated size=lg").classes(f"judge {kind}")
