"""The lossless compressions of TIFF, each bounded by the size the caller expects (TIFF 6.0, sections 9 and 13)."""

import struct
import zlib

import numpy as np

from sightline.errors import FrameError
from sightline.imaging.opencv import imdecode

COMPRESSIONS = {1: "none", 5: "LZW", 8: "deflate", 32946: "deflate", 32773: "PackBits"}
_CLEAR = 256  # empties LZW's table; codes have 9 bits again
_MAX_RATIO = 4096  # a code of at least 9 bits stands for fewer bytes than the table has entries
_ROW_BYTES = 1 << 20  # OpenCV reads rows of at most 2**20 samples


def inflate(packed: memoryview, compression: int, size: int) -> bytes | memoryview:
    """At least `size` bytes of one strip or tile; FrameError if it is damaged or holds fewer."""
    if COMPRESSIONS[compression] == "none":
        raw: bytes | memoryview = packed
    else:
        unpack = {"LZW": _lzw, "deflate": _deflate, "PackBits": _pack_bits}[COMPRESSIONS[compression]]
        raw = unpack(packed, size)
    if len(raw) < size:
        raise FrameError("the pixels of this TIFF are cut short. Copy it again from its source.")
    return raw


def _deflate(packed: memoryview, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, size + 1)  # one more, so that the checksum is reached
    except zlib.error as error:
        raise FrameError("the pixels of this TIFF are damaged: deflate data are invalid. Copy it again.") from error


def _pack_bits(packed: memoryview, size: int) -> bytes:
    raw, position = bytearray(), 0
    while len(raw) < size and position + 1 < len(packed):
        run = packed[position]
        if run < 128:
            raw += packed[position + 1 : position + 2 + run]
            position += 2 + run
        elif run > 128:
            raw += bytes(packed[position + 1 : position + 2]) * (257 - run)
            position += 2
        else:
            position += 1
    return bytes(raw)


def _lzw(packed: memoryview, size: int) -> bytes:
    """By OpenCV's libtiff, from a one-strip TIFF of our own making.

    Only its path for 16-bit samples reports damage, so the strip is declared as such. Where the bytes do not
    fill whole rows of samples, codes for zeros are put in front, a CLEAR after each and a multiple of eight in all,
    so that what follows still begins on a byte and with an empty table.
    """
    if len(packed) * _MAX_RATIO < size:
        return b""
    rows = 1 + size // _ROW_BYTES
    samples = -(-size // (2 * rows))
    lead = 2 * rows * samples - size
    codes = [_CLEAR, 0] * lead + [_CLEAR, _CLEAR] * (4 - lead % 4)
    prefix = int("".join(f"{code:09b}" for code in codes), 2).to_bytes(len(codes) * 9 // 8, "big")
    found = imdecode(_one_strip(prefix + packed, samples, rows))
    if found is None or found.shape != (rows, samples, 1) or found.dtype != np.uint16:
        raise FrameError("the pixels of this TIFF are damaged or cut short: LZW data are invalid. Copy it again.")
    return found.astype("<u2", copy=False).tobytes()[lead:]


def _one_strip(strip: bytes, width: int, height: int) -> bytes:
    """A little-endian TIFF of 16-bit grey around one LZW strip."""
    strip += b"\0" * (len(strip) % 2)  # a directory begins on a word
    tags = {256: width, 257: height, 258: 16, 259: 5, 262: 1, 273: 8, 277: 1, 278: height, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + struct.pack("<H", len(tags)) + entries + bytes(4)
