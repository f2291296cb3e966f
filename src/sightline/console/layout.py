"""What pages with lists and forms are laid out with: tabs, tables, facts, and questions."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypeVar

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from sightline.console.figures import number
from sightline.console.frame import framed
from sightline.console.session import Session
from sightline.service.rights import Right

Cell = str | Callable[[], object] | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A part of a page, with an address of its own."""

    path: str
    title: str
    right: Right = Right.VIEW


def tabs(session: Session, items: Sequence[Tab], here: str) -> None:
    """Links to the parts of a page."""
    with ui.element("nav").classes("tabs").props(f'aria-label="{session.text("Parts of this page")}"'):
        for item in items:
            if item.right in session.caller.rights:
                current = "aria-current=page" if item.path == here else ""
                ui.link(session.text(item.title), item.path).props(current)


@contextmanager
def tabbed(request: Request, home: str, english: str, items: Sequence[Tab], here: str) -> Iterator[Session]:
    """A page of several parts in its frame; what is made within stands below the tabs.

    Args:
        home: path of the menu's item that it belongs to.
        english: its heading.
        here: path of the part that is shown.
    """
    with framed(request, home) as session:
        heading(session, english, 1)
        tabs(session, items, here)
        yield session


@contextmanager
def table(session: Session, *english: str) -> Iterator[ui.element]:
    """A table with these columns, whose rows are made within; an empty name is a column of buttons.

    On a phone each row stands as a list of its own, with the columns' names beside the values.
    """
    with ui.element("div").classes("scroll").props("tabindex=0"), ui.element("table").classes("table stacked"):
        with ui.element("thead"), ui.element("tr"):
            for name in english:
                with ui.element("th").props("scope=col"):
                    ui.label(session.text(name) if name else session.text("Actions")).classes("" if name else "unseen")
        with _Rows([session.text(name) if name else "" for name in english]) as body:
            yield body


class _Rows(Element):
    """A table's body, which knows the names of its columns."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__("tbody")
        self.names = names


def in_turn(session: Session, items: Sequence[T], at_once: int, draw: Callable[[T], object]) -> None:
    """Make so many of the items where it stands, and a button that goes on with the next ones."""
    for item in items[:at_once]:
        draw(item)
    rest = items[at_once:]
    if not rest:
        return
    inside = ui.context.slot.parent

    def go_on() -> None:
        button.delete()
        with inside:
            in_turn(session, rest, at_once, draw)

    left = f"{number(session, len(rest))}"
    button = ui.button(session.text("More ({number} left)", number=left), on_click=go_on).props("outline no-caps")


def row(*cells: Cell) -> ui.element:
    """One row of a table; a function makes what stands in its cell."""
    rows = ui.context.slot.parent
    names = rows.names if isinstance(rows, _Rows) else ()
    with ui.element("tr") as made:
        for cell, name in zip_longest(cells, names[: len(cells)], fillvalue=""):
            with ui.element("td") as shown:
                shown.props["data-name"] = name
                if callable(cell):
                    cell()
                elif cell:
                    ui.label(cell)
    return made


@contextmanager
def facts() -> Iterator[None]:
    """A list of facts; `fact` makes one within."""
    with ui.element("dl").classes("facts"):
        yield


def fact(session: Session, english: str, value: str) -> None:
    """One fact with its name."""
    with ui.element("dt"):
        ui.label(session.text(english))
    with ui.element("dd"):
        ui.label(value)


def heading(session: Session, english: str, level: int = 2) -> None:
    """A heading in the reader's language."""
    with ui.element(f"h{level}"):
        ui.label(session.text(english))


def mark(text: str, kind: str = "") -> None:
    """A state in a word; `kind` as of a verdict: pass, reject, review or fault."""
    ui.label(text).classes(f"verdict {kind}".strip())


def icon_button(icon: str, name: str, do: Callable[[], object]) -> ui.button:
    """A button that is a picture; its name is told to who does not see it, and shown to who points at it."""
    with ui.button(icon=icon, on_click=do).props(f'flat round dense aria-label="{_quoted(name)}"') as made:
        ui.tooltip(name)
    return made


async def agreed(session: Session, question: str, english: str) -> bool:
    """Ask before something that cannot be undone.

    Args:
        question: in the reader's language.
        english: what is done, on the button.
    """
    with ui.dialog() as dialog, ui.card().classes("question").props('role=alertdialog aria-modal="true"'):
        ui.label(question)
        with ui.element("div").classes("actions end"):
            ui.button(session.text("Leave it"), on_click=lambda: dialog.submit(False)).props("flat autofocus")
            ui.button(session.text(english), on_click=lambda: dialog.submit(True)).props("unelevated color=negative")
    answer = await dialog
    dialog.delete()
    return bool(answer)


def _quoted(text: str) -> str:
    return text.replace("\\", " ").replace('"', "'")
