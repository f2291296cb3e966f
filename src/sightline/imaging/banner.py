"""The strip that says the verdict: a symbol, a word and a colour, so that none of them is needed alone."""

from collections.abc import Callable

import cv2
import numpy as np

from sightline.imaging.heat import HeatScale, Rgb, tint
from sightline.records import Verdict

Colour = tuple[int, int, int]
Point = tuple[int, int]

INK: Colour = (22, 25, 29)  # behind pictures and banners
PAPER: Colour = (240, 242, 244)
_MUTED: Colour = (170, 178, 186)
_COLOURS: dict[Verdict, Colour] = {  # Okabe and Ito's, which colour-blind people can tell apart
    Verdict.PASS: (0, 178, 128),
    Verdict.REJECT: (233, 104, 20),
    Verdict.REVIEW: (240, 196, 40),
    Verdict.FAULT: (224, 122, 196),
}
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def text_width(text: str, scale: float, thickness: int = 1) -> int:
    return cv2.getTextSize(text, _FONT, scale, thickness)[0][0]


def write(canvas: Rgb, text: str, at: Point, scale: float, colour: Colour = PAPER, thickness: int = 1) -> None:
    """Write one line in place, its baseline beginning at `at` (x, y); control characters become spaces."""
    cv2.putText(canvas, _one_line(text), at, _FONT, scale, colour, thickness, cv2.LINE_AA)


def zoom_for(width: int) -> float:
    """How much larger than in a small picture letters are, so that they stay legible when the whole is shown."""
    return min(max(width / 900, 1.0), 2.0)


def banner(width: int, figures: str, verdict: Verdict | None = None, caption: str = "") -> Rgb:
    """(h, width, 3) strip with the verdict's symbol and word, the figures beside it and a caption below."""
    zoom = zoom_for(width)
    strip: Rgb = np.full((round((76 if caption else 48) * zoom), width, 3), INK, np.uint8)
    x = round(12 * zoom)
    if verdict is not None:
        cv2.rectangle(strip, (0, 0), (round(4 * zoom), strip.shape[0]), _COLOURS[verdict], -1)
        side, top = round(32 * zoom), round(8 * zoom)
        strip[top : top + side, x : x + side] = _symbol(verdict, side)
        x += round(40 * zoom)
        heavy = round(2 * zoom)
        write(strip, verdict.value, (x, round(32 * zoom)), 0.75 * zoom, _COLOURS[verdict], heavy)
        x += text_width(verdict.value, 0.75 * zoom, heavy) + round(18 * zoom)
    write(strip, _shortened(figures, width - x - 8, 0.5 * zoom), (x, round(31 * zoom)), 0.5 * zoom)
    if caption:
        left = round(12 * zoom)
        shown = _shortened(caption, width - 2 * left, 0.5 * zoom)
        write(strip, shown, (left, round(63 * zoom)), 0.5 * zoom, _MUTED)
    return strip


def scale_bar(width: int, scale: HeatScale) -> Rgb:
    """(h, width, 3) strip that shows which tint stands for which map value."""
    zoom = zoom_for(width)
    strip: Rgb = np.full((round(44 * zoom), width, 3), INK, np.uint8)
    left, top, bottom, line = (round(length * zoom) for length in (12, 8, 20, 37))
    right = width - left
    values = np.linspace(scale.start, scale.full, right - left, dtype=np.float32)
    grey: Rgb = np.full((bottom - top, right - left, 3), 128, np.uint8)
    strip[top:bottom, left:right] = tint(grey, np.tile(values, (bottom - top, 1)), scale)
    at = left + round((right - left) * (scale.threshold - scale.start) / (scale.full - scale.start))
    cv2.rectangle(strip, (at - 1, top - 4), (at, bottom + 4), PAPER, -1)
    small, middle, last = 0.42 * zoom, f"threshold {figure(scale.threshold)}", figure(scale.full)
    write(strip, figure(scale.start), (left, line), small, _MUTED)
    write(strip, middle, (at - text_width(middle, small) // 2, line), small)
    write(strip, last, (right - text_width(last, small), line), small, _MUTED)
    return strip


def figure(value: float) -> str:
    """A score to four significant digits: 2.9 is "2.900", so that scores of a line compare at a glance."""
    return f"{value:#.4g}".removesuffix(".")


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _shortened(text: str, width: int, scale: float) -> str:
    """`text`, with its middle left out if it does not fit: both the folder and the file's end tell something."""
    text = _one_line(text)[:400]
    kept = len(text)
    shown = text
    while kept > 2 and text_width(shown, scale) > width:
        kept -= 1
        shown = f"{text[: kept // 2]}...{text[-(kept - kept // 2) :]}"
    return shown


def _symbol(verdict: Verdict, side: int) -> Rgb:
    """(side, side, 3) a shape of its own for each verdict, drawn large and shrunk to smooth its edges."""
    canvas: Rgb = np.full((128, 128, 3), INK, np.uint8)
    _SYMBOLS[verdict](canvas, _COLOURS[verdict])
    return cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _stroke(canvas: Rgb, *points: Point) -> None:
    cv2.polylines(canvas, [np.array(points, np.int32)], False, INK, 13)


def _tick(canvas: Rgb, colour: Colour) -> None:
    cv2.circle(canvas, (64, 64), 58, colour, -1)
    _stroke(canvas, (38, 66), (56, 84), (92, 44))


def _cross(canvas: Rgb, colour: Colour) -> None:
    octagon = [(40, 6), (88, 6), (122, 40), (122, 88), (88, 122), (40, 122), (6, 88), (6, 40)]
    cv2.fillPoly(canvas, [np.array(octagon, np.int32)], colour)
    _stroke(canvas, (42, 42), (86, 86))
    _stroke(canvas, (42, 86), (86, 42))


def _question(canvas: Rgb, colour: Colour) -> None:
    cv2.fillPoly(canvas, [np.array([(64, 0), (128, 64), (64, 128), (0, 64)], np.int32)], colour)
    write(canvas, "?", (64 - text_width("?", 2.8, 9) // 2, 96), 2.8, INK, 9)


def _exclamation(canvas: Rgb, colour: Colour) -> None:
    cv2.fillPoly(canvas, [np.array([(64, 4), (126, 118), (2, 118)], np.int32)], colour)
    _stroke(canvas, (64, 46), (64, 78))
    _stroke(canvas, (64, 100), (64, 101))


_SYMBOLS: dict[Verdict, Callable[[Rgb, Colour], None]] = {
    Verdict.PASS: _tick,
    Verdict.REJECT: _cross,
    Verdict.REVIEW: _question,
    Verdict.FAULT: _exclamation,
}
