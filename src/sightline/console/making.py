"""A new version of a data set: from an archive, from pictures, or from what people reviewed."""

import re
from typing import Any
from urllib.parse import quote, urlencode

from nicegui import ui

from sightline.console.figures import number
from sightline.console.intake import Intake
from sightline.console.job_watch import JobWatch
from sightline.console.session import Session
from sightline.datasets.dataset import GOOD, SPLITS
from sightline.service.routes.datasets import Tally, VersionRecord
from sightline.service.routes.jobs import JobOut

_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,119}")


def version_address(name: str, version: object, **query: object) -> str:
    """Where a version is looked at; what is empty is left out of the query."""
    asked = {key: value for key, value in query.items() if value not in ("", None)}
    return f"/data/{quote(name, safe='')}/{version}" + (f"?{urlencode(asked)}" if asked else "")


def label_text(session: Session, label: str) -> str:
    """A label in words; what people made up stays as they wrote it."""
    if label == GOOD:
        return session.text("good")
    return label or session.text("no label")


class Making:
    """The three ways, as tabs; a version that is made is what the browser goes to."""

    def __init__(
        self, session: Session, *, dataset: str = "", base: int | None = None, labels: tuple[str, ...] = ()
    ) -> None:
        """
        Args:
            dataset: that gets the version; empty: it is asked for.
            base: version whose pictures the new one has as well, on demand.
            labels: that are offered.
        """
        self._session, self._dataset, self._base, self._labels = session, dataset, base, labels
        text = session.text
        self._name = None if dataset else self._asked_name()
        with ui.tabs().props("dense no-caps align=left") as tabs:
            for key, title in (("archive", "Archive"), ("pictures", "Pictures"), ("reviews", "Reviewed parts")):
                ui.tab(key, text(title))
        self._adding = ui.switch(text("Keep the pictures of version {number} as well", number=base), value=True)
        self._adding.set_visibility(False)
        with ui.tab_panels(tabs, value="archive").classes("making"):
            for key, build in (("archive", self._archive), ("pictures", self._pictures), ("reviews", self._reviews)):
                with ui.tab_panel(key):
                    build()
        tabs.on_value_change(lambda event: self._adding.set_visibility(base is not None and event.value != "archive"))
        self._watch = JobWatch(session, text("Importing"), self._imported)

    def _asked_name(self) -> ui.input:
        text = self._session.text
        wrong = text("Letters, digits, - _ and . only, a letter or digit first.")
        name = ui.input(text("Name of the data set"), validation={wrong: lambda value: bool(_NAME.fullmatch(value))})
        return name.props("outlined dense maxlength=120").classes("narrow-field").without_auto_validation()

    def _target(self) -> str:
        """The data set's name; empty where what was given is none, which is then told at the field."""
        if self._name is None:
            return self._dataset
        return str(self._name.value) if self._name.validate() else ""

    def _archive(self) -> None:
        text = self._session.text
        _hint(
            text("Any format that is known, told by its content: folders of classes, MVTec AD, YOLO, COCO and others.")
        )
        note = self._note()
        button = _go(text("Import"))
        intake = Intake(
            self._session,
            archive=True,
            on_sent=lambda sent: self._watch.watch_id(sent[0]["answer"]["job"]),
            on_chosen=lambda many: button.set_enabled(many > 0),
        )
        _before(intake, button)

        def send() -> None:
            if name := self._target():
                query = urlencode({"product": name, "note": note.value or ""})
                intake.send(f"/datasets/{quote(name, safe='')}/imports?{query}")

        button.on_click(send)

    async def _imported(self, job: JobOut) -> None:
        assert job.result is not None, "it is done"
        self._show(job.result["dataset"], job.result["version"])

    def _pictures(self) -> None:
        text = self._session.text
        _hint(text("Pictures that show the same: all good, or all one kind of defect. Others are added afterwards."))
        with ui.element("div").classes("filters"):
            known = {"": text("not known yet"), GOOD: text("good")} | {one: one for one in self._labels if one != GOOD}
            label = ui.select(known, label=text("They show"), value=GOOD, with_input=True, new_value_mode="add-unique")
            label.props("outlined dense")
            splits = {"": text("not divided yet")} | {one: text(one) for one in SPLITS}
            split = ui.select(splits, label=text("For"), value="").props("outlined dense")
        button = _go(text("Make a version"))

        async def made(sent: list[dict[str, Any]]) -> None:
            items = [self._item(one, str(label.value or ""), str(split.value or "")) for one in sent]
            await self._make("", {"items": items, "product": self._target()})

        intake = Intake(self._session, archive=False, on_sent=made, on_chosen=lambda many: button.set_enabled(many > 0))
        _before(intake, button)
        button.on_click(lambda: intake.send("/datasets/pictures") if self._target() else None)

    @staticmethod
    def _item(sent: dict[str, Any], label: str, split: str) -> dict[str, Any]:
        digest = str(sent["answer"]["digest"])
        plain = re.sub(r"[^-\w. ()]", "_", str(sent["name"]))[-200:]
        # the digest keeps apart what cameras call by the same name
        name = "/".join(part for part in (split, label, f"{digest[:8]}-{plain}") if part)
        return {"picture": digest, "name": name, "split": split, "label": label}

    def _reviews(self) -> None:
        text, session = self._session.text, self._session
        _hint(text("Pictures of inspected parts that people have decided, with what they said and drew."))
        with ui.element("div").classes("filters"):
            product = ui.input(text("Product"), placeholder=text("all")).props("outlined dense clearable")
            needed = ui.number(text("People who agree"), value=1, min=1, max=5, format="%d").props("outlined dense")
        found = ui.element("div").props('role="status"')

        def asked() -> dict[str, Any]:
            return {"product": product.value or "", "needed": int(needed.value or 1)}

        async def count() -> None:
            tallies = await session.api.get("/datasets/reviewed", list[Tally], **asked())
            found.clear()
            with found:
                _tallied(session, tallies)
            button.set_enabled(bool(tallies))

        async def make() -> None:
            if self._target():
                await self._make("/from-reviews", asked())

        with ui.element("div").classes("actions"):
            ui.button(text("Count them"), on_click=count).props("outline no-caps")
            button = _go(text("Make a version"))
            button.on_click(make)

    async def _make(self, way: str, body: dict[str, Any]) -> None:
        name = self._target()
        if self._base is not None and self._adding.value:
            body["base"] = self._base
        path = f"/datasets/{quote(name, safe='')}/versions{way}"
        made = await self._session.api.change("POST", path, VersionRecord, body)
        self._show(made.dataset, made.version)

    def _note(self) -> ui.input:
        return ui.input(self._session.text("Note")).props("outlined dense maxlength=4000").classes("narrow-field")

    @staticmethod
    def _show(name: str, version: int) -> None:
        ui.navigate.to(version_address(name, version))


def _hint(text: str) -> None:
    ui.label(text).classes("muted")


def _go(text: str) -> ui.button:
    button = ui.button(text).props("unelevated no-caps")
    button.disable()
    return button


def _before(element: ui.element, button: ui.button) -> None:
    """Put the element in front of the button, which was made first, as it is named by it."""
    element.move(target_index=element.parent_slot.children.index(button))  # type: ignore[union-attr]


def _tallied(session: Session, tallies: list[Tally]) -> None:
    """How many pictures of each label."""
    if not tallies:
        ui.label(session.text("Nothing has been decided yet: parts are decided on the page Review.")).classes("empty")
        return
    with ui.element("dl").classes("facts"):
        for tally in tallies:
            with ui.element("dt"):
                ui.label(label_text(session, tally.label))
            with ui.element("dd"):
                ui.label(number(session, tally.pictures))
