"""PNG (ISO/IEC 15948): header, chunk structure and checksums."""

import struct
import zlib
from collections.abc import Iterator

from sightline.errors import FrameError
from sightline.imaging.headers import Declared, check_size, check_tail, cut_short
from sightline.imaging.tags import exif_orientation

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGBA = 0, 2, 3, 4, 6
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE: (1, 2, 4, 8), _GREY_ALPHA: (8, 16), _RGBA: (8, 16)}
_CHANNELS = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGBA: 4}
_NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_MAX_RATIO = 1032  # deflate cannot shrink further: 258 bytes for two one-bit codes


def parse(data: memoryview, limit: int) -> Declared:
    """Check the structure of a PNG; only its four critical chunks go on to the decoder.

    Everything else (profiles, texts, transparency) is dropped unopened, so a compressed comment cannot be a bomb.
    Animated pictures, a damaged checksum, and anything after IEND except padding are refused.
    """
    if bytes(data[8:16]) != b"\0\0\0\x0dIHDR":
        raise FrameError("this PNG does not begin with an IHDR chunk. Save it again as an ordinary PNG.")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack_from(">IIBBBBB", data, 16)
    check_size(width, height, limit)
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise FrameError(f"this PNG declares colour type {colour} with {depth} bits, which the format does not know.")
    needed = [data[:8]]
    orientation, palette, compressed, end = 1, b"", 0, 0
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
        elif name == b"eXIf":
            orientation = exif_orientation(body)
        end = stop + 4
    if compressed * _MAX_RATIO < height * ((width * depth * _CHANNELS[colour] + 7) // 8):
        raise cut_short("PNG")
    check_tail(data, end, "PNG")
    return Declared(
        width=width,
        height=height,
        bit_depth=max(8, depth),
        grey=colour in (_GREY, _GREY_ALPHA) or (colour == _PALETTE and palette[::3] == palette[1::3] == palette[2::3]),
        orientation=orientation,
        payload=memoryview(b"".join(needed)),
    )


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
