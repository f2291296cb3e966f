"""Logging in."""

import json

from fastapi import Request
from nicegui import ui

from sightline.console.frame import dress
from sightline.console.gate import ASSETS
from sightline.console.session import LANGUAGE, LOOK
from sightline.console.texts import in_language
from sightline.evaluation.wording import language_of


def page(request: Request, to: str = "/") -> None:
    """The form, which asks the API itself, so that the browser gets the cookie; then on to where one wanted to go.

    Args:
        to: a path of this server.
    """
    language = language_of(request.cookies.get(LANGUAGE, ""), request.headers.get("accept-language", ""))
    dress(language, request.cookies.get(LOOK, "auto"))
    inside = to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
    with ui.element("div").classes("login").props("id=content"):
        ui.html(f'<h1><img src="{ASSETS}/favicon.svg" alt="">Sightline</h1>', sanitize=False)
        name = ui.input(in_language("Name", language)).props("outlined autofocus autocomplete=username")
        password = ui.input(in_language("Password", language), password=True, password_toggle_button=True).props(
            "outlined autocomplete=current-password"
        )
        told = ui.label().classes("told").props("role=alert")

        async def log_in() -> None:
            given = json.dumps({"name": name.value or "", "password": password.value or ""})
            answer = await ui.run_javascript(f"sightline.logIn({given})", timeout=30)
            if answer:
                told.set_text(answer)
            else:
                ui.navigate.to(inside)

        password.on("keydown.enter", log_in)
        ui.button(in_language("Log in", language), on_click=log_in).props("unelevated no-caps size=lg")
