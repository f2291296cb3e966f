"""Everything that a shift report says, gathered from the tables."""

from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from sightline.errors import OptionError
from sightline.evaluation.challenge import claim
from sightline.evaluation.control_charts import ControlChart, Subgroup, p_chart
from sightline.evaluation.pareto import pareto
from sightline.evaluation.periods import Calendar, Period, Step
from sightline.evaluation.shift_report import Found, OpenAlert, Shift, Stop
from sightline.evaluation.throughput import Counts
from sightline.evaluation.value import Manual, Prices, Quantities, Value, value
from sightline.store import figures, findings
from sightline.store.recall import Evidence, recall
from sightline.store.tallied import Slice

_DAY = 86_400.0
_BASELINE = 7 * _DAY  # before the chart, from which its centre is learned
_ENOUGH = 1_000  # parts judged in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a plant has decided about its figures."""

    calendar: Calendar
    prices: Prices | None = None  # None: money is not reckoned
    manual: Manual = field(default_factory=Manual)  # that the system is held against
    stop_s: float = 300.0  # a station without parts for longer stood still


def gather(session: Session, where: Slice, period: Period, settings: Settings, *, now_s: float, by: str) -> Shift:
    """One shift of the lines, stations and products that `where` tells; its times are not looked at.

    Raises:
        OptionError: the shift has not begun.
    """
    if now_s < period.begin_s:
        raise OptionError(f"shift {period.name}: has not begun.")
    chosen = replace(where, since_s=period.begin_s, until_s=period.end_s)
    counts = figures.totals(session, chosen)
    challenge = figures.challenged(session, chosen)
    evidence = recall(session, chosen)
    escapes = findings.escapes(session, chosen)
    chart, chart_begin = _chart(session, chosen, settings.calendar, now_s)
    stops = findings.stops(session, chosen, settings.stop_s)
    before = settings.calendar.shift_at(period.begin_s - 1)
    hours = _hours(period, settings.calendar)
    return Shift(
        line=where.line,
        station=where.station,
        product=where.product,
        period=period,
        calendar=settings.calendar,
        written_s=now_s,
        written_by=by,
        running=now_s < period.end_s,
        counts=counts,
        before=figures.totals(session, replace(chosen, since_s=before.begin_s, until_s=before.end_s)),
        first_pass=figures.first_pass(session, chosen),
        stations=figures.by_place(session, chosen, "station"),
        hours=tuple(zip((hour.name for hour in hours), figures.by_period(session, chosen, hours), strict=True)),
        pareto=pareto(figures.by_label(session, chosen)),
        chart=chart,
        chart_begin=chart_begin,
        challenge=claim(challenge.found, challenge.judged) if challenge.judged else None,
        challenge_faults=challenge.faults,
        recall=evidence.estimate,
        causes=figures.by_cause(session, chosen),
        stops=[Stop(station=one.station, begin_s=one.begin_s, seconds=one.seconds) for one in stops],
        stops_longer_than_s=settings.stop_s,
        escapes=[
            Found(at_s=one.found_s, product=one.product, serial=one.serial, label=one.label, where=one.found_where)
            for one in escapes
        ],
        alerts=_open_alerts(session),
        value=money(counts, evidence, float(len(escapes)), settings),
    )


def _open_alerts(session: Session) -> list[OpenAlert]:
    return [
        OpenAlert(
            raised_s=one.raised_s,
            rule=one.rule,
            subject=one.subject,
            message=one.message,
            acknowledged_by=one.acknowledged_by,
        )
        for one in findings.open_alerts(session)
    ]


def money(counts: Counts, evidence: Evidence, escapes: float, settings: Settings) -> Value | None:
    """What the parts cost with the system and without it; None: no prices are set, or there were no parts.

    Of rejects that nobody looked at, all count as bad.
    """
    if settings.prices is None or not counts.parts:
        return None
    caught = evidence.caught if evidence.reviewed else counts.stopped
    quantities = Quantities(
        parts=counts.parts,
        bad=min(caught + escapes, counts.parts),
        escapes=escapes,
        overkill=max(0, counts.stopped - caught),
        reviewed=counts.review + sum(one.audited for one in evidence.strata),
    )
    return value(quantities, settings.prices, settings.manual)


def _chart(session: Session, chosen: Slice, calendar: Calendar, now_s: float) -> tuple[ControlChart | None, int]:
    """The last 24 hours up to the shift's end, against the week before them; and where the shift begins in it."""
    end = min(chosen.until_s, now_s)
    hours = calendar.periods(max(0.0, end - _DAY + 1), end, Step.HOUR)
    groups = [
        Subgroup(name=hour.name, count=counts.stopped, size=counts.judged)
        for hour, counts in zip(hours, figures.by_period(session, chosen, hours), strict=True)
    ]
    shown = [(hour, group) for hour, group in zip(hours, groups, strict=True) if group.size]
    if not shown:
        return None, 0
    begin = hours[0].begin_s
    week = figures.totals(session, replace(chosen, since_s=max(0.0, begin - _BASELINE), until_s=begin))
    centre = week.stopped / week.judged if week.judged >= _ENOUGH and week.stopped else None
    first = sum(hour.end_s <= chosen.since_s for hour, _ in shown)
    return p_chart([group for _, group in shown], centre), first


def _hours(period: Period, calendar: Calendar) -> tuple[Period, ...]:
    """The hours of a shift, the first and the last cut where it begins or ends within them."""
    return tuple(
        replace(hour, begin_s=max(hour.begin_s, period.begin_s), end_s=min(hour.end_s, period.end_s))
        for hour in calendar.periods(period.begin_s, period.end_s, Step.HOUR)
    )
