"""A 3D camera above the part: heights with noise, in whole micrometres, 0 where it sees nothing.

A projector throws its pattern from the right at an angle, so places in the shadow of something higher give no point, as
do some on shiny flanks: what triangulating cameras leave out.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.errors import OptionError
from sightline.imaging.depth import DepthMap
from sightline.records import BoolArray, FloatArray
from sightline.synthesis.assembly import (
    BORE_MM,
    DISC_MM,
    HOLE_MM,
    OPEN_SEATS,
    PLUG_MM,
    PLUG_SEAT,
    SCREW_SEAT,
    Assembly,
)
from sightline.synthesis.surface import Surface

COUNT_UM = 1.0  # one count of a depth map; higher is nearer to the camera
STANDOFF_UM = 20_000.0  # the count of the disc's face, so that nothing on the belt comes near 0
THICKNESS_MM = 3.0  # of the disc: the surface ends at its bevel, holes and belt lie this much deeper


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiler:
    """A 3D camera and its errors."""

    noise_um: float = 4.0  # deviation of a height, 0..100
    dropouts: float = 0.002  # share of points lost at random on level ground, 0..0.5; steep flanks lose more
    angle_deg: float = 25.0  # of the projector from the vertical, 0..60; 0: no shadows
    play_um: float = 80.0  # how much higher or lower a part may lie, 0..1000
    tilt_deg: float = 0.15  # how much it may lean, 0..5

    def __post_init__(self) -> None:
        ranges = {
            "noise_um": (self.noise_um, 0, 100),
            "dropouts": (self.dropouts, 0, 0.5),
            "angle_deg": (self.angle_deg, 0, 60),
            "play_um": (self.play_um, 0, 1000),
            "tilt_deg": (self.tilt_deg, 0, 5),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:  # also true of NaN
                raise OptionError(f"{name} is {value}; give a value from {low} to {high}.")


def relief_of(surface: Surface, assembly: Assembly) -> FloatArray:
    """The height of everything in view, (H, W) mm above the disc's face, holes and belt at their real depth."""
    height = surface.height.copy()  # the brushing is finer than a 3D camera resolves
    whole = surface.window(assembly.x_mm, assembly.y_mm, surface.pitch_mm * len(height))
    beside = 1 - surface.inside(whole.radius, DISC_MM)
    height[whole.at] -= beside * np.float32(THICKNESS_MM)
    for x, y, radius in _holes(assembly):
        hole = surface.window(x, y, radius + 0.5)
        height[hole.at] -= surface.inside(hole.radius, radius) * np.float32(THICKNESS_MM)
    return height


def measure(profiler: Profiler, height: FloatArray, pitch_mm: float, size: int, rng: np.random.Generator) -> DepthMap:
    """(size, size) uint16, one count COUNT_UM; the same `rng` state gives each point the same error."""
    play, lean_x, lean_y = rng.uniform(-1, 1, 3)
    noise, luck = rng.standard_normal((size, size), dtype=np.float32), rng.random((size, size), dtype=np.float32)
    lit = _lit(height, pitch_mm, profiler.angle_deg).astype(np.float32)
    # a point is the mean of what its pixel sees, if the pattern reaches half of that
    seen = _shrunk(lit, size)
    level = np.asarray(_shrunk(height * lit, size) / np.maximum(seen, 1e-6), np.float32)
    axis = (np.arange(size, dtype=np.float32) - np.float32(size / 2)) * np.float32(pitch_mm * len(height) / size)
    lean = math.tan(math.radians(profiler.tilt_deg))
    plane = axis * np.float32(lean * lean_x) + axis[:, None] * np.float32(lean * lean_y)
    um = (
        (level + plane) * np.float32(1000) + np.float32(profiler.play_um * play) + noise * np.float32(profiler.noise_um)
    )
    counts = np.clip(np.rint((um + np.float32(STANDOFF_UM)) / np.float32(COUNT_UM)), 1, 65_535)
    kept = (seen >= 0.5) & (luck >= profiler.dropouts * _loss(level, pitch_mm * len(height) / size))
    return np.where(kept, counts, 0).astype(np.uint16)


def _holes(assembly: Assembly) -> list[tuple[float, float, float]]:
    """x, y and radius, mm, of what is open to the belt."""
    seats = [angle for angle, drilled in zip(OPEN_SEATS, assembly.drilled, strict=True) if drilled]
    seats += [] if assembly.screw else [SCREW_SEAT]
    holes = [(*assembly.seat(angle), HOLE_MM) for angle in seats]
    holes += [] if assembly.plug else [(*assembly.seat(PLUG_SEAT), PLUG_MM)]
    return [(assembly.x_mm, assembly.y_mm, BORE_MM), *holes]


def _lit(height: FloatArray, pitch_mm: float, angle_deg: float) -> BoolArray:
    """Where light from the right, this far off the vertical, reaches the surface; (H, W) bool."""
    lit = np.ones(height.shape, np.bool_)
    if angle_deg == 0:
        return lit
    rise = pitch_mm / math.tan(math.radians(angle_deg))  # of the ray for each sample to the right
    steps = min(math.ceil(float(np.ptp(height)) / rise), height.shape[1] - 1)
    for step in range(1, steps + 1):
        lit[:, :-step] &= height[:, step:] <= height[:, :-step] + np.float32(step * rise + 1e-3)
    return lit


def _shrunk(plane: FloatArray, size: int) -> FloatArray:
    return np.asarray(cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA), np.float32)


def _loss(level: FloatArray, pitch_mm: float) -> FloatArray:
    """How many times more often a point is lost than on level ground: 1 there, tens on steep flanks."""
    slope_x = cv2.Sobel(level, cv2.CV_32F, 1, 0, ksize=3, scale=1 / (8 * pitch_mm))
    slope_y = cv2.Sobel(level, cv2.CV_32F, 0, 1, ksize=3, scale=1 / (8 * pitch_mm))
    return np.asarray(1 + 40 * np.minimum(np.hypot(slope_x, slope_y), 2), np.float32)
