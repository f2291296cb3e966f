"""Boxes, outlines and masks, each made from the others.

From a mask to outlines and back is exact: outlines run along the edges of pixels, and a pixel is inside if its centre
is.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from sightline.datasets.annotations import Geometry, Mask, Polygon, Polygons, Rectangle, Ring, bounds
from sightline.errors import DatasetError
from sightline.records import BoolArray

Corner = tuple[int, int]  # (y, x) of a corner of pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """A piece of a picture, beside which nothing is marked."""

    pixels: BoolArray  # (h, w)
    top: int  # px of the picture
    left: int


def encoded(pixels: BoolArray) -> Mask:
    """(H, W) bool as a mask; DatasetError if nothing is marked."""
    height, width = pixels.shape
    flat = np.concatenate([[False], pixels.ravel(order="F")])
    starts = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(starts, prepend=0, append=height * width)
    return Mask(height=height, width=width, runs=tuple(int(run) for run in runs))


def encoded_window(window: Window, height: int, width: int) -> Mask:
    """As `encoded` of the whole picture, in the time that the window takes; DatasetError if nothing is marked."""
    ends = np.diff(
        np.pad(window.pixels, ((1, 1), (0, 0))).astype(np.int8), axis=0
    )  # 1 where a run begins, -1 behind it
    columns, rows = np.nonzero(ends.T)
    places = ((window.left + columns) * height + window.top + rows).tolist()
    bounds = [0, *places[:1]]
    for behind, begin in zip(places[1:-1:2], places[2::2], strict=True):
        if behind != begin:  # else the run goes on at the top of the next column
            bounds += [behind, begin]
    bounds += places[-1:]
    if bounds[-1] != height * width:
        bounds.append(height * width)
    return Mask(height=height, width=width, runs=tuple(after - at for at, after in pairwise(bounds)))


def window_of(mask: Mask) -> Window:
    """What of its picture is marked, and no more."""
    runs, height = np.asarray(mask.runs, np.int64), mask.height
    bounds = np.concatenate([[0], np.cumsum(runs)])
    marked = np.arange(len(runs)) % 2 == 1
    first, last = bounds[:-1][marked & (runs > 0)], bounds[1:][marked & (runs > 0)] - 1
    left, right = int(first.min() // height), int(last.max() // height) + 1
    pixels: BoolArray = np.repeat(marked, np.diff(bounds.clip(left * height, right * height)))
    pixels = pixels.reshape((height, right - left), order="F")
    rows = np.flatnonzero(pixels.any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return Window(pixels=np.ascontiguousarray(pixels[top:bottom]), top=top, left=left)


def decoded(mask: Mask) -> BoolArray:
    """(H, W) bool, True where it is marked."""
    marked = np.arange(len(mask.runs)) % 2 == 1
    pixels: BoolArray = np.repeat(marked, mask.runs).reshape((mask.height, mask.width), order="F")
    return np.ascontiguousarray(pixels)


def box_of(geometry: Geometry) -> Rectangle:
    """The smallest upright box around it."""
    box = bounds(geometry)
    if box:
        return box
    assert isinstance(geometry, Mask), "all others have bounds"
    rows, columns = np.nonzero(decoded(geometry))
    return Rectangle(
        left=float(columns.min()), top=float(rows.min()), right=float(columns.max() + 1), bottom=float(rows.max() + 1)
    )


def area_of(geometry: Geometry) -> float:
    """In square pixels; that of a region of several parts counts an overlap twice."""
    if isinstance(geometry, Rectangle):
        return (geometry.right - geometry.left) * (geometry.bottom - geometry.top)
    if isinstance(geometry, Mask):
        return float(sum(geometry.runs[1::2]))
    return sum(_ring_area(part.outline) - sum(map(_ring_area, part.holes)) for part in geometry.parts)


def clipped(box: Rectangle, height: int, width: int) -> Rectangle:
    """The part of a box that lies within a picture; of one outside, an empty one at its edge."""
    return Rectangle(
        left=min(max(box.left, 0.0), width),
        top=min(max(box.top, 0.0), height),
        right=min(max(box.right, 0.0), width),
        bottom=min(max(box.bottom, 0.0), height),
    )


def pixels_of(geometry: Geometry, height: int, width: int) -> BoolArray:
    """(height, width) bool, True in the pixels whose centres it holds.

    What is too thin to hold any centre has the pixels that its outline passes, so that no defect vanishes.
    """
    if isinstance(geometry, Mask):
        return decoded(geometry)
    parts = outlines_of(geometry).parts
    inside = np.zeros((height, width), np.bool_)
    for part in parts:
        inside |= _filled((part.outline, *part.holes), height, width)
    if not inside.any():
        drawn = np.zeros((height, width), np.uint8)
        rings = [np.asarray(part.outline) for part in parts]
        most = (width - 1, height - 1)
        cv2.polylines(drawn, [np.floor(ring).clip(0, most).astype(np.int32) for ring in rings], True, (1,))
        inside = drawn.astype(np.bool_)
    return inside


def outlines_of(geometry: Geometry) -> Polygons:
    """The same region as outlines; a rectangle has four corners, clockwise from the top left."""
    if isinstance(geometry, Polygons):
        return geometry
    if isinstance(geometry, Rectangle):
        left, top, right, bottom = geometry.left, geometry.top, geometry.right, geometry.bottom
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return Polygons(parts=(Polygon(outline=corners),))
    return _traced(window_of(geometry))


def polygon(numbers: Sequence[float]) -> Polygon:
    """The outline with corners x, y, x, y, ...; DatasetError unless they are three pairs and more."""
    if len(numbers) % 2:
        raise DatasetError(f"an outline has {len(numbers)} numbers; they come in pairs, x and y.")
    return Polygon(outline=tuple(zip(numbers[::2], numbers[1::2], strict=True)))


def rotated(box: Rectangle, degrees: float, about: tuple[float, float]) -> Polygons:
    """A box turned clockwise, as one sees it, about a point."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.asarray(outlines_of(box).parts[0].outline) - about
    ring = tuple((float(x), float(y)) for x, y in corners @ turn + about)
    return Polygons(parts=(Polygon(outline=ring),))


def _ring_area(ring: Ring) -> float:
    x, y = np.asarray(ring, np.float64).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _filled(rings: Sequence[Ring], height: int, width: int) -> BoolArray:
    """Pixels with their centre inside an odd number of rings: each edge toggles all that lies to its right."""
    starts = np.concatenate([np.asarray(ring, np.float64) for ring in rings])
    ends = np.concatenate([np.roll(np.asarray(ring, np.float64), -1, axis=0) for ring in rings])
    spans = np.sort([starts[:, 1], ends[:, 1]], axis=0)
    first, stop = np.clip(np.ceil(spans - 0.5), 0, height).astype(int)  # rows whose centre line an edge crosses
    edge = np.repeat(np.arange(len(starts)), stop - first)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(stop - first) - stop, stop - first)
    (x0, y0), (x1, y1) = starts[edge].T, ends[edge].T
    columns = np.ceil(x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0) - 0.5)
    toggles = np.zeros((height, width + 1), np.uint8)
    np.bitwise_xor.at(toggles, (rows, np.clip(columns, 0, width).astype(int)), 1)
    inside: BoolArray = np.bitwise_xor.accumulate(toggles, axis=1)[:, :width].astype(np.bool_)
    return inside


def _traced(window: Window) -> Polygons:
    """Outlines with their holes, one part per group of pixels that touch by a side."""
    pixels = window.pixels
    _, groups = cv2.connectedComponents(pixels.astype(np.uint8), connectivity=4)
    outlines: dict[int, Ring] = {}
    holes: defaultdict[int, list[Ring]] = defaultdict(list)
    for corners in _rings(pixels):
        y, x = min(corners)  # the pixel below and to the right of it lies within the ring
        ring = tuple((float(window.left + column), float(window.top + row)) for row, column in corners)
        if pixels[y, x]:
            outlines[int(groups[y, x])] = ring
        else:
            holes[int(groups[y - 1, x])].append(ring)
    return Polygons(parts=tuple(Polygon(outline=ring, holes=tuple(holes[key])) for key, ring in outlines.items()))


def _rings(pixels: BoolArray) -> list[list[Corner]]:
    """The closed boundaries of the marked pixels, as the corners at which they turn.

    Corners follow each other in pairs along each row and each column of the grid. Where two pixels touch by a corner
    only, two boundaries turn: each keeps to its own pixel.
    """
    along_rows, along_columns = _joined(pixels, rows=True), _joined(pixels, rows=False)
    rings = []
    left = dict.fromkeys(along_rows)
    while left:
        start = next(iter(left))
        ring, here = [], start
        while True:
            there = along_rows[here]
            ring += [here[:2], there[:2]]
            del left[here], left[there]
            here = along_columns[there]
            if here == start:
                break
        rings.append(ring)
    return rings


_Turn = tuple[int, int, int]  # y, x, and which of the two boundaries that turn there: 0 the upper one


def _joined(pixels: BoolArray, *, rows: bool) -> dict[_Turn, _Turn]:
    """Each turn with the one at the other end of its straight piece."""
    padded = np.pad(pixels, 1).astype(np.int8)
    quads = (padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:])  # around each corner of the grid
    diagonal = (quads[0] == quads[3]) & (quads[1] == quads[2]) & (quads[0] != quads[1])
    turns = diagonal | (sum(quads) % 2 == 1)
    falling = diagonal & (quads[0] == 1)  # the upper pixel lies to the left
    ys, xs = np.nonzero(turns)
    order = np.lexsort((xs, ys) if rows else (ys, xs))
    ends: list[_Turn] = []
    for y, x in zip(ys[order].tolist(), xs[order].tolist(), strict=True):
        if not diagonal[y, x]:
            ends.append((y, x, 0))
        else:  # in the order in which one passes them: along a column the upper first, along a row the left one
            upper_first = not rows or bool(falling[y, x])
            ends += [(y, x, 0), (y, x, 1)] if upper_first else [(y, x, 1), (y, x, 0)]
    pairs = list(zip(ends[::2], ends[1::2], strict=True))
    return dict(pairs) | {second: first for first, second in pairs}
