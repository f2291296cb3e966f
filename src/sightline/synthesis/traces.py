"""Lines as defects draw them: scratches that taper and skip, cracks that run from grain to grain; laid on samples.

Lengths are millimetres of a field 64 mm wide, whatever is photographed.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.records import FloatArray
from sightline.synthesis.surface import Window, smoothstep, window_at

FIELD_MM = 64.0  # what a picture shows, side to side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """A line on the surface: sideways position, width and depth as functions of the way along its chord."""

    x_mm: float  # where the chord starts
    y_mm: float
    angle_rad: float
    length_mm: float
    side: FloatArray  # (n,) mm off the chord, at n even steps
    width: FloatArray  # (n,) mm, half width
    depth: FloatArray  # (n,) 0..1

    def point(self, share: float) -> tuple[float, float]:
        """The line's position at `share` 0..1 of its length."""
        along = share * self.length_mm
        off = float(np.interp(share, np.linspace(0, 1, len(self.side)), self.side))
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return self.x_mm + along * cos - off * sin, self.y_mm + along * sin + off * cos


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A trace laid on the samples of a window, each (h, w)."""

    window: Window
    off: FloatArray  # mm from the line, signed
    width: FloatArray  # mm, half width; never thinner than the samples can carry
    depth: FloatArray  # 0..1, less where the line is thinner than a sample; 0 beyond its ends


def scratch_strand(rng: np.random.Generator, length: float, bow: float, severity: float) -> Trace:
    t = np.linspace(0, 1, 160, dtype=np.float32)
    taper = np.minimum(1, np.sqrt(4 * t * (1 - t)) * rng.uniform(1.0, 1.3) * (0.45 + 0.55 * smoothstep(t, 0, 0.5)))
    pressure = np.clip(1 + 0.20 * wander(rng, 160, 6), 0.4, 1.5)
    skip = smoothstep(wander(rng, 160, 8), -1.9, -1.3)  # the tool bounces
    return Trace(
        x_mm=0,
        y_mm=0,
        angle_rad=0,
        length_mm=length,
        side=np.asarray(4 * bow * t * (1 - t) + 0.03 * wander(rng, 160, 6), np.float32),
        width=np.asarray(
            (0.085 + 0.10 * severity) * rng.uniform(0.8, 1.2) * (0.3 + 0.7 * taper) * pressure, np.float32
        ),
        depth=np.asarray(taper * pressure * skip, np.float32),
    )


def fissure(
    rng: np.random.Generator, start: tuple[float, float], angle: float, length: float, half_width: float
) -> Trace:
    count = max(12, round(length * 12))
    # grain boundaries: straight runs of random length that turn sharply, on top of a slow drift
    kinks = np.sort(rng.uniform(0, 1, max(4, round(length * 1.5))))
    stops = np.concatenate([[0], kinks, [1]])
    heads = rng.uniform(-0.75, 0.75, len(stops) - 1)
    side = np.concatenate([[0], np.cumsum(heads * np.diff(stops) * length)])
    t = np.linspace(0, 1, count)
    fine = 0.035 * np.cumsum(rng.normal(0, 0.55, count)) * np.minimum(1, 8 * t)
    taper = (1 - t) ** 0.7
    return Trace(
        x_mm=start[0],
        y_mm=start[1],
        angle_rad=angle,
        length_mm=length,
        side=np.asarray(np.interp(t, stops, side) + fine, np.float32),
        width=np.asarray(half_width * (0.25 + 0.75 * taper) * np.clip(1 + 0.35 * wander(rng, count, 5), 0.3, 2)),
        depth=np.asarray(np.clip(taper * 1.6, 0, 1), np.float32),
    )


def lay(trace: Trace, shape: tuple[int, int], pitch_mm: float) -> Line:
    """The trace on a plane of `shape` (rows, columns) that is sampled every `pitch_mm`."""
    middle = trace.length_mm / 2
    cos, sin = math.cos(trace.angle_rad), math.sin(trace.angle_rad)
    reach = middle + float(np.abs(trace.side).max()) + 1.5
    window = window_at(shape, pitch_mm, (trace.x_mm + middle * cos, trace.y_mm + middle * sin), reach)
    share = (window.x * np.float32(cos) + window.y * np.float32(sin)) / np.float32(trace.length_mm) + np.float32(0.5)
    off = window.y * np.float32(cos) - window.x * np.float32(sin)
    steps = np.linspace(0, 1, len(trace.side))
    lean = np.gradient(trace.side, steps * trace.length_mm)  # the line is steeper than its chord: distances shrink

    def along(values: NDArray[np.floating], outside: float | None = None) -> FloatArray:
        return np.asarray(np.interp(share, steps, values, left=outside, right=outside), np.float32)

    width = along(trace.width)
    carried = np.maximum(width, np.float32(0.65 * pitch_mm))
    return Line(
        window=window,
        off=(off - along(trace.side)) / np.sqrt(1 + np.square(along(lean))),
        width=carried,
        depth=np.asarray(along(trace.depth, 0.0) * width / carried, np.float32),
    )


def wander(rng: np.random.Generator, count: int, nodes: int) -> FloatArray:
    """(count,) smooth noise, mean about 0, deviation about 1, with `nodes` turns."""
    grid = rng.standard_normal((1, nodes), dtype=np.float32)
    return np.asarray(cv2.resize(grid, (count, 1), interpolation=cv2.INTER_CUBIC)[0] * np.float32(1.2), np.float32)
