"""What a shift leader hands over: one self-contained page, nothing is fetched, everything from outside is escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sightline.evaluation import quality_plots
from sightline.evaluation.axes import clean
from sightline.evaluation.challenge import Claim
from sightline.evaluation.control_charts import ControlChart
from sightline.evaluation.german import alerts, nelson
from sightline.evaluation.german import shift as shift_german
from sightline.evaluation.nelson_rules import Signal
from sightline.evaluation.pareto import Pareto
from sightline.evaluation.periods import Calendar, Period
from sightline.evaluation.recall_estimate import Estimate
from sightline.evaluation.sentences import Sentences
from sightline.evaluation.throughput import Counts, FirstPass
from sightline.evaluation.value import Value
from sightline.evaluation.wording import ENGLISH, NOTHING, SPACE, Language, Wording

MAX_ROWS = 20  # of each table
WORDINGS = {
    Language.ENGLISH: ENGLISH,
    Language.GERMAN: Wording(language=Language.GERMAN, texts=shift_german.TEXTS | nelson.TEXTS),
}
_ALERTS = Sentences(alerts.SENTENCES | alerts.PIECES, lambda said: alerts.RULES.get(said, said))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    station: str
    begin_s: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An escape that was found in the shift."""

    at_s: float
    product: str
    serial: str
    label: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    raised_s: float
    rule: str
    subject: str
    message: str
    acknowledged_by: str  # empty: nobody has


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Everything that the report says."""

    line: str  # that it is of; empty: all
    station: str
    product: str
    period: Period
    calendar: Calendar
    written_s: float
    written_by: str
    running: bool  # the shift has not ended
    counts: Counts
    before: Counts  # of the shift before
    first_pass: FirstPass
    stations: Mapping[str, Counts]
    hours: Sequence[tuple[str, Counts]]
    pareto: Pareto
    chart: ControlChart | None  # of the rejected share by the hour; None: there were no parts
    chart_begin: int  # place of the shift's first point in it
    challenge: Claim | None  # None: no challenge part was shown
    challenge_faults: int  # challenge parts that could not be judged; they count as neither
    recall: Estimate | None  # None: nobody looked at passed parts
    causes: Mapping[str, int]
    stops: Sequence[Stop]
    stops_longer_than_s: float
    escapes: Sequence[Found]
    alerts: Sequence[OpenAlert]
    value: Value | None  # None: no prices are set


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    name: str
    value: str
    detail: str
    kind: str = ""


def to_html(shift: Shift, language: Language = Language.ENGLISH, plot_style: str = "") -> str:
    """The report as a page.

    Args:
        plot_style: style sheet put into each plot, for what does not carry the page's into it.
    """
    wording = WORDINGS[language]
    templates = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "clean": clean,
        "heard": _ALERTS.again if language is Language.GERMAN else str,
        "share": wording.share,
        "duration": lambda seconds: _duration(wording, seconds),
        "moment": lambda at_s: shift.calendar.local(at_s).strftime("%d.%m. %H:%M"),
        "number": wording.number,
    }
    return environment.get_template("shift.html").render(
        shift=shift,
        language=language.value,
        say=wording.say,
        time=_time(wording, shift),
        scope=_scope(wording, shift),
        written=_written(wording, shift.calendar.local(shift.written_s)),
        sentences=sentences(shift, wording),
        tiles=_tiles(wording, shift),
        challenge=_claimed(wording, shift.challenge) if shift.challenge else "",
        plots={name: _styled(svg, plot_style) for name, svg in _plots(wording, shift).items()},
        outliers=out_of_control(shift, wording),
        most=MAX_ROWS,
    )


def sentences(shift: Shift, wording: Wording = ENGLISH) -> list[str]:
    """The shift in plain words, what needs attention first."""
    say, counts = wording.say, shift.counts
    if not counts.parts:
        return [say("No part was inspected in this shift.")]
    share = wording.share(counts.passed, counts.parts)
    passed = _parts(wording, counts.passed)
    said = [
        say(
            "{parts} inspected, {passed} passed ({share}).",
            parts=_parts(wording, counts.parts),
            passed=passed,
            share=share,
        )
    ]
    if shift.escapes:
        escapes = wording.counted(len(shift.escapes), "escape", "escapes")
        said.append(say("{escapes} reported: bad parts that had been passed.", escapes=escapes))
    if shift.challenge and shift.challenge.missed:
        missed = wording.counted(shift.challenge.missed, "challenge part", "challenge parts")
        said.append(say("{parts} missed. Check the station before it goes on.", parts=missed))
    if counts.fault:
        parts = _parts(wording, counts.fault)
        said.append(say("{parts} could not be judged and left by the reject gate.", parts=parts))
    if counts.late:
        parts = _parts(wording, counts.late)
        said.append(say("{parts} got the verdict too late and left by the reject gate.", parts=parts))
    if unusual := len(out_of_control(shift)):
        signals = wording.counted(unusual, "signal", "signals")
        said.append(say("The rejected share was out of control ({signals}, see below).", signals=signals))
    if still := sum(stop.seconds for stop in shift.stops):
        stops = wording.counted(len(shift.stops), "stop", "stops")
        said.append(say("Stations saw no part for {time} in {stops}.", time=_duration(wording, still), stops=stops))
    return said


def out_of_control(shift: Shift, wording: Wording = ENGLISH) -> list[str]:
    """Each broken rule that concerns a point of this shift, in words; single points of one rule in one sentence."""
    chart, say = shift.chart, wording.say
    if chart is None:
        return []
    here = [one for one in chart.signals if one.points[-1] >= shift.chart_begin]
    said = []
    for _, alike in groupby(here, lambda one: one if one.rule > 1 else _is_high(chart, one)):
        of_kind = list(alike)
        first = of_kind[0]
        times = [chart.points[at].name[11:16] for one in of_kind for at in one.points]
        if len(first.points) > 1:
            when = say("From {first} to {last}", first=times[0], last=times[-1])
        else:
            when = say("At {times}", times=_listed(wording, times))
        level = ""
        if first.rule in (1, 2, 5, 6):
            level = say(", more rejects than usual" if _is_high(chart, first) else ", fewer rejects than usual")
        said.append(
            say(
                "{when}: {what}{level} (rule {rule}). It often means {hint}.",
                when=when,
                what=say(first.words),
                level=level,
                rule=first.rule,
                hint=say(first.hint),
            )
        )
    return said


def _is_high(chart: ControlChart, signal: Signal) -> bool:
    return sum(chart.points[at].deviation for at in signal.points) > 0


def _listed(wording: Wording, names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return wording.say("{names} and {last}", names=", ".join(names[:-1]), last=names[-1])


def _tiles(wording: Wording, shift: Shift) -> list[_Tile]:
    say, number = wording.say, wording.number
    counts, first, before = shift.counts, shift.first_pass, shift.before
    if first.repeats is None:
        repeats = say("repeats not looked for")
    else:
        repeats = say("{repeats} left out", repeats=wording.counted(first.repeats, "repeat", "repeats"))
    return [
        _Tile(
            name=say("Parts inspected"),
            value=number(counts.parts),
            detail=say("shift before: {count}", count=number(before.parts)),
        ),
        _Tile(
            name=say("First-pass yield"),
            value=wording.share(first.passed, first.parts),
            detail=say(
                "{passed} of {parts}; {repeats}",
                passed=number(first.passed),
                parts=number(first.parts),
                repeats=repeats,
            ),
            kind="good",
        ),
        _Tile(
            name=say("Not passed"),
            value=wording.share(counts.stopped, counts.judged),
            detail=say(
                "{rejected} rejected, {review} for review; before: {before}",
                rejected=number(counts.rejected),
                review=number(counts.review),
                before=wording.share(before.stopped, before.judged),
            ),
            kind="defect",
        ),
        _challenge_tile(wording, shift.challenge),
    ]


def _challenge_tile(wording: Wording, found: Claim | None) -> _Tile:
    say = wording.say
    if found is None:
        return _Tile(
            name=say("Challenge parts"), value=NOTHING, detail=say("none was shown in this shift"), kind="defect"
        )
    return _Tile(
        name=say("Challenge parts"),
        value=say("{found} of {shown}", found=found.found, shown=found.shown),
        detail=_proven(wording, found),
        kind="defect" if found.missed else "good",
    )


def _claimed(wording: Wording, found: Claim) -> str:
    proven = _proven(wording, found)
    return wording.say("{found} of {shown} found: {proven}", found=found.found, shown=found.shown, proven=proven)


def _proven(wording: Wording, found: Claim) -> str:
    return wording.say(
        "at least {share} % with {confidence} % confidence.",
        share=wording.tick(f"{found.percent_at_least:g}"),
        confidence=wording.tick(f"{100 * found.confidence:g}"),
    )


def _plots(wording: Wording, shift: Shift) -> dict[str, str]:
    chart = "" if shift.chart is None else quality_plots.control_chart(shift.chart, shift.chart_begin, wording)
    return {
        "hourly": quality_plots.hourly(shift.hours, wording),
        "pareto": quality_plots.pareto_chart(shift.pareto, wording),
        "chart": chart,
    }


def _styled(svg: str, style: str) -> str:
    return svg.replace("<title>", f"<style>{style}</style><title>", 1) if style else svg


def _time(wording: Wording, shift: Shift) -> str:
    """`Tuesday, 17 November 2026, 06:00 to 14:00`."""
    begin, end = shift.calendar.local(shift.period.begin_s), shift.calendar.local(shift.period.end_s)
    return wording.say(
        "{weekday}, {day} {month} {year}, {begin} to {end}",
        weekday=wording.say(f"{begin:%A}"),
        day=f"{begin:%d}",
        month=wording.say(f"{begin:%B}"),
        year=begin.year,
        begin=f"{begin:%H:%M}",
        end=f"{end:%H:%M}",
    )


def _scope(wording: Wording, shift: Shift) -> str:
    """Which lines, stations and products it is of."""
    say = wording.say
    lines = say("line {name}", name=shift.line) if shift.line else "" if shift.station else say("all lines")
    station = say("station {name}", name=shift.station) if shift.station else ""
    product = say("product {name}", name=shift.product) if shift.product else say("all products")
    return ", ".join(one for one in (lines, station, product) if one)


def _written(wording: Wording, at: datetime) -> str:
    return at.strftime("%d.%m.%Y %H:%M" if wording.language is Language.GERMAN else "%Y-%m-%d %H:%M")


def _parts(wording: Wording, count: int) -> str:
    return wording.counted(count, "part", "parts")


def _duration(wording: Wording, seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{wording.number(minutes // 60)}{SPACE}h {minutes % 60:02d}{SPACE}min"
    return f"{minutes}{SPACE}min"
