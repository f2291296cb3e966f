"""Parts on a page, page after page of the list, as pictures or as a table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from sightline.console import parts
from sightline.console.session import Session
from sightline.service.routes.inspections import Inspections

AT_ONCE = 60  # parts; whole rows of a gallery of 2, 3, 4, 5, 6, 10 or 12 columns
_MOST = 300  # in one page of the browser; from there a link leads on


@dataclass(slots=True, kw_only=True)
class PartList:
    """The parts shown so far; `start` comes first."""

    session: Session
    table: bool
    read: Callable[[str], Awaitable[Inspections]]  # those before a place of the list
    beyond: Callable[[str], str]  # address of the page that begins at such a place; empty: of the whole list
    shown: int = 0

    def start(self, first: Inspections) -> None:
        """Build it, where it stands."""
        text = self.session.text
        if self.table:
            with ui.element("div").classes("card scroll").props(f'tabindex=0 role=region aria-label="{text("Parts")}"'):
                inside = ui.element("table").classes("table")
            heads = "".join(f"<th{' class=number' * (head in parts.NUMBERS)}>{text(head)}</th>" for head in parts.HEADS)
            with inside:
                ui.html(f"<tr>{heads}</tr>", sanitize=False, tag="thead")
        else:
            inside = ui.element("div").classes("gallery")
        self._add(first, inside, ui.element("div").classes("actions more"))

    def _add(self, found: Inspections, inside: ui.element, more: ui.element) -> None:
        draw = parts.row if self.table else parts.card
        query = self.beyond("").partition("?")[2]
        with inside:
            drawn = "".join(draw(self.session, part, query) for part in found.items)
            ui.html(drawn, sanitize=False, tag="tbody" if self.table else "div").classes("batch")
        self.shown += len(found.items)
        more.clear()
        if found.next is None:
            return
        place, text = found.next, self.session.text
        with more:
            if self.shown >= _MOST:
                ui.link(text("Older parts"), self.beyond(place)).classes("onward")
                return

            async def go_on() -> None:
                button.props("loading")
                self._add(await self.read(place), inside, more)

            button = ui.button(text("More") if found.items else text("Look further back"), on_click=go_on)
            button.props("outline")
            if found.items:
                ui.run_javascript(f"sightline.whenSeen({button.id})")
