"""From what a defect does to each pixel to the picture that the camera would have taken of it, and the mask."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.records import BoolArray, FloatArray
from sightline.synthesis.scene import Scene, closed

_LEAST_LEVELS = 3 / 255  # a change of value that an eye can see
_LEAST_WIPE = 1e-4  # of the fine texture
_LEAST_PX = 9  # of a mask
_EDGE = 0.25  # the mask ends where the change has fallen to this share of its strongest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spoilt:
    """A picture with a defect and the truth about it."""

    values: FloatArray  # (H, W, C) 0..1; equal to the good picture's where nothing was changed
    mask: BoolArray  # (H, W); never empty
    severity: float  # that was used, 0..1


@dataclass(slots=True, kw_only=True, eq=False)
class Change:
    """What a defect does to each pixel; painted in place."""

    gain: FloatArray  # (H, W, C) factor on the value; 1: none
    wipe: FloatArray  # (H, W) 0..1, how much of the fine texture is gone
    broad: bool = False  # an area rather than a line: seen from less contrast on


def compose(scene: Scene, change: Change, rng: np.random.Generator, severity: float) -> Spoilt | None:
    """The picture with the change, as its camera would have taken it; None if the change does not show."""
    inside = scene.surface.astype(np.float32)
    gain = 1 + (_softened(change.gain, scene.blur_px) - 1) * inside[..., None]
    # the far tails of OpenCV's exponential differ in their last bits from call to call
    wiped = np.where(change.wipe < _LEAST_WIPE, np.float32(0), change.wipe)
    wipe = _softened(np.asarray(wiped[..., None], np.float32), scene.blur_px) * inside[..., None]
    kept = (1 - wipe) * gain  # of the picture's own noise and texture
    clean = scene.smooth * gain
    step = np.abs(np.clip(clean, 0, 1) - scene.smooth).max(axis=2)
    mask = _seen(step, scene, broad=change.broad)
    if mask is None:
        return None
    # shot noise goes with the root of the light; what is wanted beyond the noise that was kept is drawn anew
    wanted = np.square(scene.noise) * np.clip(gain, 0.05, 1.0)
    missing = np.sqrt(np.maximum(wanted - np.square(scene.noise * kept), 0))
    noisy = clean + (scene.values - scene.smooth) * kept + missing * scene.noise_for(scene.shape, rng)
    touched = (np.abs(gain - 1) > 1e-3).any(axis=2) | (wipe[..., 0] > 1e-3)
    values = np.where(touched[..., None], np.clip(noisy, 0, 1), scene.values)
    return Spoilt(values=np.asarray(values, np.float32), mask=mask, severity=severity)


def _seen(step: FloatArray, scene: Scene, *, broad: bool) -> BoolArray | None:
    """The mask of a change, without specks and pinholes; None if it hides in the noise."""
    peak = float(np.partition(step, -_LEAST_PX, axis=None)[-_LEAST_PX])
    least = max(_LEAST_LEVELS, (1.0 if broad else 2.0) * scene.noise)
    if peak < least:
        return None
    seen = step >= max(_EDGE * peak, 1.5 / 255)
    # an area is one, though its middle may be as bright as before: a dent's floor between its two flanks
    reach = max(1, round(0.35 * math.sqrt(np.count_nonzero(seen)))) if broad else 1
    joined = closed(seen, reach).astype(np.uint8)
    count, regions, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    kept = np.asarray([False] + [stats[i, cv2.CC_STAT_AREA] >= 4 for i in range(1, count)])
    mask = np.asarray(kept[regions], np.bool_)
    return mask if np.count_nonzero(mask) >= _LEAST_PX else None


def _softened(plane: FloatArray, blur_px: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), blur_px), np.float32).reshape(plane.shape)
