"""The figures of quality over a time, for all parts or those of a station, a line or a product."""

import time
from collections import Counter
from dataclasses import asdict, replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import NotFoundError
from sightline.evaluation import challenge as challenges
from sightline.evaluation.control_charts import Subgroup, p_chart, u_chart
from sightline.evaluation.operating_characteristic import operating
from sightline.evaluation.pareto import pareto
from sightline.evaluation.periods import Calendar, Period, Step, moment
from sightline.evaluation.sampling_plans import Severity, code_letter, plan
from sightline.evaluation.value import first_pass_yield
from sightline.service.access import needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes import quality_models as shown
from sightline.store import figures, findings
from sightline.store.recall import recall
from sightline.store.shift import money
from sightline.store.tallied import Slice

router = APIRouter(prefix="/api/v1/quality", tags=["quality"], dependencies=[Depends(needs(Right.VIEW))])

_OC_POINTS = 41
_WEEK = 7 * 86_400.0
_MOST_PLACES = 1000
_MOST_TOLD = 50  # escapes, one by one


class Window(BaseModel):
    """Which inspections a figure is of."""

    model_config = ConfigDict(extra="ignore")
    since: str = Field("", description="local time or with a zone; empty: a week ago", examples=["2026-11-17T06:00"])
    until: str = Field("", description="not itself; empty: now", examples=["2026-11-17T14:00"])
    station: str = Field("", max_length=255, examples=["cap-top"])
    line: str = Field("", max_length=255, examples=["line 1"])
    product: str = Field("", max_length=255, examples=["cap"])
    lot: str = Field("", max_length=64, examples=["L-4711"])
    tool: str = Field("", max_length=64, examples=["cavity 2"])

    def slice(self, calendar: Calendar) -> Slice:
        now_s = time.time()
        until_s = moment(self.until, calendar) if self.until else now_s
        since_s = moment(self.since, calendar) if self.since else until_s - _WEEK
        calendar.periods(since_s, max(until_s, since_s), Step.DAY)  # refuses what is no time
        return Slice(
            since_s=since_s,
            until_s=until_s,
            station=self.station,
            line=self.line,
            product=self.product,
            lot=self.lot,
            tool=self.tool,
        )


Asked = Annotated[Window, Query()]
Stepped = Annotated[Step, Query(description="length of the periods")]


@router.get("/summary", response_model=shown.SummaryShown)
def summary(plant: Here, window: Asked) -> shown.SummaryShown:
    """Parts by verdict, first-pass yield, and faults by cause."""
    chosen = window.slice(plant.quality.calendar)
    with plant.database.reading() as session:
        counts, first = figures.totals(session, chosen), figures.first_pass(session, chosen)
        faults = figures.by_cause(session, chosen)
    share = first_pass_yield(first.parts, first.passed)
    return shown.SummaryShown(
        counts=shown.CountsShown.model_validate(counts),
        first_pass=shown.FirstPassShown(**asdict(first), share=share),
        faults=faults,
    )


@router.get("/trend", response_model=list[shown.TrendShown])
def trend(plant: Here, window: Asked, step: Stepped = Step.DAY) -> list[shown.TrendShown]:
    """Parts by verdict in each hour, shift or day; the first and the last are whole ones."""
    chosen = window.slice(plant.quality.calendar)
    periods = plant.quality.calendar.periods(chosen.since_s, chosen.until_s, step)
    with plant.database.reading() as session:
        found = figures.by_period(session, chosen, periods)
    return [
        shown.TrendShown(period=_period(one), counts=shown.CountsShown.model_validate(counts))
        for one, counts in zip(periods, found, strict=True)
    ]


@router.get("/places", response_model=dict[str, shown.CountsShown])
def places(
    plant: Here, window: Asked, by: Literal["station", "line", "product", "lot", "tool"] = "station"
) -> dict[str, shown.CountsShown]:
    """Parts by verdict of each station, line, product, lot or tool, the 1,000 with the most parts; empty: not known."""
    with plant.database.reading() as session:
        found = figures.by_place(session, window.slice(plant.quality.calendar), by)
    largest = sorted(sorted(found, key=lambda name: -found[name].parts)[:_MOST_PLACES])
    return {name: shown.CountsShown.model_validate(found[name]) for name in largest}


@router.get("/pareto", response_model=shown.ParetoShown)
def pareto_of_defects(plant: Here, window: Asked, most: Annotated[int, Query(ge=1, le=100)] = 20) -> shown.ParetoShown:
    """Parts not passed by the label of their worst defect, the most frequent first."""
    with plant.database.reading() as session:
        counts = figures.by_label(session, window.slice(plant.quality.calendar))
    return shown.ParetoShown.model_validate(pareto(counts, most))


@router.get("/chart", response_model=shown.ChartShown)
def chart(
    plant: Here,
    window: Asked,
    step: Stepped = Step.SHIFT,
    kind: Literal["p", "u"] = "p",
    centre: Annotated[float | None, Query(ge=0, description="of a stable time; none: of these periods")] = None,
) -> shown.ChartShown:
    """p-chart (share of parts not passed) or u-chart (defects per part) with limits and Nelson's rules."""
    chosen = window.slice(plant.quality.calendar)
    periods = plant.quality.calendar.periods(chosen.since_s, chosen.until_s, step)
    with plant.database.reading() as session:
        found = figures.by_period(session, chosen, periods)
    groups = [
        Subgroup(name=one.name, count=counts.stopped if kind == "p" else counts.defects, size=counts.judged)
        for one, counts in zip(periods, found, strict=True)
    ]
    return shown.ChartShown.model_validate((p_chart if kind == "p" else u_chart)(groups, centre))


@router.get("/positions", response_model=list[shown.PositionsShown])
def positions(
    plant: Here,
    window: Asked,
    label: Annotated[str, Query(max_length=255, description="of the defects; empty: all")] = "",
    bins: Annotated[int, Query(ge=4, le=200, description="columns")] = 48,
) -> list[shown.PositionsShown]:
    """Where on the part its defects lie, by view, from the newest 10,000 parts not passed."""
    with plant.database.reading() as session:
        found = findings.positions(session, window.slice(plant.quality.calendar), label=label, bins=bins)
    return [
        shown.PositionsShown(
            view=one.view,
            width_px=one.width_px,
            height_px=one.height_px,
            defects=one.defects,
            cells=one.cells.tolist(),
        )
        for one in found
    ]


@router.get("/scores", response_model=list[shown.ScoresShown])
def scores(plant: Here, window: Asked, step: Stepped = Step.DAY) -> list[shown.ScoresShown]:
    """How scores drift: mean and quantiles of a sample of each period, at most 100 periods."""
    chosen = window.slice(plant.quality.calendar)
    periods = plant.quality.calendar.periods(chosen.since_s, chosen.until_s, step)[-100:]
    with plant.database.reading() as session:
        return [shown.ScoresShown.model_validate(one) for one in findings.scores(session, chosen, periods)]


@router.get("/stops", response_model=list[shown.StopShown])
def stops(
    plant: Here, window: Asked, longer_than_s: Annotated[float, Query(ge=10, le=86_400)] = 300
) -> list[shown.StopShown]:
    """Times in which a station saw no part, the longest first."""
    with plant.database.reading() as session:
        found = findings.stops(session, window.slice(plant.quality.calendar), longer_than_s)
    return [shown.StopShown.model_validate(one) for one in found]


@router.get("/escapes", response_model=shown.EscapesShown)
def escapes(plant: Here, window: Asked) -> shown.EscapesShown:
    """Bad parts that were passed and were found in this time, counted, and those found last."""
    with plant.database.reading() as session:
        found = findings.escapes(session, window.slice(plant.quality.calendar))
        labels, where = Counter(one.label for one in found), Counter(one.found_where for one in found)
        newest = [shown.EscapeShown.model_validate(one) for one in found[:_MOST_TOLD]]
    return shown.EscapesShown(count=len(found), labels=dict(labels), places=dict(where), newest=newest)


@router.get("/recall", response_model=shown.RecallShown)
def recall_estimate(
    plant: Here, window: Asked, confidence: Annotated[float, Query(gt=0, lt=1)] = 0.95
) -> shown.RecallShown:
    """Recall and escapes estimated from the audit sample of passes, with exact bounds."""
    with plant.database.reading() as session:
        return shown.RecallShown.model_validate(recall(session, window.slice(plant.quality.calendar), confidence))


@router.get("/value", response_model=shown.ValueShown)
def value(plant: Here, window: Asked) -> shown.ValueShown:
    """Money saved beside people who inspect every part, by the prices that are set."""
    chosen = window.slice(plant.quality.calendar)
    with plant.database.reading() as session:
        counts, evidence = figures.totals(session, chosen), recall(session, chosen)
        known = float(len(findings.escapes(session, chosen)))
    estimated = evidence.estimate.escapes if evidence.estimate else None
    found = money(counts, evidence, max(known, estimated or 0.0), plant.quality)
    if found is None:
        raise NotFoundError("value: no prices are set, or there was no part in this time.")
    return shown.ValueShown.model_validate(found)


@router.get("/challenge", response_model=shown.ChallengeShown)
def challenge(
    plant: Here, window: Asked, confidence: Annotated[float, Query(gt=0, lt=1)] = 0.95
) -> shown.ChallengeShown:
    """What the challenge parts of this time prove; all of them are known to be bad."""
    with plant.database.reading() as session:
        counts = figures.challenged(session, window.slice(plant.quality.calendar))
    found = challenges.claim(counts.found, counts.judged, confidence)
    return shown.ChallengeShown(claim=shown.ClaimShown.model_validate(found), faults=counts.faults)


@router.get("/challenge/history", response_model=list[shown.RunShown])
def challenge_history(
    plant: Here,
    window: Asked,
    step: Stepped = Step.DAY,
    confidence: Annotated[float, Query(gt=0, lt=1)] = 0.95,
) -> list[shown.RunShown]:
    """What the challenge parts of each station proved in each hour, shift or day, the newest first."""
    chosen = window.slice(plant.quality.calendar)
    periods = plant.quality.calendar.periods(chosen.since_s, chosen.until_s, step)
    with plant.database.reading() as session:
        found = figures.challenge_runs(session, chosen, periods)
    return [
        shown.RunShown(
            station=one.station,
            period=_period(one.period),
            claim=shown.ClaimShown.model_validate(challenges.claim(one.counts.found, one.counts.judged, confidence)),
            faults=one.counts.faults,
        )
        for one in found
    ]


@router.get("/shadows", response_model=list[shown.ShadowShown])
def shadows(
    plant: Here, window: Asked, kind: Literal["production", "challenge"] = "production"
) -> list[shown.ShadowShown]:
    """What models in shadow said beside those that decide, by station and model: before a candidate is promoted."""
    chosen = window.slice(plant.quality.calendar)
    with plant.database.reading() as session:
        found = figures.shadows(session, replace(chosen, kinds=("challenge",)) if kind == "challenge" else chosen)
    return [shown.ShadowShown.model_validate(one) for one in found]


@router.get("/challenge/size", response_model=shown.SizeShown)
def challenge_size(
    recall: Annotated[float, Query(gt=0, lt=1, examples=[0.99])],
    misses: Annotated[int, Query(ge=0, le=1000)] = 0,
    confidence: Annotated[float, Query(gt=0, lt=1)] = 0.95,
) -> shown.SizeShown:
    """How many bad parts must be shown to prove a recall though some are missed."""
    return shown.SizeShown(parts=challenges.sample_size(recall, misses, confidence))


@router.get("/sampling-plan", response_model=shown.SamplingShown)
def sampling_plan(
    lot: Annotated[int, Query(ge=2, le=1_000_000_000, examples=[2000])],
    aql: Annotated[float, Query(gt=0, le=1000, description="percent bad, of ISO 2859-1", examples=[1.0])],
    level: Literal["I", "II", "III", "S-1", "S-2", "S-3", "S-4"] = "II",
    severity: Severity = Severity.NORMAL,
) -> shown.SamplingShown:
    """Single sampling plan of ISO 2859-1 with its operating characteristic (binomial)."""
    found = plan(lot, aql, level, severity)
    size = max(found.size, found.accept + 1)
    reach = min(1.0, 3 * operating(size, found.accept, ()).consumer / 2)
    shares = [reach * at / (_OC_POINTS - 1) for at in range(_OC_POINTS)]
    return shown.SamplingShown(
        code_letter=code_letter(lot, level),
        plan=shown.PlanShown.model_validate(found),
        operating=shown.OperatingShown.model_validate(operating(size, found.accept, shares)),
    )


def _period(one: Period) -> shown.PeriodShown:
    return shown.PeriodShown.model_validate(one)
