"""Models: which there are, how good they are, and which one judges."""

from collections.abc import Callable, Sequence
from urllib.parse import quote, urlencode

from fastapi import Request
from nicegui import ui

from sightline.console.figures import NOTHING, between, moment, number, share
from sightline.console.frame import framed
from sightline.console.scripts import load_script, scripted
from sightline.console.session import Session
from sightline.service.rights import Right
from sightline.service.routes.inspections import Inspections
from sightline.service.routes.models import ModelRecord

STATUSES = {"candidate": "Candidate", "current": "Current", "former": "Former", "withdrawn": "Withdrawn"}
_PAGE = 50
_MOST_ASKED = 20  # current models whose product is looked up
_ORDERS = {"newest": "Newest first", "auroc": "Best AUROC first", "overkill": "Least overkill first"}


async def page(request: Request, name: str = "", order: str = "newest", before: int = 0) -> None:
    """
    Args:
        name: of the models that are shown; empty: all.
        order: one of _ORDERS, within the page of the list.
        before: id of the last model of the page in front.
    """
    with framed(request, "/models") as session:
        found = await session.api.get("/models", list[ModelRecord], name=name, before=before or None, limit=_PAGE)
        _headline(session)
        if not found and not name and not before:
            with ui.element("div").classes("empty"):
                ui.label(session.text("There are no models yet. Train one for a new product, or upload a .sight file."))
            return
        _filters(session, found, name, order)
        products = await _products(session, found)
        with ui.element("div").classes("card scroll"):
            _table(session, _ordered(found, order), products)
        if len(found) == _PAGE:
            query = urlencode({"name": name, "order": order, "before": found[-1].id})
            ui.link(session.text("Older ones"), f"/models?{query}")


def href(name: str, version: int, **query: str) -> str:
    """The address of a version."""
    return f"/models/{quote(name, safe='')}?{urlencode({'version': version, **query})}"


def status_badge(session: Session, status: str) -> None:
    """A status, by its word and its look."""
    ui.label(session.text(STATUSES.get(status, status))).classes(f"status {status}")


def _headline(session: Session) -> None:
    text = session.text
    with ui.element("div").classes("headline"):
        ui.html(f"<h1>{text('Models')}</h1>", sanitize=False)
        ui.element("span").classes("grow")
        if Right.MANAGE in session.caller.rights:
            ui.button(text("Upload a model"), icon="upload", on_click=_upload_dialog(session)).props("outline")
            ui.button(text("New product"), icon="add", on_click=lambda: ui.navigate.to("/new-product")).props(
                "unelevated"
            )


def _upload_dialog(session: Session) -> Callable[[], object]:
    text = session.text
    load_script("models.js")
    with ui.dialog().props("persistent") as dialog, ui.card().classes("card ask"):
        ui.label(text("Upload a model")).classes("strong").props("role=heading aria-level=2")
        ui.html(
            f'<label class="upload">{text("File, .sight")}<input id="model-file" type="file" accept=".sight"></label>',
            sanitize=False,
        )
        name = ui.input(text("Name of the model")).props("outlined maxlength=120").classes("full")
        note = ui.input(text("Note")).props("outlined maxlength=1000").classes("full")
        bar = ui.linear_progress(0, show_value=False).props(f'aria-label="{text("Progress")}"')
        wrong = ui.label().classes("told").props("role=alert")

        async def send() -> None:
            if not name.value:
                wrong.set_text(text("Give the model a name."))
                return
            wrong.set_text("")
            given = [scripted(one or "") for one in (name.value, note.value)]
            ui.run_javascript(f"sightline.sendModel('#model-file', {given[0]}, {given[1]})")

        with ui.element("div").classes("actions end"):
            ui.button(text("Cancel"), on_click=dialog.close).props("flat")
            ui.button(text("Upload"), on_click=send).props("unelevated")
    ui.on("model-progress", lambda event: bar.set_value(float(event.args)))
    ui.on("model-sent", lambda event: ui.navigate.to(href(str(event.args["name"]), int(event.args["version"]))))
    ui.on("model-refused", lambda event: wrong.set_text(str(event.args) or text("Choose a file.")))
    return dialog.open


def _filters(session: Session, found: Sequence[ModelRecord], name: str, order: str) -> None:
    text = session.text
    names = sorted({model.name for model in found} | ({name} if name else set()))

    def go(**changed: str) -> None:
        ui.navigate.to(f"/models?{urlencode({'name': name, 'order': order} | changed)}")

    with ui.element("div").classes("filters"):
        ui.select(
            {"": text("All")} | {one: one for one in names},
            label=text("Model"),
            value=name,
            on_change=lambda event: go(name=event.value),
        ).props("outlined dense")
        ui.select(
            {key: text(told) for key, told in _ORDERS.items()},
            label=text("Order"),
            value=order if order in _ORDERS else "newest",
            on_change=lambda event: go(order=event.value),
        ).props("outlined dense")


def _ordered(found: Sequence[ModelRecord], order: str) -> list[ModelRecord]:
    sign = -1 if order == "auroc" else 1
    if order not in ("auroc", "overkill"):
        return list(found)
    return sorted(found, key=lambda model: (order not in model.figures, sign * float(model.figures.get(order) or 0)))


async def _products(session: Session, found: Sequence[ModelRecord]) -> dict[int, str]:
    """What the current ones judged last, by the model's id."""
    products = {}
    for model in [model for model in found if model.status == "current"][:_MOST_ASKED]:
        last = await session.api.get("/inspections", Inspections, model=model.model_id, limit=1)
        if last.items:
            products[model.id] = last.items[0].product
    return products


def _table(session: Session, found: Sequence[ModelRecord], products: dict[int, str]) -> None:
    text = session.text
    numeric = ("AUROC", "Escapes", "Overkill", "Latency", "Size")
    heads = ("Model", "Status", *numeric, "Judges", "Made")
    with ui.element("table").classes("table leaderboard"):
        with ui.element("thead"), ui.element("tr"):
            for head in heads:
                _cell(text(head), "th", "number" if head in numeric else "").props("scope=col")
        with ui.element("tbody"):
            for model in found:
                _row(session, model, products.get(model.id, ""))


def _row(session: Session, model: ModelRecord, product: str) -> None:
    figures = model.figures
    with ui.element("tr"):
        with ui.element("td"):
            ui.link(f"{model.name} {model.version}", href(model.name, model.version)).classes("strong")
            ui.label(model.method).classes("muted small")
        with ui.element("td"):
            status_badge(session, model.status)
        for key, digits in (("auroc", 1), ("escape", 1), ("overkill", 1)):
            with ui.element("td").classes("number"):
                ui.label(share(session, figures.get(key), digits))
                ui.label(between(session, figures.get(f"{key}_low"), figures.get(f"{key}_high"))).classes("muted small")
        latency = figures.get("latency_ms")
        _cell(f"{number(session, latency)} ms" if latency is not None else NOTHING, "td", "number")
        _cell(f"{number(session, model.size_bytes / 1e6, 1)} MB", "td", "number")
        _cell(product or NOTHING, "td", "")
        with ui.element("td"):
            ui.label(moment(session, model.created_s))
            ui.label(model.author).classes("muted small")


def _cell(told: str, tag: str, kind: str) -> ui.element:
    with ui.element(tag).classes(kind) as cell:
        ui.label(told)
    return cell
