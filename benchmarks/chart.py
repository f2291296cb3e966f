"""Line and point charts on two logarithmic or plain axes, each an SVG file that needs no page around it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from sightline.evaluation import axes
from sightline.evaluation.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Svg
from sightline.files import write_bytes

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
COLOURS = ("#0072b2", "#cf5200", "#00785a", "#a03c82", "#59636e", "#8a6d00", "#14191f")
_STYLE = """
svg { font: 12px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
text { fill: #14191f; }
.tick { fill: #59636e; font-size: 11.5px; }
.name { font-size: 12.5px; }
.title { font-size: 13.5px; font-weight: 600; }
.note { font-size: 11px; stroke: #fff; stroke-width: 3px; paint-order: stroke; }
.grid { stroke: #dfe4e9; } .axis { stroke: #59636e; } .leader { stroke: #b4bdc6; stroke-width: .8; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
circle { stroke: #fff; stroke-width: 1.5; }
"""
_TITLE_HEIGHT = 24
_LINE = 13  # height of a label


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of one kind; joined by a line if there are several and `line`."""

    name: str
    points: Sequence[tuple[float, float]]  # x, y
    line: bool = True
    at_point: bool = False  # the name stands beside its first point, and not in the key


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot; x is logarithmic, and y too if asked for."""

    title: str
    labels: tuple[str, str]  # of x and y
    series: Sequence[Series]
    log_y: bool = False
    key: str = "upper left"  # the corner for the names of lines: "upper left" or "lower right"


def write_chart(path: Path, panels: Sequence[Panel]) -> None:
    """Write the panels side by side as one picture; raises ValueError where there is nothing to draw."""
    if not panels or not any(series.points for panel in panels for series in panel.series):
        raise ValueError(f"{path}: there are no points to draw.")
    width, height = WIDTH * len(panels), HEIGHT + _TITLE_HEIGHT
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    whole = Svg("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **size})
    ElementTree.SubElement(whole, "title").text = axes.clean("; ".join(panel.title for panel in panels))
    ElementTree.SubElement(whole, "style").text = _STYLE
    ElementTree.SubElement(whole, "rect", {"width": str(width), "height": str(height), "fill": "#fff"})
    for index, panel in enumerate(panels):
        axes.text(whole, WIDTH * index + (LEFT + RIGHT) / 2, 18, panel.title, "title", "middle")
        place = {"transform": f"translate({WIDTH * index} {_TITLE_HEIGHT})"}
        _draw(ElementTree.SubElement(whole, "g", place), panel)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, (axes.finished(whole) + "\n").encode())


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from `low` to `high`, both above 0."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    return [value for value in values if low * 0.999 <= value <= high * 1.001]


def spread_out(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places at least `gap` apart and near those wanted, in their order, within low..high if there is room."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = list(wanted)
    edge = low
    for index in order:
        placed[index] = edge = max(wanted[index], edge)
        edge += gap
    edge = high
    for index in reversed(order):
        placed[index] = min(placed[index], edge)
        edge = placed[index] - gap
    return placed


def _draw(svg: Svg, panel: Panel) -> None:
    x = _log_axis([point[0] for series in panel.series for point in series.points], LEFT, RIGHT)
    heights = [point[1] for series in panel.series for point in series.points]
    y = _log_axis(heights, HEIGHT - BOTTOM, TOP) if panel.log_y else _plain_axis(heights)
    _frame(svg, x, y, panel)
    for index, series in enumerate(panel.series):
        colour = COLOURS[index % len(COLOURS)]
        spots = [(x.at(math.log10(a)), y.at(math.log10(b) if panel.log_y else b)) for a, b in series.points]
        if series.line and len(spots) > 1:
            axes.curve(svg, spots, "curve").set("stroke", colour)
        for spot in spots:
            axes.dot(svg, *spot, "point").attrib.update({"fill": colour, "r": "3.5" if series.line else "5"})
    _name_points(svg, x, y, panel)
    _key(svg, panel)


def _frame(svg: Svg, x: Axis, y: Axis, panel: Panel) -> None:
    for value in log_ticks(10**x.low, 10**x.high):
        at = x.at(math.log10(value))
        axes.line(svg, (at, y.begin), (at, y.end), "grid")
        axes.text(svg, at, y.begin + 16, f"{value:,.4g}", "tick", "middle")
    steps = (
        [(math.log10(value), f"{value:,.4g}") for value in log_ticks(10**y.low, 10**y.high)]
        if panel.log_y
        else axes.ticks(y)
    )
    for value, shown in steps:
        axes.line(svg, (x.begin, y.at(value)), (x.end, y.at(value)), "grid")
        axes.text(svg, x.begin - 7, y.at(value) + 4, shown, "tick", "end")
    axes.line(svg, (x.begin, y.begin), (x.end, y.begin), "axis")
    axes.name_axes(svg, x, y, panel.labels)


def _name_points(svg: Svg, x: Axis, y: Axis, panel: Panel) -> None:
    """Names beside their points, to the right or, in the right half, to the left, moved apart where they collide."""
    named = [series for series in panel.series if series.at_point and series.points]
    for left in (False, True):
        side = [series for series in named if (x.at(math.log10(series.points[0][0])) > (LEFT + RIGHT) / 2) == left]
        spots = [(x.at(math.log10(a)), y.at(b)) for a, b in (series.points[0] for series in side)]
        places = spread_out([spot[1] for spot in spots], _LINE, TOP, HEIGHT - BOTTOM - 4)
        for series, (across, up), place in zip(side, spots, places, strict=True):
            at = across - 10 if left else across + 10
            if abs(place - up) > 2:
                axes.line(svg, (across, up), (at, place), "leader")
            axes.text(svg, at, place + 4, series.name, "note", "end" if left else "start")


def _key(svg: Svg, panel: Panel) -> None:
    named = [(index, series) for index, series in enumerate(panel.series) if not series.at_point]
    right = panel.key == "lower right"
    top = HEIGHT - BOTTOM - 8 - 16 * len(named) if right else TOP + 4
    for row, (index, series) in enumerate(named):
        y, colour = top + 16 * row + 8, COLOURS[index % len(COLOURS)]
        dot = axes.dot(svg, RIGHT - 8 if right else LEFT + 12, y - 4, "point")
        dot.attrib.update({"fill": colour, "r": "4"})
        axes.text(svg, RIGHT - 18 if right else LEFT + 22, y, series.name, "note", "end" if right else "start")


def _log_axis(values: Sequence[float], begin: float, end: float) -> Axis:
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.05 * (high - low), 0.04)
    return Axis(low=low - room, high=high + room, begin=begin, end=end)


def _plain_axis(values: Sequence[float]) -> Axis:
    room = max(0.08 * (max(values) - min(values)), 1e-3)
    return Axis(low=min(values) - room, high=max(values) + room, begin=HEIGHT - BOTTOM, end=TOP)
