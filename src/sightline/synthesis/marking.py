"""The mark printed on the part: drawn as a stencil, then inked as a pad printer would."""

import math
from functools import lru_cache

import cv2
import numpy as np

from sightline.records import FloatArray
from sightline.synthesis.surface import Surface, blend, clouds, paint, smoothstep

WIDTH_MM, HEIGHT_MM = 17.0, 6.4
INK = (0.018, 0.020, 0.028)  # linear RGB
FONT = cv2.FONT_HERSHEY_DUPLEX


def print_mark(
    surface: Surface, rng: np.random.Generator, text: str, x_mm: float, y_mm: float, turn_rad: float
) -> None:
    """Print the logo and `text` centred on a point, turned clockwise by `turn_rad`, with uneven ink."""
    window = surface.window(x_mm, y_mm, math.hypot(WIDTH_MM, HEIGHT_MM) / 2 + 0.5)
    stencil = _stencil(text, round(1.5 / surface.pitch_mm, 3))
    wet = _placed(stencil, window.x, window.y, turn_rad)
    shape = (wet.shape[0], wet.shape[1])
    # ink creeps: where it ends follows the stencil's blurred edge and the unevenness of the metal
    edge = 0.07 * clouds(rng, shape, 26, 2)
    density = np.clip(0.95 + 0.07 * clouds(rng, shape, 5, 3), 0.55, 1)
    cover = smoothstep(wet + edge, 0.34, 0.68) * density * surface.body[window.at]
    paint(surface, window.at, INK, cover)
    blend(surface.gloss, window.at, 0.06, cover)
    blend(surface.grain, window.at, surface.grain[window.at] * 0.5, cover)


def _placed(stencil: FloatArray, x: FloatArray, y: FloatArray, turn_rad: float) -> FloatArray:
    cos, sin = math.cos(turn_rad), math.sin(turn_rad)
    per_mm = stencil.shape[1] / WIDTH_MM
    across = (x * cos + y * sin + WIDTH_MM / 2) * per_mm - 0.5
    down = (y * cos - x * sin + HEIGHT_MM / 2) * per_mm - 0.5
    return np.asarray(
        cv2.remap(stencil, across.astype(np.float32), down.astype(np.float32), cv2.INTER_LINEAR), np.float32
    )


@lru_cache(maxsize=8)
def _stencil(text: str, per_mm: float) -> FloatArray:
    """(h, w) float32 0..1, softened by 0.07 mm as ink spreads; the caller must not write to it."""
    scale = max(1, math.ceil(24 / per_mm))  # drawn large, so that the font's own strokes stay even
    fine = per_mm * scale
    canvas = np.zeros((round(HEIGHT_MM * fine), round(WIDTH_MM * fine)), np.uint8)
    _draw_logo(canvas, fine)
    _write(canvas, text, fine, left_mm=6.1, base_mm=3.35, width_mm=10.7, stroke_mm=0.46)
    _write(canvas, "24V  IP67", fine, left_mm=6.2, base_mm=5.75, width_mm=10.3, stroke_mm=0.30)
    soft = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), 0.07 * fine)
    size = (round(WIDTH_MM * per_mm), round(HEIGHT_MM * per_mm))
    stencil = np.asarray(cv2.resize(soft, size, interpolation=cv2.INTER_AREA), np.float32)
    stencil.setflags(write=False)
    return stencil


def _write(
    canvas: np.ndarray, text: str, per_mm: float, *, left_mm: float, base_mm: float, width_mm: float, stroke_mm: float
) -> None:
    (unit_px, _), _ = cv2.getTextSize(text, FONT, 10.0, 1)
    at = (round(left_mm * per_mm), round(base_mm * per_mm))
    stroke = max(1, round(stroke_mm * per_mm))
    cv2.putText(canvas, text, at, FONT, 10.0 * width_mm * per_mm / max(unit_px, 1), (255,), stroke, cv2.LINE_AA)


def _draw_logo(canvas: np.ndarray, per_mm: float) -> None:
    """An eye on a line: ring, pupil, and a base bar."""
    centre = (round(2.9 * per_mm), round(2.75 * per_mm))
    cv2.circle(canvas, centre, round(2.05 * per_mm), (255,), round(0.5 * per_mm), cv2.LINE_AA)
    cv2.circle(canvas, centre, round(0.75 * per_mm), (255,), -1, cv2.LINE_AA)
    left, right = (round(0.9 * per_mm), round(5.65 * per_mm)), (round(4.9 * per_mm), round(5.65 * per_mm))
    cv2.line(canvas, left, right, (255,), round(0.42 * per_mm), cv2.LINE_AA)
