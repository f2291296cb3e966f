"""A job on the page that it was started from, until it has ended."""

import inspect
from collections.abc import Callable

from nicegui import ui

from sightline.console.session import Session
from sightline.service.rights import Right
from sightline.service.routes.jobs import JobOut
from sightline.store.jobs import ENDED

_LOOK_S = 0.7


class JobWatch:
    """Shows how far a job is, in the place where it is made."""

    def __init__(self, session: Session, title: str, on_done: Callable[[JobOut], object]) -> None:
        """
        Args:
            title: what it does, in the reader's language.
            on_done: called once, when it is done; not when it failed or was cancelled, which is told here.
        """
        self._session, self._on_done = session, on_done
        self._job = ""
        self._card = ui.element("div").classes("card").props('role="status"')
        with self._card:
            ui.label(title).classes("strong")
            self._bar = ui.linear_progress(0.0, show_value=False, size="8px").props(f'aria-label="{title}"')
            self._told = ui.label()
            cancel = ui.button(session.text("Cancel"), on_click=self._cancel).props("flat no-caps")
            cancel.set_visibility(Right.MANAGE in session.caller.rights)
            self._cancelling = cancel
        self._card.set_visibility(False)
        self._timer = ui.timer(_LOOK_S, self._look, active=False)

    async def start(self, kind: str, params: dict[str, object]) -> None:
        """Have the job done, and watch it."""
        order = {"kind": kind, "params": params}
        self.watch((await self._session.api.change("POST", "/jobs", JobOut, order)).id)

    def watch(self, job: str) -> None:
        """Show this one from now on."""
        self._job = job
        self._bar.set_value(0.0)
        self._told.set_text(self._session.text("waiting for its turn …"))
        self._told.props(remove="role").classes(remove="refusal")
        self._bar.set_visibility(True)
        self._cancelling.set_visibility(Right.MANAGE in self._session.caller.rights)
        self._card.set_visibility(True)
        self._timer.activate()

    async def _cancel(self) -> None:
        await self._session.api.change("POST", f"/jobs/{self._job}/cancel", JobOut)

    async def _look(self) -> None:
        job = await self._session.api.get(f"/jobs/{self._job}", JobOut)
        if job.state not in ENDED:
            self._bar.set_value(round(job.progress, 3))
            if job.message:
                self._told.set_text(job.message)
            return
        self._timer.deactivate()
        self._bar.set_visibility(False)
        self._cancelling.set_visibility(False)
        if job.state == "done":
            self._card.set_visibility(False)
            found = self._on_done(job)
            if inspect.isawaitable(found):
                await found
        else:
            cancelled = self._session.text("It was cancelled; nothing was changed.")
            self._told.set_text(cancelled if job.state == "cancelled" else job.message)
            self._told.classes("refusal").props("role=alert")
