"""One part judged once: all that is known of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui

from sightline.console import part_facts, parts
from sightline.console.figures import calendar
from sightline.console.frame import framed
from sightline.console.nearest import NearestCard
from sightline.console.part_decision import Decision, escape_button, hold_button
from sightline.console.part_filter import PartFilter
from sightline.console.part_story import findings
from sightline.console.session import Refused, Session
from sightline.console.stored_labels import keep, shapes_of
from sightline.console.telling import done
from sightline.console.viewer import Shape, Viewer
from sightline.records import UNNAMED, Verdict
from sightline.service.rights import Right
from sightline.service.routes.inspections import Detail, Inspection, Inspections, Names, Neighbours, View
from sightline.service.routes.models import ModelRecord
from sightline.service.routes.reviews import ReviewsRecord

_MODELS = 200  # looked through for the one that judged
_GOOD = 20  # good parts looked through for one with a picture of the view
_HISTORY = 50
_NOT_FOUND = 404


async def page(request: Request, inspection_id: str, view: str = "") -> None:
    """
    Args:
        view: that is shown first; empty: the one that decided. Other parameters are those of the list from which one
            came: the parts before and after are those of that list.
    """
    with framed(request, "/inspections", wide=True) as session:
        try:
            detail = await session.api.get(f"/inspections/{inspection_id}", Detail)
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
            ui.label(str(error)).classes("empty").props("role=alert")
            return
        await _Sight(session=session, detail=detail, query=dict(request.query_params)).build(view)


@dataclass(slots=True, kw_only=True, eq=False)
class _Sight:
    """What one browser shows of a part."""

    session: Session
    detail: Detail
    query: Mapping[str, str]
    kinds: list[str] = field(default_factory=list)
    view: View | None = None  # that is shown
    stored: list[Shape] = field(default_factory=list)  # labels of its picture
    viewer: Viewer | None = None
    save: ui.button | None = None
    chosen: dict[str, ui.button] = field(default_factory=dict)  # by view
    beside: bool = False
    nearest: NearestCard | None = None

    @property
    def part(self) -> Inspection:
        return self.detail.inspection

    async def build(self, view: str) -> None:
        session, part = self.session, self.part
        self.kinds = (await session.api.get("/inspections/names", Names)).labels
        self.view = next((one for one in part.views if one.view == view), parts.telling_view(part))
        await self._headline()
        with ui.element("div").classes("split sight-split"):
            with ui.element("div").classes("aside"):
                with ui.element("section").classes("card"):
                    await self._picture()
                await self._below()
            with ui.element("div").classes("aside"):
                await self._aside()

    async def _headline(self) -> None:
        session, part = self.session, self.part
        told = " · ".join((part.product, part.station, parts.triggered(session, part)))
        with ui.element("div").classes("headline"):
            ui.html(f"<h1>{escape(parts.name(session, part))}</h1>", sanitize=False)
            ui.html(parts.verdict(session, part.verdict), sanitize=False)
            ui.label(told).classes("muted")
            ui.element("span").classes("grow")
            with ui.element("div").classes("actions"):
                ui.link(session.text("Raw record"), f"/api/v1/inspections/{part.id}", new_tab=True)
                hold_button(session, part)
                escape_button(session, part)
            with ui.element("nav").classes("actions").props(f'aria-label="{session.text("Parts before and after")}"'):
                await self._neighbours()

    async def _neighbours(self) -> None:
        """Links, so that they open in a tab of their own as well."""
        query = {name: value for name, value in self.query.items() if name not in ("view", "before", "show", "overlay")}
        listed = PartFilter.read(query)
        asked = listed.asked(listed.span(calendar(self.session), time.time())) if query else {}
        found = await self.session.api.get(f"/inspections/{self.part.id}/neighbours", Neighbours, **asked)
        for id_, title, icon in ((found.older, "Older", "chevron_left"), (found.newer, "Newer", "chevron_right")):
            if id_ is None:
                continue
            path = f"/inspections/{id_}" + (f"?{urlencode(query)}" if query else "")
            with ui.element("a").classes(f"step {title.lower()}") as link:
                link.props["href"] = path
                ui.icon(icon).props("aria-hidden=true")
                ui.label(self.session.text(title))

    # pictures

    async def _picture(self) -> None:
        session, part = self.session, self.part
        if self.view is None or self.view.picture is None:
            ui.label(session.text("There is no picture of this part, or it has not come yet.")).classes("empty")
            return
        if len(part.views) > 1:
            self._views()
        may_label = Right.REVIEW in session.caller.rights
        self.viewer = Viewer(
            "",
            editable=may_label,
            labels=[*dict.fromkeys([*self.kinds, UNNAMED])] if may_label else (),
            on_change=lambda _: self._offer(),
            model=await self._model(),
            product=part.product,
            name=f"{parts.name(session, part)}, {session.text(part.verdict)}",
        )
        with ui.element("div").classes("actions"):
            ui.switch(session.text("A good part beside it"), on_change=lambda event: self._compare(event.value))
            if may_label:
                self.save = ui.button(session.text("Save the marks"), icon="save", on_click=self._save)
                self.save.props("unelevated no-caps")
        await self._show()

    def _views(self) -> None:
        with ui.element("div").classes("actions").props(f'role=group aria-label="{self.session.text("Views")}"'):
            for one in self.part.views:
                button = ui.button(one.view, on_click=lambda one=one: self._choose(one)).props("no-caps outline")
                button.set_enabled(one.picture is not None)
                self.chosen[one.view] = button

    async def _choose(self, view: View) -> None:
        self.view = view
        if self.nearest is not None:
            self.nearest.of(view.view)
        query = urlencode({**self.query, "view": view.view})
        ui.run_javascript(f"history.replaceState(history.state, '', '?{query}')")
        await self._show()

    async def _show(self) -> None:
        view, viewer = self.view, self.viewer
        assert view is not None, "only views with a picture are shown"
        assert view.picture is not None, "only views with a picture are shown"
        assert viewer is not None, "it was made before"
        for name, button in self.chosen.items():
            button.props(f"aria-pressed={'true' if name == view.view else 'false'}")
        self.stored = await shapes_of(self.session.api, view.picture)
        viewer.show(view.picture, view.overlay, [*findings(self.detail, view), *self.stored])
        self._offer()
        if self.beside:
            await self._compare(True)

    async def _compare(self, wanted: bool) -> None:
        """Put the last good part's picture of the same view beside this one."""
        self.beside = wanted
        assert self.viewer is not None, "it was made before"
        assert self.view is not None, "a view is shown"
        good = await self._good(self.view.view) if wanted else None
        if good is None:
            self.viewer.beside(None)
            if wanted:
                ui.notify(self.session.text("There is no good part of this view with a picture before this one."))
            return
        part, picture = good
        self.viewer.beside(picture, f"{parts.name(self.session, part)}, {self.session.text(part.verdict)}")

    async def _good(self, view: str) -> tuple[Inspection, str] | None:
        part = self.part
        found = await self.session.api.get(
            "/inspections",
            Inspections,
            product=part.product,
            station=part.station,
            verdict=Verdict.PASS.value,
            until_s=part.at_s,
            limit=_GOOD,
        )
        pictures = ((one, each.picture) for one in found.items for each in one.views if each.view == view)
        return next(((one, picture) for one, picture in pictures if picture), None)

    async def _model(self) -> str:
        """The name of the model that judged the view, of which the current version draws the map; empty: not known."""
        found = await self.session.api.get("/models", list[ModelRecord], limit=_MODELS)
        judged = self.view.model_id if self.view is not None else ""
        by_id = next((one.name for one in found if one.model_id == judged), "")
        return by_id or next((one.name for one in found if one.name == self.part.product), "")

    # labels

    def _offer(self) -> None:
        """The marks can be saved when they are others than those that are stored."""
        if self.save is not None and self.viewer is not None:
            self.save.set_enabled(self.viewer.shapes != self.stored)

    async def _save(self) -> None:
        assert self.viewer is not None, "it was made before"
        assert self.view is not None, "a view is shown"
        assert self.view.picture is not None, "only views with a picture are shown"
        try:
            changed = await keep(self.session.api, self.view.picture, self.stored, self.viewer.shapes)
        finally:
            await self._show()
        done(self.session.text("Saved: {count}", count=changed))

    # beside the picture, and below it

    async def _aside(self) -> None:
        session, part = self.session, self.part
        said = await session.api.get(f"/inspections/{part.id}/reviews", ReviewsRecord)
        self._card("Score", part_facts.scores(session, part))
        if part.cause and not any(view.cause for view in part.views):
            self._card(
                "Why it was not judged",
                part_facts.why(session, part.cause, str(self.detail.document.get("reason") or "")),
            )
        Decision(session=session, part=part, kinds=self.kinds, said=said).build()
        if self.view is not None and self.view.picture is not None:
            self.nearest = NearestCard(session, part.id)
            self.nearest.of(self.view.view)
        self._card("Findings", part_facts.findings(session, self.detail.defects, views=len(part.views) > 1))

    async def _below(self) -> None:
        session, part = self.session, self.part
        if part.serial:
            found = await session.api.get("/inspections/history", list[Inspection], serial=part.serial, limit=_HISTORY)
            self._card("History of the part", part_facts.history(session, found, part.id))
        with ui.element("div").classes("cards"):
            self._card("Part", part_facts.facts(session, part))
            self._card("Time", part_facts.timings(session, part, self.detail.document))

    def _card(self, title: str, content: str) -> None:
        with ui.element("section").classes("card"):
            ui.html(f"<h2>{escape(self.session.text(title))}</h2>{content}", sanitize=False).classes("stack")
