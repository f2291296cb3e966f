"""What went wrong, told to whoever is at the page."""

import logging

from nicegui import ui

from sightline.console.session import Refused, Session

_LOG = logging.getLogger(__name__)


def tell_faults(session: Session) -> None:
    """What the API refuses from now on is told on the page, in the API's words; other faults are logged as well."""

    def tell(error: Exception) -> None:
        if isinstance(error, Refused):
            ui.notify(str(error), type="negative", position="top", close_button=session.text("Close"), timeout=12_000)
            return
        _LOG.error("a page failed: %s", session.path, exc_info=error)
        ui.notify(
            session.text("This did not work. The server's log says why; load the page again."),
            type="negative",
            position="top",
            timeout=0,
            close_button=session.text("Close"),
        )

    ui.on_exception(tell)


def done(text: str) -> None:
    """Say that something was done."""
    ui.notify(text, type="positive", position="top", timeout=3_000)
