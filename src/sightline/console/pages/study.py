"""One study: how far it is, the machine's part in it, its end, and its result."""

from urllib.parse import quote, urlencode

from fastapi import Request
from nicegui import ui

from sightline.console.figures import NOTHING, moment, number
from sightline.console.frame import framed, missing
from sightline.console.model_file import products_of
from sightline.console.pages import study_result
from sightline.console.session import Refused, Session
from sightline.console.telling import done
from sightline.service.rights import Right
from sightline.service.routes.inspect import InspectionReply
from sightline.service.routes.inspections import Detail
from sightline.service.routes.models import ModelRecord
from sightline.service.routes.studies import ItemShown, NextShown, StudyShown

_CURRENT = "current"


async def page(request: Request, id: str, model: str = "", product: str = "") -> None:  # noqa: A002 - in the path
    """A study while it is open, and once it is closed.

    Args:
        model: that may be let rate; empty: the first.
        product: by whose bank it judges, where it has one for each; empty: the study's.
    """
    if not id.isdecimal():
        missing(request)
        return
    with framed(request, "/studies") as session:
        try:
            found = await session.api.get(f"/studies/{id}", StudyShown)
        except Refused as refused:
            ui.label(str(refused)).classes("empty").props("role=alert")
            return
        with ui.element("div").classes("headline"):
            with ui.element("h1"):
                ui.label(found.name)
            ui.label(session.text("open" if found.closed_s is None else "closed")).classes("verdict")
        _facts(session, found)
        if found.closed_s is None:
            await _open(session, found, model, product)
        else:
            await study_result.show(session, found)


def _facts(session: Session, found: StudyShown) -> None:
    text = session.text
    known = {
        text("Product"): found.product or NOTHING,
        text("Rounds"): number(session, found.rounds),
        text("Made"): f"{moment(session, found.created_s)}, {found.author}",
        text("Note"): found.note,
    }
    with ui.element("dl").classes("facts"):
        for name, value in known.items():
            if value:
                with ui.element("dt"):
                    ui.label(name)
                with ui.element("dd"):
                    ui.label(value)


async def _open(session: Session, found: StudyShown, model: str, product: str) -> None:
    text, rights = session.text, session.caller.rights
    task = (await session.api.get(f"/studies/{found.id}/next", NextShown)).task if Right.REVIEW in rights else None
    with ui.element("section").classes("card"):
        ui.html(f"<h2>{text('Ratings')}</h2>", sanitize=False)
        told = text(
            "While the study is open nobody sees what others said. Whoever chose the parts knows what they are, and"
            " should not rate."
        )
        ui.label(told).classes("muted")
        with ui.element("ul").classes("signals"):
            for name, count in found.ratings.items():
                with ui.element("li"):
                    ui.label(text("{name}: {count} rated", name=name, count=number(session, count)))
        with ui.element("div").classes("actions"):
            if task is not None:
                with ui.element("a").classes("action").props(f"href=/studies/{found.id}/rate"):
                    ui.icon("keyboard").props("aria-hidden=true")
                    ui.label(text("Rate, {left} to go", left=number(session, task.of - task.done)))
            if Right.MANAGE in rights:
                ui.button(text("Close the study"), icon="lock", on_click=lambda: _ask_to_close(session, found)).props(
                    "flat"
                )
        if Right.MANAGE in rights:
            await _machine(session, found, model, product)


async def _machine(session: Session, found: StudyShown, model: str, product: str) -> None:
    """Let a model judge the same pictures; what the line itself said of its parts is in the study already."""
    text = session.text
    known = await session.api.get("/models", list[ModelRecord])
    versions = {one.name: one.version for one in sorted(known, key=lambda one: one.name) if one.status == _CURRENT}
    if not versions:
        return
    model = model if model in versions else next(iter(versions))
    products = await products_of(session, model, versions[model])
    product = next((one for one in (product, found.product, *products) if one in products), "")

    def go(**query: str) -> None:
        asked = {name: value for name, value in query.items() if value}
        ui.navigate.to(f"/studies/{found.id}?{urlencode(asked)}")

    ui.html(f"<h3>{text('The machine')}</h3>", sanitize=False)
    told = text(
        "Of parts from the line the verdict of that time counts already. A model can judge the same pictures again."
    )
    ui.label(told).classes("muted")
    with ui.element("div").classes("filters"):
        ui.select(
            list(versions), label=text("Model"), value=model, on_change=lambda event: go(model=event.value)
        ).props("outlined dense options-dense")
        if products:
            ui.select(
                list(products),
                label=text("Product"),
                value=product,
                on_change=lambda event: go(model=model, product=event.value),
            ).props("outlined dense options-dense")
        progress = ui.label().props("role=status")

        async def judge() -> None:
            button.disable()
            try:
                appraiser = await _judged(session, found, (model, product), progress)
                done(text("{model} has judged every part.", model=appraiser))
                ui.navigate.to(f"/studies/{found.id}")
            finally:
                button.enable()

        button = ui.button(text("Let it rate"), icon="smart_toy", on_click=judge).props("flat")


async def _judged(session: Session, found: StudyShown, by: tuple[str, str], progress: ui.label) -> str:
    """Judge all items by a model, of several banks by that of a product; returns as whom it has rated."""
    items = await session.api.get(f"/studies/{found.id}/items", list[ItemShown])
    verdicts: dict[int, str] = {}
    version = 0
    for at, item in enumerate(items, 1):
        progress.set_text(session.text("{at} of {of}", at=at, of=len(items)))
        replies = [await _reply(session, by, digest) for digest in await _pictures(session, item)]
        passed = bool(replies) and all(reply.verdict == "PASS" for reply in replies)  # one view is enough to reject
        verdicts[item.id] = "PASS" if passed else "REJECT"
        version = max([version, *(reply.version for reply in replies)])
    appraiser = " ".join(word for word in (by[0], str(version), by[1]) if word)
    given = {"appraiser": appraiser, "round": 1, "verdicts": verdicts}
    await session.api.change("POST", f"/studies/{found.id}/machine", type(None), given)
    return appraiser


async def _pictures(session: Session, item: ItemShown) -> list[str]:
    if item.picture or item.inspection_id is None:
        return [item.picture] if item.picture else []
    part = await session.api.get(f"/inspections/{item.inspection_id}", Detail)
    return [view.picture for view in part.inspection.views if view.picture]


async def _reply(session: Session, by: tuple[str, str], digest: str) -> InspectionReply:
    picture = await session.api.content(f"/pictures/{digest}")
    path, media_type = f"/models/{quote(by[0], safe='')}/inspect", "application/octet-stream"
    return await session.api.send(path, picture, InspectionReply, media_type=media_type, product=by[1])


def _ask_to_close(session: Session, found: StudyShown) -> None:
    text = session.text

    async def close() -> None:
        await session.api.change("POST", f"/studies/{found.id}/close", StudyShown)
        ui.navigate.to(f"/studies/{found.id}")

    with ui.dialog(value=True) as dialog, ui.card():
        ui.label(text("Close the study?")).classes("strong")
        ui.label(text("Then its result is shown, and nobody can rate any more. It cannot be opened again."))
        with ui.element("div").classes("actions"):
            ui.button(text("Close the study"), on_click=close).props("unelevated")
            ui.button(text("Go on rating"), on_click=dialog.close).props("flat")
