"""A sheet to look at: each defect on the good picture, spoilt, and its mask, side by side."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.datasets.masks import read_mask
from sightline.imaging.banner import INK, PAPER, write
from sightline.imaging.decode import read_frame
from sightline.imaging.heat import Rgb
from sightline.records import BoolArray, Frame
from sightline.synthesis.provenance import Made

TILE_PX = 150
_GAP_PX, _HEAD_PX = 4, 22
_PER_LABEL = 2


def contact_sheet(folder: Path, made: Sequence[Made], max_megapixels: float = 16.0) -> Rgb:
    """(H, W, 3) two pictures of each label, cropped around their defects; good, spoilt, mask.

    Args:
        folder: the data set that holds them.
        made: at least one; the pictures that they were made from still lie where they lay.

    Raises:
        FrameError, DatasetError: a picture or a mask cannot be read any more.
    """
    rows = []
    for label, group in groupby(sorted(made, key=lambda one: one.label), key=lambda one: one.label):
        tiles = [tile for one in list(group)[:_PER_LABEL] for tile in _tiles(folder, one, max_megapixels)]
        tiles += [_blank(TILE_PX, TILE_PX)] * (3 * _PER_LABEL - len(tiles))
        strip = np.hstack([np.pad(tile, ((0, _GAP_PX), (0, _GAP_PX), (0, 0))) for tile in tiles])
        head = _blank(_HEAD_PX, strip.shape[1])
        write(head, label, (4, 15), 0.45)
        for place in range(_PER_LABEL):
            write(head, "good        spoilt        mask", (150 + place * 3 * (TILE_PX + _GAP_PX), 15), 0.38, PAPER)
        rows += [head, strip]
    return np.asarray(np.vstack(rows), np.uint8)


def _tiles(folder: Path, one: Made, max_megapixels: float) -> Iterator[Rgb]:
    good = read_frame(Path(one.source), max_megapixels=max_megapixels)
    spoilt = read_frame(folder / one.path, max_megapixels=max_megapixels)
    mask = read_mask(folder / one.mask, spoilt.height, spoilt.width)
    at = _crop(mask)
    yield _tile(_shown(good)[at])
    yield _tile(_shown(spoilt)[at])
    yield _tile(cv2.cvtColor(mask[at].astype(np.uint8) * 255, cv2.COLOR_GRAY2RGB).astype(np.uint8))


def _shown(frame: Frame) -> Rgb:
    levels = np.rint(frame.pixels * (255 / (2**frame.bit_depth - 1))).astype(np.uint8)
    return np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels


def _crop(mask: BoolArray) -> tuple[slice, slice]:
    """A square around the defect with its surroundings, within the picture."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    reach = max(rows[-1] - rows[0], columns[-1] - columns[0])
    side = min(max(2 * reach, min(mask.shape) // 2, 96), *mask.shape)
    starts = [
        min(max((int(found[0]) + int(found[-1]) - side) // 2, 0), length - side)
        for found, length in zip((rows, columns), mask.shape, strict=True)
    ]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def _tile(picture: NDArray[np.uint8]) -> Rgb:
    shrinks = picture.shape[0] > TILE_PX
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), (TILE_PX, TILE_PX), interpolation=way), np.uint8)


def _blank(height: int, width: int) -> Rgb:
    return np.full((height, width, 3), INK, np.uint8)
