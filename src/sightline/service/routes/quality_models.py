"""What the routes of quality answer, as the API's document shows it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sightline.evaluation.attribute_agreement import Standing
from sightline.evaluation.sampling_plans import Severity
from sightline.service.routes.texts import EXAMPLE_ID

Share = Annotated[float, Field(ge=0, le=1, examples=[0.0146])]
Number = Annotated[int, Field(ge=0, examples=[120])]
Moment = Annotated[float, Field(description="seconds since 1970, UTC", examples=[1795500000.0])]


class Shown(BaseModel):
    """An answer; made from the record of the same fields."""

    model_config = ConfigDict(from_attributes=True)


class PeriodShown(Shown):
    name: str = Field(examples=["2026-11-17 06:00"])
    begin_s: Moment
    end_s: Moment


class CountsShown(Shown):
    """Parts by verdict."""

    parts: Number
    passed: Number
    rejected: Number
    review: Number
    fault: Number
    late: Number
    defects: Number


class FirstPassShown(Shown):
    """First-pass yield: parts by their first inspection at each station."""

    parts: Number
    passed: Number
    repeats: int | None = Field(description="inspections left out; null: too many parts to look", examples=[15])
    share: Share | None = Field(description="null: there were no parts")


class SummaryShown(Shown):
    counts: CountsShown
    first_pass: FirstPassShown
    faults: dict[str, int] = Field(description="parts that could not be judged, by cause", examples=[{"camera": 3}])


class TrendShown(Shown):
    period: PeriodShown
    counts: CountsShown


class BarShown(Shown):
    label: str = Field(examples=["scratch"])
    count: Number
    share: Share
    cumulative: Share


class ParetoShown(Shown):
    total: Number
    bars: list[BarShown]


class PointShown(Shown):
    name: str = Field(examples=["2026-11-17 10:00"])
    count: Number
    size: float = Field(examples=[1200])
    value: float
    low: float
    high: float
    deviation: float = Field(description="from the centre, in standard deviations of a period of this size")
    rules: list[int] = Field(description="of Nelson, that it has a part in breaking", examples=[[1, 5]])


class SignalShown(Shown):
    rule: int = Field(ge=1, le=8)
    words: str = Field(examples=["one point beyond 3 sigma"])
    hint: str = Field(examples=["a single event: a wrong setting, a bad batch, a new person"])
    points: list[int] = Field(description="places in the chart, from 0", examples=[[4]])


class ChartShown(Shown):
    """A control chart; Nelson's eight rules are applied to deviations, as limits vary with the number of parts."""

    kind: str = Field(examples=["p"])
    centre: float = Field(examples=[0.0085])
    given: bool
    provisional: bool = Field(description="the centre was learned from fewer than 20 points")
    points: list[PointShown]
    signals: list[SignalShown]


class PositionsShown(Shown):
    """How many defects have their middle in which cell of a view; row 0 at the top."""

    view: str = Field(examples=["top"])
    width_px: Number
    height_px: Number
    defects: Number
    cells: list[list[int]] = Field(examples=[[[0, 2], [1, 0]]])


class ScoresShown(Shown):
    period: PeriodShown
    counted: int = Field(description="scores looked at, evenly spread over the period", examples=[400])
    mean: float | None
    quantiles: list[float] | None = Field(description="at 10, 50, 90 and 99 %")


class StopShown(Shown):
    station: str = Field(examples=["cap-top"])
    begin_s: Moment
    end_s: Moment
    seconds: float = Field(examples=[1260.0])


class EscapeShown(Shown):
    """One of them."""

    id: int = Field(examples=[2])
    product: str = Field(examples=["cap"])
    serial: str = Field(examples=["A-0017"])
    inspection_id: str | None = Field(description="None: which one passed it is not known", examples=[EXAMPLE_ID])
    label: str = Field(examples=["crack"])
    found_s: float = Field(examples=[1790000000.0])
    found_where: str = Field(examples=["customer"])
    note: str = Field(examples=["8D report 17"])
    reported_by: str = Field(examples=["ada"])


class EscapesShown(Shown):
    """Escapes that were found in the time asked for."""

    count: Number
    labels: dict[str, int] = Field(examples=[{"scratch": 1}])
    places: dict[str, int] = Field(description="where they were found", examples=[{"customer": 1}])
    newest: list[EscapeShown] = Field(description="the 50 found last")


class ClaimShown(Shown):
    sentence: str = Field(examples=["299 of 299 found: at least 99 % with 95 % confidence."])
    shown: Number
    found: Number
    missed: Number
    confidence: Share
    recall_at_least: Share


class ChallengeShown(Shown):
    claim: ClaimShown
    faults: int = Field(description="challenge parts that could not be judged; they count as neither", examples=[0])


class RunShown(Shown):
    """The challenge parts that one station was shown in one period."""

    station: str = Field(examples=["cap-top"])
    period: PeriodShown
    claim: ClaimShown
    faults: int = Field(examples=[0])


class ShadowShown(Shown):
    """What a model that decides nothing said, in views of the newest parts."""

    station: str = Field(examples=["cap-top"])
    model: str = Field(description="id of the model in shadow", examples=["9b1c4f0e7a52"])
    since_s: Moment
    until_s: Moment
    agreed: Number
    disagreed: Number
    silent: int = Field(description="views on which it said nothing, or not in time", examples=[0])
    verdicts: dict[str, dict[str, int]] = Field(
        description="views by the verdict that decided, then by that in shadow",
        examples=[{"PASS": {"PASS": 980, "REJECT": 3}, "REJECT": {"REJECT": 17}}],
    )


class SizeShown(Shown):
    parts: int = Field(description="bad parts to show", examples=[299])


class StratumShown(Shown):
    name: str = Field(examples=["cap"])
    passed: Number
    audited: Number
    bad: Number


class EstimateShown(Shown):
    caught: Number
    escapes: float | None = Field(examples=[31.4])
    escapes_low: Number
    escapes_high: Number
    recall: Share | None
    recall_low: Share | None
    recall_high: Share | None
    confidence: Share


class RecallShown(Shown):
    """Recall estimated from the audit sample, and what it stands on."""

    strata: list[StratumShown]
    stopped: Number
    reviewed: Number
    confirmed: Number
    caught: Number
    estimate: EstimateShown | None = Field(description="null: nobody looked at passes, or nobody at rejects")


class CostShown(Shown):
    escapes: float
    overkill: float
    people: float
    running: float
    total: float


class ValueShown(Shown):
    """Money, beside people who inspect every part."""

    system: CostShown
    manual: CostShown
    saved: float = Field(examples=[4659.88])
    currency: str = Field(examples=["EUR"])


class PlanShown(Shown):
    letter: str = Field(examples=["K"])
    size: int = Field(examples=[125])
    accept: int = Field(examples=[3])
    refuse: int = Field(examples=[4])
    aql: float = Field(examples=[1.0])
    severity: Severity
    whole_lot: bool


class OperatingShown(Shown):
    shares: list[float]
    accepted: list[float]
    producer: float = Field(description="share of bad parts that is accepted with 95 %", examples=[0.011])
    consumer: float = Field(description="share of bad parts that is accepted with 10 % only", examples=[0.0527])


class SamplingShown(Shown):
    code_letter: str = Field(description="of the lot, before arrows were followed", examples=["K"])
    plan: PlanShown
    operating: OperatingShown


class RateShown(Shown):
    """A counted share with its exact 95 % interval."""

    count: Number
    total: Number
    value: Share | None
    low: Share | None
    high: Share | None


class KappaShown(Shown):
    value: float | None = Field(examples=[0.88])
    error: float | None
    chance_error: float | None
    interval: tuple[float, float] | None
    agreed: float
    by_chance: float
    items: int


class AppraiserShown(Shown):
    name: str = Field(examples=["m.huber"])
    effectiveness: RateShown
    miss: RateShown
    false_alarm: RateShown
    repeatability: RateShown
    kappa: KappaShown | None
    standing: Standing


class PairShown(Shown):
    first: str
    second: str
    kappa: KappaShown


class AgreementShown(Shown):
    items: int
    bad: int
    appraisers: list[AppraiserShown]
    pairs: list[PairShown]
    between: KappaShown | None
    all_agree: RateShown
    all_right: RateShown


class ResultShown(Shown):
    agreement: AgreementShown
    claims: dict[str, ClaimShown] = Field(description="what each appraiser's first round proves")
