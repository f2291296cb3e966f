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
from sightline.console.steps import Steps
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
        offered = _Offered(
            names=await session.api.get("/inspections/names", Names),
            stations=[one.name for one in await session.api.get("/stations", list[Station])],
            causes=sorted((await session.api.get("/quality/summary", SummaryShown)).faults),
        )
        search = _Search(session, PartFilter.read(request.query_params), offered)
        search.build()
        await search.show()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offered:
    """What a list may be narrowed to."""

    names: Names
    stations: list[str]
    causes: list[str]  # of faults, in the last week


@dataclass(slots=True)
class _Search:
    """What one browser looks for, and what was found."""

    session: Session
    chosen: PartFilter
    offered: _Offered
    steps: Steps = field(default_factory=Steps)
    choices: ui.element = field(init=False)
    results: ui.element = field(init=False)
    exports: ui.element = field(init=False)
    between: ui.element = field(init=False)

    def build(self) -> None:
        """All but the results."""
        self.choices = ui.element("div").classes("choosing")
        self.results = ui.element("div").classes("results")
        self.exports = ui.element("div").classes("actions")
        self._choices()
        self.steps.on_return(self._return)

    def _choices(self) -> None:
        """The headline and the filters, as they are chosen."""
        self.choices.clear()
        with self.choices:
            with ui.element("div").classes("headline"):
                ui.html(f"<h1>{self.session.text('Inspections')}</h1>", sanitize=False)
                ui.element("span").classes("grow")
                self._looks()
            self._filters()
        self.results.classes(**{"add" if self.chosen.overlay else "remove": "overlaid"})

    def _looks(self) -> None:
        """Pictures or a table, with the maps or without."""
        text = self.session.text

        def overlay(event: ValueChangeEventArguments[Any]) -> None:
            self.chosen = replace(self.chosen, overlay="on" if event.value else "")
            self.steps.stay(self.chosen.address(HERE))  # the same parts
            self.results.classes(toggle="overlaid")

        maps = ui.switch(text("Maps"), value=bool(self.chosen.overlay), on_change=overlay)
        maps.tooltip(text("Over the pictures; otherwise over the one that you point at"))
        shown = {"": text("Pictures"), "table": text("Table")}
        look = ui.toggle(shown, value="table" if self.chosen.show == "table" else "", on_change=self._setter("show"))
        look.props(f'no-caps unelevated aria-label="{text("Show as")}"')

    def _filters(self) -> None:
        text, chosen, names = self.session.text, self.chosen, self.offered.names
        with ui.element("div").classes("filters fill"):
            self._entry("serial", text("Serial number")).props("clearable debounce=400 maxlength=255")
            within = chosen.within if chosen.within in _TIMES else USUAL
            times = {key: text(name) for key, name in _TIMES.items()}
            when = ui.select(times, label=text("Time"), value=within, on_change=self._setter("within"))
            when.props("outlined dense stack-label options-dense")
            self._select("verdict", text("Verdict"), {one.value: text(one.value) for one in Verdict})
            labels = {label: parts.defect(self.session, label) for label in names.labels}
            self._select("label", text("Kind of defect"), labels)
            self._select("product", text("Product"), {name: name for name in names.products})
            self._select("station", text("Station"), {name: name for name in self.offered.stations})
            more = ui.button(icon="tune").props(f'flat round aria-label="{text("More filters")}"')
            more.tooltip(text("More filters"))
        self.between = ui.element("div").classes("filters fill")
        with self.between:
            for name, label in (("since", text("From")), ("until", text("Until"))):
                # its every part changes it, once it is whole
                self._entry(name, label, settled="focus").props("type=datetime-local debounce=600")
        self.between.set_visibility(within == BETWEEN)
        rare = ui.element("div").classes("filters fill")
        with rare:
            for name, title in (("lot", text("Lot")), ("tool", text("Tool"))):
                self._entry(name, title).props("clearable debounce=400 maxlength=64")
            self._select("kind", text("Looked at as"), {one.value: text(one.value) for one in Kind})
            self._select(
                "cause",
                text("Cause of a fault"),
                {name: parts.cause(self.session, name) for name in self.offered.causes},
            )
            self._select("late", text("In time"), {"true": text("too late"), "false": text("in time")})
        rare.set_visibility(chosen.rare)
        more.on_click(lambda: rare.set_visibility(not rare.visible))

    def _select(self, name: str, label: str, values: Mapping[str, str]) -> None:
        value = getattr(self.chosen, name)
        options = {"": self.session.text("all"), value or "": value or self.session.text("all")} | dict(values)
        chooser = ui.select(options, label=label, value=value, on_change=self._setter(name))
        chooser.props("outlined dense stack-label options-dense")

    def _entry(self, name: str, label: str, *, settled: str = "change") -> ui.input:
        """A field to type into; `settled` is the event after which what is typed is another step."""

        async def type_(event: ValueChangeEventArguments[Any]) -> None:
            self.chosen = self.chosen.changed(name, event.value or "")
            self.steps.type(name, self.chosen.address(HERE))
            await self.show()

        entry = ui.input(label, value=getattr(self.chosen, name), on_change=type_).props("outlined dense stack-label")
        self.steps.settles(entry, settled)
        return entry

    def _setter(self, name: str) -> Handler[ValueChangeEventArguments[Any]]:
        async def set_(event: ValueChangeEventArguments[Any]) -> None:
            self.chosen = self.chosen.changed(name, event.value or "")
            self.steps.take(self.chosen.address(HERE))
            self.between.set_visibility(self.chosen.within == BETWEEN)
            await self.show()

        return set_

    async def _return(self, query: dict[str, str]) -> None:
        """To what was chosen before, or after."""
        back_at = PartFilter.read(query)
        if back_at != self.chosen:  # a link within the page is a step, too
            self.chosen = back_at
            self._choices()
            await self.show()

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
