"""Trying a new product's model, and putting it into use with a recipe."""

from urllib.parse import quote

from nicegui import ui

from sightline.console.figures import NOTHING, number
from sightline.console.pages.models import href
from sightline.console.product.collecting import picker
from sightline.console.product.draft import Draft, Step
from sightline.console.session import Session
from sightline.console.signing import Signed, ask_reason
from sightline.service.routes.models import ModelRecord
from sightline.service.routes.recipes import RecipeRecord, RecipeSummary

CAMERAS = {
    'kind = "opencv"\nsource = 0': "USB camera",
    'kind = "genicam"\ndevice = "NAME-OF-THE-CAMERA"\ntrigger = "hardware"': "Industrial camera (GigE, USB3)",
    'kind = "opencv"\nsource = "rtsp://192.168.10.21/stream"': "Network camera",
    'kind = "folder"\npath = "pictures"': "Folder with pictures, to try it",
}
CONTROLLERS = {
    'kind = "sim"': "None: simulated, to try it",
    'kind = "modbus"\nhost = "192.168.10.5"': "Modbus TCP",
    'kind = "opcua"\nurl = "opc.tcp://192.168.10.5:4840"\n'
    'certificate = "station.der"\nkey = "station.pem"\nserver_certificate = "plc.der"': "OPC UA",
    'kind = "s7"\nhost = "192.168.10.5"': "Siemens S7",
}


async def test_step(session: Session, draft: Draft) -> None:
    """One picture after the other, judged by the version that is not in use yet."""
    text, model = session.text, draft.model
    assert model is not None, "the step takes one"
    ui.label(text("Show it a good part and a bad one. Does it say what you would say?")).classes("lead")
    path = f"/models/{quote(draft.name, safe='')}/versions/{model.version}/inspect"
    with ui.element("div").classes("split"):
        with ui.element("div").classes("card drop tried").props("data-shown=#tried") as place:
            place.props["data-try"] = path
            with ui.element("div").classes("actions"):
                picker(text("Choose a picture"), "pick-one", "accept=image/*,.tif,.tiff,.bmp")
                ui.label(text("or drop one here")).classes("muted")
            ui.element("img").props(f'id=tried hidden alt="{text("The picture, with what was found")}"')
        with ui.element("div").classes("card").props("role=status"):
            verdict = ui.label(NOTHING).classes("verdict")
            told = ui.label(text("Nothing was tried yet.")).classes("muted")

    def judged(event: object) -> None:
        found = dict(event.args)  # type: ignore[attr-defined]
        if refused := found.get("refused") or found.get("fault"):
            verdict.set_text(text("FAULT"))
            verdict.classes(replace="verdict fault")
            told.set_text(str(refused))
            return
        verdict.set_text(text(str(found["verdict"])))
        verdict.classes(replace=f"verdict {str(found['verdict']).lower()}")
        told.set_text(f"{text('Score')} {number(session, found['score'], 3)}, {number(session, found['ms'])} ms")

    ui.on("judged", judged)
    with ui.element("div").classes("actions"):
        ui.button(text("It is right: next"), on_click=lambda: ui.navigate.to(draft.address(Step.USE))).props(
            "unelevated"
        )
        ui.button(text("Change the limit"), on_click=lambda: ui.navigate.to(draft.address(Step.LIMIT))).props("flat")


async def use_step(session: Session, draft: Draft) -> None:
    """A recipe for the station, the model promoted, and what is left to do."""
    text, model = session.text, draft.model
    assert model is not None, "the step takes one"
    kept = await _kept(session, draft)
    if model.status == "current" and kept is not None:
        _finished(session, draft, model, kept)
        return
    ui.label(
        text("The recipe tells the station which camera, which model and which controller. It can be changed later.")
    ).classes("lead")
    with ui.element("div").classes("card"):
        recipe = _new_recipe(session, draft) if kept is None else _known_recipe(session, kept)

    async def put_into_use() -> None:
        title = text("Put {model} into use?", model=f"{model.name} {model.version}")
        signed = await ask_reason(session, title, text("Put into use"))
        if signed is not None:
            unchanged = kept is not None and kept.released and kept.text == recipe.value
            await _put(session, draft, model, "" if unchanged else recipe.value, signed)
            ui.navigate.to(draft.address(Step.USE))

    ui.button(text("Put into use"), on_click=put_into_use).props("unelevated")


async def _kept(session: Session, draft: Draft) -> RecipeRecord | None:
    """The recipe that stations fetch, or where none is released the newest; None: there is none."""
    path = f"/recipes/{quote(draft.name, safe='')}/versions"
    versions = await session.api.get(path, list[RecipeSummary], limit=1000)
    chosen = next((one for one in versions if one.released), versions[0] if versions else None)
    return await session.api.get(f"{path}/{chosen.version}", RecipeRecord) if chosen else None


def _known_recipe(session: Session, kept: RecipeRecord) -> ui.textarea:
    """The one that there is, as it is: what was set in it must not go back to what a new one begins with."""
    told = session.text(
        "Stations run version {version} of its recipe. Leave it as it is, or change it:"
        if kept.released
        else "Go on with version {version} of its recipe, which is not released yet:",
        version=kept.version,
    )
    ui.label(told).classes("strong")
    return _text_box(session, kept.text)


def _new_recipe(session: Session, draft: Draft) -> ui.textarea:
    text = session.text
    with ui.element("div").classes("filters"):
        number_box = ui.number(text("Number by which the controller calls it"), value=1, min=1, max=65535, format="%d")
        camera = ui.select(
            {key: text(name) for key, name in CAMERAS.items()}, label=text("Camera"), value=next(iter(CAMERAS))
        )
        plc = ui.select(
            {key: text(name) for key, name in CONTROLLERS.items()},
            label=text("Controller"),
            value=next(iter(CONTROLLERS)),
        )
        for box in (number_box, camera, plc):
            box.props("outlined dense").classes("wide-select")
    with ui.expansion(text("The recipe as text")).classes("full"):
        recipe = _text_box(session, "")

    def write() -> None:
        recipe.set_value(recipe_text(draft.name, int(number_box.value or 1), str(camera.value), str(plc.value)))

    for box in (number_box, camera, plc):
        box.on_value_change(write)
    write()
    return recipe


def _text_box(session: Session, value: str) -> ui.textarea:
    box = ui.textarea(value=value).props(f'outlined autogrow aria-label="{session.text("The recipe as text")}"')
    return box.classes("code full")


async def _put(session: Session, draft: Draft, model: ModelRecord, recipe: str, signed: Signed) -> None:
    """
    Args:
        recipe: to be released; empty: the one that is released stays.
    """
    name = quote(draft.name, safe="")
    body, headers = {"reason": signed.reason}, dict(signed.headers)
    if recipe:
        saved = await session.api.change("POST", f"/recipes/{name}/versions", RecipeRecord, {"text": recipe})
        if not saved.released:
            path = f"/recipes/{name}/versions/{saved.version}/release"
            await session.api.change("POST", path, RecipeRecord, body, headers=headers)
    if model.status != "current":
        path = f"/models/{name}/versions/{model.version}/promote"
        await session.api.change("POST", path, ModelRecord, body, headers=headers)


def recipe_text(name: str, known_as: int, camera: str, plc: str) -> str:
    """A recipe with one view, as short as it can be."""
    return (
        f'product = "{name}"\nnumber = {known_as}  # by which the PLC asks for it\n'
        f"window_ms = 500  # from trigger to result\n\n"
        f"[plc]\n{plc}\n\n"
        f'[[views]]\nname = "top"\nmodel = "{name}.sight"  # beside this file\n\n'
        f"[views.camera]\n{camera}\n\n"
        f'[store]\nfolder = "records"\n'
    )


def _finished(session: Session, draft: Draft, model: ModelRecord, recipe: RecipeRecord) -> None:
    text, name = session.text, quote(draft.name, safe="")
    with ui.element("div").classes("card finished"):
        ui.label(text("{product} is ready.", product=draft.name)).classes("section").props("role=heading aria-level=2")
        ui.label(text("Version {version} judges on this server from now on.", version=model.version))
        ui.label(text("At the station:")).classes("strong")
        with ui.element("ol"):
            with ui.element("li"):
                ui.link(text("Download the model"), f"/api/v1/models/{name}/versions/{model.version}/file")
                ui.label(text("and put it beside the recipe as {file}.", file=f"{draft.name}.sight"))
            with ui.element("li"):
                ui.label(
                    text(
                        "Save the recipe there as {file}, and set its camera and controller:", file=f"{draft.name}.toml"
                    )
                )
                told = text("Download the recipe, version {version}", version=recipe.version)
                ui.button(told, on_click=lambda: ui.download.content(recipe.text, f"{draft.name}.toml")).props(
                    "outline dense"
                )
            with ui.element("li"):
                ui.label(text("Start it:"))
                ui.label(f"sightline line {draft.name}.toml").classes("code")
    with ui.element("div").classes("actions"):
        ui.button(text("Watch the line"), on_click=lambda: ui.navigate.to("/")).props("unelevated")
        ui.button(text("Try pictures"), on_click=lambda: ui.navigate.to(f"/try?model={name}")).props("flat")
        ui.button(text("See the model"), on_click=lambda: ui.navigate.to(href(model.name, model.version))).props("flat")
