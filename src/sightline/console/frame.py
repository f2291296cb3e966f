"""What is around every page: the menu, who one is, how it looks, and whether the server is there."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request
from nicegui import ui

from sightline.console.gate import ASSETS, LOGIN
from sightline.console.places import MENU, Item
from sightline.console.session import LANGUAGE, LOOK, Session, session_of
from sightline.console.telling import tell_faults
from sightline.console.texts import NAMES, Texts, in_language
from sightline.evaluation.wording import Language
from sightline.service.rights import Right

LOOKS: Texts = {"auto": "Auto", "light": "Light", "dark": "Dark"}


@contextmanager
def framed(request: Request, here: str, *, wide: bool = False, bare: bool = False) -> Iterator[Session]:
    """A page's frame; what is made within stands on the page.

    Args:
        here: path of the menu's item that this page belongs to; empty: to none.
        wide: the page takes the whole width, say for pictures.
        bare: without the menu, for a screen that nobody touches.
    """
    session = session_of(request)
    _head(session)
    if not bare:
        _bar(session, here)
    with ui.element("div").classes("page wide" if wide else "page").props("id=content tabindex=-1"):
        yield session


def refused(request: Request, right: Right) -> None:
    """The page for somebody who may not see it."""
    with framed(request, "") as session:
        text = session.text("You may not see this page: the right to {right} is missing.", right=right)
        ui.label(text).classes("empty").props("role=alert")


def missing(request: Request) -> None:
    """The page for an address that is none."""
    with framed(request, "") as session:
        ui.label(session.text("There is no such page.")).classes("empty").props("role=alert")


def _head(session: Session) -> None:
    """How the page looks, and what it does when something fails; before anything else of it."""
    dress(session.language, session.look)
    tell_faults(session)
    ui.add_head_html(f'<meta name="csrf" content="{session.caller.csrf}">')


def dress(language: Language, look: str) -> None:
    """Style, script, language and look; pages without a frame need it, too."""
    ui.add_head_html(
        f'<link rel="stylesheet" href="{ASSETS}/console.css"><script src="{ASSETS}/console.js" defer></script>'
    )
    lost = in_language("Connection lost at {time}. Trying again … What you see is as it was then.", language)
    ui.add_head_html(f'<meta name="lost" content="{lost}">')
    ui.colors(primary="var(--accent)", positive="#00785a", negative="#b3261e")  # NiceGUI's own would win over the style
    ui.dark_mode({"light": False, "dark": True}.get(look))
    ui.context.client.page.language = {"en": "en-US", "de": "de"}[language]  # type: ignore[assignment]


def _bar(session: Session, here: str) -> None:
    text = session.text
    ui.html(f'<a class="skip" href="#content">{text("Skip to the content")}</a>', sanitize=False)
    with ui.header(elevated=False, add_scroll_padding=False).classes("bar"):
        ui.html(f'<a class="brand" href="/"><img src="{ASSETS}/favicon.svg" alt="">Sightline</a>', sanitize=False)
        items = [item for item in MENU if item.right in session.caller.rights]
        with ui.element("nav").classes("menu").props(f'aria-label="{text("Menu")}"'):
            for item in items:
                _item(session, item, current=item.path == here)
        ui.element("span").classes("grow")
        _account(session, items, here)


def _item(session: Session, item: Item, *, current: bool) -> None:
    name = session.text(item.title)
    with ui.element("a").props(f'href="{item.path}" accesskey="{item.key}"') as link:
        ui.icon(item.icon).props("aria-hidden=true")
        ui.label(name)
    if current:
        link.props("aria-current=page")


def _account(session: Session, items: list[Item], here: str) -> None:
    """Who one is, and what one chose; on a phone the menu as well."""
    text, caller = session.text, session.caller
    with ui.button(icon="menu").props(f'flat round dense aria-label="{text("Menu")}"').classes("narrow"), ui.menu():
        for item in items:
            ui.menu_item(text(item.title), lambda path=item.path: ui.navigate.to(path)).props(
                "active" if item.path == here else ""
            )
    with ui.button(icon="account_circle").props(f'flat round dense aria-label="{text("Account")}"'), ui.menu():
        with ui.element("div").classes("who"):
            ui.label(caller.name).classes("strong")
            ui.label(caller.role or text("without login")).classes("muted")
        ui.separator()
        ui.menu_item(text("Account"), lambda: ui.navigate.to("/account"))
        ui.separator()
        for look, name in LOOKS.items():
            chosen = look == session.look
            ui.menu_item(f"{text('Look')}: {text(name)}", lambda value=look: choose(LOOK, value)).props(
                "active" if chosen else ""
            )
        for language in Language:
            ui.menu_item(NAMES[language], lambda value=language: choose(LANGUAGE, value)).props(
                "active" if language == session.language else ""
            )
        if caller.csrf:
            ui.separator()
            ui.menu_item(text("Log out"), lambda: _log_out(session))


def choose(cookie: str, value: str) -> None:
    """Kept by the browser for a year; the page is loaded anew."""
    ui.run_javascript(
        f"document.cookie = '{cookie}={value}; path=/; max-age=31536000; samesite=lax'; location.reload()"
    )


async def _log_out(session: Session) -> None:
    await session.api.change("POST", "/logout", type(None))
    ui.navigate.to(LOGIN)
