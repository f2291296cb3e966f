"""PNG (ISO/IEC 15948): header, chunk structure and checksums."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sightline.errors import FrameError
from sightline.imaging.headers import Declared, check_size, check_tail, cut_short
from sightline.imaging.tags import exif_orientation

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE: (1, 2, 4, 8), _GREY_ALPHA: (8, 16), _RGBA: (8, 16)}
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
_NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_READ = (b"eXIf", b"sBIT")  # of those that are not needed
_MAX_RATIO = 1032  # deflate cannot shrink further: 258 bytes for two one-bit codes


def parse(data: memoryview, limit: int) -> Declared:
    """Check the structure of a PNG; only its four critical chunks go on to the decoder.

    Of everything else orientation and significant bits are read; profiles, texts and transparency are dropped unopened,
    so a compressed comment cannot be a bomb. Animated pictures, a damaged checksum, and anything after IEND except
    padding are refused.
    """
    if bytes(data[8:16]) != b"\0\0\0\x0dIHDR":
        raise FrameError("this PNG does not begin with an IHDR chunk. Save it again as an ordinary PNG.")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    check_size(width, height, limit)
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise FrameError(f"this PNG declares colour type {colour} with {depth} bits, which the format does not know.")
    needed = [data[:8]]
    notes: dict[bytes, memoryview] = {}
    palette, compressed, end = b"", 0, 0
    for name, start, stop in _chunks(data):
        body = data[start:stop]
        if name in _NEEDED:
            if struct.unpack_from(">I", data, stop)[0] != zlib.crc32(data[start - 4 : stop]):
                raise FrameError(
                    f"the checksum of a {name.decode()} chunk is wrong: the PNG is damaged. Copy it again."
                )
            needed.append(data[start - 8 : stop + 4])
            palette = bytes(body) if name == b"PLTE" else palette
            compressed += len(body) if name == b"IDAT" else 0
        elif name == b"acTL":
            raise FrameError("this PNG is animated. Give one still picture per file.")
        elif not name[0] & 0x20:
            raise FrameError(f"this PNG needs the unknown chunk {name!r}. Save it again as an ordinary PNG.")
        elif name in _READ:
            notes[name] = body
        end = stop + 4
    if compressed * _MAX_RATIO < height * ((width * depth * _CHANNELS[colour] + 7) // 8):
        raise cut_short("PNG")
    check_tail(data, end, "PNG")
    return Declared(
        width=width,
        height=height,
        bit_depth=max(8, depth),
        grey=colour in (_GREY, _GREY_ALPHA) or (colour == _PALETTE and palette[::3] == palette[1::3] == palette[2::3]),
        significant_bits=_significant_bits(bytes(notes.get(b"sBIT", b"")), depth, colour),
        orientation=exif_orientation(notes[b"eXIf"]) if b"eXIf" in notes else 1,
        payload=memoryview(b"".join(needed)),
    )


def _significant_bits(said: bytes, depth: int, colour: int) -> int:
    most = max(said[: 3 if colour in (_RGB, _RGBA) else 1], default=16)  # alpha, which comes after, is dropped
    return most if depth == 16 and 8 < most < 16 else 16


def spread(values: NDArray[np.uint16], bits: int) -> NDArray[np.uint16]:
    """Values of 9 to 15 bits over all 16, their first bits repeated below (PNG, third edition, section 12.4)."""
    return ((values << (16 - bits)) | (values >> (2 * bits - 16))).astype(np.uint16, copy=False)


def gathered(values: NDArray[np.uint16], bits: int) -> NDArray[np.uint16] | None:
    """What `spread` made these of; None where it did not."""
    found = (values >> (16 - bits)).astype(np.uint16, copy=False)
    return found if np.array_equal(spread(found, bits), values) else None


def _chunks(data: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, stop) of each chunk's body up to IEND, each of them whole."""
    most = 4096 + len(data) // 1024  # encoders write 4 KiB or more at a time; a walk over crumbs would take seconds
    name, position = b"", 8
    for _ in range(most):
        if len(data) < position + 12:
            raise cut_short("PNG")
        (length,) = struct.unpack_from(">I", data, position)
        name = bytes(data[position + 4 : position + 8])
        start, stop = position + 8, position + 8 + length
        if stop + 4 > len(data):
            raise cut_short("PNG")
        yield name, start, stop
        if name == b"IEND":
            return
        position = stop + 4
    raise FrameError(f"this PNG is split into more than {most} chunks. Save it again as an ordinary PNG.")
