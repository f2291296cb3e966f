"""How well maps find the defective pixels, picture by picture in memory that does not grow."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import FrameError
from sightline.evaluation.metrics import area_under_roc, average_precision
from sightline.evaluation.results import PixelMetrics
from sightline.records import BoolArray, FloatArray

MAX_PIXELS = 1_000_000  # per picture; a larger one is measured at reduced resolution
AUPRO_LIMIT = 0.3  # Bergmann et al. 2021: beyond it, so much is marked that a map says nothing
_KEY_BITS = 20  # sign, exponent, 11 bits of mantissa


class PixelTally:
    """Histograms of map values over all pixels and the defective ones, and their overlap with the true regions.

    The histograms take 24 MiB, whatever is added. Scores are counted by their distance from the first picture's
    median, to 0.05 % of that distance, in their order: fine where most of them lie, whatever their unit and offset.
    On the maps of one model that moves the AUROC by less than 1e-4.

    Source of the overlap: Bergmann et al. 2021, "The MVTec Anomaly Detection Dataset", IJCV 129, per-region
    overlap (PRO): the share of a region's pixels that reach the threshold, averaged over all regions of all
    pictures; regions are 8-connected. A histogram in which each pixel weighs 1 / (area of its region) is all
    that average needs.
    """

    def __init__(self) -> None:
        self._pixels = np.zeros(2**_KEY_BITS, np.int64)
        self._defective = np.zeros(2**_KEY_BITS, np.int64)
        self._overlap = np.zeros(2**_KEY_BITS, np.float64)
        self._offset: np.float32 | None = None  # minus the first picture's median
        self._regions = 0
        self._pictures = 0

    def add(self, values: FloatArray, mask: BoolArray, source: str = "map") -> None:
        """Count one picture.

        Args:
            values: (h, w) float32, the anomaly map over the whole picture, at any resolution.
            mask: (H, W) bool, the truth at the picture's resolution; all False for a good picture. The map is
                brought to its size by bilinear interpolation (half-pixel centres). Above 1 megapixel both are
                measured on a coarser grid, whose cell is defective if any of its pixels is, so no region is lost.
            source: the picture's name, for the message.

        Raises:
            FrameError: the map is not two-dimensional, or holds a value that is not finite.
        """
        if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
            raise FrameError(
                f"{source}: the anomaly map of shape {values.shape} is not a picture of finite numbers. "
                "List the picture as not judged and leave it out of the figures."
            )
        if self._offset is None:
            self._offset = np.float32(0) - np.float32(np.median(values))  # never -0.0, so no sum is -0.0
        truth = _reduced(mask)
        size = (truth.shape[1], truth.shape[0])
        enlarged = cv2.resize(values.astype(np.float32, copy=False), size, interpolation=cv2.INTER_LINEAR)
        keys = _keys(np.asarray(enlarged, np.float32) + self._offset)
        self._pixels += np.bincount(keys.ravel(), minlength=2**_KEY_BITS)
        self._pictures += 1
        if truth.any():
            self._add_regions(keys[truth], truth)

    def _add_regions(self, keys: NDArray[np.uint32], truth: BoolArray) -> None:
        count, labels, stats, _ = cv2.connectedComponentsWithStats(truth.view(np.uint8), connectivity=8)
        weights = 1 / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)  # label 0 is the background, which may be empty
        self._defective += np.bincount(keys, minlength=2**_KEY_BITS)
        self._overlap += np.bincount(keys, weights=weights[labels[truth]], minlength=2**_KEY_BITS)
        self._regions += count - 1

    def metrics(self) -> PixelMetrics | None:
        """The figures so far; None without a defective pixel, figures None without a good one."""
        if self._regions == 0:
            return None
        seen = np.flatnonzero(self._pixels)[::-1]
        defective = np.cumsum(self._defective[seen])
        good = np.cumsum(self._pixels[seen]) - defective
        if good[-1] == 0:
            return PixelMetrics(auroc=None, average_precision=None, aupro=None, pictures=self._pictures)
        overlap = np.cumsum(self._overlap[seen]) / self._regions
        return PixelMetrics(
            auroc=area_under_roc(good, defective),
            average_precision=average_precision(good, defective),
            aupro=area_up_to(good / good[-1], overlap, AUPRO_LIMIT) / AUPRO_LIMIT,
            pictures=self._pictures,
        )


def area_up_to(x: NDArray[np.float64], y: NDArray[np.float64], limit: float) -> float:
    """The area under the polyline from (0, 0) through (x, y), x ascending to at least `limit`, from 0 to `limit`."""
    x, y = np.concatenate([[0.0], x]), np.concatenate([[0.0], y])
    inside = int(np.searchsorted(x, limit, side="right"))
    if inside == x.size:  # the last point lies at the limit itself
        return float(np.trapezoid(y, x))
    step = (limit - x[inside - 1]) / (x[inside] - x[inside - 1])
    end = y[inside - 1] + step * (y[inside] - y[inside - 1])
    return float(np.trapezoid(np.append(y[:inside], end), np.append(x[:inside], limit)))


def _reduced(mask: BoolArray) -> BoolArray:
    """The mask on a grid of at most MAX_PIXELS cells; a cell is True if any of its pixels is."""
    height, width = mask.shape
    if height * width <= MAX_PIXELS:
        return np.ascontiguousarray(mask, dtype=np.bool_)
    scale = math.sqrt(MAX_PIXELS / (height * width))
    rows = min(max(1, int(height * scale)), MAX_PIXELS)
    columns = min(max(1, int(width * scale)), MAX_PIXELS // rows)
    by_row = np.logical_or.reduceat(mask, np.arange(rows) * height // rows, axis=0)
    cells: BoolArray = np.logical_or.reduceat(by_row, np.arange(columns) * width // columns, axis=1)
    return cells


def _keys(values: FloatArray) -> NDArray[np.uint32]:
    """The top bits of an integer that orders like the float: flip all bits of a negative, the sign of a positive."""
    bits = values.view(np.uint32)
    flip = np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    keys: NDArray[np.uint32] = (bits ^ flip) >> np.uint32(32 - _KEY_BITS)
    return keys
