"""Collecting good pictures: from files, from a camera of this device, from a station."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from nicegui import ui

from sightline.console.job_watch import JobWatch
from sightline.console.product.draft import DEFECT, ENOUGH, GOOD, LEAST, Draft, Step, carry_over, draft_of, items_of
from sightline.console.product.station_parts import Shot, StationParts
from sightline.console.scripts import scripted
from sightline.console.session import Session
from sightline.console.telling import done
from sightline.datasets.oddities import Odd
from sightline.service.routes.datasets import ItemRecord, NewItem, OddRecord, VersionRecord
from sightline.service.routes.jobs import JobOut
from sightline.service.routes.stations import Station

_SHOWN = 60  # pictures at a time
_FOLLOW_S = 3.0
ODD = {
    Odd.BLURRED: "blurred",
    Odd.DARK: "darker than the others",
    Odd.BRIGHT: "brighter than the others",
    Odd.SATURATED: "overexposed",
    Odd.SIZE: "another size",
    Odd.FORMAT: "other colours",
    Odd.DUPLICATE: "there twice",
}
_NO_CAMERA = {
    "insecure": "The browser gives its camera to pages with TLS (https) only. Use files, or set up a certificate.",
    "none": "No camera was found on this device. Plug one in, or use files.",
    "refused": "The browser does not let this page use the camera. Allow it beside the address, and try again.",
}


class Collection:
    """The step's page; what is shown follows what is on the server."""

    def __init__(self, session: Session, draft: Draft) -> None:
        self._session, self._draft = session, draft
        self._shown = _SHOWN
        self._removed: list[ItemRecord] = []
        self._refreshing = asyncio.Lock()  # uploads that end together ask for it together
        self._drawn: object = None  # what the gallery shows
        self._parts = StationParts(api=session.api, product=draft.name)
        self._asked: set[str] = set()  # digests of pictures that a person may take

    async def show(self) -> None:
        text = self._session.text
        ui.label(
            text("Show it only good parts, as they come: {enough} pictures make a good start.", enough=ENOUGH)
        ).classes("lead")
        self._count = ui.element("div").classes("count").props("role=status")
        with ui.element("div").classes("cards"):
            self._files()
            self._camera()
            await self._station()
        self._told = ui.label().classes("told").props("role=alert")
        self._undo = ui.element("div")
        self._gallery = ui.element("div")
        ui.on("collected", self._collected)
        ui.on("sending", lambda event: self._sending(float(event.args)))
        ui.on("archived", self._archived)
        await self._refresh()

    def _files(self) -> None:
        text = self._session.text
        with ui.element("section").classes("card drop") as place:
            place.props["data-collect"] = self._options()
            ui.label(text("From files")).classes("section").props("role=heading aria-level=2")
            ui.label(text("Drop pictures, a folder or a ZIP here, or choose them.")).classes("muted")
            with ui.element("div").classes("actions"):
                picker(text("Choose pictures"), "pick-files", "multiple accept=image/*,.tif,.tiff,.bmp,.zip")
                picker(text("Choose a folder"), "pick-folder", "webkitdirectory multiple")
            self._bar = ui.linear_progress(0, show_value=False).props(f'aria-label="{text("Progress")}"')
            self._bar.set_visibility(False)
            self._importing = JobWatch(self._session, text("Importing"), self._imported)

    def _camera(self) -> None:
        text = self._session.text
        with ui.element("section").classes("card"):
            ui.label(text("From a camera here")).classes("section").props("role=heading aria-level=2")
            video = ui.element("video").props("id=camera playsinline muted").classes("camera")
            video.set_visibility(False)
            why = ui.label(text("The camera of this computer or phone.")).classes("muted")
            with ui.element("div").classes("actions"):
                start = ui.button(text("Start the camera")).props("outline")
                one = ui.button(text("Take a picture")).props("unelevated")
                ten = ui.button(text("Take ten, one a second")).props("outline")
            for button in (one, ten):
                button.set_visibility(False)

            async def open_camera() -> None:
                video.set_visibility(True)
                fault = await ui.run_javascript("sightline.openCamera('#camera')", timeout=60)
                video.set_visibility(not fault)
                start.set_visibility(bool(fault))
                for button in (one, ten):
                    button.set_visibility(not fault)
                why.set_text(text(_NO_CAMERA[fault]) if fault else text("Lay a good part before it, each time anew."))

            start.on_click(open_camera)
            one.on_click(lambda: ui.run_javascript(f"sightline.shoot('#camera', 1, {self._options()})"))
            ten.on_click(lambda: ui.run_javascript(f"sightline.shoot('#camera', 10, {self._options()})"))

    async def _station(self) -> None:
        text = self._session.text
        stations = await self._session.api.get("/stations", list[Station])
        with ui.element("section").classes("card"):
            ui.label(text("From a station")).classes("section").props("role=heading aria-level=2")
            if not stations:
                ui.label(text("No station has reported yet.")).classes("muted")
                return
            names = [one.name for one in stations]
            with ui.element("div").classes("actions"):
                chosen = ui.select(names, label=text("Station"), value=names[0]).props("outlined dense")
                ui.button(text("Take its last 20"), on_click=lambda: self._from_station(chosen.value)).props("outline")
            timer = ui.timer(_FOLLOW_S, lambda: self._follow(chosen.value), active=False)

            async def switched() -> None:
                await self._parts.begin()
                timer.active = follow.value

            follow = ui.switch(text("Take each new part"), on_change=switched)
            chosen.on_value_change(self._parts.begin)
            self._doubt = ui.label().classes("warn").props("role=status")
            self._doubtful = ui.element("div").classes("gallery")

    async def _from_station(self, station: str) -> None:
        shots = await self._parts.last(station)
        there = {item.picture for item in await items_of(self._session, self._draft)}
        if not await self._offer([shot for shot in shots if shot.item.picture not in there]):
            done(self._session.text("There is nothing new."))

    async def _follow(self, station: str) -> None:
        await self._offer(await self._parts.new(station))

    async def _offer(self, shots: Sequence[Shot]) -> bool:
        """Take those of parts that passed, and show the others; whether there is one."""
        if passed := [shot.item for shot in shots if shot.passed]:
            await self._revise(add=passed)
        for shot in shots:
            if not shot.passed and shot.item.picture not in self._asked:
                self._ask(shot)
        return bool(shots)

    def _ask(self, shot: Shot) -> None:
        """Whether a part that did not pass is good, which a person must say."""
        text, item = self._session.text, shot.item

        async def take() -> None:
            self._asked.discard(item.picture)
            part.delete()
            self._show_doubt()
            await self._revise(add=[item])

        self._asked.add(item.picture)
        with self._doubtful, ui.element("div").classes("part") as part:
            _picture(item)
            with ui.element("div").classes("below"):
                ui.label(text(shot.verdict)).classes("warn")
                ui.element("span").classes("grow")
                button = ui.button(text("Take it"), on_click=take).props("flat dense no-caps")
                button.props["aria-label"] = text("Take {name}", name=item.name)
        self._show_doubt()

    def _show_doubt(self) -> None:
        told = self._session.text(
            "{count} parts did not pass. Take by hand those that are good.", count=len(self._asked)
        )
        self._doubt.set_text(told if self._asked else "")

    async def _collected(self, event: object) -> None:
        told = dict(event.args)  # type: ignore[attr-defined]
        self._bar.set_visibility(told["done"] < told["total"])
        self._bar.set_value(told["done"] / max(1, told["total"]))
        faults = [
            self._session.text("There are no pictures among these.") if one == "-" else one for one in told["faults"]
        ]
        if faults:
            self._told.set_text(" ".join(map(str, faults[:5])))
        await self._refresh()

    def _sending(self, share: float) -> None:
        self._bar.set_visibility(True)
        self._bar.set_value(share)

    async def _archived(self, event: object) -> None:
        """An archive is at the server, or was refused."""
        told = dict(event.args)  # type: ignore[attr-defined]
        self._bar.set_visibility(False)
        if "job" in told:
            await self._importing.watch_id(told["job"])
        self._told.set_text(told.get("fault", ""))

    async def _imported(self, _: JobOut) -> None:
        """The archive became a version of its own; what was there before is added to it."""
        before = self._draft.data
        kept = await carry_over(self._session, self._draft)
        if before is not None and kept < before.items:
            told = (
                "Only {kept} of the {all} pictures from before were added; the others are in version {version} alone."
            )
            self._told.set_text(self._session.text(told, kept=kept, all=before.items, version=before.version))
        await self._refresh()

    async def _revise(self, *, add: Sequence[NewItem] = (), remove: Sequence[str] = ()) -> None:
        body = {"product": self._draft.name, "add": [one.model_dump() for one in add], "remove": list(remove)}
        path = f"/datasets/{quote(self._draft.name, safe='')}/versions/from-newest"
        await self._session.api.change("POST", path, VersionRecord, body)
        await self._refresh()

    async def _remove(self, items: Sequence[ItemRecord]) -> None:
        self._parts.leave_out(item.picture for item in items)
        await self._revise(remove=[item.picture for item in items])
        self._removed = list(items)
        self._show_undo()

    async def _put_back(self) -> None:
        removed, self._removed = self._removed, []
        await self._revise(add=[_again(item) for item in removed])
        self._show_undo()

    def _show_undo(self) -> None:
        text = self._session.text
        self._undo.clear()
        if self._removed:
            with self._undo, ui.element("div").classes("card actions"):
                ui.label(text("{count} left out.", count=len(self._removed)))
                ui.button(text("Undo"), on_click=self._put_back).props("flat")

    async def _refresh(self) -> None:
        async with self._refreshing:
            self._draft = await draft_of(self._session, self._draft.name)
            items = await items_of(self._session, self._draft, GOOD)
            odd = await self._odd()
            wanted = ([item.picture for item in items], odd, self._shown)
            if wanted != self._drawn:  # else a button would be replaced while somebody presses it
                self._drawn = wanted
                self._draw(items, odd)

    def _draw(self, items: Sequence[ItemRecord], odd: Mapping[str, list[Odd]]) -> None:
        session = self._session
        self._show_count()
        self._gallery.clear()
        with self._gallery:
            self._warnings([item for item in items if item.picture in odd])
            with ui.element("div").classes("gallery"):
                for item in sorted(items, key=lambda one: one.picture not in odd)[: self._shown]:
                    self._part(item, odd.get(item.picture, []))
            if len(items) > self._shown:
                ui.button(session.text("More"), on_click=self._more).props("flat")

    async def _odd(self) -> dict[str, list[Odd]]:
        if self._draft.data is None:
            return {}
        path = f"/datasets/{quote(self._draft.name, safe='')}/versions/{self._draft.data.version}/oddities"
        return {one.picture: one.what for one in await self._session.api.get(path, list[OddRecord])}

    def _show_count(self) -> None:
        text, good = self._session.text, self._draft.good
        self._count.clear()
        with self._count:
            ui.label(text("{good} of {enough}", good=good, enough=ENOUGH)).classes("value")
            ui.linear_progress(min(1.0, good / ENOUGH), show_value=False, size="10px").props(
                f'rounded aria-label="{text("Good pictures")}"'
            )
            told = "Enough to begin; more make it surer." if good >= LEAST else "At least {least} are needed."
            ui.label(text("That is enough.") if good >= ENOUGH else text(told, least=LEAST)).classes("muted")
            ready = self._draft.reached(Step.TRAIN)
            go = ui.button(text("Next"), on_click=lambda: ui.navigate.to(self._draft.address(Step.TRAIN)))
            go.props("unelevated" if ready else "unelevated disable")

    def _warnings(self, odd: Sequence[ItemRecord]) -> None:
        if not odd:
            return
        text = self._session.text
        with ui.element("div").classes("card actions"):
            ui.icon("warning").props("aria-hidden=true")
            ui.label(text("{count} pictures are not like the others; look at them first.", count=len(odd)))
            ui.button(text("Leave them out"), on_click=lambda: self._remove(odd)).props("flat")

    def _part(self, item: ItemRecord, odd: Sequence[Odd]) -> None:
        text = self._session.text
        with ui.element("div").classes("part"):
            _picture(item)
            with ui.element("div").classes("below"):
                for one in odd:
                    ui.label(text(ODD[one])).classes("warn")
                ui.element("span").classes("grow")
                button = ui.button(icon="close", on_click=lambda: self._remove([item])).props("flat round dense")
                button.props["aria-label"] = text("Leave out {name}", name=item.name)

    async def _more(self) -> None:
        self._shown += _SHOWN
        await self._refresh()

    def _options(self) -> str:
        return scripted({"dataset": self._draft.name, "label": GOOD})


def picker(label: str, known_as: str, options: str) -> None:
    """A button that lets files be chosen; the script of the page sends them."""
    with ui.element("label").classes("pick"):
        ui.label(label)
        ui.element("input").props(f'type=file id={known_as} {options} aria-label="{label}"')


def bad_ones(dataset: str) -> str:
    """What the script is told of pictures of bad parts: they are for tests alone."""
    return scripted({"dataset": dataset, "label": DEFECT, "split": "test"})


def _picture(item: NewItem) -> None:
    picture = ui.element("img").props("loading=lazy")
    picture.props["src"] = f"/api/v1/pictures/{item.picture}?size=thumb"
    picture.props["alt"] = item.name


def _again(item: ItemRecord) -> NewItem:
    return NewItem(**item.model_dump(exclude={"place"}))
