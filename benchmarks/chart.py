"""Line and point charts on two logarithmic or plain axes, each an SVG file that needs no page around it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

from sightline.evaluation import axes
from sightline.evaluation.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Svg
from sightline.files import write_bytes

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
COLOURS = ("#0072b2", "#cf5200", "#00785a", "#a03c82", "#8a6d00")
BLACK, GREY = "#14191f", "#7d8791"
_STYLE = """
svg { font: 12px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
text { fill: #14191f; }
.tick { fill: #59636e; font-size: 11.5px; }
.name { font-size: 12.5px; }
.title { font-size: 13.5px; font-weight: 600; }
.note { font-size: 11px; stroke: #fff; stroke-width: 3px; paint-order: stroke; }
.grid { stroke: #dfe4e9; } .axis { stroke: #59636e; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
circle { stroke: #fff; stroke-width: 1.5; }
"""
_TITLE_HEIGHT = 24
_LINE = 13  # height of a label
_LETTER = 6.1  # about the width of one
Spot = tuple[float, float]  # x, y on the paper


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of one kind; joined by a line if there are several and `line`."""

    name: str
    points: Sequence[tuple[float, float]]  # x, y
    line: bool = True
    at_point: bool = False  # the name stands beside its first point, and not in the key
    colour: str | None = None  # None: the next of COLOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """What a label of one line covers."""

    left: float
    right: float
    middle: float

    def meets(self, other: "Box") -> bool:
        apart = self.left > other.right or other.left > self.right
        return not apart and abs(self.middle - other.middle) < _LINE

    def covers(self, spot: Spot) -> bool:
        return self.left - 3 < spot[0] < self.right + 3 and abs(self.middle - spot[1]) < _LINE / 2 + 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot; x is logarithmic, and y too if asked for."""

    title: str
    labels: tuple[str, str]  # of x and y
    series: Sequence[Series]
    log_y: bool = False


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
    """1, 2 and 5 times the powers of ten from `low` to `high`, both above 0; all round values where those are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), range(1, 10)):
        values = [factor * 10.0**power for power in powers for factor in factors]
        inside = [value for value in values if low * 0.999 <= value <= high * 1.001]
        if len(inside) >= 3:
            break
    return inside


def label_place(spot: Spot, width: float, crowd: Sequence[Spot], taken: Sequence[Box]) -> Box:
    """Where a label of this width goes: beside, above or below its point, on as little as possible.

    Args:
        crowd: points that should stay visible.
        taken: places of other labels, to be avoided above all.
    """
    x, y = spot
    lefts: tuple[tuple[float, float], ...] = (
        (x + 8, 0),
        (x - 8 - width, 0),
        (x - width / 2, -14),
        (x - width / 2, 14),
        (x + 6, -12),
        (x + 6, 12),
    )
    lefts += ((x - 6 - width, -12), (x - 6 - width, 12), (x + 8, -24), (x + 8, 24), (x - 8 - width, -24))
    boxes = [Box(left=left, right=left + width, middle=y + down) for left, down in lefts]

    def trouble(box: Box) -> int:
        outside = box.left < LEFT or box.right > RIGHT + 8 or not TOP - 6 < box.middle < HEIGHT - BOTTOM - 6
        return 100 * outside + 20 * sum(map(box.meets, taken)) + sum(map(box.covers, crowd))

    return min(boxes, key=trouble)  # the first among equals


def _draw(svg: Svg, panel: Panel) -> None:
    x = _log_axis([point[0] for series in panel.series for point in series.points], LEFT, RIGHT)
    heights = [point[1] for series in panel.series for point in series.points]
    y = _log_axis(heights, HEIGHT - BOTTOM, TOP) if panel.log_y else _plain_axis(heights)
    _frame(svg, x, y, panel)
    drawn = []
    for index, series in enumerate(panel.series):
        spots = [(x.at(math.log10(a)), y.at(math.log10(b) if panel.log_y else b)) for a, b in series.points]
        if series.line and len(spots) > 1:
            axes.curve(svg, spots, "curve").set("stroke", _colour(index, series))
        drawn.append(spots)
    for index, (series, spots) in enumerate(zip(panel.series, drawn, strict=True)):  # over all lines
        for spot in spots:
            dot = axes.dot(svg, *spot, "point")
            dot.attrib.update({"fill": _colour(index, series), "r": "3.5" if series.line else "5.5"})
    _name_points(svg, panel, drawn)
    _key(svg, panel)


def _colour(index: int, series: Series) -> str:
    return series.colour or COLOURS[index % len(COLOURS)]


def _frame(svg: Svg, x: Axis, y: Axis, panel: Panel) -> None:
    for value in log_ticks(10**x.low, 10**x.high):
        at = x.at(math.log10(value))
        axes.line(svg, (at, y.begin), (at, y.end), "grid")
        axes.text(svg, at, y.begin + 16, f"{value:,.6g}", "tick", "middle")
    steps = (
        [(math.log10(value), f"{value:,.6g}") for value in log_ticks(10**y.low, 10**y.high)]
        if panel.log_y
        else axes.ticks(y)
    )
    for value, shown in steps:
        axes.line(svg, (x.begin, y.at(value)), (x.end, y.at(value)), "grid")
        axes.text(svg, x.begin - 7, y.at(value) + 4, shown, "tick", "end")
    axes.line(svg, (x.begin, y.begin), (x.end, y.begin), "axis")
    axes.name_axes(svg, x, y, panel.labels)


def _name_points(svg: Svg, panel: Panel, drawn: Sequence[Sequence[Spot]]) -> None:
    crowd = [spot for spots in drawn for spot in (*spots, *_between(spots))]
    taken: list[Box] = []
    for series, spots in zip(panel.series, drawn, strict=True):
        if series.at_point and spots:
            taken.append(label_place(spots[0], _LETTER * len(series.name), crowd, taken))
            axes.text(svg, taken[-1].left, taken[-1].middle + 4, series.name, "note")


def _between(spots: Sequence[Spot], steps: int = 8) -> list[Spot]:
    """Points along a line, which a label should not hide either."""
    return [
        (a[0] + (b[0] - a[0]) * step / steps, a[1] + (b[1] - a[1]) * step / steps)
        for a, b in pairwise(spots)
        for step in range(1, steps)
    ]


def _key(svg: Svg, panel: Panel) -> None:
    named = [(index, series) for index, series in enumerate(panel.series) if not series.at_point]
    for row, (index, series) in enumerate(named):
        y, colour = TOP + 16 * row + 12, _colour(index, series)
        dot = axes.dot(svg, LEFT + 12, y - 4, "point")
        dot.attrib.update({"fill": colour, "r": "4"})
        axes.text(svg, LEFT + 22, y, series.name, "note", "start")


def _log_axis(values: Sequence[float], begin: float, end: float) -> Axis:
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.05 * (high - low), 0.04)
    return Axis(low=low - room, high=high + room, begin=begin, end=end)


def _plain_axis(values: Sequence[float]) -> Axis:
    room = max(0.08 * (max(values) - min(values)), 1e-3)
    return Axis(low=min(values) - room, high=max(values) + room, begin=HEIGHT - BOTTOM, end=TOP)
