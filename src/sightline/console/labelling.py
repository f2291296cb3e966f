"""One picture of a data set, to be drawn on and named; the next one is a key away."""

import asyncio
from typing import Any, Protocol

from nicegui import run, ui
from nicegui.events import KeyEventArguments

from sightline.console.drawn import geometry_of, shapes_of
from sightline.console.figures import moment
from sightline.console.label_shapes import LabelShapes
from sightline.console.label_steps import LabelSteps
from sightline.console.making import label_text, version_address
from sightline.console.session import Session
from sightline.console.telling import done
from sightline.console.viewer import Drawn, Shape, Viewer
from sightline.datasets.dataset import GOOD
from sightline.service.rights import Right
from sightline.service.routes.dataset_work import TakenOver
from sightline.service.routes.datasets import ItemRecord, VersionDetail
from sightline.service.routes.labels import LabelRecord

_DEFECT = "defect"  # the class of who has none yet
_KINDS = {"box": "box", "polygon": "outline", "mask": "mask", "class": "whole picture"}


class Chosen(Protocol):
    """Which pictures one goes through."""

    @property
    def path(self) -> str: ...

    @property
    def query(self) -> dict[str, str | bool | None]: ...

    def address(self, **changed: object) -> str: ...


async def label_picture(session: Session, detail: VersionDetail, chosen: Chosen, picture: str) -> None:
    """The page of one picture of a version."""
    found = await session.api.get(f"{chosen.path}/items", list[ItemRecord], picture=picture, limit=1)
    if not found:
        ui.label(session.text("This picture is not in this version.")).classes("empty").props("role=alert")
        return
    await Labelling(session, detail, chosen).build(found[0])


class Labelling:
    """The viewer, what is marked, and the keys."""

    def __init__(self, session: Session, detail: VersionDetail, chosen: Chosen) -> None:
        self._session, self._detail, self._chosen = session, detail, chosen
        self._may = Right.REVIEW in session.caller.rights
        labels = {tally.label for tally in detail.tally} - {"", GOOD}
        self._classes = sorted(labels) or [_DEFECT]
        self._class = self._classes[0]
        self._turn = asyncio.Lock()
        self._shapes = LabelShapes()
        self._taken = 0  # number of the last change that labels were made of

    async def build(self, item: ItemRecord) -> None:
        """All of the page."""
        text = self._session.text
        with ui.element("div").classes("headline"):
            ui.link(text("Data"), "/data")
            back = version_address(self._detail.dataset, self._detail.version)
            ui.link(f"{self._detail.dataset} {self._detail.version}", back)
            with ui.element("h1").classes("picture-name"):
                self._name = ui.label()
            ui.element("span").classes("grow")
            with ui.element("div").classes("actions"):
                self._button("navigate_before", "Previous picture (Shift N)", lambda: self._go(forward=False))
                self._button("navigate_next", "Next picture (N)", lambda: self._go(forward=True))
        with ui.element("div").classes("labelling"):
            self._viewer = Viewer(
                item.picture, editable=self._may, labels=self._classes, on_change=self._drawn, name=item.name
            )
            with ui.element("aside").classes("card"):
                if self._may:
                    self._chooser()
                ui.html(f"<h2>{text('Labels')}</h2>", sanitize=False)
                self._list = ui.element("ul").classes("labels")
                self._came = ui.element("div")
        if self._may:
            ui.keyboard(self._key, ignore=["input", "select", "textarea"], repeating=False)
        await self._show(item)

    def _button(self, icon: str, title: str, do: Any) -> ui.button:
        name = self._session.text(title)
        button = ui.button(icon=icon, on_click=do).props("flat round")
        button.props["aria-label"] = button.props["title"] = name
        return button

    def _chooser(self) -> None:
        text = self._session.text
        ui.html(f"<h2>{text('Class')}</h2>", sanitize=False)
        self._choices = ui.element("div").classes("radios").props(f'role=radiogroup aria-label="{text("Class")}"')
        self._build_choices()
        new = ui.input(text("New class")).props("outlined dense maxlength=120")

        def add() -> None:
            if name := str(new.value or "").strip():
                new.set_value("")
                self._choose(name)

        new.on("keydown.enter", add)
        with ui.element("div").classes("actions"):
            whole = ui.button(text("Whole picture"), on_click=lambda: self._name_whole(self._class))
            whole.props("outline no-caps").tooltip(text("The whole picture is of the chosen class (W)"))
            good = ui.button(text("Good"), on_click=lambda: self._name_whole(GOOD)).props("outline no-caps")
            good.tooltip(text("Nothing is wrong with it (G)"))
            copy = ui.button(text("As the one before"), on_click=self._copy).props("outline no-caps")
            copy.tooltip(text("Copy the labels of the previous picture (C)"))
            self._undo = ui.button(text("Undo"), icon="undo", on_click=self._take_back).props("outline no-caps")
            self._undo.tooltip(text("Take the last step back (Z)"))
        keys = text("Keys: 1 to 9 class, B box, P polygon, R brush, W whole picture, G good, C copy, Z undo, N next")
        ui.label(keys).classes("muted keys")

    def _build_choices(self) -> None:
        self._choices.clear()
        with self._choices:
            for place, name in enumerate(self._classes):
                one = ui.element("button").classes("choice").on("click", lambda name=name: self._choose(name))
                one.props(f"type=button role=radio aria-checked={'true' if name == self._class else 'false'}")
                with one:
                    ui.label(str(place + 1) if place < 9 else "").classes("key").props("aria-hidden=true")
                    ui.label(name)

    def _choose(self, name: str) -> None:
        """What is drawn from now on is of this class."""
        if name not in self._classes:
            self._classes.append(name)
            self._viewer.offer(self._classes)
        self._class = name
        self._build_choices()
        self._viewer.set_label(name)

    async def _show(self, item: ItemRecord) -> None:
        """This picture from now on, by its address as well."""
        self._item = item
        self._steps, self._shapes = LabelSteps(session=self._session, picture=item.picture), LabelShapes()
        self._name.set_text(item.name)
        ui.navigate.history.replace(self._chosen.address(picture=item.picture))
        await self._refill()

    async def _refill(self) -> None:
        """All as the server has it; what the viewer held is forgotten."""
        await self._steps.read()
        labels = list(self._steps.standing.values())
        shapes = await run.io_bound(_shapes, labels, self._item, self._steps.said) or []  # None while it shuts down
        self._shapes.fill(shapes)
        self._viewer.show(self._item.picture, boxes=shapes, taken=self._taken)
        self._viewer.set_label(self._class)
        self._told()

    def _told(self) -> None:
        """The list of what stands."""
        text = self._session.text
        self._list.clear()
        with self._list:
            for label in self._steps.standing.values():
                self._line(label)
        self._came.clear()
        with self._came:
            if not self._steps.said and self._item.label:
                drawn = len(self._item.annotations.get("annotations", ()))
                came = text("As it came: {label}", label=label_text(self._session, self._item.label))
                ui.label(came + (f", {text('{number} drawn', number=drawn)}" if drawn else ""))
                if self._may:
                    ui.button(text("Change it"), on_click=self._take_over).props("flat no-caps")
            elif not self._steps.standing:
                ui.label(text("Nothing yet. Draw on the picture, or name the whole of it.")).classes("muted")
        if self._may:
            self._undo.set_enabled(self._steps.can_undo)

    def _line(self, label: LabelRecord) -> None:
        text = self._session.text
        with ui.element("li"):
            with ui.element("div").classes("grow"):
                ui.label(label_text(self._session, label.label)).classes("strong")
                made = f"{text(_KINDS[label.kind])} · {label.author} · {moment(self._session, label.at_s)}"
                ui.label(made).classes("muted")
            if self._may:
                remove = self._button("delete_outline", "Remove", lambda: self._remove(label.id))
                remove.props["aria-label"] = f"{text('Remove')} {label.label}"

    async def _take_over(self) -> None:
        """What came with the picture becomes labels, which can be changed."""
        async with self._turn:
            await self._over()
            await self._refill()

    async def _over(self) -> bool:
        if self._steps.said:
            return False
        path = f"{self._chosen.path}/items/{self._item.place}/take-over"
        return (await self._session.api.change("POST", path, TakenOver)).labels > 0

    async def _drawn(self, drawn: Drawn) -> None:
        """Make the labels what the viewer shows."""
        async with self._turn:
            if drawn.picture != self._item.picture:
                return  # after going on, on what was still to be seen
            current = drawn.turn == self._viewer.turn
            taken = await self._over()
            wanted = self._shapes.wanted(drawn.shapes, self._steps.standing, current=current)
            for label_id in wanted.back:
                await self._steps.bring_back(label_id)
            if wanted.new or wanted.gone:
                add = [(shape.label or self._class, geometry_of(shape)) for shape in wanted.new]
                made = await self._steps.change(add=add, remove=wanted.gone)
                self._shapes.became(wanted.new, made)
            self._taken = drawn.number
            if taken or wanted.apart or not current:
                await self._refill()
            else:
                self._told()

    async def _remove(self, label_id: int) -> None:
        async with self._turn:
            await self._steps.change(remove=[label_id])
            await self._refill()

    async def _name_whole(self, label: str) -> None:
        async with self._turn:
            await self._over()
            await self._steps.read()
            before = [one.id for one in self._steps.standing.values() if one.kind == "class"]
            await self._steps.change(add=[(label, {})], remove=before)
            await self._refill()

    async def _take_back(self) -> None:
        async with self._turn:
            await self._steps.undo()
            await self._refill()

    async def _copy(self) -> None:
        """The labels of the picture in front of this one, beside those that there are."""
        async with self._turn:
            path = f"{self._chosen.path}/items"
            found = await self._session.api.get(path, list[ItemRecord], before=self._item.place, limit=1)
            if not found:
                return
            before = LabelSteps(session=self._session, picture=found[0].picture)
            await before.read()
            given = [(one.label, one.geometry) for one in before.standing.values()]
            if not before.said:
                drawn = found[0].annotations.get("annotations", ())
                given = [(one["label"], one["geometry"]) for one in drawn]
            if not given:
                done(self._session.text("The picture before has no labels."))
                return
            await self._over()
            await self._steps.change(add=given)
            await self._refill()

    async def _go(self, *, forward: bool) -> None:
        """The next one of those that one goes through, or the one before."""
        place, path = self._item.place, f"{self._chosen.path}/items"
        to: dict[str, int] = {"after": place} if forward else {"before": place}
        found = await self._session.api.get(path, list[ItemRecord], limit=1, **to, **self._chosen.query)
        if found:
            async with self._turn:
                await self._show(found[0])
        else:
            last = "This was the last picture." if forward else "This was the first picture."
            done(self._session.text(last))

    async def _key(self, event: KeyEventArguments) -> None:
        if not event.action.keydown or event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta:
            return
        key = str(event.key.name).lower()
        place = event.key.number
        if place and place <= len(self._classes):
            self._choose(self._classes[place - 1])
        elif key in ("b", "p", "r", "v"):
            self._viewer.set_tool({"b": "box", "p": "polygon", "r": "brush", "v": "move"}[key])
        elif key == "n":
            await self._go(forward=not event.modifiers.shift)
        elif key == "w":
            await self._name_whole(self._class)
        elif key == "g":
            await self._name_whole(GOOD)
        elif key == "c":
            await self._copy()
        elif key == "z":
            await self._take_back()


def _shapes(labels: list[LabelRecord], item: ItemRecord, said: bool) -> list[Shape]:
    """What stands; where nobody labelled the picture, what came with it, which is only shown."""
    if said:
        return [shape for one in labels for shape in shapes_of(one.label, one.geometry, str(one.id))]
    drawn = item.annotations.get("annotations", ())
    return [shape for one in drawn for shape in shapes_of(one["label"], one["geometry"], "")]
