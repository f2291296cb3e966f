"""The settings that the server runs with; they are changed in its file."""

from itertools import groupby

from fastapi import Request
from nicegui import ui

from sightline.console.figures import NOTHING
from sightline.console.layout import mark, row, table
from sightline.console.pages.admin import HERE, admin
from sightline.service.routes.settings import Setting


async def page(request: Request) -> None:
    """All of them, by section."""
    with admin(request, f"{HERE}/settings") as session:
        text = session.text
        ui.label(
            text(
                "Read when the server starts, from its file and the environment. Change them there, and start it again."
            )
        ).classes("muted")
        found = await session.api.get("/settings", list[Setting])
        for section, settings in groupby(found, lambda one: one.section):
            with ui.element("section").classes("card"):
                with ui.element("h2"):
                    ui.label(f"[{section}]")
                with table(session, "Key", "Value", "", "Meaning"):
                    for one in settings:
                        row(
                            one.key,
                            one.value or NOTHING,
                            (lambda: mark(text("changed"), "review")) if one.changed else None,
                            session.heard(one.told),
                        )
