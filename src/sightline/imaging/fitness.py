"""Measurements that tell whether a picture is fit to be judged: light, contrast, focus, motion, colour, position.

All together take some 4 ms for 2 megapixels on one core, 6 ms with the blur. What is an average is taken over every
n-th pixel, which leaves it unbiased and hides no saturated pixel as shrinking would; what needs neighbours, over a tile
of full size.
"""

import hashlib
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.records import Box, FloatArray, Frame, Pixels

SAMPLED = 20_000  # pixels at least behind an average, where the picture has so many
SATURATED = 0.99  # of white; a sensor's top code varies a little
_FOCUS_TILE = 256  # px; of the tile in the middle that focus is measured on
_SPECTRUM_TILE = 512  # px; of the one whose spectrum is taken, at half its resolution, as blur shows in coarse waves
_HIGHEST = 0.12  # cycles per px that are looked at; above them a blurred picture has noise alone
_FITS = 3
_HASHED_ROWS = 16  # every so many-th; a camera's noise is in each


@dataclass(frozen=True, slots=True, kw_only=True)
class Blur:
    """How much less sharp than its reference a picture is: along a line, and in all directions."""

    motion_px: float  # length of the movement during the exposure
    angle_deg: float  # of the movement, 0 along a row, 90 down a column; 0 <= angle < 180; means nothing where it is 0
    defocus_px: float  # standard deviation of the Gaussian that blurs as much


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a picture is like. Levels are shares of white, 0..1."""

    brightness: float  # mean level
    contrast: float  # standard deviation of the level
    saturated_share: float  # of pixels with a channel at white
    sharpness: float  # share of the variation that is between neighbours; falls with blur, rises with noise
    digest: str  # the same only for frames alike in every pixel looked at


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """The coarse half of a picture's spectrum; the other half says the same."""

    amplitude: FloatArray  # (2n + 1, n + 1) logarithms; row n, column 0 is the mean
    step: float  # from cell to cell, cycles per px


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a reference target was found."""

    x: float  # of its centre, px
    y: float
    correlation: float  # normalised, -1..1; 1: exactly alike but for brightness and contrast


def measure(frame: Frame) -> Measured:
    """Everything that needs no reference."""
    white = float(2**frame.bit_depth - 1)
    step = max(1, math.isqrt(frame.width * frame.height // SAMPLED))
    sample: Pixels = np.ascontiguousarray(frame.pixels[::step, ::step])  # type: ignore[assignment]
    level = sample.mean(axis=2, dtype=np.float32) / np.float32(white)
    return Measured(
        brightness=float(level.mean()),
        contrast=float(level.std()),
        saturated_share=float((sample >= int(SATURATED * white)).any(axis=2).mean()),
        sharpness=_sharpness(_middle(frame, _FOCUS_TILE)),
        digest=hashlib.blake2b(frame.pixels[::_HASHED_ROWS].tobytes(), digest_size=16).hexdigest(),
    )


def spectrum(frame: Frame) -> Spectrum:
    """Of the picture's middle, at half its resolution."""
    tile = _middle(frame, _SPECTRUM_TILE)
    size = cv2.getOptimalDFTSize(max(32, min(tile.shape) // 2))
    small = cv2.resize(tile, (size, size), interpolation=cv2.INTER_AREA)
    planes = cv2.dft((small - small.mean()) * _window(size), flags=cv2.DFT_COMPLEX_OUTPUT)
    reach = int(2 * _HIGHEST * size)
    low = np.roll(planes, reach, axis=0)[: 2 * reach + 1, : reach + 1]
    return Spectrum(amplitude=np.log(cv2.magnitude(low[..., 0], low[..., 1]) + np.float32(1e-6)), step=0.5 / size)


def estimate_blur(seen: Spectrum, reference: Spectrum) -> Blur:
    """What blurs a picture more than the reference, which must be of the same size.

    Movement over n pixels multiplies the spectrum by a sinc, defocus by a bell. For coarse waves the logarithm of both
    is a quadratic form: pi^2 n^2 / 6 along the movement, 2 pi^2 s^2 in all directions. It is fitted again up to where
    the sinc that was found is still near its parabola. Parts may lie anywhere in both pictures, as amplitudes do not
    change with place; but another part is not quite the same: movement below some 5 px cannot be told from none.
    """
    rows, columns = seen.amplitude.shape
    assert reference.amplitude.shape == seen.amplitude.shape, "spectra of pictures of one size"
    down, across = np.mgrid[-(rows // 2) : rows // 2 + 1, :columns] * seen.step
    distance = np.hypot(down, across)
    loss = (reference.amplitude - seen.amplitude).astype(np.float64)
    blur, highest = Blur(motion_px=0.0, angle_deg=0.0, defocus_px=0.0), _HIGHEST
    for _ in range(_FITS):
        inside = (distance > 2 * seen.step) & (distance < highest)
        blur = _fitted(across[inside], down[inside], loss[inside])
        highest = min(_HIGHEST, max(8 * seen.step, 0.6 / max(blur.motion_px, 4 * blur.defocus_px, 1.0)))
    return blur


def _fitted(across: NDArray[np.float64], down: NDArray[np.float64], loss: NDArray[np.float64]) -> Blur:
    terms = np.stack([across**2, 2 * across * down, down**2, np.ones_like(across)])
    xx, xy, yy, _ = np.linalg.solve(terms @ terms.T, terms @ loss)
    (least, most), axes = np.linalg.eigh([[xx, xy], [xy, yy]])
    along = axes[:, 1]
    return Blur(
        motion_px=math.sqrt(6 * max(0.0, most - max(0.0, least))) / math.pi,
        angle_deg=math.degrees(math.atan2(along[1], along[0])) % 180,
        defocus_px=math.sqrt(max(0.0, least) / 2) / math.pi,
    )


def white_balance(frame: Frame, patch: Box) -> tuple[float, float]:
    """Red and blue over green of a grey patch; (1, 1) is neutral, as is any grey picture. Infinite without green."""
    inner = frame.pixels[patch.y : patch.y + patch.height, patch.x : patch.x + patch.width]
    if frame.pixels.shape[2] == 1 or inner.size == 0:
        return 1.0, 1.0
    red, green, blue = (float(mean) for mean in inner.mean(axis=(0, 1)))
    return (red / green, blue / green) if green else (math.inf, math.inf)


def level_of(frame: Frame, box: Box) -> float:
    """Mean level of a part of the picture, 0..1 of white; NaN where it is outside."""
    inner = frame.pixels[box.y : box.y + box.height, box.x : box.x + box.width]
    return float(inner.mean()) / (2**frame.bit_depth - 1) if inner.size else math.nan


def find_target(frame: Frame, target: Frame, expected: Box, reach_px: int) -> Position | None:
    """Where a reference target is, to a tenth of a pixel or so, by normalised correlation.

    Args:
        target: what it looks like, of `expected`'s size.
        expected: where it was at the set-up; it is looked for up to `reach_px` around.

    Returns:
        The best place, however bad: see its correlation. None: it cannot be within the frame, or is without contrast.
    """
    left, top = max(0, expected.x - reach_px), max(0, expected.y - reach_px)
    around = _grey(
        frame, slice(top, expected.y + expected.height + reach_px), slice(left, expected.x + expected.width + reach_px)
    )
    wanted = _grey(target, slice(None), slice(None))
    if around.shape[0] < wanted.shape[0] or around.shape[1] < wanted.shape[1] or not wanted.std() or not around.std():
        return None
    match = np.asarray(cv2.matchTemplate(around, wanted, cv2.TM_CCOEFF_NORMED), np.float32)
    _, best, _, (column, row) = cv2.minMaxLoc(match)
    return Position(
        x=left + column + _vertex(match[row, :], column) + wanted.shape[1] / 2,
        y=top + row + _vertex(match[:, column], row) + wanted.shape[0] / 2,
        correlation=float(best) if math.isfinite(best) else -1.0,
    )


def _vertex(values: NDArray[np.float32], peak: int) -> float:
    """Offset of the vertex of the parabola through a peak and its neighbours, -0.5..0.5; 0 at the border."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    before, here, after = (float(value) for value in values[peak - 1 : peak + 2])
    bend = before - 2 * here + after
    return (before - after) / (2 * bend) if bend < 0 else 0.0


def _middle(frame: Frame, side: int) -> FloatArray:
    """A square in the middle at full resolution, levels 0..1; smaller where the picture is."""
    top, left = max(0, (frame.height - side) // 2), max(0, (frame.width - side) // 2)
    return _grey(frame, slice(top, top + side), slice(left, left + side)) / np.float32(2**frame.bit_depth - 1)


def _window(size: int) -> FloatArray:
    edge = np.hanning(size).astype(np.float32)
    return np.outer(edge, edge)


def _grey(frame: Frame, rows: slice, columns: slice) -> FloatArray:
    inner: Pixels = np.ascontiguousarray(frame.pixels[rows, columns])  # type: ignore[assignment]
    grey = cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY) if inner.shape[2] == 3 else inner[..., 0]
    return np.asarray(grey, np.float32)


def _sharpness(tile: FloatArray) -> float:
    (_, spread), (_, between) = cv2.meanStdDev(tile), cv2.meanStdDev(cv2.Laplacian(tile, cv2.CV_32F))
    return float(between[0, 0] / spread[0, 0]) ** 2 if spread[0, 0] > 0 else 0.0
