"""Live parts."""

from fastapi import Request
from nicegui import ui

from sightline.console.frame import framed


async def page(request: Request) -> None:
    """Parts as they are judged."""
    with framed(request, "/") as session:
        ui.label(session.text("Line"))
