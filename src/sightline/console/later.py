"""Cards whose content comes when its figures are there: the page stands before, and one that fails empties no other."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from html import escape
from typing import TypeVar

from nicegui import ui

from sightline.console.session import Refused, Session

T = TypeVar("T")


class Later:
    """The cards of one page that wait."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[Callable[[], Awaitable[None]]] = []

    def card(self, name: str, ask: Callable[[], Awaitable[T]], show: Callable[[T], None]) -> None:
        """Keep a place, here.

        Args:
            name: as the card will be called.
            ask: for its figures; what the API refuses is told in the card.
            show: builds it, a section of its own, of them.
        """
        place = ui.element("div").classes("later")
        with place:
            _stand_in(self._session, name, waiting=True)
        self._waiting.append(partial(self._fill, place, name, ask, show))

    async def fill(self) -> None:
        """Each as soon as its figures are there."""
        await asyncio.gather(*(fill() for fill in self._waiting))

    async def _fill(
        self, place: ui.element, name: str, ask: Callable[[], Awaitable[T]], show: Callable[[T], None]
    ) -> None:
        try:
            found = await ask()
        except Refused as refused:
            if not place.is_deleted:  # else the page was closed
                place.clear()
                with place, _stand_in(self._session, name, waiting=False):
                    ui.label(str(refused)).classes("told").props("role=alert")
            return
        if not place.is_deleted:
            place.clear()
            with place:
                show(found)


def _stand_in(session: Session, name: str, *, waiting: bool) -> ui.element:
    """A card with nothing but its name, and that its figures are on their way."""
    with ui.element("section").classes("card") as card:
        ui.html(f"<h2>{escape(name)}</h2>", sanitize=False)
        if waiting:
            card.props("aria-busy=true")
            ui.label(session.text("Calculating …")).classes("muted")
    return card
