"""BMP: header, palette, and whether all rows are there."""

import struct

from sightline.errors import FrameError
from sightline.imaging.headers import Declared, check_size, check_tail, cut_short

_HEADERS = {12, 40, 52, 56, 64, 108, 124}  # sizes of the header's versions, OS/2 1 to Windows 5
_BITS = {1, 4, 8, 16, 24, 32}
_UNCOMPRESSED, _BIT_FIELDS = 0, 3


def parse(data: memoryview, limit: int) -> Declared:
    """Check the structure of an uncompressed BMP; run-length and embedded JPEG or PNG are refused."""
    file_size, pixels_at, header = struct.unpack_from("<I4xII", data, 2)
    if header not in _HEADERS:
        raise FrameError(f"this BMP has a header of {header} bytes, which no version has. The file is damaged.")
    if header == 12:
        width, height, bits = struct.unpack_from("<HH2xH", data, 18)
        compression = colours = 0
    else:
        width, height, bits, compression, colours = struct.unpack_from("<ii2xHI12xI", data, 18)
    check_size(width, abs(height), limit)  # a negative height means top row first
    if bits not in _BITS or compression not in (_UNCOMPRESSED, _BIT_FIELDS):
        raise FrameError(f"this BMP has {bits} bits per pixel, compression {compression}. Save it uncompressed.")
    end = pixels_at + (width * bits + 31) // 32 * 4 * abs(height)
    if pixels_at < 14 + header or end > len(data):
        raise cut_short("BMP")
    check_tail(data, max(end, file_size), "BMP")  # a colour profile may lie after the pixels, counted in the file size
    return Declared(
        width=width,
        height=abs(height),
        bit_depth=8,
        grey=bits <= 8 and _grey_palette(data[14 + header : pixels_at], colours or 1 << bits, 3 if header == 12 else 4),
        payload=data,
    )


def _grey_palette(table: memoryview, colours: int, entry: int) -> bool:
    colours = min(colours, 256)
    if len(table) < colours * entry:
        raise cut_short("BMP")
    used = bytes(table[: colours * entry])
    return used[::entry] == used[1::entry] == used[2::entry]
