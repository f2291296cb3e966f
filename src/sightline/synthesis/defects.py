"""The seven kinds of defect, each as the change it makes to the part or to its surface.

Every function takes `severity` from 0 (barely visible) to 1 (obvious), and draws kind, place and size from `rng`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum

import cv2
import numpy as np

from sightline.records import FloatArray
from sightline.synthesis.assembly import (
    BOSS_MM,
    DISC_MM,
    OPEN_SEATS,
    PLUG_SEAT,
    SCREW_MM,
    SCREW_SEAT,
    Assembly,
    Placement,
)
from sightline.synthesis.debris import drop_debris
from sightline.synthesis.surface import Surface, Window, blend, clouds, paint, smoothstep
from sightline.synthesis.traces import Trace, fissure, lay, scratch_strand

# the colours of oxide on steel as it grows thicker (a film's interference), as factors on the bare metal's RGB
TEMPER = (
    (1.00, 1.00, 1.00),
    (1.00, 0.90, 0.66),  # straw
    (0.86, 0.60, 0.34),  # brown
    (0.58, 0.36, 0.42),  # purple
    (0.34, 0.38, 0.66),  # blue
    (0.48, 0.58, 0.74),  # pale blue
)
RUST, PALE_RUST = (0.150, 0.058, 0.022), (0.30, 0.155, 0.065)


class DefectType(StrEnum):
    """What can be wrong with a rendered part; the values are folder names."""

    SCRATCH = "scratch"
    DENT = "dent"
    CRACK = "crack"
    DISCOLORATION = "discoloration"
    MISSING_COMPONENT = "missing_component"
    MISALIGNMENT = "misalignment"
    OTHER = "other"


def scratch(surface: Surface, assembly: Assembly, rng: np.random.Generator, severity: float) -> None:
    """One to four parallel grooves with burrs, tapered and skipping, that break the brushing's highlight."""
    length, angle = rng.uniform(8, 13) + severity * rng.uniform(4, 17), rng.uniform(0, 2 * math.pi)
    x, y = _spot_on_face(assembly, rng, 0.0)
    bow, strands = rng.normal(0, 0.05) * length, 1 + int(rng.integers(0, 2 + round(2 * severity)))
    for strand in range(strands):
        share = 1.0 if strand == 0 else rng.uniform(0.3, 0.85)
        slide = rng.uniform(-0.5, 0.5) * (1 - share) * length
        gap = 0.0 if strand == 0 else float(rng.normal(0, 0.40))
        trace = scratch_strand(rng, length * share, bow * share**2, severity * (1.0 if strand == 0 else 0.7))
        start = slide - trace.length_mm / 2
        cos, sin = math.cos(angle), math.sin(angle)
        placed = replace(
            trace,
            x_mm=x + start * cos - gap * sin,
            y_mm=y + start * sin + gap * cos,
            angle_rad=angle + rng.normal(0, 0.01),
        )
        _cut_groove(surface, placed, severity)


def _cut_groove(surface: Surface, trace: Trace, severity: float) -> None:
    line = lay(trace, surface.shape, surface.pitch_mm)
    at, body = line.window.at, surface.body[line.window.at]
    strength = (0.6 + 0.9 * severity) * np.minimum(line.depth, 1.2) * body
    ratio = np.square(line.off / line.width)
    floor = cv2.exp(-ratio) * strength
    burr = cv2.exp(-np.square((np.abs(line.off) / line.width - 1.7) / 0.7)) * strength
    surface.height[at] += line.width * (np.float32(0.55) * burr - np.float32(0.9) * floor)
    surface.grain[at] *= 1 - np.minimum(floor, 1)
    cover = np.minimum(floor * np.float32(1.1), 0.95)
    ones = np.ones_like(cover)
    surface.turn_grooves(at, ones * math.cos(trace.angle_rad), ones * math.sin(trace.angle_rad), cover)
    blend(surface.exposure, at, surface.exposure[at] * 0.45, cover * 0.7)
    paint(
        surface, at, (0.85, 0.85, 0.85), np.minimum(burr, 1) * np.float32(0.5)
    )  # bare metal on the burr, also through ink
    blend(surface.gloss, at, 0.8, cover * 0.5)


def dent(surface: Surface, assembly: Assembly, rng: np.random.Generator, severity: float) -> None:
    """A blow: one smooth, lopsided hollow with a faint rim, sometimes with a smaller one beside it."""
    radius = rng.uniform(1.1, 2.0) + severity * rng.uniform(0.4, 2.0)
    x, y = _spot_on_face(assembly, rng, radius * 0.6)
    _press_in(surface, rng, (x, y), radius, severity)
    if rng.uniform() < 0.25:
        turn, reach = rng.uniform(0, 2 * math.pi), radius * rng.uniform(1.3, 1.8)
        _press_in(surface, rng, (x + reach * math.cos(turn), y + reach * math.sin(turn)), radius * 0.5, severity * 0.7)


def _press_in(
    surface: Surface, rng: np.random.Generator, place: tuple[float, float], radius: float, severity: float
) -> None:
    window = surface.window(*place, radius * 3.8)
    turn, stretch = rng.uniform(0, math.pi), rng.uniform(1.0, 1.5)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    u, v = (window.x * cos + window.y * sin) / np.float32(stretch), window.y * cos - window.x * sin
    around = np.asarray(np.hypot(u, v) / np.float32(radius), np.float32)
    lean = rng.uniform(-0.25, 0.25) * u / (radius * (around + 0.4))
    distance = around * (1 + lean + 0.04 * clouds(rng, (u.shape[0], u.shape[1]), 4, 1))
    hollow = cv2.exp(-np.power(distance, np.float32(rng.uniform(2.2, 3.4))))
    rim = cv2.exp(-np.square((distance - 1.35) / 0.3))
    depth = radius * (0.07 + 0.22 * severity)
    body = surface.body[window.at]
    surface.height[window.at] += depth * (0.10 * rim - hollow) * body
    surface.grain[window.at] *= 1 - 0.6 * hollow * body  # the blow smears the brushing
    blend(surface.exposure, window.at, surface.exposure[window.at] * 0.8, hollow * body * np.float32(0.6 * severity))


def crack(surface: Surface, assembly: Assembly, rng: np.random.Generator, severity: float) -> None:
    """A jagged dark fissure that starts at a hole or at the rim, forks, and thins out; its lips stand unevenly."""
    if assembly.screw:  # a crack runs under the head, not through it
        head = surface.window(*assembly.seat(SCREW_SEAT, assembly.screw), SCREW_MM + 0.5)
        surface.body[head.at] *= 1 - surface.inside(head.radius, SCREW_MM)
    x, y, angle = _crack_root(assembly, rng)
    length = rng.uniform(3.5, 6.5) + severity * rng.uniform(2, 7)
    main = fissure(rng, (x, y), angle, length, 0.055 + 0.12 * severity)
    _open_fissure(surface, main, severity, lip=rng.uniform(-1, 1))
    for _ in range(int(rng.integers(0, 2 + round(2 * severity)))):
        share = rng.uniform(0.25, 0.8)
        turn = angle + rng.choice((-1, 1)) * rng.uniform(0.45, 1.0)
        width = float(np.interp(share, np.linspace(0, 1, len(main.width)), main.width)) * 0.75
        branch = fissure(rng, main.point(share), turn, length * (1 - share) * rng.uniform(0.4, 0.9), width)
        _open_fissure(surface, branch, severity, lip=0.0)


def _crack_root(assembly: Assembly, rng: np.random.Generator) -> tuple[float, float, float]:
    """A point on a hole's edge or on the rim, and the direction the crack takes from there."""
    seat = float(rng.choice((*OPEN_SEATS, PLUG_SEAT)))
    if rng.uniform() < 0.65:
        x, y = assembly.seat(seat)
        angle = rng.uniform(0, 2 * math.pi)
        return x + 2.3 * math.cos(angle), y + 2.3 * math.sin(angle), angle + rng.normal(0, 0.25)
    around = rng.uniform(0, 2 * math.pi)
    x, y = assembly.x_mm + (DISC_MM - 0.3) * math.cos(around), assembly.y_mm + (DISC_MM - 0.3) * math.sin(around)
    return x, y, around + math.pi + rng.normal(0, 0.4)


def _open_fissure(surface: Surface, trace: Trace, severity: float, lip: float) -> None:
    line = lay(trace, surface.shape, surface.pitch_mm)
    at, body = line.window.at, surface.body[line.window.at]
    gap = np.minimum(cv2.exp(-np.square(line.off / line.width)) * line.depth * body * np.float32(1.35), 1)
    # one lip stands higher: a step at the crack that fades away from it
    step = cv2.exp(-np.abs(line.off) / np.float32(0.7)) * np.sign(line.off) * np.float32(lip * 0.035 * severity)
    surface.height[at] += step * line.depth * body
    dark = gap * np.float32(0.62 + 0.36 * severity)
    paint(surface, at, (0.012, 0.011, 0.011), dark)
    for plane, value in ((surface.gloss, 0.0), (surface.exposure, 0.3), (surface.grain, 0.0)):
        blend(plane, at, value, dark)


def discoloration(surface: Surface, assembly: Assembly, rng: np.random.Generator, severity: float) -> None:
    """Heat tint in the order of its temper colours, or a bloom of rust, with soft and ragged borders."""
    radius = rng.uniform(2.2, 4.0) + severity * rng.uniform(1.0, 5.0)
    x, y = _spot_on_face(assembly, rng, 0.5)
    window = surface.window(x, y, radius * 3.4)
    shape = (window.x.shape[0], window.x.shape[1])
    turn, stretch = rng.uniform(0, math.pi), rng.uniform(1.0, 1.7)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    u, v = (window.x * cos + window.y * sin) / np.float32(stretch), window.y * cos - window.x * sin
    distance = np.hypot(u, v) / np.float32(radius) + 0.20 * clouds(rng, shape, 4, 4)
    body = surface.body[window.at]
    if rng.uniform() < 0.6:
        _temper(surface, window, (1 - smoothstep(distance, 0.0, 1.35)) * body, severity)
    else:
        _rust(surface, rng, window, (1 - smoothstep(distance, 0.35, 1.15)) * body, severity)


def _temper(surface: Surface, window: Window, film: FloatArray, severity: float) -> None:
    steps = np.arange(len(TEMPER), dtype=np.float32)
    thickness = film * np.float32(0.55 + 4.2 * severity)
    for plane, factors in zip(surface.albedo, zip(*TEMPER, strict=True), strict=True):
        plane[window.at] *= np.interp(thickness, steps, factors).astype(np.float32)


def _rust(surface: Surface, rng: np.random.Generator, window: Window, bloom: FloatArray, severity: float) -> None:
    shape = (window.x.shape[0], window.x.shape[1])
    cells = max(4.0, 0.55 * shape[0] * surface.pitch_mm)
    pits = smoothstep(clouds(rng, shape, cells, 4) + 2.0 * bloom, 0.9, 2.6) * smoothstep(bloom, 0.02, 0.3)
    film = np.clip(bloom * (1 + 0.25 * clouds(rng, shape, cells / 2, 3)), 0, 1) * np.float32(0.22 + 0.5 * severity)
    crust = pits * np.float32(0.30 + 0.6 * severity)
    paint(surface, window.at, PALE_RUST, film)
    paint(surface, window.at, RUST, crust)
    dull = np.maximum(film, crust)
    blend(surface.gloss, window.at, 0.05, dull)
    surface.height[window.at] += crust * clouds(rng, shape, 3 * cells, 2) * np.float32(0.035)


def missing_component(
    assembly: Assembly,
    rng: np.random.Generator,
    severity: float,  # noqa: ARG001 - all defects are called alike
) -> Assembly:
    """No screw, no plug, no print, or a hole that was never drilled; severity has no say."""
    kind = int(rng.integers(6))
    if kind <= 1:
        return replace(assembly, screw=None)
    if kind == 2:
        return replace(assembly, plug=False)
    if kind == 3:
        return replace(assembly, mark=None)
    skipped = int(rng.integers(3))
    first, second, third = (drilled and i != skipped for i, drilled in enumerate(assembly.drilled))
    return replace(assembly, drilled=(first, second, third))


def misalignment(assembly: Assembly, rng: np.random.Generator, severity: float) -> Assembly:
    """The print is shifted or turned, or the screw sits beside its seat and askew."""
    toward = rng.uniform(0, 2 * math.pi)
    if rng.uniform() < 0.4 and assembly.screw:
        reach = 0.7 + 1.2 * severity
        screw = Placement(
            x_mm=assembly.screw.x_mm + reach * math.cos(toward),
            y_mm=assembly.screw.y_mm + reach * math.sin(toward),
            turn_rad=assembly.screw.turn_rad,
            tilt=float(rng.choice((-1, 1)) * (0.06 + 0.22 * severity)),
        )
        return replace(assembly, screw=screw)
    mark = assembly.mark or Placement()
    if rng.uniform() < 0.5:
        turned = mark.turn_rad + float(rng.choice((-1, 1))) * math.radians(4 + 14 * severity)
        return replace(assembly, mark=replace(mark, turn_rad=turned))
    reach = 0.7 + 2.0 * severity
    moved = replace(mark, x_mm=mark.x_mm + reach * math.cos(toward), y_mm=mark.y_mm + reach * math.sin(toward) * 0.7)
    return replace(assembly, mark=moved)


ASSEMBLY_FAULTS: Mapping[DefectType, Callable[[Assembly, np.random.Generator, float], Assembly]] = {
    DefectType.MISSING_COMPONENT: missing_component,
    DefectType.MISALIGNMENT: misalignment,
}
SURFACE_FAULTS: Mapping[DefectType, Callable[[Surface, Assembly, np.random.Generator, float], None]] = {
    DefectType.SCRATCH: scratch,
    DefectType.DENT: dent,
    DefectType.CRACK: crack,
    DefectType.DISCOLORATION: discoloration,
    DefectType.OTHER: drop_debris,
}


def _spot_on_face(assembly: Assembly, rng: np.random.Generator, clearance_mm: float) -> tuple[float, float]:
    """A point on the flat face, clear of holes and screw."""
    seats = [assembly.seat(angle) for angle in (*OPEN_SEATS, PLUG_SEAT, SCREW_SEAT)]
    x, y = assembly.seat(math.pi)
    for _ in range(40):
        radius = math.sqrt(rng.uniform((BOSS_MM + 1) ** 2, (DISC_MM - 1.5 - clearance_mm) ** 2))
        around = rng.uniform(0, 2 * math.pi)
        x, y = assembly.x_mm + radius * math.cos(around), assembly.y_mm + radius * math.sin(around)
        if all(math.hypot(x - sx, y - sy) > SCREW_MM + clearance_mm for sx, sy in seats):
            break
    return x, y
