"""Parts that were inspected: searched, filtered, as pictures or as a table."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from nicegui import ui
from nicegui.events import Handler, ValueChangeEventArguments

from sightline.console import parts
from sightline.console.figures import calendar
from sightline.console.frame import framed
from sightline.console.part_counts import count_parts, show_counts
from sightline.console.part_filter import ALL, BETWEEN, USUAL, PartFilter
from sightline.console.part_list import AT_ONCE, PartList
from sightline.console.session import Session
from sightline.errors import OptionError
from sightline.line.outcome import Kind
from sightline.records import Verdict
from sightline.service.routes.inspections import Inspections, Names
from sightline.service.routes.quality_models import SummaryShown
from sightline.service.routes.stations import Station
from sightline.store.export import Format

HERE = "/inspections"
_FORMATS = {Format.CSV: "CSV", Format.JSON_LINES: "JSON", Format.PARQUET: "Parquet"}
_TIMES = {
    "hour": "Last hour",
    "shift": "Last 8 hours",
    "day": "Last 24 hours",
    "week": "Last 7 days",
    "month": "Last 30 days",
    ALL: "All times",
    BETWEEN: "From … to …",
}
_Span = tuple[float | None, float | None]


async def page(request: Request) -> None:
    """The address says which parts."""
    with framed(request, HERE) as session:
        search = _Search(session, PartFilter.read(request.query_params))
        search.build(
            await session.api.get("/inspections/names", Names),
            await session.api.get("/stations", list[Station]),
            await session.api.get("/quality/summary", SummaryShown),
        )
        await search.show()


@dataclass(slots=True)
class _Search:
    """What one browser looks for, and what was found."""

    session: Session
    chosen: PartFilter
    results: ui.element = field(init=False)
    exports: ui.element = field(init=False)
    between: ui.element = field(init=False)

    def build(self, names: Names, stations: list[Station], week: SummaryShown) -> None:
        """All but the results.

        Args:
            week: whose causes of faults are offered.
        """
        with ui.element("div").classes("headline"):
            ui.html(f"<h1>{self.session.text('Inspections')}</h1>", sanitize=False)
            ui.element("span").classes("grow")
            self._looks()
        self._filters(names, [one.name for one in stations], sorted(week.faults))
        self.results = ui.element("div").classes("results")
        self.results.classes("overlaid" if self.chosen.overlay else "")
        self.exports = ui.element("div").classes("actions")

    def _looks(self) -> None:
        """Pictures or a table, with the maps or without."""
        text = self.session.text

        def overlay(event: ValueChangeEventArguments[Any]) -> None:
            self._keep(replace(self.chosen, overlay="on" if event.value else ""))  # the same parts, so no new page
            self.results.classes(toggle="overlaid")

        maps = ui.switch(text("Maps"), value=bool(self.chosen.overlay), on_change=overlay)
        maps.tooltip(text("Over the pictures; otherwise over the one that you point at"))
        shown = {"": text("Pictures"), "table": text("Table")}
        look = ui.toggle(shown, value="table" if self.chosen.show == "table" else "", on_change=self._setter("show"))
        look.props(f'no-caps unelevated aria-label="{text("Show as")}"')

    def _filters(self, names: Names, stations: list[str], causes: list[str]) -> None:
        text, chosen = self.session.text, self.chosen
        with ui.element("div").classes("filters fill"):
            search = ui.input(text("Serial number"), value=chosen.serial, on_change=self._setter("serial"))
            search.props("outlined dense stack-label clearable debounce=400 maxlength=255")
            within = chosen.within if chosen.within in _TIMES else USUAL
            times = {key: text(name) for key, name in _TIMES.items()}
            when = ui.select(times, label=text("Time"), value=within, on_change=self._setter("within"))
            when.props("outlined dense stack-label options-dense")
            self._select("verdict", text("Verdict"), {one.value: text(one.value) for one in Verdict})
            labels = {label: parts.defect(self.session, label) for label in names.labels}
            self._select("label", text("Kind of defect"), labels)
            self._select("product", text("Product"), {name: name for name in names.products})
            self._select("station", text("Station"), {name: name for name in stations})
            more = ui.button(icon="tune").props(f'flat round aria-label="{text("More filters")}"')
            more.tooltip(text("More filters"))
        self.between = ui.element("div").classes("filters fill")
        with self.between:
            for name, label in (("since", text("From")), ("until", text("Until"))):
                moment = ui.input(label, value=getattr(chosen, name), on_change=self._setter(name))
                moment.props("outlined dense stack-label type=datetime-local debounce=600")
        self.between.set_visibility(within == BETWEEN)
        rare = ui.element("div").classes("filters fill")
        with rare:
            for name, title in (("lot", text("Lot")), ("tool", text("Tool"))):
                field = ui.input(title, value=getattr(chosen, name), on_change=self._setter(name))
                field.props("outlined dense stack-label clearable debounce=400 maxlength=64")
            self._select("kind", text("Looked at as"), {one.value: text(one.value) for one in Kind})
            self._select("cause", text("Cause of a fault"), {name: parts.cause(self.session, name) for name in causes})
            self._select("late", text("In time"), {"true": text("too late"), "false": text("in time")})
        rare.set_visibility(chosen.rare)
        more.on_click(lambda: rare.set_visibility(not rare.visible))

    def _select(self, name: str, label: str, values: Mapping[str, str]) -> None:
        value = getattr(self.chosen, name)
        options = {"": self.session.text("all"), value or "": value or self.session.text("all")} | dict(values)
        chooser = ui.select(options, label=label, value=value, on_change=self._setter(name))
        chooser.props("outlined dense stack-label options-dense")

    def _setter(self, name: str) -> Handler[ValueChangeEventArguments[Any]]:
        async def set_(event: ValueChangeEventArguments[Any]) -> None:
            self._choose(name, event.value or "")
            self.between.set_visibility(self.chosen.within == BETWEEN)
            await self.show()

        return set_

    def _choose(self, name: str, value: str) -> None:
        self._keep(self.chosen.changed(name, value))

    def _keep(self, chosen: PartFilter) -> None:
        self.chosen = chosen
        ui.navigate.history.replace(self.chosen.address(HERE))

    async def show(self) -> None:
        """What the filter lets through, anew."""
        chosen, now_s = self.chosen, time.time()
        try:
            span = chosen.span(calendar(self.session), now_s)
        except OptionError as error:
            self.results.clear()
            with self.results:
                ui.label(str(error)).classes("empty").props("role=alert")
            return
        counted = await count_parts(self.session, chosen, span, now_s)
        found = await self._read(chosen, span, chosen.before)
        if replace(chosen, overlay=self.chosen.overlay) != self.chosen:
            return  # something else was chosen meanwhile, and is being shown
        self.results.clear()
        with self.results:
            show_counts(self.session, counted, chosen, HERE)
            self._found(found, span)
        self._export(span)

    def _found(self, found: Inspections, span: _Span) -> None:
        chosen, text = self.chosen, self.session.text
        if chosen.before:
            ui.link(text("To the newest"), chosen.changed("before", "").address(HERE))
        if not found.items and found.next is None:
            with ui.element("div").classes("empty"):
                ui.label(text("There is no such part. Parts appear here as soon as a station has inspected them."))
                ui.link(text("Show all parts of all times"), PartFilter(within=ALL, show=chosen.show).address(HERE))
            return
        PartList(
            session=self.session,
            table=chosen.show == "table",
            read=lambda place: self._read(chosen, span, place),
            beyond=lambda place: chosen.changed("before", place).address(HERE),
        ).start(found)

    async def _read(self, chosen: PartFilter, span: _Span, before: str) -> Inspections:
        asked = chosen.asked(span)
        return await self.session.api.get("/inspections", Inspections, **asked, before=before, limit=AT_ONCE)

    def _export(self, span: _Span) -> None:
        """Links to files of all that the list would show."""
        self.exports.clear()
        asked = {name: value for name, value in self.chosen.asked(span).items() if value not in ("", None)}
        with self.exports:
            ui.label(self.session.text("Export all of these:")).classes("muted")
            for format_, name in _FORMATS.items():
                query = urlencode(asked | {"format": str(format_)})
                ui.link(name, f"/api/v1/inspections/export?{query}").props("download")
