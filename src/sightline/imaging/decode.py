"""The one way in for picture files: bytes of any origin in, a `Frame` or a one-line `FrameError` out.

A file is identified by its content, never by its name. Its declared size and whole structure are checked before
anything is decoded; see the module of each format for what it refuses.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import cast

import cv2
import numpy as np

from sightline.errors import FrameError
from sightline.imaging import bmp, jpeg, png, tiff, webp
from sightline.imaging.headers import Declared, Header, pixel_limit
from sightline.imaging.opencv import imdecode
from sightline.records import Frame, Pixels

_PARSERS: dict[str, Callable[[memoryview, int], Declared]] = {
    "PNG": png.parse,
    "JPEG": jpeg.parse,
    "BMP": bmp.parse,
    "WebP": webp.parse,
}
_MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "BMP": "image/bmp",
    "WebP": "image/webp",
    "TIFF": "image/tiff",
}
_BYTES_PER_PIXEL = 8  # 16-bit RGB with alpha, uncompressed
_METADATA_BYTES = 16 << 20  # room for profiles, thumbnails and notes
_HEAD_BYTES = 16  # enough to tell the format


def decode(data: bytes | memoryview, *, source: str = "", max_megapixels: float = 50.0) -> Frame:
    """The picture in a PNG, JPEG, BMP, TIFF or WebP file, upright.

    Pixels are (H, W, 1) for a grey picture, a palette of greys included, else (H, W, 3) RGB. They keep their depth:
    uint8 with `bit_depth` 8 for up to 8 bits (1, 2 and 4-bit grey is spread over 0..255), uint16 with 16, 12 for a
    TIFF with packed 12-bit samples, or 9 to 15 for a PNG that says in sBIT how many were spread over its 16. 12-bit
    values that a camera stored in a 16-bit file as they are count as 16-bit.

    Alpha is dropped, not composited: no background is right for every part, and the colours beneath it are what
    the camera saw. Colour profiles and gamma are not applied, for the same reason. The EXIF orientation is
    applied in JPEG, PNG, WebP and TIFF.

    Args:
        data: the whole file.
        source: its name, for messages and for the frame.
        max_megapixels: the most that a file may declare, in 10**6 pixels.

    Raises:
        FrameError: not one of these formats; larger than the cap; cut short, damaged or with something appended;
            several pages or animated; CMYK, floating-point, BigTIFF and other kinds no inspection camera writes.
        OptionError: the cap is not a positive number.
    """
    limit = pixel_limit(max_megapixels)
    try:
        pixels, bit_depth, orientation = _stored(memoryview(data), limit)
    except (struct.error, IndexError, FrameError) as error:
        raise _named(error, source or "picture") from error
    return Frame(pixels=_upright(pixels, orientation), bit_depth=bit_depth, source=source)


def read_frame(path: Path, *, max_megapixels: float = 50.0) -> Frame:
    """`decode` of a file, whose size on disk is checked before it is read; `source` is the path as given."""
    return decode(_content(path, max_megapixels), source=str(path), max_megapixels=max_megapixels)


def read_size(path: Path, *, max_megapixels: float = 50.0) -> tuple[int, int]:
    """(height, width) of the upright picture in a file; its structure is checked, but no pixel is decoded.

    Raises:
        FrameError: as `decode`, but for what only decoding finds out.
    """
    header = read_header(_content(path, max_megapixels), source=str(path), max_megapixels=max_megapixels)
    return header.height, header.width


def read_header(data: bytes | memoryview, *, source: str = "", max_megapixels: float = 50.0) -> Header:
    """What the picture in these bytes is; its structure is checked, but no pixel is decoded.

    Raises:
        FrameError: as `decode`, but for what only decoding finds out.
    """
    content, limit = memoryview(data), pixel_limit(max_megapixels)
    try:
        declared = _declared(content, limit)
    except (struct.error, IndexError, FrameError) as error:
        raise _named(error, source or "picture") from error
    sides = declared.height, declared.width
    height, width = sides[::-1] if declared.orientation >= 5 else sides
    return Header(media_type=_MEDIA_TYPES[_kind(content)], width=width, height=height)


def _content(path: Path, max_megapixels: float) -> bytes:
    most = pixel_limit(max_megapixels) * _BYTES_PER_PIXEL + _METADATA_BYTES
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):  # before opening: a pipe would block
            kind = "a folder" if S_ISDIR(status.st_mode) else "not a regular file"
            raise FrameError(f"{path}: is {kind}. Give a picture file.")
        with path.open("rb") as file:
            head = memoryview(file.read(_HEAD_BYTES))
            if not _kind(head):
                raise FrameError(f"{path}: {_unknown(head)}")
            file.seek(0)
            data = file.read(most + 1) if status.st_size <= most else None  # bounded even if it grew since
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise FrameError(f"{path}: cannot be read ({reason}). Check the path and its permissions.") from error
    if data is None or len(data) > most:
        raise FrameError(
            f"{path}: is larger than {most / 1e6:.0f} MB, more than {max_megapixels:g} megapixels can need. "
            "If the picture is genuine, raise the limit with --max-megapixels."
        )
    return data


def _kind(head: memoryview) -> str:
    """The format that the first bytes announce, '' if none of ours."""
    start = bytes(head[:_HEAD_BYTES])
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WebP"
    magic = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP"}
    magic |= {b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "BigTIFF", b"MM\0+": "BigTIFF"}
    return next((name for bytes_, name in magic.items() if start.startswith(bytes_)), "")


def _unknown(head: memoryview) -> str:
    found = f"it begins with {bytes(head[:8])!r}" if head else "it is empty"
    return f"is not a PNG, JPEG, BMP, TIFF or WebP picture ({found}). Give a picture file."


def _named(error: Exception, source: str) -> FrameError:
    """What a parser found, with the name of the file in front."""
    known = isinstance(error, FrameError)
    return FrameError(f"{source}: {error if known else 'its header is cut short or damaged. Copy it again.'}")


def _declared(data: memoryview, limit: int) -> Declared | tiff.Layout:
    """What a picture of any format says of itself."""
    kind = _kind(data)
    if kind == "BigTIFF":
        raise FrameError("is a BigTIFF, which is for pictures over 4 GB. Save it as an ordinary TIFF.")
    if kind == "TIFF":
        return tiff.parse(data, limit)
    if kind not in _PARSERS:
        raise FrameError(_unknown(data))
    return _PARSERS[kind](data, limit)


def _stored(data: memoryview, limit: int) -> tuple[Pixels, int, int]:
    """(pixels as stored, bit depth, orientation)."""
    declared = _declared(data, limit)
    if isinstance(declared, tiff.Layout):
        return tiff.pixels(declared), declared.bit_depth, declared.orientation
    pixels, bits = _decoded(declared, _kind(data)), declared.significant_bits
    if pixels.dtype == np.uint16 and bits < 16:
        found = png.gathered(pixels.astype(np.uint16, copy=False), bits)
        if found is not None:
            return found, bits, declared.orientation
    return pixels, declared.bit_depth, declared.orientation


def _decoded(declared: Declared, kind: str) -> Pixels:
    """(H, W, 1 or 3) by OpenCV, which must agree with what was declared."""
    picture = imdecode(declared.payload)
    if picture is None:
        raise FrameError(f"the pixels of this {kind} cannot be decoded. The file is damaged.")
    dtype = np.uint8 if declared.bit_depth == 8 else np.uint16
    if picture.shape[:2] != (declared.height, declared.width) or picture.dtype != dtype:
        raise FrameError(f"this {kind} decodes to another size or depth than it declares. The file is damaged.")
    if declared.grey:
        return picture[:, :, :1]
    code = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}.get(picture.shape[2])
    if code is None:
        raise FrameError(f"this {kind} decodes to grey but declares colours. The file is damaged.")
    return cast(Pixels, cv2.cvtColor(picture, code))


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Owned, contiguous pixels with the EXIF orientation applied (EXIF 2.32, tag 274)."""
    turned = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return cast(Pixels, np.ascontiguousarray(turned))
