"""Pictures written to disk."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.files import write_bytes
from sightline.imaging.png import spread
from sightline.records import Pixels

_HEADER = 33  # bytes of a PNG until its header chunk ends


def write_png(path: Path, pixels: Pixels, bit_depth: int = 16) -> None:
    """Write a picture as PNG, whole or not at all.

    Args:
        pixels, bit_depth: as `png` takes them.

    Raises:
        StoreError: it could not be written.
    """
    write_bytes(path, png(pixels, bit_depth))


def png(pixels: Pixels, bit_depth: int = 16) -> bytes:
    """(H, W, 3) RGB, (H, W, 1) or (H, W) grey, uint8 or uint16, as a PNG file.

    Args:
        bit_depth: significant bits of uint16 values; where they are 9 to 15, they are spread over the file's 16, which
            says so, and `decode` gives them back as they were.
    """
    if pixels.dtype == np.uint16 and bit_depth < 16:
        whole = png(spread(pixels.astype(np.uint16, copy=False), bit_depth))
        channels = 3 if pixels.ndim == 3 and pixels.shape[2] == 3 else 1
        return whole[:_HEADER] + _chunk(b"sBIT", bytes([bit_depth] * channels)) + whole[_HEADER:]
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    made, content = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1] if colour else pixels))
    assert made, "PNG takes pictures of both depths with 1 and 3 channels"
    return content.tobytes()


def indexed_png(places: NDArray[np.uint8], colours: Sequence[tuple[int, int, int]]) -> bytes:
    """(H, W) places among at most 256 colours, RGB, as a PNG with a palette; small, and quick for large plain areas."""
    height, width = places.shape
    depth = 1 if len(colours) <= 2 else 8
    rows = np.packbits(places, axis=1) if depth == 1 else places
    lines = np.zeros((height, rows.shape[1] + 1), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = rows
    header = struct.pack(">IIBBBBB", width, height, depth, 3, 0, 0, 0)  # PNG, third edition, section 11.2.1
    chunks = (
        (b"IHDR", header),
        (b"PLTE", bytes(np.array(colours, np.uint8))),
        (b"IDAT", zlib.compress(lines.tobytes(), 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
