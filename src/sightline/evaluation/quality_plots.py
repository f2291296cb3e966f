"""Plots of a shift, as one SVG element each: Pareto, control chart, parts by the hour."""

import math
from collections.abc import Sequence

from sightline.evaluation import axes
from sightline.evaluation.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, Axis, Svg
from sightline.evaluation.control_charts import ControlChart, Kind, Point
from sightline.evaluation.pareto import OTHERS, Pareto
from sightline.evaluation.throughput import Counts
from sightline.evaluation.wording import ENGLISH, Wording

_MAX_BARS = 10
_NAMES = 150  # where the bars of a Pareto chart begin, to the right of their names
_LABELS = 8  # names along an axis of time that fit side by side


def pareto_chart(found: Pareto, wording: Wording = ENGLISH) -> str:
    """Bars for the most frequent kinds, lying so that long names fit, with the cumulative share at their ends."""
    shown = found.bars[:_MAX_BARS]
    height = 34 + 26 * max(1, len(shown))
    say = wording.say
    told = say("Parts not passed by their worst defect, the most frequent first.")
    svg = axes.sheet(say("Pareto of defects"), told, height)
    if not shown:
        return axes.nothing(svg, say("not shown: no defect was found"))
    x = Axis(low=0, high=max(bar.count for bar in shown), begin=_NAMES, end=330)
    vital = set(found.vital_few())
    axes.text(svg, x.begin, 14, say("parts"), "tick")
    axes.text(svg, RIGHT, 14, say("share, together"), "tick", "end")
    for row, bar in enumerate(shown):
        y = 34 + 26 * row
        label = say(OTHERS) if bar.label == OTHERS else bar.label
        axes.text(svg, x.begin - 10, y + 4, axes.shortened(label, 19), "name", "end")
        told = say("{label}: {count} of {total}", label=label, count=bar.count, total=found.total)
        axes.bar(svg, (x.begin, x.at(bar.count)), (y - 8, y + 8), "defect" if bar.label in vital else "rest", told)
        axes.text(svg, x.at(bar.count) + 6, y + 4, str(bar.count), "count small")
        shares = f"{100 * bar.share:.0f} %, {100 * bar.cumulative:.0f} %"
        axes.text(svg, RIGHT, y + 4, shares, "tick", "end")
    return axes.finished(svg)


def control_chart(chart: ControlChart, begin: int = 0, wording: Wording = ENGLISH) -> str:
    """Points joined by a line between their limits; those that break a rule are filled and numbered by it.

    Args:
        begin: place of the first point that the report is about; earlier ones are pale.
    """
    say = wording.say
    name = say("Rejected share by the hour" if chart.kind is Kind.P else "Defects per part by the hour")
    svg = axes.sheet(name, say("Points between their limits at three sigma."), HEIGHT)
    points = chart.points
    x = Axis(low=-0.5, high=len(points) - 0.5, begin=LEFT, end=RIGHT)
    top = max(max(point.value, min(point.high, 4 * chart.centre + point.value)) for point in points)
    y = axes.vertical(1.1 * top, headroom=18)
    for value, shown in axes.ticks(y, 4, percent=chart.kind is Kind.P):
        axes.line(svg, (x.begin, y.at(value)), (x.end, y.at(value)), "grid")
        axes.text(svg, x.begin - 7, y.at(value) + 4, wording.tick(shown), "tick", "end")
    if begin:
        axes.bar(svg, (x.at(begin - 0.5), x.end), (y.begin, y.end), "now")
    axes.line(svg, (x.begin, y.begin), (x.end, y.begin), "axis")
    axes.line(svg, (x.begin, y.at(chart.centre)), (x.end, y.at(chart.centre)), "centre")
    for side in ("high", "low"):
        axes.curve(svg, _steps(x, y, [getattr(point, side) for point in points]), "limit")
    axes.curve(svg, [(x.at(at), y.at(point.value)) for at, point in enumerate(points)], "curve")
    for at, point in enumerate(points):
        _point(svg, (x.at(at), y.at(point.value)), point, wording, earlier=at < begin)
        if point.rules and at >= begin:  # by turns higher, as neighbours would overlap
            rules = ",".join(map(str, point.rules))
            axes.text(svg, x.at(at), y.at(point.value) - 8 - 12 * (at % 2), rules, "note", "middle")
    _times(svg, x, y, [point.name for point in points], wording)
    axes.text(svg, x.begin + 4, TOP - 2, say("dashed: limits at 3 sigma; line: centre"), "tick")
    return axes.finished(svg)


def _steps(x: Axis, y: Axis, values: Sequence[float]) -> list[tuple[float, float]]:
    """Each point has limits of its own, so they are drawn as steps."""
    ends = [(x.at(at - 0.5), x.at(at + 0.5)) for at in range(len(values))]
    return [(end, y.at(value)) for pair, value in zip(ends, values, strict=True) for end in pair]


def _point(svg: Svg, place: tuple[float, float], point: Point, wording: Wording, *, earlier: bool) -> None:
    kind = ("signal" if point.rules else "calm") + (" earlier" if earlier else "")
    dot = axes.dot(svg, *place, kind)
    dot.set("r", "4.5" if point.rules else "3")
    told = wording.say("{label}: {count} of {total}", label=point.name, count=point.count, total=f"{point.size:g}")
    rules = wording.say("rule {number}", number=", ".join(map(str, point.rules)))
    axes.name(dot, f"{told}, {rules}" if point.rules else told)


def hourly(hours: Sequence[tuple[str, Counts]], wording: Wording = ENGLISH) -> str:
    """Parts by the hour, passed below and all others on top of them."""
    say = wording.say
    svg = axes.sheet(say("Parts by the hour"), say("Passed parts, and on top of them those not passed."), HEIGHT)
    most = max((counts.parts for _, counts in hours), default=0)
    if not most:
        return axes.nothing(svg, say("not shown: there were no parts"))
    x = Axis(low=-0.5, high=len(hours) - 0.5, begin=LEFT, end=RIGHT)
    y = axes.vertical(1.05 * most, headroom=18)
    for value, shown in axes.ticks(y, 4):
        if value.is_integer():
            axes.line(svg, (x.begin, y.at(value)), (x.end, y.at(value)), "grid")
            axes.text(svg, x.begin - 7, y.at(value) + 4, shown, "tick", "end")
    for at, (name, counts) in enumerate(hours):
        across, so_far = (x.at(at - 0.36), x.at(at + 0.36)), 0
        for kind, count in (("good", counts.passed), ("defect", counts.stopped), ("fault", counts.fault)):
            if count:
                told = f"{name}: {count} {say(_KINDS[kind])}"
                axes.bar(svg, across, (y.at(so_far), y.at(so_far + count)), kind, told)
            so_far += count
    axes.line(svg, (x.begin, y.begin), (x.end, y.begin), "axis")
    _times(svg, x, y, [name for name, _ in hours], wording)
    for place, (kind, said) in enumerate(_KINDS.items()):
        left = LEFT + 4 + 112 * place
        axes.bar(svg, (left, left + 11), (TOP - 11, TOP), kind)
        axes.text(svg, left + 17, TOP - 1, say(said), "tick")
    return axes.finished(svg)


_KINDS = {"good": "passed", "defect": "not passed", "fault": "not judged"}


def _times(svg: Svg, x: Axis, y: Axis, names: Sequence[str], wording: Wording) -> None:
    """The time of day of some of the points, evenly spread."""
    every = math.ceil(len(names) / _LABELS)
    for at in range(0, len(names), every):
        axes.text(svg, x.at(at), HEIGHT - BOTTOM + 16, names[at][11:16] or names[at], "tick", "middle")
    axes.text(svg, (x.begin + x.end) / 2, y.begin + 36, wording.say("hour, local time"), "name", "middle")
