"""A machined surface as planes of height, colour and finish, and the light it sends to a camera straight above.

Coordinates are millimetres from the picture's centre, x to the right and y down; z points to the camera. Planes are
(H, W) float32 and are painted in place, so that a defect is a change of the surface and not of the picture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.records import FloatArray

# Ward 1992, "Measuring and modeling anisotropic reflection", eq. 5a: surface roughness along and across the grooves
ALONG, ACROSS, COAT = 0.135, 0.46, 0.11
METAL_DIFFUSE = 0.19  # share of a lamp's light that scatters evenly
BAND_ROWS = 32  # planes are worked on in bands that stay in the processor's cache
STEEPEST = 1.6  # slope limit: walls are not seen from above, and a step in height must not become one


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """A distant lamp; azimuth 0 lies to the right and grows clockwise in the picture, elevation pi / 2 is overhead."""

    azimuth_rad: float
    elevation_rad: float
    intensity: float

    @property
    def direction(self) -> tuple[float, float, float]:
        """Unit vector from the part to the lamp."""
        flat = math.cos(self.elevation_rad)
        return (
            flat * math.cos(self.azimuth_rad),
            flat * math.sin(self.azimuth_rad),
            math.sin(self.elevation_rad),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """The samples within a distance of a point, and where they lie relative to it."""

    rows: slice
    cols: slice
    x: FloatArray  # (h, w) mm from the point
    y: FloatArray  # (h, w) mm

    @property
    def at(self) -> tuple[slice, slice]:
        return self.rows, self.cols

    def bands(self) -> list["Window"]:
        """The same window, a few rows at a time."""
        return [
            Window(
                rows=slice(self.rows.start + band.start, self.rows.start + band.stop),
                cols=self.cols,
                x=self.x[band],
                y=self.y[band],
            )
            for band in bands(len(self.x))
        ]

    @property
    def radius(self) -> FloatArray:
        """(h, w) mm from the point."""
        return np.asarray(np.hypot(self.x, self.y), np.float32)


def window_at(shape: tuple[int, int], pitch_mm: float, place_mm: tuple[float, float], reach_mm: float) -> Window:
    """`Surface.window` of a plane of `shape` (rows, columns); `place_mm` is (x, y)."""
    (rows, y), (cols, x) = (
        _span(centre, reach_mm, count, pitch_mm) for centre, count in zip(reversed(place_mm), shape, strict=True)
    )
    size = (len(y), len(x))
    return Window(
        rows=rows,
        cols=cols,
        x=np.ascontiguousarray(np.broadcast_to(x, size)),
        y=np.ascontiguousarray(np.broadcast_to(y[:, None], size)),
    )


def _span(centre_mm: float, reach_mm: float, count: int, pitch_mm: float) -> tuple[slice, FloatArray]:
    middle = centre_mm / pitch_mm + count / 2 - 0.5
    first = min(max(math.floor(middle - reach_mm / pitch_mm), 0), count - 1)
    last = min(max(math.ceil(middle + reach_mm / pitch_mm), first), count - 1)
    offsets = (np.arange(first, last + 1, dtype=np.float32) - np.float32(middle)) * np.float32(pitch_mm)
    return slice(first, last + 1), offsets


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """What the camera looks at, sampled every `pitch_mm`."""

    pitch_mm: float
    height: FloatArray  # mm, the shape: chamfers, screw head, dents
    grain: FloatArray  # mm, the brushing, kept apart so that a scratch can wipe it out
    albedo: FloatArray  # (3, H, W) linear RGB reflectance
    gloss: FloatArray  # 0 matte .. 1 brushed metal
    coat: FloatArray  # 0 .. 1, a wet or varnished film with its own white highlight
    exposure: FloatArray  # 0 in deep shadow .. 1 in full light
    body: FloatArray  # 0 .. 1, how much of the sample is the part and not hole or background
    tangent_x: FloatArray  # unit vector along the grooves
    tangent_y: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.height.shape[0]), int(self.height.shape[1])

    def window(self, x_mm: float, y_mm: float, reach_mm: float) -> Window:
        """The square of samples within `reach_mm` of a point, cut at the picture's border; at least one sample."""
        return window_at(self.shape, self.pitch_mm, (x_mm, y_mm), reach_mm)

    def inside(self, radius: FloatArray, limit_mm: float) -> FloatArray:
        """How much of each sample lies within `limit_mm`, 0..1, with a one-sample edge."""
        cover: FloatArray = np.clip((limit_mm - radius) / np.float32(self.pitch_mm) + np.float32(0.5), 0, 1)
        return cover

    def turn_grooves(self, at: tuple[slice, slice], x: FloatArray, y: FloatArray, cover: FloatArray) -> None:
        """Lay the grooves along (x, y), of any length, where `cover` is 1; of their two senses the nearer wins."""
        old_x, old_y = self.tangent_x[at], self.tangent_y[at]
        toward = np.where(old_x * x + old_y * y < 0, -cover, cover) / np.maximum(np.hypot(x, y), 1e-6)
        new_x, new_y = old_x * (1 - cover) + x * toward, old_y * (1 - cover) + y * toward
        length = np.maximum(np.hypot(new_x, new_y), 1e-6)
        self.tangent_x[at], self.tangent_y[at] = new_x / length, new_y / length


def blend(plane: FloatArray, at: tuple[slice, slice], value: FloatArray | float, cover: FloatArray) -> None:
    """Move `plane[at]` towards `value` by `cover` 0..1, in place."""
    plane[at] += cover * (value - plane[at])


def paint(surface: Surface, at: tuple[slice, slice], colour: Sequence[float], cover: FloatArray) -> None:
    """Move the colour towards linear RGB `colour` by `cover` (h, w) 0..1, in place."""
    for plane, value in zip(surface.albedo, colour, strict=True):
        blend(plane, at, value, cover)


def clouds(rng: np.random.Generator, shape: tuple[int, int], cells: float, octaves: int = 3) -> FloatArray:
    """Smooth noise, (h, w) float32, mean about 0, deviation about 1, `cells` blobs across; halves at each octave.

    Perlin 1985's fractal sum, on value noise with cubic interpolation.
    """
    finest = round(cells * 2 ** (octaves - 1)) * 6
    small = min(shape[0], finest), min(shape[1], finest)  # smooth noise needs no more samples than this
    total = np.zeros(small, np.float32)
    for octave in range(octaves):
        nodes = max(2, round(cells * 2**octave) + 1)
        grid = rng.standard_normal((nodes, nodes), dtype=np.float32)
        total += cv2.resize(grid, small[::-1], interpolation=cv2.INTER_CUBIC) * np.float32(0.5**octave * 1.2)
    return np.asarray(cv2.resize(total, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def smoothstep(values: FloatArray, low: float, high: float) -> FloatArray:
    """0 below `low`, 1 above `high`, with level ends."""
    t: FloatArray = np.clip((values - low) / np.float32(high - low), 0, 1)
    return t * t * (np.float32(3) - np.float32(2) * t)


def bands(rows: int) -> list[slice]:
    """The rows of a picture, a band at a time."""
    return [slice(first, min(first + BAND_ROWS, rows)) for first in range(0, rows, BAND_ROWS)]


def shade(surface: Surface, lights: Sequence[Light], ambient: float) -> FloatArray:
    """Linear light towards a camera straight above: (H, W, 3) float32, 1 is a white card under a lamp of intensity 1.

    Ward's anisotropic highlight on metal, Lambert elsewhere, and a dome that steep flanks see less of.
    """
    radiance = np.empty((*surface.height.shape, 3), np.float32)
    relief = surface.height + surface.grain
    for rows in bands(len(radiance)):
        cv2.merge(list(_shade_band(surface, relief, rows, lights, ambient)), radiance[rows])
    return radiance


def _shade_band(
    surface: Surface, relief: FloatArray, rows: slice, lights: Sequence[Light], ambient: float
) -> FloatArray:
    slope_x, slope_y = _slopes(relief, rows, surface.pitch_mm)
    tangent_x, tangent_y, exposure = surface.tangent_x[rows], surface.tangent_y[rows], surface.exposure[rows]
    along = slope_x * tangent_x + slope_y * tangent_y  # slope seen along the groove, and across it
    across = slope_y * tangent_x - slope_x * tangent_y
    steep = 1 + slope_x * slope_x + slope_y * slope_y
    upright = 1 / np.sqrt(steep)
    direct = np.zeros(upright.shape, np.float32)
    for light in lights:
        x, y, z = (np.float32(part * light.intensity) for part in light.direction)
        direct += np.maximum(z - slope_x * x - slope_y * y, 0) * upright * np.float32(METAL_DIFFUSE)
        direct += _highlight(light, (tangent_x, tangent_y), (along, across), steep) * surface.gloss[rows]
    dome = ambient * (0.3 + 0.7 * upright) * (0.45 + 0.55 * exposure)
    radiance: FloatArray = surface.albedo[:, rows] * (direct * exposure + dome).astype(np.float32, copy=False)
    coat = surface.coat[rows]
    if coat.any():
        radiance += coat * exposure * _film(lights, slope_x, slope_y)
    return radiance


def _slopes(relief: FloatArray, rows: slice, pitch_mm: float) -> tuple[FloatArray, FloatArray]:
    above, below = max(rows.start - 1, 0), min(rows.stop + 1, len(relief))
    kept = slice(rows.start - above, rows.stop - above)
    tall, scale = relief[above:below], 0.5 / pitch_mm
    return (
        np.clip(cv2.Sobel(tall, cv2.CV_32F, 1, 0, ksize=1, scale=scale)[kept], -STEEPEST, STEEPEST),
        np.clip(cv2.Sobel(tall, cv2.CV_32F, 0, 1, ksize=1, scale=scale)[kept], -STEEPEST, STEEPEST),
    )


def _half(light: Light) -> tuple[np.float32, np.float32, np.float32]:
    x, y, z = light.direction
    length = math.sqrt(x * x + y * y + (z + 1) ** 2)  # the camera's direction is (0, 0, 1)
    return np.float32(x / length), np.float32(y / length), np.float32((z + 1) / length)


def _highlight(
    light: Light, tangent: tuple[FloatArray, FloatArray], slopes: tuple[FloatArray, FloatArray], steep: FloatArray
) -> FloatArray:
    """Ward's lobe; `slopes` are along and across the groove."""
    x, y, z = _half(light)
    to_along = (x * tangent[0] + y * tangent[1] + z * slopes[0]) * np.float32(1 / ALONG)
    to_across = (y * tangent[0] - x * tangent[1] + z * slopes[1]) * np.float32(1 / ACROSS)
    lobe = cv2.exp((to_along * to_along + to_across * to_across) / -steep)
    return np.asarray(lobe * np.float32(light.intensity), np.float32)


def _film(lights: Sequence[Light], slope_x: FloatArray, slope_y: FloatArray) -> FloatArray:
    glints = np.zeros_like(slope_x)
    for light in lights:
        x, y, z = _half(light)
        off = np.square(slope_x * z + x) + np.square(slope_y * z + y)
        glints += cv2.exp(off * np.float32(-1 / COAT**2)) * np.float32(light.intensity)
    return glints
