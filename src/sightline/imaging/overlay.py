"""Pictures a person can read at a glance: the part, and where and how strongly it is unusual."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from sightline.imaging.banner import INK, PAPER, Colour, banner, figure, scale_bar, text_width, write, zoom_for
from sightline.imaging.heat import Rgb, fit_map, heat_scale, tint
from sightline.records import BoolArray, Defect, FloatArray, Pixels, Verdict

MAX_SIDE = 1600  # px; a larger picture is shrunk to it
MIN_SIDE = 400  # px; a smaller picture is enlarged by a whole factor, so that its pixels stay honest
_MAX_BOXES = 60
_MAX_LABELS = 12  # more would hide the part
_TRUTH: Colour = (80, 220, 255)  # cyan is not a colour of the heat scale
_GAP = 8


def to_8bit(pixels: Pixels, bit_depth: int) -> Rgb:
    """(H, W, 1 or 3) pixels of any depth as (H, W, 3) uint8 RGB: linear, white at 255, brighter values clipped."""
    eight = cv2.convertScaleAbs(pixels, alpha=255 / (2**bit_depth - 1)).reshape(pixels.shape)
    return np.repeat(eight, 3 // pixels.shape[2], axis=2).astype(np.uint8, copy=False)


def original(pixels: Pixels, bit_depth: int, *, max_side: int = MAX_SIDE) -> Rgb:
    """The picture alone, in 8 bit and at the size in which `heat_picture` shows it."""
    height, width = pixels.shape[:2]
    zoom = min(1.0, max_side / max(width, height))
    if zoom == 1.0:
        zoom = max(1, min(math.ceil(MIN_SIDE / max(width, height)), max_side // max(width, height)))
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    how = cv2.INTER_NEAREST if zoom >= 1 else cv2.INTER_AREA
    return cv2.resize(to_8bit(pixels, bit_depth), size, interpolation=how).astype(np.uint8, copy=False)


def heat_picture(
    pixels: Pixels,
    bit_depth: int,
    values: FloatArray,
    threshold: float,
    *,
    review_threshold: float | None = None,
    defects: Sequence[Defect] = (),
    mask: BoolArray | None = None,
    max_side: int = MAX_SIDE,
) -> Rgb:
    """The picture with its map, contours and boxes, without a banner.

    The tint follows `heat_scale`, the same for every picture of a model. White contour: the map reaches the
    threshold (thin: the review threshold). Cyan contour: the true defect. Magenta hatch: the map is not finite.

    Args:
        pixels: (H, W, 1 or 3) uint8 or uint16.
        bit_depth: significant bits of `pixels`.
        values: (h, w) float32 map over the whole picture, in score units.
        threshold: a value that reaches it is a reject.
        review_threshold: None where there is no review band.
        defects: most anomalous first; boxes in pixels of `pixels`.
        mask: (H, W) truth, None where there is none.
        max_side: px, bounds both sides of the result.

    Returns:
        (H', W', 3) uint8 RGB of the picture's aspect, its longer side between `MIN_SIDE` and `max_side` if it can be.

    Raises:
        OptionError: the threshold is not finite.
    """
    plain = original(pixels, bit_depth, max_side=max_side)
    height, width = plain.shape[:2]
    fitted = fit_map(values, width, height)
    picture = tint(plain, fitted, heat_scale(threshold, review_threshold))
    if review_threshold is not None:
        _contour(picture, fitted >= review_threshold, PAPER, cased=False)
    if mask is not None:
        _contour(picture, fit_map(mask.astype(np.float32), width, height) >= 0.5, _TRUTH)
    _contour(picture, fitted >= threshold, PAPER)
    _mark(picture, defects, width / pixels.shape[1], height / pixels.shape[0])
    return picture


def overlay(
    pixels: Pixels,
    bit_depth: int,
    values: FloatArray,
    threshold: float,
    *,
    review_threshold: float | None = None,
    defects: Sequence[Defect] = (),
    verdict: Verdict | None = None,
    mask: BoolArray | None = None,
    caption: str = "",
) -> Rgb:
    """`heat_picture` between a banner (verdict, score, threshold, caption) and the heat scale.

    Arguments and errors are those of `heat_picture`; the score shown is the map's maximum.

    Returns:
        (H', W', 3) uint8 RGB, at least `MIN_SIDE` and at most `MAX_SIDE` wide.
    """
    heat = heat_picture(
        pixels, bit_depth, values, threshold, review_threshold=review_threshold, defects=defects, mask=mask
    )
    return _framed(heat, values, threshold, review_threshold, verdict, caption)


def panel(
    pixels: Pixels,
    bit_depth: int,
    values: FloatArray,
    threshold: float,
    *,
    review_threshold: float | None = None,
    defects: Sequence[Defect] = (),
    verdict: Verdict | None = None,
    mask: BoolArray | None = None,
    caption: str = "",
) -> Rgb:
    """`overlay` with the untouched picture to the left of the heat map, or above it where the picture is wide.

    Arguments, result and errors are those of `overlay`.
    """
    wide = pixels.shape[1] > 2 * pixels.shape[0]
    side = MAX_SIDE if wide else (MAX_SIDE - _GAP) // 2
    plain = original(pixels, bit_depth, max_side=side)
    heat = heat_picture(
        pixels,
        bit_depth,
        values,
        threshold,
        review_threshold=review_threshold,
        defects=defects,
        mask=mask,
        max_side=side,
    )
    height, width = plain.shape[:2]
    gap: Rgb = np.full((_GAP, width, 3) if wide else (height, _GAP, 3), INK, np.uint8)
    return _framed(
        np.concatenate([plain, gap, heat], axis=0 if wide else 1), values, threshold, review_threshold, verdict, caption
    )


def _framed(
    picture: Rgb,
    values: FloatArray,
    threshold: float,
    review_threshold: float | None,
    verdict: Verdict | None,
    caption: str,
) -> Rgb:
    score = float(values.max())  # NaN if any value is
    said = figure(score) if math.isfinite(score) else "not finite"
    figures = f"score {said}   threshold {figure(threshold)}"
    height, width = picture.shape[:2]
    left = max(0, MIN_SIDE - width) // 2
    right = max(0, MIN_SIDE - width - left)
    middle: Rgb = np.full((height, left + width + right, 3), INK, np.uint8)
    middle[:, left : left + width] = picture
    across = middle.shape[1]
    foot = scale_bar(across, heat_scale(threshold, review_threshold))
    return np.concatenate([banner(across, figures, verdict, caption), middle, foot])


def _contour(picture: Rgb, inside: BoolArray, colour: Colour, *, cased: bool = True) -> None:
    """Draw round a region, just outside it: a spot of few pixels must stay visible."""
    width = 1 if max(picture.shape) < 1000 else 2
    grown = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8))
    lines, _ = cv2.findContours(grown, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    if cased:  # dark edges: seen on white parts as well
        cv2.drawContours(picture, lines, -1, INK, width + 2)
    cv2.drawContours(picture, lines, -1, colour, width)


def _mark(picture: Rgb, defects: Sequence[Defect], across: float, down: float) -> None:
    """Draw boxes (in the frame's pixels, scaled by `across` and `down`) and, for the strongest, what they hold."""
    last_y, last_x = picture.shape[0] - 2, picture.shape[1] - 2
    for number, defect in reversed(list(enumerate(defects[:_MAX_BOXES]))):  # the strongest on top
        box = defect.box
        x, y = max(1, math.floor(box.x * across) - 5), max(1, math.floor(box.y * down) - 5)
        right = min(last_x, math.ceil((box.x + box.width) * across) + 5)
        bottom = min(last_y, math.ceil((box.y + box.height) * down) + 5)
        for colour, thickness in ((INK, 3), (PAPER, 1)):
            cv2.rectangle(picture, (x, y), (right, bottom), colour, thickness)
        if number < _MAX_LABELS:
            name = "" if defect.label == "anomaly" else f"{defect.label} "
            severe = "" if defect.severity is None else f" sev {defect.severity:.2f}"
            _label(picture, f"{name}{figure(defect.peak)}{severe}", x, y, bottom)


def _label(picture: Rgb, text: str, x: int, top: int, bottom: int) -> None:
    """Write above the box, below it where there is no room above, and always inside the picture."""
    height, width = picture.shape[:2]
    zoom = zoom_for(width)
    wide, high = text_width(text, 0.45 * zoom) + 8, round(18 * zoom)
    y = top - high if top >= high else min(bottom, height - high)
    x, y = max(0, min(x, width - wide)), max(0, y)
    cv2.rectangle(picture, (x, y), (x + wide, y + high), INK, -1)
    write(picture, text, (x + 4, y + round(13 * zoom)), 0.45 * zoom)
