"""A finished model is taught a new class of defect from a few pictures."""

from typing import Any
from urllib.parse import quote

from fastapi import Request
from nicegui import ui

from sightline.console.frame import framed
from sightline.console.job_watch import JobWatch
from sightline.console.making import label_text, version_address
from sightline.console.session import Refused, Session
from sightline.datasets.dataset import GOOD
from sightline.service.routes.datasets import ItemRecord, VersionDetail
from sightline.service.routes.jobs import JobOut
from sightline.service.routes.models import ModelRecord

_AT_ONCE = 60
_MODELS = 200
_FEWEST, _BEST, _MOST = 3, (5, 10), 50


async def page(request: Request, name: str, version: int, label: str = "") -> None:
    """
    Args:
        label: of the pictures that are offered; empty: all.
    """
    with framed(request, "/data") as session:
        path = f"/datasets/{quote(name, safe='')}/versions/{version}"
        try:
            detail = await session.api.get(path, VersionDetail)
            models = await session.api.get("/models", list[ModelRecord], limit=_MODELS)
        except Refused as error:
            ui.label(str(error)).classes("empty").props("role=alert")
            return
        with ui.element("div").classes("headline"):
            ui.link(session.text("Data"), "/data")
            ui.link(f"{name} {version}", version_address(name, version))
            ui.html(f"<h1>{session.text('Teach a class')}</h1>", sanitize=False)
        await Teaching(session, detail, label).build([one for one in models if one.status != "withdrawn"])


class Teaching:
    """A model, a name and some pictures."""

    def __init__(self, session: Session, detail: VersionDetail, label: str) -> None:
        self._session, self._detail, self._label = session, detail, label
        self._chosen: dict[str, ui.element] = {}
        self._last = -1
        self._able = False

    async def build(self, models: list[ModelRecord]) -> None:
        """All of the page."""
        text = self._session.text
        _about(self._session)
        if not models:
            ui.label(text("There is no model yet. Train one that gives names first.")).classes("empty")
            return
        with ui.element("section").classes("card"):
            with ui.element("div").classes("filters"):
                names = {
                    f"{one.name}/{one.version}": f"{one.name} {one.version} ({text(one.status)})" for one in models
                }
                self._model = ui.select(names, label=text("Model"), on_change=self._look).props("outlined dense")
                given = self._label if self._label not in ("", GOOD) else ""
                self._name = ui.input(text("Name of the new class"), value=given, on_change=self._told)
                self._name.props("outlined dense maxlength=120")
            self._known = ui.label().classes("muted")
            self._fault = ui.label().classes("refusal").props("role=alert")
            with ui.element("div").classes("actions"):
                self._go = ui.button(text("Teach"), on_click=self._teach).props("unelevated no-caps")
                self._many = ui.label().props('role="status"')
            self._watch = JobWatch(self._session, text("Teaching"), self._taught)
            self._result = ui.element("div")
        self._filter()
        self._place = ui.element("div").classes("gallery")
        self._more = ui.button(text("More"), on_click=self._add).props("outline no-caps")
        self._told()
        await self._add()
        for one in models[:10]:  # the newest that can be taught
            if _gives_names(await self._manifest(f"{one.name}/{one.version}")):
                self._model.set_value(f"{one.name}/{one.version}")
                break
        else:
            self._model.set_value(f"{models[0].name}/{models[0].version}")

    def _filter(self) -> None:
        text, detail = self._session.text, self._detail
        labels = {"": text("all")} | {
            one: label_text(self._session, one) for one in sorted({tally.label for tally in detail.tally} - {""})
        }
        here = f"{version_address(detail.dataset, detail.version)}/teach"
        chooser = ui.select(
            labels,
            label=text("Class"),
            value=self._label if self._label in labels else "",
            on_change=lambda event: ui.navigate.to(f"{here}?label={quote(event.value or '')}"),
        )
        chooser.props("outlined dense options-dense").classes("narrow-field")

    async def _add(self) -> None:
        path = f"/datasets/{quote(self._detail.dataset, safe='')}/versions/{self._detail.version}/items"
        query = {"after": self._last, "limit": _AT_ONCE, "label": self._label}
        found = await self._session.api.get(path, list[ItemRecord], **query)  # type: ignore[arg-type]
        with self._place:
            for item in found:
                self._part(item)
        self._last = found[-1].place if found else self._last
        self._more.set_visibility(len(found) == _AT_ONCE)

    def _part(self, item: ItemRecord) -> None:
        with ui.element("button").classes("part").props("type=button aria-pressed=false") as part:
            source = f"/api/v1/pictures/{item.picture}?size=thumb"
            ui.element("img").props(f'src="{source}" loading=lazy alt=""')
            with ui.element("div").classes("below"):
                ui.label(item.name)
        part.on("click", lambda: self._toggle(item.picture, part))

    def _toggle(self, picture: str, part: ui.element) -> None:
        if picture in self._chosen:
            del self._chosen[picture]
        elif len(self._chosen) < _MOST:
            self._chosen[picture] = part
        part.props(f"aria-pressed={'true' if picture in self._chosen else 'false'}")
        self._told()

    def _told(self) -> None:
        """How many are chosen, and whether that is enough."""
        number, (low, high) = len(self._chosen), _BEST
        self._many.set_text(
            self._session.text("{number} chosen; {low} to {high} are best", number=number, low=low, high=high)
        )
        self._go.set_enabled(self._able and number >= _FEWEST and bool(str(self._name.value or "").strip()))

    async def _manifest(self, model: str) -> dict[str, Any]:
        name, _, version = model.partition("/")
        path = f"/models/{quote(name, safe='')}/versions/{version}/manifest"
        return await self._session.api.get(path, dict[str, Any])

    async def _look(self) -> None:
        manifest = await self._manifest(str(self._model.value))
        self._able = _gives_names(manifest)
        known = self._session.text("It knows: {classes}", classes=", ".join(manifest["labels"]))
        self._known.set_text(known if self._able else "")
        none = self._session.text(
            "This model gives no names, so none can be taught. Choose one with the method classifier."
        )
        self._fault.set_text("" if self._able else none)
        self._told()

    async def _teach(self) -> None:
        self._result.clear()
        params = {"model": str(self._model.value), "label": str(self._name.value).strip(), "pictures": [*self._chosen]}
        await self._watch.start("teach", dict(params))

    def _taught(self, job: JobOut) -> None:
        assert job.result is not None, "it is done"
        text, found = self._session.text, job.result
        name, _, version = str(found["model"]).partition("/")
        with self._result, ui.element("div").classes("card").props("role=status"):
            told = text(
                "Version {version} of {name} knows {label} from {examples} pictures. It is a candidate: nothing uses it"
                " before it is promoted.",
                version=version,
                name=name,
                label=found["class"],
                examples=found["examples"],
            )
            ui.label(told).classes("strong")
            ui.label(text("Its classes: {classes}", classes=", ".join(found["classes"])))
            for warning in found["warnings"]:
                ui.label(self._session.heard(warning)).classes("refusal")
            ui.link(text("Compare and promote it"), f"/models/{quote(name, safe='')}")


def _gives_names(manifest: dict[str, Any]) -> bool:
    return bool(manifest.get("naming") or (manifest.get("regions") or {}).get("names_sha256"))


def _about(session: Session) -> None:
    text = session.text
    with ui.element("section").classes("card"):
        ui.label(
            text(
                "From 5 to 10 pictures a model that gives names learns one class more, in seconds, without being"
                " trained again; what it knew stays as it was."
            )
        )
        ui.label(
            text(
                "It can: reject parts by the new name that are like the examples. It cannot: learn what good parts"
                " look like, or tell apart what the examples do not show. Train anew as soon as there are some dozens."
            )
        ).classes("muted")
