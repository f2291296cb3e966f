"""Defects of shape, which a 3D camera sees and a picture hardly: too smooth to change how the light falls.

As in `defects`, `severity` goes from 0 (barely measurable) to 1 (obvious), and place and size are drawn from `rng`.
"""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum

import cv2
import numpy as np

from sightline.synthesis.assembly import BOSS_MM, DISC_MM, Assembly
from sightline.synthesis.surface import Surface, smoothstep


class ShapeDefect(StrEnum):
    """What can be wrong with the shape of a rendered part; the values are folder names."""

    SHALLOW_DENT = "shallow_dent"
    BENT_RIM = "bent_rim"


def shallow_dent(surface: Surface, assembly: Assembly, rng: np.random.Generator, severity: float) -> None:
    """A wide, gentle hollow, as a soft blow or a bad clamp leaves it: 0.06 to 0.2 mm deep, 5 to 8 mm across."""
    radius, depth = rng.uniform(2.4, 4.0), 0.06 + 0.14 * severity
    around = rng.uniform(0, 2 * math.pi)
    reach = rng.uniform(BOSS_MM + 3, DISC_MM - radius)
    x, y = assembly.x_mm + reach * math.cos(around), assembly.y_mm + reach * math.sin(around)
    window = surface.window(x, y, radius * 3)
    turn, stretch = rng.uniform(0, math.pi), rng.uniform(1.0, 1.3)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    along, side = (window.x * cos + window.y * sin) / np.float32(stretch), window.y * cos - window.x * sin
    hollow = cv2.exp(-(np.square(along) + np.square(side)) * np.float32(2 / radius**2))
    surface.height[window.at] -= np.float32(depth) * hollow * surface.body[window.at]


def bent_rim(surface: Surface, assembly: Assembly, rng: np.random.Generator, severity: float) -> None:
    """The rim bent up or down over a sixth of its length: 0.1 to 0.4 mm at the edge, fading to the bolt circle."""
    lift = float(rng.choice((-1, 1))) * (0.1 + 0.3 * severity)
    middle, half = rng.uniform(0, 2 * math.pi), rng.uniform(0.45, 0.7)
    window = surface.window(assembly.x_mm, assembly.y_mm, DISC_MM + 1)
    turned = np.arctan2(window.y, window.x) - np.float32(middle)
    off = np.abs(np.arctan2(np.sin(turned), np.cos(turned)))
    sector = 1 - smoothstep(off, 0.3 * half, half)
    outward = np.square(np.clip((window.radius - np.float32(19)) / np.float32(DISC_MM - 19), 0, None))
    surface.height[window.at] += np.float32(lift) * sector * outward * surface.inside(window.radius, DISC_MM)


SHAPE_FAULTS: Mapping[ShapeDefect, Callable[[Surface, Assembly, np.random.Generator, float], None]] = {
    ShapeDefect.SHALLOW_DENT: shallow_dent,
    ShapeDefect.BENT_RIM: bent_rim,
}
