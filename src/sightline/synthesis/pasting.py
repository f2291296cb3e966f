"""Cut-and-paste of real defects into good pictures: turned, scaled and flipped within limits, and cloned seamlessly.

After Ghiasi et al. 2021 (arXiv 2012.07177), with Poisson blending in place of a hard edge. A defect that lay at a
border of its picture goes to a border again; colour, bit depth, blur and noise are those of the picture it goes to.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.errors import DatasetError, OptionError
from sightline.records import BoolArray, FloatArray
from sightline.synthesis.composing import Spoilt
from sightline.synthesis.poisson import clone
from sightline.synthesis.scene import Scene

_ATTEMPTS = 12
_MARGIN_PX = 4  # of sound surface that is cut out with a defect: the mask's own border is never exact
_FRAME_PX = 8  # of the target around the mask that the clone looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a pasted defect may differ from the real one."""

    turn_deg: float = 10.0  # either way, 0..180; one that lay at a border is not turned
    scale: float = 1.2  # at most this many times larger or smaller, 1..2
    flip: bool = True  # left to right, top to bottom

    def __post_init__(self) -> None:
        for name, value, low, high in (("turn_deg", self.turn_deg, 0, 180), ("scale", self.scale, 1, 2)):
            if not low <= value <= high:  # also true of NaN
                raise OptionError(f"{name} is {value}; give a value from {low} to {high}.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cutout:
    """A real defect with a margin of its surroundings."""

    values: FloatArray  # (h, w, C) 0..1
    mask: BoolArray  # (h, w)
    sides: tuple[bool, bool, bool, bool]  # whether the defect lay at the picture's top, bottom, left, right
    noise: float  # of its picture, as in Scene
    blur_px: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Placed:
    """A cutout where it is to go."""

    values: FloatArray  # (h, w, C)
    mask: BoolArray  # (h, w) the defect
    top: int
    left: int


def cut_out(scene: Scene, mask: BoolArray, source: str) -> Cutout:
    """The defect that `mask` (H, W) marks in a picture; raises DatasetError if it marks nothing."""
    if not mask.any():
        raise DatasetError(f"{source}: its mask marks nothing, so there is no defect to cut out; draw the defect.")
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    room = 2 * _MARGIN_PX + _FRAME_PX
    (top, bottom), (left, right) = (
        (max(int(found[0]) - room, 0), min(int(found[-1]) + 1 + room, side))
        for found, side in zip((rows, columns), mask.shape, strict=True)
    )
    height, width = mask.shape
    near = 2  # px
    return Cutout(
        values=scene.values[top:bottom, left:right],
        mask=mask[top:bottom, left:right],
        sides=(rows[0] < near, rows[-1] >= height - near, columns[0] < near, columns[-1] >= width - near),
        noise=scene.noise,
        blur_px=scene.blur_px,
    )


def paste(scene: Scene, cutout: Cutout, rng: np.random.Generator, limits: Limits) -> Spoilt | None:
    """The good picture with the real defect in it; None where it does not fit, or would not show."""
    for _ in range(_ATTEMPTS):
        placed = _place(scene, _varied(cutout, rng, limits), rng)
        spoilt = _laid(scene, placed, cutout, rng) if placed else None
        if spoilt:
            return spoilt
    return None


def _varied(cutout: Cutout, rng: np.random.Generator, limits: Limits) -> Cutout:
    """The defect flipped, scaled and turned; sides move with it."""
    values, mask, (top, bottom, left, right) = cutout.values, cutout.mask, cutout.sides
    if limits.flip and rng.uniform() < 0.5:
        values, mask, left, right = values[:, ::-1], mask[:, ::-1], right, left
    if limits.flip and rng.uniform() < 0.5:
        values, mask, top, bottom = values[::-1], mask[::-1], bottom, top
    sides = (top, bottom, left, right)
    turn = 0.0 if any(sides) else float(rng.uniform(-limits.turn_deg, limits.turn_deg))
    factor = float(limits.scale ** rng.uniform(-1, 1))
    height, width = mask.shape
    cos, sin = abs(math.cos(math.radians(turn))) * factor, abs(math.sin(math.radians(turn))) * factor
    size = (max(3, round(width * cos + height * sin)), max(3, round(width * sin + height * cos)))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, factor)
    matrix[:, 2] += ((size[0] - width) / 2, (size[1] - height) / 2)
    moved = cv2.warpAffine(
        np.ascontiguousarray(values), matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    shape = cv2.warpAffine(np.ascontiguousarray(mask).astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    return Cutout(
        values=np.asarray(moved, np.float32).reshape(size[1], size[0], -1),
        mask=np.asarray(shape >= 0.5, np.bool_),
        sides=sides,
        noise=cutout.noise,
        blur_px=cutout.blur_px * factor,
    )


def _place(scene: Scene, cutout: Cutout, rng: np.random.Generator) -> _Placed | None:
    """A place on the part; what lay at a border lies at the same one again. None if there is no room."""
    values, mask = _fitted(cutout, scene.shape)
    if not mask.any():
        return None
    offsets = []
    for side, length, (first, last) in zip(scene.shape, mask.shape, (cutout.sides[:2], cutout.sides[2:]), strict=True):
        room = side - length
        if room < 0:
            return None
        offsets.append(0 if first else room if last else int(rng.integers(0, room + 1)))
    top, left = offsets
    on_part = scene.region[top : top + mask.shape[0], left : left + mask.shape[1]][mask]
    if scene.has_background and on_part.mean() < 0.98:
        return None
    return _Placed(values=values, mask=mask, top=top, left=left)


def _fitted(cutout: Cutout, shape: tuple[int, int]) -> tuple[FloatArray, BoolArray]:
    """Values and mask; stretched by up to a half where the defect went from side to side of its picture."""
    height, width = cutout.mask.shape
    wanted = []
    for side, length, both in zip(shape, (height, width), (all(cutout.sides[:2]), all(cutout.sides[2:])), strict=True):
        wanted.append(side if both and 1 / 1.5 < side / length < 1.5 else length)
    if tuple(wanted) == (height, width):
        return cutout.values, cutout.mask
    size = (wanted[1], wanted[0])
    values = cv2.resize(cutout.values, size, interpolation=cv2.INTER_LINEAR).reshape(wanted[0], wanted[1], -1)
    mask = cv2.resize(cutout.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(values, np.float32), mask.astype(np.bool_)


def _laid(scene: Scene, placed: _Placed, cutout: Cutout, rng: np.random.Generator) -> Spoilt | None:
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _MARGIN_PX + 1, 2 * _MARGIN_PX + 1))
    cloned = cv2.dilate(placed.mask.astype(np.uint8), disk).astype(np.bool_)
    if cloned.all():  # nothing of the good picture would hold it
        return None
    height, width = cloned.shape
    at = slice(placed.top, placed.top + height), slice(placed.left, placed.left + width)
    patch = _like_this_camera(scene, placed.values, cutout, rng)
    laid = clone(scene.values[at], patch, cloned)
    if laid is None:
        return None
    values = scene.values.copy()
    values[at] = laid
    change = float(np.abs(values[at] - scene.values[at]).max(axis=2)[placed.mask].mean())
    if change < max(scene.noise, 1.5 / 255):  # lost in the target's own texture
        return None
    mask = np.zeros(scene.shape, np.bool_)
    mask[at] = placed.mask
    return Spoilt(values=values, mask=mask, severity=min(1.0, change / 0.3))


def _like_this_camera(scene: Scene, patch: FloatArray, cutout: Cutout, rng: np.random.Generator) -> FloatArray:
    """The patch in the target's channels, as soft and as noisy as the target."""
    channels = scene.values.shape[2]
    if patch.shape[2] != channels:
        patch = np.repeat(patch.mean(axis=2, keepdims=True), channels, axis=2)
    softer = math.sqrt(max(scene.blur_px**2 - cutout.blur_px**2, 0))
    if softer > 0.4:
        patch = np.asarray(cv2.GaussianBlur(patch, (0, 0), softer), np.float32).reshape(patch.shape)
    missing = math.sqrt(max(scene.noise**2 - (0 if softer > 0.4 else cutout.noise) ** 2, 0))
    return patch + np.float32(missing) * scene.noise_for((patch.shape[0], patch.shape[1]), rng)
