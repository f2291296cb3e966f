"""At how many pixels pictures are looked at, chosen from their shapes and the smallest defect that must be found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sightline.models.features import MOST_PIXELS, MOST_SIDE_PX

CELL_PX: Final = 8  # side of what one feature vector stands for; a defect as large is well seen
TILE_PX: Final = 1024  # side of automatic tiles: what the memory set aside for one view is meant for
MOST_TILES: Final = 16  # a picture then takes some three seconds on two cores
_SHORT_PX = 256  # short side of the automatic working size, unless the smallest defect asks for another
_MOST_ENLARGED = 2.0  # times; beyond that nothing is gained
_SAME_SHAPE = 0.10  # pictures whose aspect ratios differ by less are the same view; others are squared
_ENOUGH = 0.95  # of CELL_PX: what rounding to whole cells takes off is not worth a warning
# Of a large picture while PatchCore learns, per pixel of the working size: the picture as the graph holds it, its
# patches and the copies they are chosen from; and for each picture what is kept of it: every 32nd patch, all distances.
_PIXEL_BYTES, _PICTURE_PIXEL_BYTES = 64.0, 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How pictures are looked at."""

    height: int  # of the working size, px
    width: int
    tile: int | None = None  # px; None: all at once
    warnings: tuple[str, ...] = ()  # one line where the smallest defect is seen smaller than it should be


def working_size(
    shapes: Sequence[tuple[int, int]],
    multiple: int,
    *,
    smallest_defect: int | None = None,
    short_side: int | None = None,
    most_pixels: float = MOST_PIXELS,
    most_side: float = MOST_SIDE_PX,
) -> tuple[int, int]:
    """Height and width, px, at which pictures of these heights and widths are looked at.

    256 on the short side, or `short_side`; or what makes the smallest defect CELL_PX wide if that is known, from 256 px
    up. No more than `most_pixels` in all. In the pictures' own shape if they share one, else square.
    """
    short = _short_side(shapes)
    wanted = 0.0 if smallest_defect is None else short * min(_MOST_ENLARGED, CELL_PX / smallest_defect)
    side = max(wanted, float(short_side or _SHORT_PX))
    ratio = float(np.median(_ratios(shapes))) if of_one_shape(shapes) else 1.0
    long = side * max(ratio, 1 / ratio)
    shrink = min(1.0, most_side / long, math.sqrt(most_pixels / (side * long)))
    low, high = (max(2, round(length * shrink / multiple)) * multiple for length in (side, long))
    return (low, high) if ratio >= 1 else (high, low)


def at_once(
    shapes: Sequence[tuple[int, int]],
    multiple: int,
    *,
    smallest_defect: int | None = None,
    short_side: int | None = None,
    cure: str,
) -> Resolution:
    """The working size of a method that sees it at once.

    Args:
        cure: what the reader can do where the smallest defect would need more, as a sentence without a full stop.
    """
    height, width = working_size(shapes, multiple, smallest_defect=smallest_defect, short_side=short_side)
    warnings = _too_small(shapes, (height, width), smallest_defect, cure)
    return Resolution(height=height, width=width, warnings=warnings)


def tiled(
    shapes: Sequence[tuple[int, int]],
    multiple: int,
    *,
    smallest_defect: int,
    tile: int | None,
    room_bytes: int,
) -> Resolution:
    """The working size that the smallest defect asks for, in tiles where it is too large to be seen at once.

    Time bounds it, by MOST_TILES, and memory; pictures of many shapes are not tiled, as tiles need one size.

    Args:
        tile: side in px, if one is asked for; None: TILE_PX, where tiles are needed.
        room_bytes: for learning from all the pictures.
    """
    if not of_one_shape(shapes):
        cure = "Tiles need pictures of one shape: cut them alike, or train a model for each shape"
        return at_once(shapes, multiple, smallest_defect=smallest_defect, cure=cure)
    by_time = MOST_TILES * float(tile or TILE_PX) ** 2
    by_memory = room_bytes / (_PIXEL_BYTES + _PICTURE_PIXEL_BYTES * len(shapes))
    most = max(float(MOST_PIXELS), min(by_time, by_memory, float(MOST_TILES * TILE_PX**2)))
    size = working_size(
        shapes, multiple, smallest_defect=smallest_defect, most_pixels=most, most_side=TILE_PX * MOST_TILES
    )
    seen_at_once = max(size) <= MOST_SIDE_PX and size[0] * size[1] <= 1.1 * MOST_PIXELS  # rounding included
    cure = (
        f"{len(shapes)} pictures in this memory allow no more; give more --memory-mib, or fewer pictures"
        if by_memory < by_time
        else "A larger working size would take too long; take several pictures of the part, each nearer"
    )
    return Resolution(
        height=size[0],
        width=size[1],
        tile=tile if tile or seen_at_once else TILE_PX,
        warnings=_too_small(shapes, size, smallest_defect, cure),
    )


def of_one_shape(shapes: Sequence[tuple[int, int]]) -> bool:
    """Whether pictures of these heights and widths show one view, differing by no more than how they were cut."""
    ratios = _ratios(shapes)
    return bool(np.abs(np.log(ratios / np.median(ratios))).max() <= math.log1p(_SAME_SHAPE))


def _too_small(
    shapes: Sequence[tuple[int, int]], size: tuple[int, int], smallest_defect: int | None, cure: str
) -> tuple[str, ...]:
    """A line that says how wide the smallest defect is seen, if that is less than it should be."""
    if smallest_defect is None:
        return ()
    scale = min(size) / _short_side(shapes)
    if smallest_defect * scale >= _ENOUGH * CELL_PX:
        return ()
    if scale >= _ENOUGH * _MOST_ENLARGED:
        cure = "Pictures are enlarged twice at most; take them nearer, or with a finer camera"
    return (
        f"a defect of {smallest_defect} px is seen {smallest_defect * scale:.1f} px wide at the working size, "
        f"{size[1]} x {size[0]} px, and may be missed; well seen is {CELL_PX} px, which is "
        f"{math.ceil(CELL_PX / scale)} px in your pictures. {cure}.",
    )


def _short_side(shapes: Sequence[tuple[int, int]]) -> float:
    return float(np.median([min(shape) for shape in shapes]))


def _ratios(shapes: Sequence[tuple[int, int]]) -> np.ndarray:
    return np.array([width / height for height, width in shapes])
