"""What the page Quality asks the API for, all at once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sightline.console.session import Refused, Session
from sightline.console.window import Span, Window
from sightline.evaluation.periods import Step
from sightline.service.routes import quality_models as api
from sightline.service.routes.inspections import Inspections

_NEWEST = 50  # parts, whose thresholds are those of the models at work
_MOST_THRESHOLDS = 3
MOST_SHOWN = 40  # places that are told of, those with the most parts
MOST_COMPARED = 6  # places whose course over time is drawn, those with the most parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All figures of one time."""

    summary: api.SummaryShown
    pareto: api.ParetoShown
    share_chart: api.ChartShown | None  # None: no part was judged
    defects_chart: api.ChartShown | None
    recall: api.RecallShown
    escapes: api.EscapesShown
    value: api.ValueShown | None  # None: no prices are set
    stops: Sequence[api.StopShown]
    scores: Sequence[api.ScoresShown]
    positions: Sequence[api.PositionsShown]
    shifts: Sequence[api.TrendShown]
    places: Mapping[str, api.CountsShown]  # what the trend compares, those with the most parts
    more_places: int  # left out
    trends: Mapping[str, Sequence[api.TrendShown]]  # of the largest of these
    products: Mapping[str, api.CountsShown]
    thresholds: Sequence[float]  # of the newest parts, those that differ; empty: they differ too much


async def gathered(session: Session, window: Window, when: Span) -> Figures:
    """
    Raises:
        Refused: with the API's words.
    """
    ask, query, step = session.api, when.query, str(when.step)
    places = await ask.get("/quality/places", dict[str, api.CountsShown], by=window.by, **query)
    largest = sorted(places, key=lambda name: (-places[name].parts, name))
    drawn = [name for name in largest if name or len(largest) == 1][:MOST_COMPARED]  # what is not known has no course
    summary, pareto, share_chart, defects_chart = await asyncio.gather(
        ask.get("/quality/summary", api.SummaryShown, **query),
        ask.get("/quality/pareto", api.ParetoShown, most=12, **query),
        _chart(session, when, "p"),
        _chart(session, when, "u"),
    )
    recall, escapes, value = await asyncio.gather(
        ask.get("/quality/recall", api.RecallShown, **query),
        ask.get("/quality/escapes", api.EscapesShown, **query),
        _value(session, when),
    )
    stops, scores, positions, shifts, products = await asyncio.gather(
        ask.get("/quality/stops", list[api.StopShown], **query),
        ask.get("/quality/scores", list[api.ScoresShown], step=step, **query),
        ask.get("/quality/positions", list[api.PositionsShown], bins=32, **query),
        ask.get("/quality/trend", list[api.TrendShown], step=str(Step.SHIFT), **query),
        ask.get("/quality/places", dict[str, api.CountsShown], by="product", **query),
    )
    courses = await asyncio.gather(*(_course(session, when, window.by, name) for name in drawn))
    return Figures(
        summary=summary,
        pareto=pareto,
        share_chart=share_chart,
        defects_chart=defects_chart,
        recall=recall,
        escapes=escapes,
        value=value,
        stops=stops,
        scores=scores,
        positions=positions,
        shifts=shifts,
        places={name: places[name] for name in sorted(largest[:MOST_SHOWN])},
        more_places=len(largest[MOST_SHOWN:]),
        trends=dict(zip(drawn, courses, strict=True)),
        products=products,
        thresholds=await _thresholds(session, when),
    )


async def _thresholds(session: Session, when: Span) -> list[float]:
    newest = await session.api.get(
        "/inspections",
        Inspections,
        limit=_NEWEST,
        product=when.product,
        station=when.station,
        since_s=when.since_s,
        until_s=when.until_s,
    )
    found = {view.threshold for part in newest.items for view in part.views if view.threshold is not None}
    return sorted(found) if len(found) <= _MOST_THRESHOLDS else []


async def _course(session: Session, when: Span, by: str, name: str) -> list[api.TrendShown]:
    """Of a station, a line or a product, within what was chosen."""
    query = {**when.query, **({by: name} if name else {})}
    return await session.api.get("/quality/trend", list[api.TrendShown], step=str(when.step), **query)


async def _chart(session: Session, when: Span, kind: str) -> api.ChartShown | None:
    try:
        return await session.api.get("/quality/chart", api.ChartShown, kind=kind, step=str(when.step), **when.query)
    except Refused as refused:
        if refused.status == 422:  # no part was judged in any of the periods
            return None
        raise


async def _value(session: Session, when: Span) -> api.ValueShown | None:
    try:
        return await session.api.get("/quality/value", api.ValueShown, **when.query)
    except Refused as refused:
        if refused.status == 404:
            return None
        raise
