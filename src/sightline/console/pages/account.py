"""One's own account: rights, password, language and look."""

from fastapi import Request
from nicegui import ui

from sightline.console.frame import LOOKS, choose, framed
from sightline.console.gate import LOGIN
from sightline.console.layout import fact, facts, heading
from sightline.console.pages.admin import rights_in_words
from sightline.console.session import LANGUAGE, LOOK, Session
from sightline.console.texts import NAMES
from sightline.evaluation.wording import Language
from sightline.service.routes.accounts import Me


async def page(request: Request) -> None:
    """Who one is, what one may do, and how it looks."""
    with framed(request, "") as session:
        text = session.text
        heading(session, "Account", 1)
        me = await session.api.get("/account", Me)
        with ui.element("div").classes("cards"):
            with ui.element("section").classes("card"):
                with ui.element("h2"):
                    ui.label(me.name)
                with facts():
                    fact(session, "Role", text(me.role) if me.role else text("without login"))
                heading(session, "You may", 3)
                with ui.element("ul").classes("plain"):
                    for words in rights_in_words(session, me.rights):
                        with ui.element("li"):
                            ui.label(words)
                if me.signature:
                    told = text("Promotions, thresholds and recipes ask for your password again.")
                    ui.label(told).classes("muted")
            _looks(session)
            if me.csrf:
                _password(session)


def _looks(session: Session) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        heading(session, "Language and look")
        languages = {language.value: NAMES[language] for language in Language}
        ui.select(
            languages,
            value=session.language.value,
            label=text("Language"),
            on_change=lambda event: choose(LANGUAGE, event.value),
        ).props("outlined")
        looks = {look: text(name) for look, name in LOOKS.items()}
        ui.select(
            looks,
            value=session.look if session.look in looks else "auto",
            label=text("Look"),
            on_change=lambda event: choose(LOOK, event.value),
        ).props("outlined")
        ui.label(text("Kept by this browser.")).classes("muted")


def _password(session: Session) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        heading(session, "Password")
        old = ui.input(text("The old one"), password=True).props("outlined autocomplete=current-password")
        new = ui.input(text("The new one, at least 10 characters"), password=True).props(
            "outlined autocomplete=new-password"
        )
        again = ui.input(text("The new one again"), password=True).props("outlined autocomplete=new-password")
        told = ui.label().classes("told").props("role=alert")

        async def change() -> None:
            if new.value != again.value:
                told.set_text(text("The two new passwords differ."))
                return
            given = {"old": old.value or "", "new": new.value or ""}
            await session.api.change("POST", "/account/password", type(None), given)
            ui.navigate.to(LOGIN)

        ui.button(text("Change"), on_click=change).props("unelevated")
        ui.label(text("You are then logged out everywhere, and log in with the new one.")).classes("muted")
