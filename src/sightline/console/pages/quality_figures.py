"""What the page Quality asks the API for, card by card."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sightline.console.session import Refused, Session, Value
from sightline.console.window import Span, Window
from sightline.evaluation.periods import Step
from sightline.service.routes import quality_models as api
from sightline.service.routes.inspections import Inspections

MOST_SHOWN = 40  # places that are told of, those with the most parts
MOST_COMPARED = 6  # places whose course over time is drawn, those with the most parts
_NEWEST = 50  # parts, whose thresholds are those of the models at work
_MOST_THRESHOLDS = 3
_LOOKED_AT = 20  # last good parts, among which one has a picture of the view
_AT_ONCE = 4  # questions of one page: each has one of the threads that all requests share
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What the tiles show."""

    summary: api.SummaryShown
    recall: api.RecallShown
    escapes: api.EscapesShown
    value: api.ValueShown | None  # None: no prices are set
    stops: Sequence[api.StopShown]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the trend compares."""

    places: Mapping[str, api.CountsShown]  # those with the most parts
    more_places: int  # left out
    trends: Mapping[str, Sequence[api.TrendShown]]  # of the largest of these
    shifts: Sequence[api.TrendShown]


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Where defects lie, by view."""

    views: Sequence[api.PositionsShown]
    products: Mapping[str, api.CountsShown]
    pictures: Mapping[str, str]  # of the last good part, by view, also of an earlier time


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How scores go."""

    periods: Sequence[api.ScoresShown]
    thresholds: Sequence[float]  # of the newest parts, those that differ; empty: they differ too much


class Asking:
    """The questions of one page, a few at a time; each raises Refused with the API's words."""

    def __init__(self, session: Session, window: Window, when: Span) -> None:
        self._session, self._by, self._when = session, window.by, when
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._stops: asyncio.Future[list[api.StopShown]] | None = None  # asked for once, shown by two cards

    async def summary(self) -> api.SummaryShown:
        return await self._figures("/quality/summary", api.SummaryShown)

    async def glance(self, summary: api.SummaryShown) -> Glance:
        recall, escapes, value, stops = await asyncio.gather(
            self._figures("/quality/recall", api.RecallShown),
            self._figures("/quality/escapes", api.EscapesShown),
            self._unless(404, self._figures("/quality/value", api.ValueShown)),
            self.stops(),
        )
        return Glance(summary=summary, recall=recall, escapes=escapes, value=value, stops=stops)

    async def stops(self) -> list[api.StopShown]:
        if self._stops is None:
            self._stops = asyncio.ensure_future(self._figures("/quality/stops", list[api.StopShown]))
        return await self._stops

    async def pareto(self) -> api.ParetoShown:
        return await self._figures("/quality/pareto", api.ParetoShown, most=12)

    async def chart(self, kind: str) -> api.ChartShown | None:
        """A control chart; None: no part was judged in any of the periods."""
        asked = self._figures("/quality/chart", api.ChartShown, kind=kind, step=str(self._when.step))
        return await self._unless(422, asked)

    async def comparison(self) -> Comparison:
        found = await self._figures("/quality/places", dict[str, api.CountsShown], by=self._by)
        largest = sorted(found, key=lambda name: (-found[name].parts, name))
        drawn = [name for name in largest if name or len(largest) == 1][:MOST_COMPARED]  # what is not known has none
        shifts, *courses = await asyncio.gather(
            self._figures("/quality/trend", list[api.TrendShown], step=str(Step.SHIFT)),
            *(self._course(name) for name in drawn),
        )
        return Comparison(
            places={name: found[name] for name in sorted(largest[:MOST_SHOWN])},
            more_places=len(largest[MOST_SHOWN:]),
            trends=dict(zip(drawn, courses, strict=True)),
            shifts=shifts,
        )

    async def positions(self) -> Positions:
        views, products = await asyncio.gather(
            self._figures("/quality/positions", list[api.PositionsShown], bins=32),
            self._figures("/quality/places", dict[str, api.CountsShown], by="product"),
        )
        pictures = dict[str, str]()
        if views and len(products) <= 1:
            product = next(iter(products), "")
            good = await self._ask("/inspections", Inspections, verdict="PASS", product=product, limit=_LOOKED_AT)
            pictures = {view.view: view.picture for part in reversed(good.items) for view in part.views if view.picture}
        return Positions(views=views, products=products, pictures=pictures)

    async def drift(self) -> Drift:
        when = self._when
        periods, newest = await asyncio.gather(
            self._figures("/quality/scores", list[api.ScoresShown], step=str(when.step)),
            self._ask(
                "/inspections",
                Inspections,
                limit=_NEWEST,
                product=when.product,
                station=when.station,
                since_s=when.since_s,
                until_s=when.until_s,
            ),
        )
        found = {view.threshold for part in newest.items for view in part.views if view.threshold is not None}
        return Drift(periods=periods, thresholds=sorted(found) if len(found) <= _MOST_THRESHOLDS else [])

    async def _course(self, name: str) -> list[api.TrendShown]:
        """Of a station, a line or a product, within what was chosen."""
        query = {"step": str(self._when.step), **({self._by: name} if name else {})}
        return await self._figures("/quality/trend", list[api.TrendShown], **query)

    async def _figures(self, path: str, kind: type[T], /, **query: Value) -> T:
        return await self._ask(path, kind, **{**self._when.query, **query})

    async def _ask(self, path: str, kind: type[T], /, **query: Value) -> T:
        async with self._turns:
            return await self._session.api.get(path, kind, **query)

    async def _unless(self, status: int, asked: Awaitable[T]) -> T | None:
        """What is told; None where the API says by this status that there is none."""
        try:
            return await asked
        except Refused as refused:
            if refused.status == status:
                return None
            raise
