"""Scratches, cracks, dents and stains painted onto a real good picture, and the mask of what they changed.

A defect is a factor on the picture's own values, so that it follows shading and lies under the same light; it is as
soft as the picture's edges, and where it wipes out fine texture the camera's noise is put back. Each function takes
`severity` from 0 (hardly above the noise) to 1 (obvious); kind, place and size are drawn from `rng`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum

import cv2
import numpy as np

from sightline.errors import OptionError
from sightline.records import FloatArray
from sightline.synthesis.composing import Change, Spoilt, compose
from sightline.synthesis.places import edge_place, level_at, spot
from sightline.synthesis.scene import Scene
from sightline.synthesis.surface import Window, clouds, smoothstep, window_at
from sightline.synthesis.traces import Trace, fissure, lay, scratch_strand

ATTEMPTS = 12  # draws of a defect before giving up on seeing it
_WIDER = 1.7  # than on the rendered parts, whose field is larger than that of most cameras


class PaintKind(StrEnum):
    """What can be painted; the values are the default labels."""

    SCRATCH = "scratch"
    CRACK = "crack"
    DENT = "dent"
    STAIN = "stain"


def paint_defect(
    scene: Scene, kind: PaintKind, rng: np.random.Generator, severity: float | None = None, light_rad: float = -1.9
) -> Spoilt:
    """One defect on the part.

    Args:
        severity: None draws one. A draw that would not show above the noise is drawn again, more severe each time, and
            the severity that was used is reported.
        light_rad: where the light comes from, clockwise from the right; one for all pictures of a station.

    Raises:
        OptionError: severity is out of range, or nothing that was drawn can be seen.
    """
    if severity is not None and not 0 <= severity <= 1:
        raise OptionError(f"severity is {severity}; give a value from 0 (barely visible) to 1 (obvious).")
    for attempt in range(ATTEMPTS):
        drawn = float(rng.uniform())
        used = min(1.0, (drawn if severity is None else severity) + 0.08 * attempt)
        change = Change(gain=np.ones_like(scene.values), wipe=np.zeros(scene.shape, np.float32))
        PAINTERS[kind](change, scene, rng, used, light_rad)
        spoilt = compose(scene, change, rng, used)
        if spoilt:
            return spoilt
    raise OptionError(f"a {kind.value} cannot be seen on such a picture; choose other kinds of defect.")


def scratch(change: Change, scene: Scene, rng: np.random.Generator, severity: float, light_rad: float) -> None:
    """One to three parallel grooves: a glint on one flank, a shadow on the other, broken where the tool bounced."""
    length, angle = rng.uniform(7, 14) + severity * rng.uniform(3, 20), rng.uniform(0, 2 * math.pi)
    x, y = spot(scene, rng)
    bow, strands = rng.normal(0, 0.06) * length, 1 + int(rng.integers(0, 2 + round(severity)))
    level = level_at(scene, (x, y))
    shines = rng.uniform() < np.clip(1.5 - 2.0 * level, 0.0, 0.9)
    strength = _contrast(scene, level, severity, least=0.10, most=0.75)
    strength = min(strength, 0.95 / level - 1) if shines else -0.75 * strength  # a glint that saturates looks painted
    for strand in range(strands):
        share = 1.0 if strand == 0 else rng.uniform(0.25, 0.8)
        trace = scratch_strand(rng, length * share, bow * share**2, severity)
        trace = replace(trace, width=trace.width * np.float32(_WIDER))
        turned = angle + rng.normal(0, 0.012)
        slide, gap = -length * share / 2, 0.0 if strand == 0 else float(rng.normal(0, 0.5))
        start = (
            x + slide * math.cos(turned) - gap * math.sin(turned),
            y + slide * math.sin(turned) + gap * math.cos(turned),
        )
        placed = replace(trace, x_mm=start[0], y_mm=start[1], angle_rad=turned)
        across = math.sin(light_rad - turned)  # light along a groove shows neither flank
        _groove(change, scene, placed, rng, strength * (1.0 if strand == 0 else 0.6), across)


def _groove(
    change: Change, scene: Scene, trace: Trace, rng: np.random.Generator, strength: float, across: float
) -> None:
    line = lay(trace, scene.shape, scene.pitch_mm)
    at = line.window.at
    ratio = line.off / line.width
    glitter = np.clip(1 + 0.45 * clouds(rng, _size(line.window), 14, 3), 0.1, 1.8)  # facets of the furrow
    floor = cv2.exp(-np.square(ratio)) * line.depth * glitter
    flank = ratio * cv2.exp(-np.square(ratio / np.float32(1.3))) * line.depth * np.float32(-0.9 * across)
    factor = 1 + np.float32(strength) * floor + np.float32(abs(strength)) * flank
    change.gain[at] *= np.clip(factor, 0.08, 4)[..., None]
    change.wipe[at] = np.maximum(change.wipe[at], 0.6 * np.minimum(floor, 1))


def crack(change: Change, scene: Scene, rng: np.random.Generator, severity: float, light_rad: float) -> None:
    """A jagged dark fissure that runs from grain to grain, forks and thins out; often it begins at the part's edge."""
    x, y, angle = _crack_root(scene, rng)
    length = rng.uniform(6, 12) + severity * rng.uniform(4, 22)
    main = fissure(rng, (x, y), angle, length, 0.09 + 0.20 * severity)
    depth = _contrast(scene, level_at(scene, (x, y)), severity, least=0.30, most=0.85)
    _open(change, scene, main, depth, lip=math.sin(light_rad - angle) * (0.1 + 0.2 * severity))
    for _ in range(int(rng.integers(0, 2 + round(2 * severity)))):
        share, turn = rng.uniform(0.2, 0.8), angle + rng.choice((-1, 1)) * rng.uniform(0.4, 1.0)
        width = float(np.interp(share, np.linspace(0, 1, len(main.width)), main.width)) * 0.7
        branch = fissure(rng, main.point(share), turn, length * (1 - share) * rng.uniform(0.3, 0.8), width)
        _open(change, scene, branch, depth * 0.85, lip=0.0)


def _crack_root(scene: Scene, rng: np.random.Generator) -> tuple[float, float, float]:
    """Where a crack begins, mm, and where it runs: from the part's edge inwards, or anywhere."""
    if rng.uniform() < 0.4:
        return *spot(scene, rng), rng.uniform(0, 2 * math.pi)
    x, y, inwards = edge_place(scene, rng)
    return x, y, inwards + rng.normal(0, 0.35)


def _open(change: Change, scene: Scene, trace: Trace, depth: float, lip: float) -> None:
    line = lay(trace, scene.shape, scene.pitch_mm)
    at = line.window.at
    gap = np.minimum(cv2.exp(-np.square(line.off / line.width)) * line.depth * np.float32(1.3), 1)
    step = cv2.exp(-np.abs(line.off) / np.float32(0.6)) * np.sign(line.off) * line.depth * np.float32(lip)
    change.gain[at] *= ((1 - np.float32(depth) * gap) * (1 + step * (1 - gap)))[..., None]
    change.wipe[at] = np.maximum(change.wipe[at], 0.8 * gap)


def dent(change: Change, scene: Scene, rng: np.random.Generator, severity: float, light_rad: float) -> None:
    """A blow: one smooth, lopsided hollow, lit on the flank that faces the light, in shadow on the other."""
    radius = rng.uniform(1.2, 2.6) + severity * rng.uniform(0.5, 3.0)
    place = spot(scene, rng, clearance_mm=radius)
    window = window_at(scene.shape, scene.pitch_mm, place, radius * 3.2)
    u, v = _turned(window, rng, most=1.5)
    ragged = 1 + 0.05 * clouds(rng, _size(window), 4, 2) + rng.uniform(-0.2, 0.2) * u / (radius + np.abs(u))
    distance = np.hypot(u, v) / np.float32(radius) * ragged
    # in double precision: NumPy's float32 power differs in its last bit with the array's place in memory
    fall = np.power(distance.astype(np.float64), rng.uniform(2.2, 3.4))
    hollow = np.asarray(np.exp(-fall), np.float32)
    height = 0.14 * cv2.exp(-np.square((distance - 1.4) / np.float32(0.3))) - hollow
    slope_x, slope_y = (cv2.Sobel(height, cv2.CV_32F, dx, dy, ksize=3, scale=0.125) for dx, dy in ((1, 0), (0, 1)))
    facing = -(slope_x * math.cos(light_rad) + slope_y * math.sin(light_rad))  # towards the light
    facing /= max(float(np.abs(facing).max()), 1e-6)
    strength = _contrast(scene, level_at(scene, place), severity, least=0.10, most=0.50)
    lit = np.where(facing > 0, 1 + 1.2 * strength * facing, 1 + strength * facing)
    glint = cv2.exp(-np.square((facing - 0.8) / np.float32(0.12))) * np.float32(0.35 * strength * severity)
    change.gain[window.at] *= ((lit + glint) * (1 - np.float32(0.35 * strength) * hollow))[..., None]
    change.wipe[window.at] = 0.45 * hollow  # the blow smears the finest texture
    change.broad = True


def stain(change: Change, scene: Scene, rng: np.random.Generator, severity: float, light_rad: float) -> None:  # noqa: ARG001 - all are called alike
    """A film with a ragged border: even with a hard edge, cloudy and fading, or dried with a darker rim."""
    radius = rng.uniform(2.5, 5.0) + severity * rng.uniform(1.0, 6.0)
    place = spot(scene, rng)
    window = window_at(scene.shape, scene.pitch_mm, place, radius * 2.6)
    u, v = _turned(window, rng, most=1.9)
    distance = np.asarray(np.hypot(u, v) / np.float32(radius), np.float32)
    kind = int(rng.integers(3))
    distance += np.float32(0.07 if kind == 0 else 0.14) * clouds(rng, _size(window), 3, 4)
    if kind == 0:
        film = (1 - smoothstep(distance, 0.94, 1.06)) * (1 + 0.06 * clouds(rng, _size(window), 5, 2))
    elif kind == 1:
        film = (1 - smoothstep(distance, 0.1, 1.3)) * np.clip(1 + 0.3 * clouds(rng, _size(window), 6, 3), 0, 1.6)
    else:
        rim = cv2.exp(-np.square((distance - 0.95) / np.float32(0.09)))
        film = np.asarray(0.5 * (1 - smoothstep(distance, 0.9, 1.08)) + 0.7 * rim, np.float32)
    darker = -1.0 if rng.uniform() < 0.8 else 0.6
    strength = darker * _contrast(scene, level_at(scene, place), severity, least=0.12, most=0.55)
    tint = _tint(scene, rng, severity if darker < 0 else 0.0)
    change.gain[window.at] *= np.clip(1 + np.float32(strength) * film[..., None] * tint, 0.1, 2.5)
    change.wipe[window.at] = np.clip(0.35 * film, 0, 1)
    change.broad = True


def _tint(scene: Scene, rng: np.random.Generator, severity: float) -> FloatArray:
    """(C,) how strongly each channel takes part: rust and oil swallow blue first; many stains are colourless."""
    if scene.values.shape[2] == 1 or rng.uniform() < 0.35:
        return np.ones(scene.values.shape[2], np.float32)
    lean = rng.uniform(0.2, 0.5) * (0.2 + 1.3 * severity)
    return np.asarray((1 - lean, 1.0, 1 + lean), np.float32)


PAINTERS: Mapping[PaintKind, Callable[[Change, Scene, np.random.Generator, float, float], None]] = {
    PaintKind.SCRATCH: scratch,
    PaintKind.CRACK: crack,
    PaintKind.DENT: dent,
    PaintKind.STAIN: stain,
}


def _contrast(scene: Scene, level: float, severity: float, least: float, most: float) -> float:
    """A share of the local brightness that grows with severity and stays above noise and texture."""
    hidden = max(2.2 * scene.noise, (1.2 + severity) * scene.texture) / max(level, 0.02)
    return float(min(max(least + (most - least) * severity**1.3, hidden), 0.95))


def _turned(window: Window, rng: np.random.Generator, most: float) -> tuple[FloatArray, FloatArray]:
    """Coordinates of an ellipse of random direction, stretched up to `most`."""
    turn, stretch = rng.uniform(0, math.pi), np.float32(rng.uniform(1.0, most))
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    along, across = window.x * cos + window.y * sin, window.y * cos - window.x * sin
    return np.asarray(along / stretch, np.float32), np.asarray(across, np.float32)


def _size(window: Window) -> tuple[int, int]:
    return int(window.x.shape[0]), int(window.x.shape[1])
