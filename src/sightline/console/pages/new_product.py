"""A new product, from its first picture to a model that judges, step by step."""

from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from sightline.console.frame import framed
from sightline.console.product.collecting import Collection
from sightline.console.product.draft import Draft, Step, draft_of, plain_name
from sightline.console.product.finishing import test_step, use_step
from sightline.console.product.learning import look_step, train_step
from sightline.console.product.limiting import limit_step
from sightline.console.scripts import load_script
from sightline.console.session import Session
from sightline.service.routes.datasets import VersionRecord
from sightline.service.routes.models import ModelRecord

TITLES = {
    Step.NAME: "Name",
    Step.COLLECT: "Good pictures",
    Step.TRAIN: "Train",
    Step.LOOK: "Look over",
    Step.LIMIT: "Limit",
    Step.TEST: "Test",
    Step.USE: "Use",
}
_OFFERED = 6  # products that were begun


async def page(request: Request, name: str = "", step: str = "name", version: int = 0, by: str = "share") -> None:
    """
    Args:
        name: of the product.
        step: one of Step.
        version: of its model, that is worked on; 0: the newest.
        by: what the limit is set by, share or cost.
    """
    with framed(request, "/new-product") as session:
        load_script("models.js")
        draft = await draft_of(session, name, version)
        wanted = Step(step) if step in tuple(Step) else Step.NAME
        here = wanted if draft.reached(wanted) else _furthest(draft)
        _way(session, draft, here)
        match here:
            case Step.NAME:
                await _name(session, name)
            case Step.COLLECT:
                await Collection(session, draft).show()
            case Step.TRAIN:
                await train_step(session, draft)
            case Step.LOOK:
                await look_step(session, draft)
            case Step.LIMIT:
                await limit_step(session, draft, by)
            case Step.TEST:
                await test_step(session, draft)
            case Step.USE:
                await use_step(session, draft)


def _furthest(draft: Draft) -> Step:
    if draft.reached(Step.LOOK):
        return Step.LOOK
    return Step.TRAIN if draft.reached(Step.TRAIN) else Step.COLLECT if draft.name else Step.NAME


def _way(session: Session, draft: Draft, here: Step) -> None:
    """Where one is, and the steps that one can go to."""
    text = session.text
    title = text("New product") + (f": {draft.name}" if draft.name else "")
    ui.label(title).classes("title").props("role=heading aria-level=1")
    with ui.element("nav").classes("way").props(f'aria-label="{text("Steps")}"'), ui.element("ol"):
        for place, step in enumerate(Step, 1):
            with ui.element("li"):
                told = f"{place}. {text(TITLES[step])}"
                if draft.reached(step):
                    link = ui.link(told, draft.address(step))
                    if step is here:
                        link.props("aria-current=step")
                else:
                    ui.label(told).classes("muted")


async def _name(session: Session, name: str) -> None:
    text = session.text
    ui.label(text("What is the part called?")).classes("lead")
    with ui.element("div").classes("card named"):
        box = ui.input(text("Name of the product"), value=name).props("outlined autofocus maxlength=100")
        told = ui.label().classes("muted")

        def changed() -> None:
            plain = plain_name(box.value or "")
            told.set_text(text("It will be known as {name}.", name=plain) if plain and plain != box.value else "")

        def go() -> None:
            plain = plain_name(box.value or "")
            if plain:
                ui.navigate.to(f"/new-product?{urlencode({'name': plain, 'step': Step.COLLECT.value})}")
            else:
                told.set_text(text("Give the product a name, with letters or digits."))

        box.on_value_change(changed)
        box.on("keydown.enter", go)
        ui.button(text("Next"), on_click=go).props("unelevated")
    await _begun(session)


async def _begun(session: Session) -> None:
    """Products that somebody began and has not put into use."""
    text = session.text
    datasets = await session.api.get("/datasets", list[VersionRecord], limit=200)
    models = await session.api.get("/models", list[ModelRecord], limit=200)
    used = {model.name for model in models if model.status == "current"}
    open_ = [one for one in datasets if one.product == one.dataset and one.dataset not in used]
    newest = sorted(open_, key=lambda one: -one.created_s)[:_OFFERED]
    if newest:
        ui.label(text("Or go on with one that was begun:")).classes("strong")
        with ui.element("div").classes("actions"):
            for one in newest:
                step = Step.LOOK if any(model.name == one.dataset for model in models) else Step.COLLECT
                ui.link(one.dataset, f"/new-product?{urlencode({'name': one.dataset, 'step': step.value})}")
