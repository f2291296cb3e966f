"""What a good picture says about how it was taken, so that a defect put onto it can be made to fit.

Its local brightness (the shading), its fine texture, the camera's noise and blur, and where the part lies. Values are
the picture's own, 0 black .. 1 white, whatever its bit depth; no display curve is undone, as files do not tell theirs.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import FrameError
from sightline.records import BoolArray, FloatArray, Frame
from sightline.synthesis.traces import FIELD_MM

SHARPEST_PX, SOFTEST_PX = 0.4, 3.0  # within which a lens's blur is believed
_LEAST_SIDE_PX = 32
_PATCH_PX = 48  # side of the flat patch from which noise is borrowed
_REBLUR_PX = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One good picture, taken apart."""

    values: FloatArray  # (H, W, C) 0..1; C is 1 (grey) or 3 (RGB)
    smooth: FloatArray  # (H, W, C) without noise and fine texture
    brightness: FloatArray  # (H, W, C) mean over the part nearby, at least one level of 8 bits
    region: BoolArray  # (H, W) the part; all of the picture where no background is evident
    noise: float  # deviation of noise and finest texture, in values
    texture: float  # deviation of the coarser texture about the local brightness
    patch: FloatArray  # (h, w, C) a flat piece of the picture's own noise, deviation 1
    blur_px: float  # deviation of the sharpest edges

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.values.shape[0]), int(self.values.shape[1])

    @property
    def pitch_mm(self) -> float:
        """Of one pixel, if the shorter side showed a rendered part's field."""
        return FIELD_MM / min(self.shape)

    @property
    def surface(self) -> BoolArray:
        """(H, W) the part up to its very outline; `region` keeps clear of it."""
        if not self.has_background:
            return self.region
        return np.asarray(cv2.dilate(self.region.astype(np.uint8), _margin_disk(self.shape)), np.bool_)

    @property
    def has_background(self) -> bool:
        return not bool(self.region.all())

    def noise_for(self, shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
        """(h, w, C) noise of this camera, deviation 1: its own patch, laid in mirrored tiles from a random place."""
        rows, columns = (
            np.abs((np.arange(side) + int(rng.integers(2 * size))) % (2 * size) - size + 0.5).astype(int)
            for side, size in zip(shape, self.patch.shape[:2], strict=True)
        )
        return np.asarray(self.patch[rows][:, columns] * rng.choice((-1, 1)), np.float32)


def look_at(frame: Frame) -> Scene:
    """Take a picture apart; `frame.depth` is not looked at.

    Raises:
        FrameError: the picture is smaller than 32 px, or has 9 to 15 significant bits, which a PNG cannot say.
    """
    name = frame.source or "frame"
    if min(frame.height, frame.width) < _LEAST_SIDE_PX:
        raise FrameError(
            f"{name}: is {frame.width} x {frame.height} px, too small for defects; use {_LEAST_SIDE_PX} px or more."
        )
    if frame.bit_depth not in (8, 16):
        raise FrameError(
            f"{name}: has {frame.bit_depth} significant bits, which cannot be written as PNG; save it with 8 or 16."
        )
    values = np.asarray(frame.pixels * np.float32(1 / (2**frame.bit_depth - 1)), np.float32)
    region = find_part(values)
    noise = noise_level(values)
    smooth, brightness = _blurred(values, 1.5), _brightness(values, region)
    return Scene(
        values=values,
        smooth=smooth,
        brightness=brightness,
        region=region,
        noise=noise,
        texture=float(np.median(np.abs(smooth - brightness)[region])) / 0.6745,
        patch=_noise_patch(values - smooth, region),
        blur_px=edge_blur_px(values, noise),
    )


def grey(values: FloatArray) -> FloatArray:
    """(H, W, C) -> (H, W): the channels' mean."""
    return np.asarray(values.mean(axis=2, dtype=np.float32), np.float32)


def noise_level(values: FloatArray) -> float:
    """Deviation of the noise of (H, W, C) values, and of texture as fine as noise.

    Immerkaer 1996, "Fast noise variance estimation", with the median in place of the mean, so that edges do not count.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(grey(values), cv2.CV_32F, kernel)
    channels = math.sqrt(values.shape[2])  # the mean of three noisy channels is quieter than each
    return float(np.median(np.abs(response)) / (0.6745 * 6) * channels)


def edge_blur_px(values: FloatArray, noise: float) -> float:
    """Deviation of the picture's blur, px, from how its sharpest edges lose steepness when blurred once more.

    Zhuo and Sim 2011, "Defocus map estimation from a single image", eq. 4. Where there are no edges: 0.7.
    """
    once = _slope(_blurred(values, 0.5))
    again = _slope(_blurred(_blurred(values, 0.5), _REBLUR_PX))
    strong = once > max(8 * noise, float(np.quantile(once, 0.98)), 0.02)
    if np.count_nonzero(strong) < 30:
        return 0.7
    ratio = once[strong] / np.maximum(again[strong], 1e-6)
    sharpest = max(float(np.quantile(ratio, 0.9)), 1.01)
    sigma = math.sqrt(max(_REBLUR_PX**2 / (sharpest**2 - 1) - 0.25, 0))
    return min(max(sigma, SHARPEST_PX), SOFTEST_PX)


def find_part(values: FloatArray) -> BoolArray:
    """(H, W) True on the part. Where no background is evident, all of the picture.

    A background is evident if Otsu's threshold explains most of the variance and the side of it that holds the
    picture's border is neither small nor nearly everything, and the outline between them is sharp.
    """
    levels = np.rint(np.clip(_blurred(values, 2.0).mean(axis=2), 0, 1) * 255).astype(np.uint8)
    threshold, bright = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    lit = float(border.mean())
    part = bright.astype(bool) if lit < 0.5 else ~bright.astype(bool)
    share = float(part.mean())
    whole = np.ones(part.shape, np.bool_)
    if max(lit, 1 - lit) < 0.75 or not 0.1 < share < 0.9 or threshold < 1:
        return whole
    inside, outside = levels[part].astype(np.float32), levels[~part].astype(np.float32)
    apart = float(inside.mean() - outside.mean())
    between = share * (1 - share) * apart**2
    if abs(apart) < 25 or between < 0.75 * float(levels.var()) or _drop(levels, part) < 0.8 * abs(apart):
        return whole
    return _largest(part)


def _drop(levels: NDArray[np.uint8], part: BoolArray) -> float:
    """By how much brightness changes within a few pixels of the outline: shading changes slowly, a part ends."""
    near, far = (cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)) for side in (7, 15))
    here = part.astype(np.uint8)
    inner = cv2.erode(here, near) > cv2.erode(here, far)
    outer = cv2.dilate(here, far) > cv2.dilate(here, near)
    if not inner.any() or not outer.any():
        return 0.0
    return abs(float(levels[inner].mean()) - float(levels[outer].mean()))


def _largest(part: BoolArray) -> BoolArray:
    """The largest connected piece, a little inside its outline, as edges are no place for noise or brightness."""
    count, regions, stats, _ = cv2.connectedComponentsWithStats(part.astype(np.uint8))
    assert count > 1, "a part with a share of the picture has a component"
    kept = (regions == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    return np.asarray(cv2.erode(kept, _margin_disk(part.shape)), np.bool_)


def _margin_disk(shape: tuple[int, ...]) -> cv2.typing.MatLike:
    margin = max(2, round(min(shape) / 100))
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))


def _brightness(values: FloatArray, region: BoolArray) -> FloatArray:
    """Mean over the part within about a twentieth of the picture, the background left out."""
    reach = max(3.0, min(region.shape) / 20)
    weight = region.astype(np.float32)
    total = broadly(weight[..., None], reach) + np.float32(1e-4)
    mean = broadly(values * weight[..., None], reach) / total
    return np.maximum(mean, np.float32(1 / 255))


def _noise_patch(residual: FloatArray, region: BoolArray) -> FloatArray:
    """The flattest of many places, scaled to deviation 1; the same picture gives the same."""
    side = min(_PATCH_PX, min(region.shape) // 2)
    rng = np.random.default_rng(0)
    best, lowest = residual[:side, :side], math.inf
    for _ in range(60):
        top, left = (int(rng.integers(0, length - side + 1)) for length in region.shape)
        at = slice(top, top + side), slice(left, left + side)
        spread = float(residual[at].std())
        if region[at].mean() > 0.9 and spread < lowest:
            best, lowest = residual[at], spread
    scale = np.maximum(best.std(axis=(0, 1), keepdims=True), 1e-6)
    return np.asarray(np.clip((best - best.mean(axis=(0, 1))) / scale, -3.5, 3.5), np.float32)


def _blurred(values: FloatArray, sigma: float) -> FloatArray:
    """(H, W, C) Gaussian blur that keeps the third axis."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32).reshape(values.shape)


def broadly(values: FloatArray, sigma: float) -> FloatArray:
    """(H, W, C) Gaussian blur, found at a size at which a wide one is quick."""
    rows, columns = values.shape[:2]
    shrink = max(1, int(sigma / 8))
    size = (max(1, columns // shrink), max(1, rows // shrink))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA) if shrink > 1 else values
    soft = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
    back = cv2.resize(soft, (columns, rows), interpolation=cv2.INTER_LINEAR) if shrink > 1 else soft
    return np.asarray(back, np.float32).reshape(values.shape)


def closed(mask: BoolArray, reach: int) -> BoolArray:
    """The mask with gaps of up to twice `reach` px closed; wide ones are closed at a size at which that is quick."""
    shrink = max(1, reach // 8)
    rows, columns = mask.shape
    size = (max(1, columns // shrink), max(1, rows // shrink))
    small = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    side = 2 * (reach // shrink) + 1
    joined = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return np.asarray(mask | (cv2.resize(joined, (columns, rows), interpolation=cv2.INTER_LINEAR) >= 128), np.bool_)


def _slope(values: FloatArray) -> FloatArray:
    plain = grey(values)
    return np.asarray(np.hypot(cv2.Sobel(plain, cv2.CV_32F, 1, 0), cv2.Sobel(plain, cv2.CV_32F, 0, 1)), np.float32)
