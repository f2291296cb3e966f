"""The tint that shows an anomaly map: one scale per model, tied to its threshold and never stretched to a picture."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.records import BoolArray, FloatArray

Rgb = NDArray[np.uint8]  # (H, W, 3)

_STRONGEST = 0.75  # opacity; more would hide the part
_MAGENTA = (255, 0, 255)  # not a colour of the scale, nor of a part
_STRIPE_PX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatScale:
    """The map values at which the tint begins, means a reject, and is strongest."""

    start: float  # at and below it the picture is untouched
    threshold: float  # half way up the scale
    full: float


def heat_scale(threshold: float, review_threshold: float | None = None) -> HeatScale:
    """The scale of a model: from 0.6 to 1.6 times its threshold, beginning lower only to show a review band.

    A threshold of zero or below has no multiples; then the scale runs the same way in steps of max(-threshold, 1).

    Raises:
        OptionError: the threshold is not finite.
    """
    if not math.isfinite(threshold):
        raise OptionError(f"threshold must be finite to draw a heat map, got {threshold}. Calibrate the model again.")
    unit = threshold if threshold > 0 else max(-threshold, 1.0)
    start = threshold - 0.4 * unit
    if review_threshold is not None and math.isfinite(review_threshold):
        start = min(start, review_threshold - 0.1 * unit)
    return HeatScale(start=start, threshold=threshold, full=threshold + 0.6 * unit)


def heat_levels(values: FloatArray, scale: HeatScale) -> NDArray[np.uint8]:
    """Where values are on a scale: 0 from `scale.start` down, 255 from `scale.full` up, and for what is not finite.

    What reaches the threshold is 128 or more, all else less.
    """
    steps = np.interp(values, (scale.start, scale.threshold, scale.full), (0, 127.5, 255))
    reached = np.clip(np.rint(steps), 128, 255)
    below = np.clip(np.rint(steps), 0, 127)
    return np.where(np.isfinite(values), np.where(values < scale.threshold, below, reached), 255).astype(np.uint8)


def tint(picture: Rgb, values: FloatArray, scale: HeatScale) -> Rgb:
    """Lay a map over a picture of the same size; equal values get an equal tint in every picture.

    Args:
        picture: (H, W, 3) uint8.
        values: (H, W) float32 in score units; what is not finite is hatched in magenta.
        scale: from `heat_scale`.

    Returns:
        (H, W, 3) uint8; pixels whose value is at or below `scale.start` are those of `picture`.
    """
    broken = ~np.isfinite(values)
    step = heat_levels(np.where(broken, np.float32(scale.start), values), scale)
    opacity = _OPACITY[step][..., None]
    blended = np.rint(picture * (1 - opacity) + _COLOURS[step] * opacity).astype(np.uint8)
    blended[broken] = _hatch(broken)[broken]
    return blended


def fit_map(values: FloatArray, width: int, height: int) -> FloatArray:
    """Bring a map to the size of a picture; peaks survive shrinking, and each value that is not finite stays so."""
    finite = np.isfinite(values)
    floor = values.min(where=finite, initial=np.inf) if finite.any() else 0.0
    known = np.where(finite, values, np.float32(floor))
    fitted = cv2.resize(_widened(known, width, height), (width, height)).astype(np.float32)
    broken = _widened((~finite).astype(np.float32), width, height)
    fitted[cv2.resize(broken, (width, height), interpolation=cv2.INTER_NEAREST) > 0] = np.nan
    return fitted


def _widened(values: FloatArray, width: int, height: int) -> FloatArray:
    """Spread maxima so that sampling at `width` x `height` cannot step over them."""
    rows, columns = math.ceil(values.shape[0] / height), math.ceil(values.shape[1] / width)
    if rows == columns == 1:
        return values
    kernel = np.ones((rows // 2 * 2 + 1, columns // 2 * 2 + 1), np.uint8)
    return cv2.dilate(values, kernel).astype(np.float32)


def _hatch(like: BoolArray) -> Rgb:
    stripe = np.add.outer(np.arange(like.shape[0]), np.arange(like.shape[1])) // _STRIPE_PX % 2 == 0
    return np.where(stripe[..., None], np.array(_MAGENTA, np.uint8), np.uint8(0))


def _tables() -> tuple[FloatArray, FloatArray]:
    """(256, 3) colours and (256,) opacities: inferno without its black and white ends, fading in from nothing."""
    level = np.linspace(0, 1, 256, dtype=np.float32)
    ramp = np.rint(60 + 185 * level).astype(np.uint8)
    colours = cv2.applyColorMap(ramp[:, None], cv2.COLORMAP_INFERNO)[:, 0, ::-1].astype(np.float32)
    rise = np.minimum(level / 0.8, 1)
    return colours, (_STRONGEST * rise**2 * (3 - 2 * rise)).astype(np.float32)


_COLOURS, _OPACITY = _tables()
