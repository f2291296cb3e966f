"""The paper plots are drawn on: SVG elements, axes and their ticks.

Colours, fonts and line widths are left to the style sheet of the page, by class; so light, dark and print agree.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

Svg = ElementTree.Element

WIDTH = 480  # of every plot, in its own units; text is 12 of them high
HEIGHT = 310  # of those that do not grow with their rows
LEFT, RIGHT, TOP, BOTTOM = 58, 456, 16, 46  # BOTTOM counts from below


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Values from `low` to `high` laid out from `begin` to `end`."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies; values outside the axis lie on its ends."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def sheet(title: str, description: str, height: int) -> Svg:
    """An empty plot that a screen reader announces by its title and description."""
    box = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {height}", "class": "plot", "role": "img"}
    svg = Svg("svg", box | {"aria-label": clean(f"{title}. {description}")})
    ElementTree.SubElement(svg, "title").text = clean(title)
    return svg


def nothing(svg: Svg, reason: str) -> str:
    """A finished plot that says why it shows nothing."""
    text(svg, WIDTH / 2, 30, reason, "name", "middle")
    return finished(svg)


def finished(svg: Svg) -> str:
    return ElementTree.tostring(svg, encoding="unicode")


def horizontal(low: float, high: float) -> Axis:
    """An x axis across the plot; a range of no width is widened, since it has no scale."""
    if not high > low:
        half = abs(low) / 2 or 0.5
        low, high = low - half, high + half
    return Axis(low=low, high=high, begin=LEFT, end=RIGHT)


def vertical(high: float, *, headroom: float = 0) -> Axis:
    """A y axis from 0, with room above it for labels."""
    return Axis(low=0, high=high if high > 0 else 1, begin=HEIGHT - BOTTOM, end=TOP + headroom)


def frame(svg: Svg, x: Axis, y: Axis, labels: tuple[str, str], *, percent: bool = False) -> None:
    """Grid, ticks and the labels of both axes (x, y)."""
    for value, shown in ticks(x, percent=percent):
        text(svg, x.at(value), y.begin + 16, shown, "tick", "middle")
    for value, shown in ticks(y, percent=percent):
        line(svg, (x.begin, y.at(value)), (x.end, y.at(value)), "grid")
        text(svg, x.begin - 7, y.at(value) + 4, shown, "tick", "end")
    line(svg, (x.begin, y.begin), (x.end, y.begin), "axis")
    name_axes(svg, x, y, labels)


def name_axes(svg: Svg, x: Axis, y: Axis, labels: tuple[str, str]) -> None:
    text(svg, (x.begin + x.end) / 2, y.begin + 36, labels[0], "name", "middle")
    turned = text(svg, 0, 0, labels[1], "name", "middle")
    turned.set("transform", f"translate(14 {(y.begin + y.end) / 2:.0f}) rotate(-90)")


def ticks(axis: Axis, count: int = 5, *, percent: bool = False) -> list[tuple[float, str]]:
    """About `count` round values on the axis and how they are written."""
    rough = (axis.high - axis.low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    values = [number * step for number in range(first, last + 1)]
    if percent:
        return [(value, f"{100 * value:.4g} %") for value in values]
    largest = max(abs(axis.low), abs(axis.high))
    if largest >= 1e5 or largest < 1e-3:
        return [(value, f"{value:.3g}") for value in values]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9) + (1 if round(step / power, 1) == 2.5 else 0))
    return [(value, f"{value:.{decimals}f}") for value in values]


def line(svg: Svg, start: tuple[float, float], end: tuple[float, float], kind: str) -> Svg:
    ends = {"x1": _px(start[0]), "y1": _px(start[1]), "x2": _px(end[0]), "y2": _px(end[1])}
    return ElementTree.SubElement(svg, "line", ends | {"class": kind})


def bar(svg: Svg, x: tuple[float, float], y: tuple[float, float], kind: str, told: str = "") -> Svg:
    """A rectangle between two x and two y, in any order; `told` appears when it is pointed at."""
    place = {"x": _px(min(x)), "y": _px(min(y)), "width": _px(abs(x[1] - x[0])), "height": _px(abs(y[1] - y[0]))}
    shape = ElementTree.SubElement(svg, "rect", place | {"class": kind})
    if told:
        name(shape, told)
    return shape


def curve(svg: Svg, points: Sequence[tuple[float, float]], kind: str) -> Svg:
    """A line through points; those that would not be seen (less than a tenth of a unit apart) are left out."""
    kept: list[str] = []
    for x, y in points:
        spot = f"{_px(x)},{_px(y)}"
        if not kept or kept[-1] != spot:
            kept.append(spot)
    return ElementTree.SubElement(svg, "polyline", {"points": " ".join(kept), "class": kind})


def dot(svg: Svg, x: float, y: float, kind: str) -> Svg:
    return ElementTree.SubElement(svg, "circle", {"cx": _px(x), "cy": _px(y), "r": "5", "class": kind})


def name(shape: Svg, told: str) -> None:
    """What appears when the shape is pointed at."""
    ElementTree.SubElement(shape, "title").text = clean(told)


def text(svg: Svg, x: float, y: float, content: str, kind: str, anchor: str = "start") -> Svg:
    place = {"x": _px(x), "y": _px(y), "text-anchor": anchor, "class": kind}
    element = ElementTree.SubElement(svg, "text", place)
    element.text = clean(content)
    return element


def levels(svg: Svg, x: Axis, marks: Sequence[tuple[str, float, str]]) -> None:
    """An upright line through the plot for each (kind, value, label), labelled one below the other at the top."""
    for kind, value, _ in marks:
        line(svg, (x.at(value), TOP - 10), (x.at(value), HEIGHT - BOTTOM), f"level {kind}")
    for row, (_, value, said) in enumerate(marks):  # over the lines
        at, room = x.at(value), 7 * len(said) + 6  # letters are at most about 7 wide
        left = (value < max(other for _, other, _ in marks) and at - room > 0) or at + room > WIDTH
        text(svg, at - 6 if left else at + 6, TOP + 14 * row, said, "note", "end" if left else "start")


def key(svg: Svg, marks: Sequence[tuple[str, str]], *, right: bool) -> None:
    """What the dots of each (kind, label) are, in a lower corner of the plot."""
    for row, (kind, said) in enumerate(reversed(marks)):
        y = HEIGHT - BOTTOM - 14 - 18 * row
        dot(svg, RIGHT - 8 if right else LEFT + 12, y - 4, kind)
        text(svg, RIGHT - 20 if right else LEFT + 24, y, said, "note", "end" if right else "start")


def clean(content: str) -> str:
    """Text as any page can carry it: line breaks become spaces; control characters, marks that turn the direction
    of writing and broken bytes of file names become a replacement sign.
    """
    return "".join(map(_carried, content))


def shortened(content: str, length: int) -> str:
    return content if len(content) <= length else f"{content[: length - 1]}…"


def _carried(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Cc" and character.isspace():
        return " "
    bad = kind in ("Cc", "Cf", "Cn", "Cs", "Zl", "Zp") and character not in "\u200c\u200d"  # which spelling needs
    return "\ufffd" if bad else character


def _px(value: float) -> str:
    return f"{value:.1f}"
