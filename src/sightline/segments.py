"""From the masks of a model that outlines defects to findings: one per region, with its class, size and severity.

Severity, 0 to 1, is a mean by the weights in the manifest (`SegmentRule`) of three parts, each 0 to 1:

- area: the square root of the region's share of the picture, over that of `full_area`, so that a defect twice as long
  and as wide counts twice;
- contrast: how much the region's mean brightness differs from that of the ring around it, over `full_contrast`;
- position: the largest weight of a critical zone that the region touches, 0 outside all; left out without zones.
"""

import math
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.manifest import Manifest
from sightline.records import AnomalyMap, BoolArray, Box, Defect, FloatArray, Frame
from sightline.segment_rule import SegmentRule

MOST_DEFECTS = 100  # reported per picture, the most certain ones
_MOST_PIXELS = 4_000_000  # of the grid that regions are drawn on; a larger frame has a coarser one
_RING_SHARE = 0.5  # of the root of the region's area: the width of the ring around it
_THINNEST_RING, _WIDEST_RING = 3, 40  # cells
_UNSURE_PEAK = 0.5  # of its peak: where a region that never reaches the mark ends

Segments = NDArray[np.uint8]


def find_segments(
    frame: Frame, anomaly: AnomalyMap, manifest: Manifest, threshold: float
) -> tuple[tuple[Defect, ...], Segments]:
    """The regions of a picture whose score reached the threshold, the most certain first, and where they lie.

    A region is what touches (8 neighbours) and reaches the rule's mark; where the threshold is lower, also what reaches
    that, down to half its peak. Its label is the class that has most of it, its confidence the mean probability of that
    class over it.

    Args:
        anomaly: with masks, finite.
        threshold: of the scores, at which a picture is not passed.
    """
    rule, masks = manifest.segments, anomaly.masks
    assert rule is not None, "the caller has seen that the model outlines"
    assert masks is not None, "its graph gives masks"
    rows, columns = _grid(frame)
    values = _enlarged(anomaly.values, rows, columns)
    regions, stats = _regions(values, min(rule.mark, threshold), rule.mark)
    segments: Segments = np.zeros((rows, columns), np.uint8)
    peaks = np.full(len(stats), -np.inf, np.float32)
    np.maximum.at(peaks, regions.ravel(), values.ravel())
    order = 1 + np.argsort(-peaks[1:], kind="stable")[:MOST_DEFECTS]
    pixels = _grey(frame, rows, columns)
    found = []
    for region in order:
        defect, place = _defect(region, regions, stats[region], float(peaks[region]), masks, pixels, frame, manifest)
        x, y, width, height = stats[region][:4]
        segments[y : y + height, x : x + width][regions[y : y + height, x : x + width] == region] = place
        found.append(defect)
    return tuple(found), segments


def _grid(frame: Frame) -> tuple[int, int]:
    shrink = min(1.0, math.sqrt(_MOST_PIXELS / (frame.height * frame.width)))
    return max(1, round(frame.height * shrink)), max(1, round(frame.width * shrink))


def _enlarged(values: FloatArray, rows: int, columns: int) -> FloatArray:
    larger = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(larger, np.float32).reshape(rows, columns)


def _regions(values: FloatArray, lowest: float, mark: float) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Number of each cell's region, 0 outside all, and each one's left, top, width, height and area."""
    reached = np.asarray(values >= np.float32(lowest), np.uint8)
    count, regions, stats, _ = cv2.connectedComponentsWithStats(reached, connectivity=8)
    if lowest < mark and count > 1:  # each at a level of its own
        peaks = np.zeros(count, np.float32)
        np.maximum.at(peaks, np.asarray(regions, np.int64).ravel(), values.ravel())
        levels = np.minimum(np.float32(mark), np.maximum(np.float32(_UNSURE_PEAK) * peaks, np.float32(lowest)))
        inside = np.asarray((regions > 0) & (values >= levels[regions]), np.uint8)
        _, regions, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    return np.asarray(regions, np.int32), np.asarray(stats, np.int32)


def _grey(frame: Frame, rows: int, columns: int) -> FloatArray:
    """(rows, columns) in 0..1."""
    grey = frame.pixels.astype(np.float32).mean(axis=2) / (2**frame.bit_depth - 1)
    reduced = cv2.resize(grey, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.float32).reshape(rows, columns)


def _defect(
    region: int,
    regions: NDArray[np.int32],
    stats: NDArray[np.int32],
    peak: float,
    masks: FloatArray,
    pixels: FloatArray,
    frame: Frame,
    manifest: Manifest,
) -> tuple[Defect, int]:
    """One finding, and the place of its label."""
    rule = manifest.segments
    assert rule is not None, "as above"
    rows, columns = regions.shape
    x, y, width, height, cells = (int(value) for value in stats)
    inside = regions[y : y + height, x : x + width] == region
    shares = _shares(masks, inside, (y, x), (rows, columns))
    place = 1 + int(np.argmax(shares))
    down, across = Fraction(frame.height, rows), Fraction(frame.width, columns)
    left, top = math.floor(x * across), math.floor(y * down)
    right, bottom = math.ceil((x + width) * across), math.ceil((y + height) * down)
    area = max(1, round(cells * down * across))
    parts = {
        "area": math.sqrt(cells / (rows * columns * rule.full_area)),
        "contrast": _contrast(regions, region, (x, y, width, height, cells), pixels) / rule.full_contrast,
        "position": _position(inside, (y, x), (rows, columns), rule),
    }
    return Defect(
        box=Box(x=left, y=top, width=right - left, height=bottom - top),
        area_px=area,
        peak=peak,
        label=manifest.labels[place],
        confidence=min(1.0, float(shares[place - 1])),
        area_mm2=None if rule.mm_per_px is None else area * rule.mm_per_px**2,
        severity=severity(rule, **parts),
    ), place


def severity(rule: SegmentRule, *, area: float, contrast: float, position: float) -> float:
    """The mean of the three parts, each at most 1, by the rule's weights; the last one only where there are zones."""
    pairs = [(rule.area_weight, area), (rule.contrast_weight, contrast)]
    if rule.zones:
        pairs.append((rule.position_weight, position))
    return sum(weight * min(1.0, part) for weight, part in pairs) / sum(weight for weight, _ in pairs)


def _shares(masks: FloatArray, inside: BoolArray, corner: tuple[int, int], grid: tuple[int, int]) -> FloatArray:
    """(K,) mean of each mask over the region, each cell with the nearest value."""
    ys, xs = np.nonzero(inside)
    down = ((ys + corner[0]) * masks.shape[1]) // grid[0]
    across = ((xs + corner[1]) * masks.shape[2]) // grid[1]
    means: FloatArray = masks[:, down, across].mean(axis=1)
    return means


def _contrast(
    regions: NDArray[np.int32], region: int, stats: tuple[int, int, int, int, int], pixels: FloatArray
) -> float:
    """How much the region's mean differs from that of the ring around it, other regions left out; share of white."""
    x, y, width, height, cells = stats
    ring = min(_WIDEST_RING, max(_THINNEST_RING, round(_RING_SHARE * math.sqrt(cells))))
    window = np.s_[max(0, y - ring) : y + height + ring, max(0, x - ring) : x + width + ring]
    here, seen = regions[window], pixels[window]
    grown = cv2.dilate((here == region).astype(np.uint8), np.ones((2 * ring + 1, 2 * ring + 1), np.uint8))
    around = (grown > 0) & (here == 0)
    if not around.any():  # the whole picture
        return 0.0
    return abs(float(seen[here == region].mean()) - float(seen[around].mean()))


def _position(inside: BoolArray, corner: tuple[int, int], grid: tuple[int, int], rule: SegmentRule) -> float:
    """The largest weight of a zone that it touches."""
    ys, xs = np.nonzero(inside)
    down, across = (ys + corner[0] + 0.5) / grid[0], (xs + corner[1] + 0.5) / grid[1]
    return max(
        (
            zone.weight
            for zone in rule.zones
            if (
                (down >= zone.y) & (down < zone.y + zone.height) & (across >= zone.x) & (across < zone.x + zone.width)
            ).any()
        ),
        default=0.0,
    )
