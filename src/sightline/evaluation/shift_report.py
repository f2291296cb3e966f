"""What a shift leader hands over: one self-contained page, nothing is fetched, everything from outside is escaped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sightline.evaluation import quality_plots
from sightline.evaluation.axes import clean
from sightline.evaluation.challenge import Claim
from sightline.evaluation.control_charts import ControlChart
from sightline.evaluation.nelson_rules import Signal
from sightline.evaluation.pareto import Pareto
from sightline.evaluation.periods import Calendar, Period
from sightline.evaluation.recall_estimate import Estimate
from sightline.evaluation.throughput import Counts, FirstPass
from sightline.evaluation.value import Value

MAX_ROWS = 20  # of each table
_NOTHING = "\u2013"
_SPACE = "\u00a0"  # not torn from its number at the end of a line


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

    scope: str  # which lines, stations and products
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


def to_html(shift: Shift, plot_style: str = "") -> str:
    """The report as a page.

    Args:
        plot_style: style sheet put into each plot, for what does not carry the page's into it.
    """
    templates = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "clean": clean,
        "share": _share,
        "duration": _duration,
        "moment": lambda at_s: shift.calendar.local(at_s).strftime("%d.%m. %H:%M"),
        "count": _count,
    }
    return environment.get_template("shift.html").render(
        shift=shift,
        begin=shift.calendar.local(shift.period.begin_s),
        end=shift.calendar.local(shift.period.end_s),
        written=shift.calendar.local(shift.written_s).strftime("%Y-%m-%d %H:%M"),
        sentences=sentences(shift),
        tiles=_tiles(shift),
        plots={name: _styled(svg, plot_style) for name, svg in _plots(shift).items()},
        outliers=out_of_control(shift),
        most=MAX_ROWS,
    )


def sentences(shift: Shift) -> list[str]:
    """The shift in plain words, what needs attention first."""
    counts = shift.counts
    if not counts.parts:
        return ["No part was inspected in this shift."]
    said = [
        f"{_parts(counts.parts)} inspected, {_parts(counts.passed)} passed ({_share(counts.passed, counts.parts)})."
    ]
    if shift.escapes:
        said.append(f"{_of(len(shift.escapes), 'escape')} reported: bad parts that had been passed.")
    if shift.challenge and shift.challenge.missed:
        said.append(f"{_of(shift.challenge.missed, 'challenge part')} missed. Check the station before it goes on.")
    if counts.fault:
        said.append(f"{_parts(counts.fault)} could not be judged and left by the reject gate.")
    if counts.late:
        said.append(f"{_parts(counts.late)} got the verdict too late and left by the reject gate.")
    unusual = len(out_of_control(shift))
    if unusual:
        said.append(f"The rejected share was out of control ({_of(unusual, 'signal')}, see below).")
    still = sum(stop.seconds for stop in shift.stops)
    if still:
        said.append(f"Stations saw no part for {_duration(still)} in {_of(len(shift.stops), 'stop')}.")
    return said


def out_of_control(shift: Shift) -> list[str]:
    """Each broken rule that concerns a point of this shift, in words; single points of one rule in one sentence."""
    chart = shift.chart
    if chart is None:
        return []
    here = [one for one in chart.signals if one.points[-1] >= shift.chart_begin]
    said = []
    for _, alike in groupby(here, lambda one: one if one.rule > 1 else _is_high(chart, one)):
        of_kind = list(alike)
        first = of_kind[0]
        times = [chart.points[at].name[11:16] for one in of_kind for at in one.points]
        when = f"From {times[0]} to {times[-1]}" if len(first.points) > 1 else f"At {_listed(times)}"
        more = _is_high(chart, first)
        level = f", {'more' if more else 'fewer'} rejects than usual" if first.rule in (1, 2, 5, 6) else ""
        said.append(f"{when}: {first.words}{level} (rule {first.rule}). It often means {first.hint}.")
    return said


def _is_high(chart: ControlChart, signal: Signal) -> bool:
    return sum(chart.points[at].deviation for at in signal.points) > 0


def _listed(names: Sequence[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def _tiles(shift: Shift) -> list[_Tile]:
    counts, first, before = shift.counts, shift.first_pass, shift.before
    repeats = "repeats not looked for" if first.repeats is None else f"{_of(first.repeats, 'repeat')} left out"
    return [
        _Tile(
            name="Parts inspected",
            value=_count(counts.parts),
            detail=f"shift before: {_count(before.parts)}",
        ),
        _Tile(
            name="First-pass yield",
            value=_share(first.passed, first.parts),
            detail=f"{_count(first.passed)} of {_count(first.parts)}; {repeats}",
            kind="good",
        ),
        _Tile(
            name="Not passed",
            value=_share(counts.stopped, counts.judged),
            detail=f"{counts.rejected} rejected, {counts.review} for review; before: "
            f"{_share(before.stopped, before.judged)}",
            kind="defect",
        ),
        _challenge_tile(shift),
    ]


def _challenge_tile(shift: Shift) -> _Tile:
    found = shift.challenge
    if found is None:
        return _Tile(name="Challenge parts", value=_NOTHING, detail="none was shown in this shift", kind="defect")
    return _Tile(
        name="Challenge parts",
        value=f"{found.found} of {found.shown}",
        detail=found.sentence.partition(": ")[2] or found.sentence,
        kind="defect" if found.missed else "good",
    )


def _plots(shift: Shift) -> dict[str, str]:
    chart = "" if shift.chart is None else quality_plots.control_chart(shift.chart, shift.chart_begin)
    return {
        "hourly": quality_plots.hourly(shift.hours),
        "pareto": quality_plots.pareto_chart(shift.pareto),
        "chart": chart,
    }


def _styled(svg: str, style: str) -> str:
    return svg.replace("<title>", f"<style>{style}</style><title>", 1) if style else svg


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.2f}{_SPACE}%" if total else _NOTHING


def _parts(count: int) -> str:
    return _of(count, "part")


def _of(count: int, noun: str) -> str:
    return f"{_count(count)} {noun}{'' if count == 1 else 's'}"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60}{_SPACE}h {minutes % 60:02d}{_SPACE}min" if minutes >= 60 else f"{minutes}{_SPACE}min"
