"""TIFF 6.0, read here from tag to pixel.

OpenCV is used for nothing but LZW: with TIFF it premultiplies alpha, truncates 16-bit grey with alpha to 8 bits,
mixes up 16-bit planes, ignores "white is zero" in 16 bits, shifts packed 12-bit values, and returns pictures whose
checksums are wrong.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sightline.errors import FrameError
from sightline.imaging.headers import check_size, cut_short
from sightline.imaging.inflate import COMPRESSIONS, inflate
from sightline.imaging.tags import Directory, first_directory, read_directory, valid_orientation
from sightline.records import Pixels

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_DEPTHS = {_WHITE_IS_ZERO: (1, 2, 4, 8, 12, 16), _BLACK_IS_ZERO: (1, 2, 4, 8, 12, 16), _RGB: (8, 16)}
_DEPTHS[_PALETTE] = (1, 2, 4, 8)
_COLOUR_NAMES = {4: "a mask", 5: "inks (CMYK)", 6: "YCbCr", 8: "Lab", 32803: "a Bayer mosaic"}
_MAX_CHANNELS = 4
_MAX_PAGES = 16
_THUMBNAIL, _MASK = 1, 4  # bits of NewSubfileType: not a page of its own


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Where the pixels of the one picture lie, and how they are stored; everything in it has been checked."""

    data: memoryview
    order: str  # byte order, "<" or ">"
    width: int  # px, as stored: before `orientation` is applied
    height: int
    bits: int  # per sample as stored: 1, 2, 4, 8, 12 or 16
    channels: int  # samples per pixel as stored, alpha included
    planar: bool  # each channel in blocks of its own
    photometric: int
    compression: int
    predictor: bool  # samples are differences to the left neighbour
    block_width: int  # of a tile; a strip is a tile as wide as the picture
    block_height: int
    offsets: tuple[int, ...]  # of each block: left to right, top to bottom, plane by plane
    counts: tuple[int, ...]  # bytes of each block
    palette: NDArray[np.uint8]  # (colours, 3), (0, 3) without one
    tiled: bool
    orientation: int  # EXIF 1..8

    @property
    def bit_depth(self) -> int:
        return max(8, self.bits)


def parse(data: memoryview, limit: int) -> Layout:
    """Check the structure of a TIFF with one page; pages marked as thumbnail or mask do not count.

    Several pages are refused: judging the first and passing over the rest would let a defect escape.
    """
    first = read_directory(data, first_directory(data))
    _check_single_page(data, first)
    width, height = first.number(256, 0), first.number(257, 0)
    check_size(width, height, limit)
    bits, channels, photometric = _samples(first)
    planar = channels > 1 and first.number(284, 1) == 2
    tiled = 322 in first.entries
    block_width = first.number(322, 0) if tiled else width
    block_height = first.number(323, 0) if tiled else min(first.number(278, height), height)
    across, down = -(-width // max(1, block_width)), -(-height // max(1, block_height))
    if block_width < 1 or block_height < 1 or across * down * block_width * block_height > 2 * limit:
        raise FrameError(f"this TIFF declares tiles of {block_width} x {block_height} pixels. Save it in strips.")
    offsets, counts = _blocks(data, first, tiled, across * down * (channels if planar else 1))
    return Layout(
        data=data,
        order=first.order,
        width=width,
        height=height,
        bits=bits,
        channels=channels,
        planar=planar,
        photometric=photometric,
        compression=_compression(first),
        predictor=_predictor(first, bits),
        block_width=block_width,
        block_height=block_height,
        offsets=offsets,
        counts=counts,
        palette=_palette(first, bits) if photometric == _PALETTE else np.empty((0, 3), np.uint8),
        tiled=tiled,
        orientation=valid_orientation(first),
    )


def pixels(layout: Layout) -> Pixels:
    """(H, W, C) as stored, C 1 or 3, black is 0, alpha dropped; values below `2**bit_depth`."""
    planes = layout.channels if layout.planar else 1
    per_block = 1 if layout.planar else layout.channels
    kept = 3 if layout.photometric == _RGB else 1
    picture = np.empty((layout.height, layout.width, kept), np.uint16 if layout.bits > 8 else np.uint8)
    across = -(-layout.width // layout.block_width)
    down = -(-layout.height // layout.block_height)
    for plane in range(min(planes, kept)):
        for row in range(down):
            for column in range(across):
                block = _block(layout, (plane * down + row) * across + column, row, per_block)
                top, left = row * layout.block_height, column * layout.block_width
                part = block[: layout.height - top, : layout.width - left, :kept]
                channels = slice(plane, plane + 1) if layout.planar else slice(kept)
                picture[top : top + part.shape[0], left : left + part.shape[1], channels] = part
    return _to_light(layout, picture)


def _to_light(layout: Layout, picture: Pixels) -> Pixels:
    white = (1 << layout.bits) - 1
    if layout.photometric == _PALETTE:
        colours: Pixels = layout.palette[picture[:, :, 0]]
        grey = bool((layout.palette == layout.palette[:, :1]).all())
        return colours[:, :, :1] if grey else colours
    if layout.photometric == _WHITE_IS_ZERO:
        np.subtract(white, picture, out=picture)
    if layout.bits < 8:
        np.multiply(picture, 255 // white, out=picture)
    return picture


def _block(layout: Layout, index: int, row: int, channels: int) -> Pixels:
    """(rows, block_width, channels) of one strip or tile; only the last strip may have fewer rows than block_height."""
    rows = layout.block_height if layout.tiled else min(layout.block_height, layout.height - row * layout.block_height)
    row_bytes = (layout.block_width * channels * layout.bits + 7) // 8
    start = layout.offsets[index]
    packed = layout.data[start : start + layout.counts[index]]
    raw = np.frombuffer(inflate(packed, layout.compression, rows * row_bytes), np.uint8, rows * row_bytes)
    samples = _unpack(raw.reshape(rows, row_bytes), layout.bits, layout.order)
    block: Pixels = samples[:, : layout.block_width * channels].reshape(rows, layout.block_width, channels)
    # differences wrap around
    return cast(Pixels, np.cumsum(block, axis=1, dtype=block.dtype)) if layout.predictor else block


def _unpack(rows: NDArray[np.uint8], bits: int, order: str) -> Pixels:
    """Samples of each row, the first in the highest bits; rows begin on a byte."""
    if bits == 8:
        return rows
    if bits == 16:
        return rows.view(f"{order}u2").astype(np.uint16, copy=False)
    if bits == 12:
        padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 3))).astype(np.uint16)
        high, middle, low = padded[:, ::3], padded[:, 1::3], padded[:, 2::3]
        return np.stack([high << 4 | middle >> 4, (middle & 15) << 8 | low], axis=2).reshape(len(rows), -1)
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    return (rows[:, :, None] >> shifts & np.uint8((1 << bits) - 1)).reshape(len(rows), -1)


def _check_single_page(data: memoryview, first: Directory) -> None:
    offset = first.following
    for _ in range(_MAX_PAGES):
        if not offset:
            return
        page = read_directory(data, offset)
        if not page.number(254, 0) & (_THUMBNAIL | _MASK):
            raise FrameError("this TIFF has several pages. Give one picture per file.")
        offset = page.following
    raise FrameError(f"this TIFF has more than {_MAX_PAGES} pages. Give one picture per file.")


def _samples(first: Directory) -> tuple[int, int, int]:
    """(bits, channels, photometric) of a kind that can be read."""
    photometric, channels = first.number(262, -1), first.number(277, 1)
    if photometric not in _DEPTHS:
        raise FrameError(
            f"this TIFF holds {_COLOUR_NAMES.get(photometric, 'unknown colours')}. Save it as RGB or grey."
        )
    colours = 3 if photometric == _RGB else 1
    extra = len(first.numbers(338, most=_MAX_CHANNELS))
    if channels > _MAX_CHANNELS or channels not in (colours, colours + 1) or (channels - colours and not extra):
        raise FrameError(f"this TIFF has {channels} channels. Save it as RGB or grey.")
    depths, formats = first.numbers(258, most=_MAX_CHANNELS) or (1,), first.numbers(339, most=_MAX_CHANNELS)
    if any(kind != 1 for kind in formats):
        raise FrameError("this TIFF holds signed or floating-point values. Save it as unsigned 8 or 16 bit.")
    if len(set(depths)) > 1 or depths[0] not in _DEPTHS[photometric]:
        raise FrameError(f"this TIFF has {'/'.join(map(str, depths))} bits per channel. Save it as 8 or 16 bit.")
    return depths[0], channels, photometric


def _compression(first: Directory) -> int:
    compression = first.number(259, 1)
    if compression not in COMPRESSIONS:
        known = ", ".join(sorted(set(COMPRESSIONS.values())))
        raise FrameError(f"this TIFF is compressed by method {compression}. Save it with one of: {known}.")
    if first.number(266, 1) != 1:
        raise FrameError("this TIFF stores its bits in reverse order. Save it again.")
    return compression


def _predictor(first: Directory, bits: int) -> bool:
    predictor = first.number(317, 1) if _compression(first) != 1 else 1
    if predictor not in (1, 2) or (predictor == 2 and bits not in (8, 16)):
        raise FrameError(f"this TIFF uses predictor {predictor} with {bits} bits. Save it without a predictor.")
    return predictor == 2


def _blocks(data: memoryview, first: Directory, tiled: bool, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Offsets and byte counts of all blocks, all inside the file."""
    offsets = first.numbers(324 if tiled else 273, most=count)
    counts = first.numbers(325 if tiled else 279, most=count)
    if len(offsets) != count or len(counts) != count:
        raise FrameError(f"this TIFF lists {len(offsets)} blocks of pixels where its size needs {count}.")
    if any(offset + length > len(data) for offset, length in zip(offsets, counts, strict=True)):
        raise cut_short("TIFF")
    return offsets, counts


def _palette(first: Directory, bits: int) -> NDArray[np.uint8]:
    """(2**bits, 3); stored as 16-bit values, all reds first."""
    values = np.array(first.numbers(320, most=3 << bits), np.uint16)
    if len(values) != 3 << bits:
        raise FrameError(f"this TIFF has a palette of {len(values) // 3} colours, {1 << bits} are needed.")
    scaled = values >> 8 if values.max() > 255 else values  # some writers store 8-bit values
    return scaled.reshape(3, -1).T.astype(np.uint8)
