"""A job as somebody watches it: how far it is, and what became of it."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from sightline.console.session import Refused, Session
from sightline.service.rights import Right
from sightline.service.routes.jobs import JobOut
from sightline.store.jobs import ENDED

_EVERY_S = 1.0
Ended = Callable[[JobOut], Awaitable[None] | None]


def watch(session: Session, job: JobOut, ended: Ended) -> None:
    """Show a job until it has ended, and then hand it on; one that failed or was cancelled says so and stays.

    Args:
        ended: told of a job that was done.
    """
    text = session.text
    with ui.element("div").classes("job").props("role=status"):
        stage = ui.label(_told(session, job))
        bar = ui.linear_progress(job.progress, show_value=False, size="8px").props(f'aria-label="{text("Progress")}"')
        bar.props("rounded")
        fault = ui.label().classes("told")
        stop = ui.button(text("Cancel"), on_click=lambda: _cancel(session, job.id)).props("flat dense")
        stop.set_visibility(Right.MANAGE in session.caller.rights)

    async def look() -> None:
        try:
            now = await session.api.get(f"/jobs/{job.id}", JobOut)
        except Refused:  # the server is busy; it is asked again
            return
        stage.set_text(_told(session, now))
        bar.set_value(now.progress)
        if now.state not in ENDED:
            return
        timer.deactivate()
        stop.set_visibility(False)
        if now.state == "done":
            if (waiting := ended(now)) is not None:
                await waiting
        else:
            fault.set_text(now.message if now.state == "failed" else text("It was cancelled."))

    timer = ui.timer(_EVERY_S, look)


async def _cancel(session: Session, job_id: str) -> None:
    await session.api.change("POST", f"/jobs/{job_id}/cancel", JobOut)


def _told(session: Session, job: JobOut) -> str:
    stages = {"waiting": "Waiting for its turn", "done": "Done", "failed": "It failed", "cancelled": "Cancelled"}
    if job.state in stages:
        return session.text(stages[job.state])
    stage, _, count = job.message.partition(": ")
    return f"{session.text(stage.capitalize())} {count}" if stage else session.text("Starting")
