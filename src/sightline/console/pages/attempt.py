"""Trying a model on pictures of one's own."""

import asyncio
from typing import Any

from fastapi import Request
from nicegui import ui

from sightline.console.frame import framed
from sightline.console.session import Session
from sightline.console.trial import Trial
from sightline.service.routes.models import ModelRecord

HERE = "/try"
_MOST = 50  # models that are offered


async def page(request: Request, model: str = "") -> None:
    """
    Args:
        model: its name; empty: the first.
    """
    with framed(request, HERE) as session:
        found = await session.api.get("/models", list[ModelRecord], limit=1000)
        current = sorted((one for one in found if one.status == "current"), key=lambda one: one.name)[:_MOST]
        products = await asyncio.gather(*(_products(session, one) for one in current))
        models = [(one.name, of) for one, of in zip(current, products, strict=True)] or [("", [])]
        with ui.element("div").classes("headline"):
            ui.html(f"<h1>{session.text('Try')}</h1>", sanitize=False)
            ui.label(session.text("Pictures are judged as a station would, and not kept.")).classes("muted")
        Trial(session, models, model)


async def _products(session: Session, model: ModelRecord) -> list[str]:
    """Those with a bank each, of which one must be chosen."""
    path = f"/models/{model.name}/versions/{model.version}/manifest"
    manifest = await session.api.get(path, dict[str, Any])
    return [one["name"] for one in manifest.get("products") or () if one.get("thresholds")]
