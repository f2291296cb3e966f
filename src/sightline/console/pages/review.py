"""Reviewing: one part after the other, the worthiest first, by keyboard or by finger."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui
from nicegui.events import ClickEventArguments, GenericEventArguments, Handler

from sightline.console.desk import RENEW_S, Desk, Overtaken, Part, Word
from sightline.console.frame import framed
from sightline.console.gate import ASSETS
from sightline.console.part_story import findings, in_words, show_story
from sightline.console.session import Refused, Session
from sightline.console.stored_labels import labelled
from sightline.console.viewer import Shape, Viewer
from sightline.records import UNNAMED
from sightline.service.routes.inspections import Names, View
from sightline.service.routes.models import ModelRecord
from sightline.service.routes.pictures import TilesRecord

HERE, AGREEMENT = "/review", "/review/agreement"
_CLASSES = 9  # that have a key
_PEOPLE = {"1": "one person", "2": "two people"}
_KEYS = {
    "P": "Pass",
    "R": "Reject",
    "1-9": "Choose the kind of defect; again: none",
    "N": "Type a new kind of defect",
    "B": "Draw a box",
    "M": "Draw with the brush",
    "G": "Draw a polygon",
    "V": "Move the picture",
    "Z": "Take back what was drawn last",
    "Space, →": "Next part, without a decision",
    "U": "Undo the last decision",
    "?": "Show these keys",
}
_LISTENED = [*"prnbmgvzu?123456789", " ", "ArrowRight"]
_TOOLS = {"b": "box", "m": "brush", "g": "polygon", "v": "move"}


async def page(request: Request, product: str = "", needed: str = "1") -> None:
    """
    Args:
        needed: people who have to agree on a part, 1 or 2.
    """
    with framed(request, HERE, wide=True) as session:
        needed = needed if needed in _PEOPLE else "1"
        names = await session.api.get("/inspections/names", Names)
        kinds = await session.api.get("/review-queue/kinds", list[str], product=product)
        models = await session.api.get("/models", list[ModelRecord], limit=1000)
        current = {one.model_id: one.name for one in models if one.status == "current"}
        desk = Desk(api=session.api, reviewer=session.caller.name, product=product, needed=int(needed))
        await desk.fill()
        review = _Review(session=session, desk=desk, kinds=kinds, models=current)
        review.build(names.products)
        ui.context.client.on_delete(desk.leave)


def tabs(session: Session, here: str) -> None:
    """The queue, and how far reviewers agree."""
    with ui.element("nav").classes("tabs").props(f'aria-label="{session.text("Review")}"'):
        for path, title in ((HERE, "Queue"), (AGREEMENT, "Agreement")):
            ui.link(session.text(title), path).props("aria-current=page" if path == here else "")


@dataclass(slots=True, kw_only=True, eq=False)
class _Review:
    """What one browser shows of a desk."""

    session: Session
    desk: Desk
    models: Mapping[str, str]  # id of a model that is current -> its name
    kinds: list[str]  # of defects, those with a key first
    kind: str = ""  # the chosen one; empty: none
    since_s: float = 0.0  # that the part is looked at, of the monotonic clock
    shown: Part | None = None
    view: View | None = None  # of it
    busy: bool = False  # a decision with drawings is being kept
    model: str = ""  # whose map the viewer shows on demand
    viewer: Viewer = field(init=False)
    stage: ui.element = field(init=False)
    story: ui.element = field(init=False)
    classes: ui.element = field(init=False)
    progress: ui.element = field(init=False)
    empty: ui.element = field(init=False)
    board: ui.element = field(init=False)
    notice: ui.element = field(init=False)
    keys: ui.dialog = field(init=False)
    naming: ui.dialog = field(init=False)

    def build(self, products: list[str]) -> None:
        text = self.session.text
        self._dialogs()
        with ui.element("div").classes("headline"):
            ui.html(f"<h1>{text('Review')}</h1>", sanitize=False)
            tabs(self.session, HERE)
            self.progress = ui.element("div").classes("progress")
            self._choices(products)
            help_ = ui.button(icon="keyboard", on_click=self.keys.open)
            help_.props(f'flat round aria-label="{text("Keyboard")}"').tooltip(text("Keyboard"))
        if self.desk.needed > 1:
            ui.label(text("Two people look at each part. What the other one says is not shown.")).classes("muted")
        self.empty = ui.element("div").classes("empty")
        self.board = ui.element("div").classes("desk")
        with self.board:
            self.stage = ui.element("div").classes("stage")
            self._new_viewer("")
            with ui.element("div").classes("beside"):
                self._beside()
        self.notice = ui.element("div").classes("notice").props("role=status")
        ui.add_head_html(f'<script src="{ASSETS}/review.js" defer></script>')
        ui.on("review-key", self._pressed)
        ui.run_javascript(f"sightline.listen({_LISTENED})")
        ui.timer(RENEW_S, self._renew)
        self._show_kinds()
        self.show()

    def _choices(self, products: list[str]) -> None:
        text, desk = self.session.text, self.desk

        def go(product: str, needed: str) -> None:
            query = urlencode({"product": product, "needed": needed})
            ui.navigate.to(f"{HERE}?{query}")

        all_ = {"": text("all products"), desk.product or "": desk.product or text("all products")}
        product = ui.select(
            all_ | {one: one for one in products},
            label=text("Product"),
            value=desk.product,
            on_change=lambda event: go(event.value or "", str(desk.needed)),
        )
        people = {key: text(words) for key, words in _PEOPLE.items()}
        needed = ui.select(
            people,
            label=text("Decided by"),
            value=str(desk.needed),
            on_change=lambda event: go(desk.product, event.value),
        )
        for chooser in (product, needed):
            chooser.props("outlined dense stack-label options-dense").classes("chooser")

    def _beside(self) -> None:
        """What there is to know and to do beside the picture."""
        text = self.session.text
        self.story = ui.element("div").classes("card story")
        self.classes = (
            ui.element("div").classes("card classes").props(f'role=group aria-label="{text("Kind of defect")}"')
        )
        with ui.element("div").classes("decide"):
            self._button(text("Pass"), "P", "check", lambda: self.decide("PASS")).classes("pass")
            self._button(text("Reject"), "R", "close", lambda: self.decide("REJECT")).classes("reject")
            self._button(text("Undo"), "U", "undo", self.undo)
            self._button(text("Next"), "→", "skip_next", self.skip)

    def _button(self, title: str, key: str, icon: str, call: Handler[ClickEventArguments]) -> ui.button:
        button = ui.button(title, icon=icon or None, on_click=call, color=None).props("unelevated no-caps")
        with button:
            if key:
                ui.label(key).classes("key").props("aria-hidden=true")
        return button

    def _dialogs(self) -> None:
        text = self.session.text
        with ui.dialog() as self.keys, ui.card():
            ui.html(f"<h2>{text('Keyboard')}</h2>", sanitize=False)
            rows = "".join(f"<dt><kbd>{text(key)}</kbd></dt><dd>{text(does)}</dd>" for key, does in _KEYS.items())
            ui.html(rows, sanitize=False, tag="dl").classes("facts")
            ui.button(text("Close"), on_click=self.keys.close).props("flat autofocus")
        with ui.dialog() as self.naming, ui.card():
            ui.html(f"<h2>{text('A new kind of defect')}</h2>", sanitize=False)
            given = ui.input(text("Name")).props("outlined autofocus maxlength=120")

            def add() -> None:
                if wanted := (given.value or "").strip():
                    self.name_kind(wanted)
                    given.set_value("")
                    self.naming.close()

            given.on("keydown.enter", add)
            with ui.element("div").classes("actions"):
                ui.button(text("Add"), on_click=add).props("unelevated")
                ui.button(text("Cancel"), on_click=self.naming.close).props("flat")

    def _show_kinds(self) -> None:
        """The kinds of defect that are known, those with a key first."""
        self.classes.clear()
        with self.classes:
            for place, kind in enumerate(self.kinds, start=1):
                chosen = kind == self.kind
                button = self._button(kind, str(place) if place <= _CLASSES else "", "", partial(self.choose, kind))
                button.props(f"aria-pressed={str(chosen).lower()}").classes("chosen" if chosen else "")
            self._button(self.session.text("New kind"), "N", "add", self.naming.open)

    # what it shows

    def _new_viewer(self, model: str) -> None:
        """One that shows the map of this model on demand."""
        self.stage.clear()
        with self.stage:
            part = self.session.text("Part")
            self.viewer = Viewer("", editable=True, labels=[UNNAMED, *self.kinds], name=part, model=model)
        self.model = model

    def show(self) -> None:
        """The first part on the desk."""
        part = self.desk.part
        self.shown, self.kind, self.since_s = part, "", time.monotonic()
        self.board.set_visibility(part is not None)
        self.empty.set_visibility(part is None)
        if part is None:
            self._nothing()
        else:
            self._look_at(part.view)
            self._load_next()
        self._show_kinds()
        self._show_progress()

    def look_at(self, view: View) -> None:
        """Another view of the part."""
        if not self._drawn_in_the_way():
            self._look_at(view)

    def _look_at(self, view: View | None) -> None:
        if self.shown is None:
            return
        self.view = view
        model = self.models.get(view.model_id, "") if view else ""
        if model != self.model:
            self._new_viewer(model)
        found = findings(self.shown.detail, view) if view else []
        self.viewer.show((view and view.picture) or "", view.overlay if view else None, found)
        self.viewer.set_label(self.kind or UNNAMED)
        self.story.clear()
        with self.story:
            show_story(self.session, self.shown, view, blind=self.desk.needed > 1)
            if len(views := self.shown.detail.inspection.views) > 1:
                with ui.element("div").classes("actions"):
                    for one in views:
                        look = ui.button(one.view, on_click=lambda one=one: self.look_at(one)).props("no-caps outline")
                        look.props(f"aria-pressed={'true' if one is view else 'false'}")

    def _load_next(self) -> None:
        following = self.desk.next
        if following and following.view and following.view.picture:
            ui.run_javascript(f"sightline.preload('{following.view.picture}')")

    def _show_progress(self) -> None:
        desk = self.desk
        told = self.session.text("{done} done, {left} wait", done=desk.decided, left=desk.waiting)
        self.progress.clear()
        with self.progress:
            ui.label(told)
            bar = ui.element("progress").props(f"max={max(1, desk.decided + desk.waiting)} value={desk.decided}")
            bar.props(f'aria-label="{told}"')

    def _nothing(self) -> None:
        text = self.session.text
        self.empty.clear()
        with self.empty:
            ui.label(text("Nothing waits for you.")).classes("strong")
            ui.label(text("Doubtful parts, new kinds of defect and audit samples of the last 14 days appear here."))
            if self.desk.skipped:
                again = ui.button(
                    text("Show the {number} skipped ones", number=len(self.desk.skipped)), on_click=self.again
                )
                again.props("outline")

    def tell(self, told: str, *, undoable: bool = False) -> None:
        """A notice, in place of the one before."""
        self.notice.clear()
        with self.notice:
            ui.label(told)
            if undoable:
                ui.button(self.session.text("Undo"), on_click=self.undo, color=None).props("flat no-caps dense")

    # what the reviewer does

    async def decide(self, verdict: Literal["PASS", "REJECT"]) -> None:
        part, text = self.desk.part, self.session.text
        if part is None or part is not self.shown or self.busy:
            return
        shapes = self.viewer.shapes
        if verdict == "PASS" and self._drawn_in_the_way():
            return
        word = Word(verdict=verdict, seconds=round(time.monotonic() - self.since_s, 1))
        if verdict == "REJECT":
            word = replace(word, label=self.kind or next((one.label for one in shapes if one.label != UNNAMED), ""))
        self.desk.take()
        self.busy = bool(shapes)
        if not shapes:
            self.show()  # the next one at once
        try:
            word = await self._with_drawn(word, shapes)
            said = await self.desk.decide(part, word)
        except Overtaken as error:
            by = text("somebody else") if self.desk.needed > 1 else error.by
            self.tell(text("This part was settled by {name} meanwhile; your decision was not needed.", name=by))
        except Refused:
            self.desk.put_back(part)
            if not shapes:
                self.show()
            raise
        else:
            if shapes:
                self.show()
            self.tell(in_words(self.session, said), undoable=True)
        finally:
            self.busy = False
        await self._go_on()

    async def undo(self) -> None:
        if self._drawn_in_the_way():
            return
        said = await self.desk.undo()
        if said is None:
            self.tell(self.session.text("There is nothing to undo."))
            return
        self.show()
        self.tell(self.session.text("Taken back: {decision}", decision=in_words(self.session, said)))

    async def skip(self) -> None:
        if self.shown is None or self.busy or self._drawn_in_the_way():
            return
        await self.desk.skip()
        self.show()
        await self._go_on()

    async def again(self) -> None:
        """Those that were skipped."""
        self.desk.skipped.clear()
        await self._go_on()

    def choose(self, kind: str) -> None:
        """A kind of defect; the same again: none."""
        self.kind = "" if kind == self.kind else kind
        self.viewer.set_label(self.kind or UNNAMED)
        self._show_kinds()

    def name_kind(self, kind: str) -> None:
        """A new one, chosen at once; it takes the last key that is free."""
        if kind not in self.kinds:
            self.kinds.insert(min(len(self.kinds), _CLASSES - 1), kind)
        self.kind = ""
        self.choose(kind)

    async def _go_on(self) -> None:
        await self.desk.fill()
        if self.desk.part is not self.shown:
            self.show()
        else:
            self._show_progress()
            self._load_next()

    async def _renew(self) -> None:
        if await self.desk.renew():
            self.tell(self.session.text("Somebody else has this part before them now; here is the next one."))
        await self._go_on()

    def _drawn_in_the_way(self) -> bool:
        """Whether something was drawn that would be lost."""
        if not self.viewer.shapes:
            return False
        self.tell(self.session.text("You drew on this part: reject it, or take the drawing back first (Z)."))
        return True

    async def _with_drawn(self, word: Word, shapes: Sequence[Shape]) -> Word:
        if not shapes or self.view is None or not self.view.picture:
            return word
        unnamed = [replace(one, label="" if one.label == UNNAMED else one.label) for one in shapes]
        size = await self.session.api.get(f"/pictures/{self.view.picture}/tiles", TilesRecord)
        picture = self.view.picture
        return replace(word, picture=picture, drawn=await labelled(unnamed, word.label or UNNAMED, size))

    async def _pressed(self, event: GenericEventArguments) -> None:
        key: Any = event.args
        if key in _TOOLS:
            self.viewer.set_tool(_TOOLS[key])
        elif key in ("p", "r"):
            await self.decide("PASS" if key == "p" else "REJECT")
        elif key in (" ", "ArrowRight"):
            await self.skip()
        elif key == "u":
            await self.undo()
        elif key == "z":
            self.viewer.undo()
        elif key == "?":
            self.keys.open()
        elif key == "n":
            self.naming.open()
        elif key in [*map(str, range(1, _CLASSES + 1))] and int(key) <= len(self.kinds):
            self.choose(self.kinds[int(key) - 1])
