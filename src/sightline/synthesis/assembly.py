"""One turned flange in its fixture: bore, bolt holes, a plug, a screw and a printed mark, machined into a surface."""

import math
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from sightline.records import FloatArray
from sightline.synthesis.marking import print_mark
from sightline.synthesis.surface import Light, Surface, Window, blend, clouds, paint, smoothstep

DISC_MM, BORE_MM, BOSS_MM, BOLT_CIRCLE_MM = 26.0, 5.6, 9.2, 18.3
HOLE_MM, SCREW_MM, PLUG_MM = 2.1, 3.6, 2.3
CHAMFER_MM = 0.7
OPEN_SEATS = tuple(math.radians(degrees) for degrees in (-90, 30, 150))
SCREW_SEAT, PLUG_SEAT, MARK_SEAT = math.radians(-150), math.radians(-30), math.radians(90)

STEEL, ZINC, BRASS = (0.60, 0.605, 0.60), (0.50, 0.53, 0.57), (0.66, 0.47, 0.17)  # linear RGB
BELT, SHADE = (0.030, 0.036, 0.042), (0.022, 0.022, 0.024)


class Drive(StrEnum):
    """What turns the screw."""

    CROSS = "cross"
    SLOT = "slot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How far a piece sits from its nominal place."""

    x_mm: float = 0.0
    y_mm: float = 0.0
    turn_rad: float = 0.0
    tilt: float = 0.0  # slope of a head that is not seated flat, along x


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What is on one part, and where the part lies in the picture."""

    x_mm: float = 0.0  # the part's centre, from the picture's centre
    y_mm: float = 0.0
    turn_rad: float = 0.0  # clockwise
    drilled: tuple[bool, bool, bool] = (True, True, True)  # the open bolt holes, in the order of OPEN_SEATS
    plug: bool = True
    screw: Placement | None = Placement()
    mark: Placement | None = Placement()
    drive: Drive = Drive.CROSS
    text: str = "SL-204"

    def seat(self, angle_rad: float, offset: Placement | None = None) -> tuple[float, float]:
        """Where a place on the bolt circle lies in the picture, mm; `offset` is taken in the part's own axes."""
        moved = offset or Placement()
        x = BOLT_CIRCLE_MM * math.cos(angle_rad) + moved.x_mm
        y = BOLT_CIRCLE_MM * math.sin(angle_rad) + moved.y_mm
        cos, sin = math.cos(self.turn_rad), math.sin(self.turn_rad)
        return self.x_mm + x * cos - y * sin, self.y_mm + x * sin + y * cos


def machine(assembly: Assembly, samples: int, pitch_mm: float, key: Light, seed: int) -> Surface:
    """The part on its belt, `samples` x `samples`; the same `seed` gives the same grain whatever is assembled."""
    belt_rng, grain_rng, ink_rng = (np.random.default_rng((seed, stream)) for stream in range(3))
    surface = _belt(samples, pitch_mm, belt_rng)
    _turn_disc(surface, surface.window(assembly.x_mm, assembly.y_mm, samples * pitch_mm), key, grain_rng)
    _drill(surface, assembly.x_mm, assembly.y_mm, BORE_MM, key)
    for angle, drilled in zip(OPEN_SEATS, assembly.drilled, strict=True):
        if drilled:
            _drill(surface, *assembly.seat(angle), HOLE_MM, key)
    _drill(surface, *assembly.seat(PLUG_SEAT), PLUG_MM, key)
    if assembly.plug:
        _press_plug(surface, *assembly.seat(PLUG_SEAT))
    if assembly.mark:
        place = assembly.seat(MARK_SEAT, assembly.mark)
        print_mark(surface, ink_rng, assembly.text, *place, assembly.turn_rad + assembly.mark.turn_rad)
    _drill(surface, *assembly.seat(SCREW_SEAT), HOLE_MM, key, thread=True)
    if assembly.screw:
        _drive_screw(surface, assembly, assembly.screw, key)
    return surface


def _belt(samples: int, pitch_mm: float, rng: np.random.Generator) -> Surface:
    """A dark woven belt with wear; every part lies on another stretch of it."""
    shape = (samples, samples)
    axis = np.arange(samples, dtype=np.float32) * np.float32(pitch_mm)
    phase = rng.uniform(0, 2 * math.pi, 2)
    weave_x = np.sin(axis * (2 * math.pi / 1.9) + phase[0]).astype(np.float32)
    weave_y = np.sin(axis * (2 * math.pi / 1.3) + phase[1]).astype(np.float32)
    wear = np.clip(1 + 0.16 * clouds(rng, shape, 3, 4), 0.4, 2)
    return Surface(
        pitch_mm=pitch_mm,
        height=weave_y[:, None] * weave_x * np.float32(0.05) - np.float32(CHAMFER_MM),  # no step at the bevel's foot
        grain=np.zeros(shape, np.float32),
        albedo=wear * np.asarray(BELT, np.float32)[:, None, None],
        gloss=np.zeros(shape, np.float32),
        coat=np.zeros(shape, np.float32),
        exposure=np.ones(shape, np.float32),
        body=np.zeros(shape, np.float32),
        tangent_x=np.zeros(shape, np.float32),
        tangent_y=np.zeros(shape, np.float32),
    )


def _cast(surface: Surface, window: Window, radius_mm: float, height_mm: float, key: Light) -> None:
    """The shadow of something round, this high, soft because the lamp is wide."""
    x, y, z = key.direction
    reach = height_mm / max(z, 0.3)
    distance = np.hypot(window.x + np.float32(x * reach), window.y + np.float32(y * reach))
    shadow = 1 - smoothstep(np.asarray(distance, np.float32), radius_mm - 0.5 * reach, radius_mm + 0.5 * reach)
    surface.exposure[window.at] *= 1 - np.float32(0.72) * shadow


def _turn_disc(surface: Surface, window: Window, key: Light, rng: np.random.Generator) -> None:
    """The bare disc with its boss, groove, bevel and brushing; `window` is all of the picture, about its centre."""
    brushing = _draw_brushing(surface.pitch_mm, rng)
    for band in window.bands():
        _turn_band(surface, band, key, brushing)


def _turn_band(surface: Surface, window: Window, key: Light, brushing: FloatArray) -> None:
    radius, at = window.radius, window.at
    _cast(surface, window, DISC_MM, 1.6, key)
    cover = surface.inside(radius, DISC_MM)
    bevel = np.clip(radius - np.float32(DISC_MM - CHAMFER_MM), 0, CHAMFER_MM)
    boss = 1 - smoothstep(radius, BOSS_MM - 0.5, BOSS_MM + 0.5)
    groove = cv2.exp(np.square(radius - np.float32(BOSS_MM + 2.0)) * np.float32(-1 / 0.35**2))
    blend(surface.height, at, 0.55 * boss - 0.16 * groove - bevel, cover)
    around = cv2.phase(window.x, window.y) * np.float32((brushing.shape[1] - 1) / (2 * math.pi))
    outward = radius * np.float32(1 / surface.pitch_mm)
    laid = cv2.remap(brushing, around, outward, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    surface.grain[at] = laid * cover * np.float32(0.042 * surface.pitch_mm)
    tone = 1 + laid * np.float32(0.016) - groove * np.float32(0.10)
    for plane, value in zip(surface.albedo, STEEL, strict=True):
        blend(plane, at, tone * value, cover)
    surface.gloss[at] = surface.body[at] = cover
    blend(surface.exposure, at, 1.0, cover)
    inverse = 1 / np.maximum(radius, np.float32(surface.pitch_mm))
    surface.tangent_x[at], surface.tangent_y[at] = -window.y * inverse, window.x * inverse


def _draw_brushing(pitch_mm: float, rng: np.random.Generator) -> FloatArray:
    """Noise over (radius in samples, angle), deviation about 1, long along the angle and without a seam."""
    rows, columns, seam = math.ceil(DISC_MM * 1.1 / pitch_mm), 512, 16
    arcs = cv2.blur(rng.standard_normal((rows, columns), dtype=np.float32), (21, 1)) * np.float32(4.5)
    rings = rng.standard_normal((rows, 1), dtype=np.float32)
    broad = cv2.GaussianBlur(rng.standard_normal((rows, 1), dtype=np.float32), (1, 0), 0, sigmaY=0.5 / pitch_mm)
    polar = arcs + rings + broad * np.float32(2 * math.sqrt(0.5 / pitch_mm))
    polar[:, -seam:] += (polar[:, :1] - polar[:, -1:]) * np.linspace(0, 1, seam, dtype=np.float32)
    return np.asarray(polar, np.float32)


def _drill(surface: Surface, x_mm: float, y_mm: float, radius_mm: float, key: Light, *, thread: bool = False) -> None:
    """A chamfered hole; what shows inside is dark, but for the crescent of wall that the lamp reaches."""
    window = surface.window(x_mm, y_mm, radius_mm + CHAMFER_MM + 0.5)
    radius, at = window.radius, window.at
    ring = surface.inside(radius, radius_mm + CHAMFER_MM)
    sink = np.clip((radius_mm + CHAMFER_MM - radius) / CHAMFER_MM, 0, 1) * CHAMFER_MM
    surface.height[at] -= sink
    surface.grain[at] *= 1 - ring
    surface.turn_grooves(at, -window.y, window.x, ring)
    hole = surface.inside(radius, radius_mm)
    x, y, _ = key.direction
    reached = np.hypot(window.x - np.float32(x * radius_mm), window.y - np.float32(y * radius_mm))
    lit = smoothstep(np.asarray(reached, np.float32), 0.9 * radius_mm, 1.75 * radius_mm)
    wall = smoothstep(radius, 0.72 * radius_mm, radius_mm) * lit
    if thread:
        wall = np.maximum(wall, (0.5 + 0.5 * np.cos(radius * (2 * math.pi / 0.55))) * (0.2 + 0.5 * lit))
    for plane, value in zip(surface.albedo, SHADE, strict=True):
        blend(plane, at, value + wall * np.float32(0.20), hole)
    for plane, value in ((surface.gloss, 0.15), (surface.exposure, 0.35), (surface.body, 0.0)):
        blend(plane, at, value, hole)


def _press_plug(surface: Surface, x_mm: float, y_mm: float) -> None:
    """A brass plug, pressed in a little below the face."""
    window = surface.window(x_mm, y_mm, PLUG_MM + 0.5)
    radius, at = window.radius, window.at
    cover = surface.inside(radius, PLUG_MM - 0.12)
    crown = -0.35 - 0.25 * smoothstep(radius, PLUG_MM - 0.8, PLUG_MM)
    blend(surface.height, at, crown, cover)
    paint(surface, at, BRASS, cover)
    for plane, value in ((surface.gloss, 0.9), (surface.exposure, 0.95), (surface.body, 1.0)):
        blend(plane, at, value, cover)


def _drive_screw(surface: Surface, assembly: Assembly, screw: Placement, key: Light) -> None:
    """A pan-head screw with its recess, its shadow, and the dark line where it meets the part."""
    window = surface.window(*assembly.seat(SCREW_SEAT, screw), SCREW_MM + 3)
    radius, at = window.radius, window.at
    _cast(surface, window, SCREW_MM, 1.1, key)
    surface.exposure[at] *= 1 - np.float32(0.55) * cv2.exp(-(((radius - np.float32(SCREW_MM)) / np.float32(0.3)) ** 2))
    cover = surface.inside(radius, SCREW_MM)
    dome = 1.5 * np.sqrt(np.maximum(1 - (radius / (SCREW_MM * 1.04)) ** 2, 0)) + screw.tilt * window.x
    recess = _recess(window, assembly.turn_rad + screw.turn_rad, assembly.drive)
    blend(surface.height, at, dome - 0.8 * recess, cover)
    paint(surface, at, ZINC, cover)
    paint(surface, at, (0.07, 0.075, 0.08), cover * smoothstep(recess, 0.45, 1.0))
    grooves = np.float32(0.02 * surface.pitch_mm) * np.sin(radius * np.float32(2 * math.pi / 0.5))
    blend(surface.grain, at, grooves, cover)
    blend(surface.gloss, at, 0.95 - 0.6 * recess, cover)
    blend(surface.exposure, at, 1.0 - 0.62 * recess, cover)
    blend(surface.body, at, 1.0, cover)
    surface.turn_grooves(at, -window.y, window.x, cover)


def _recess(window: Window, turn_rad: float, drive: Drive) -> FloatArray:
    """How deep the drive goes, 0 at the head's surface .. 1 at its floor."""
    cos, sin = np.float32(math.cos(turn_rad)), np.float32(math.sin(turn_rad))
    along, across = window.x * cos + window.y * sin, window.y * cos - window.x * sin
    if drive is Drive.SLOT:
        return 1 - smoothstep(np.abs(across), 0.28, 0.60)
    # the wings of a cross taper towards their ends
    arms = [
        (1 - smoothstep(np.abs(side) + np.float32(0.12) * np.abs(out), 0.38, 0.75))
        * (1 - smoothstep(np.abs(out), 1.5, 2.2))
        for out, side in ((along, across), (across, along))
    ]
    return np.asarray(np.maximum(*arms), np.float32)
