"""A job on the page that it was started from, until it has ended."""

import inspect
from collections.abc import Callable

from nicegui import ui

from sightline.console.session import Refused, Session
from sightline.service.rights import Right
from sightline.service.routes.jobs import JobOut
from sightline.store.jobs import ENDED

_LOOK_S = 0.7
_STATES = {"waiting": "Waiting for its turn", "done": "Done", "failed": "It failed", "cancelled": "Cancelled"}
_LATER = (429, 503)  # the server is busy or its database away: it is asked again


class JobWatch:
    """Shows how far a job is, in the place where it is made."""

    def __init__(self, session: Session, title: str, on_done: Callable[[JobOut], object]) -> None:
        """
        Args:
            title: what it does, in the reader's language; empty: what stands around it says that.
            on_done: called once, when it is done; not when it failed or was cancelled, which is told here.
        """
        self._session, self._on_done = session, on_done
        self._job = ""
        self._box = ui.element("div").classes("job card" if title else "job").props('role="status"')
        with self._box:
            if title:
                ui.label(title).classes("strong")
            self._stage = ui.label()
            self._bar = ui.linear_progress(0.0, show_value=False, size="8px")
            self._bar.props["aria-label"] = title or session.text("Progress")
            self._fault = ui.label().classes("told").props("role=alert")
            self._stop = ui.button(session.text("Cancel"), on_click=self._cancel).props("flat dense no-caps")
        self._box.set_visibility(False)
        self._timer = ui.timer(_LOOK_S, self._look, active=False)

    async def start(self, kind: str, params: dict[str, object]) -> None:
        """Have the job done, and watch it."""
        order = {"kind": kind, "params": params}
        self.watch(await self._session.api.change("POST", "/jobs", JobOut, order))

    def watch(self, job: JobOut) -> None:
        """Show this one from now on; one that has ended already is handed on or says so at the first look."""
        self._job = job.id
        self._fault.set_text("")
        self._show(job)
        self._running(True)
        self._box.set_visibility(True)
        self._timer.activate()

    async def watch_id(self, job: str) -> None:
        """The same, of a job of which only the id is known."""
        self.watch(await self._session.api.get(f"/jobs/{job}", JobOut))

    async def _cancel(self) -> None:
        await self._session.api.change("POST", f"/jobs/{self._job}/cancel", JobOut)

    async def _look(self) -> None:
        try:
            job = await self._session.api.get(f"/jobs/{self._job}", JobOut)
        except Refused as refusal:
            if refusal.status not in _LATER:  # it is gone, or one may not see it any more
                self._ended(str(refusal))
            return
        self._show(job)
        if job.state not in ENDED:
            return
        if job.state == "done":
            self._ended("")
            self._box.set_visibility(False)
            found = self._on_done(job)
            if inspect.isawaitable(found):
                await found
        else:
            cancelled = self._session.text("It was cancelled; nothing was changed.")
            self._ended(cancelled if job.state == "cancelled" else self._session.heard(job.message))

    def _show(self, job: JobOut) -> None:
        self._stage.set_text(_told(self._session, job))
        self._bar.set_value(round(job.progress, 3))

    def _ended(self, fault: str) -> None:
        self._timer.deactivate()
        self._running(False)
        self._fault.set_text(fault)

    def _running(self, running: bool) -> None:
        self._bar.set_visibility(running)
        self._fault.set_visibility(not running)
        self._stop.set_visibility(running and Right.MANAGE in self._session.caller.rights)


def _told(session: Session, job: JobOut) -> str:
    if job.state in _STATES:
        return session.text(_STATES[job.state])
    stage, _, count = job.message.partition(": ")
    return f"{session.text(stage.capitalize())} {count}".strip() if stage else session.text("Starting")
