"""What a picture says about itself before it is decoded, and the bounds every such statement must keep.

The format modules beside this one (`png`, `jpeg`, `bmp`, `webp`, `tiff`) read the header and walk the file's
structure without decoding a pixel. Their messages do not name the file: `decode` puts its name in front.
"""

import math
from dataclasses import dataclass

from sightline.errors import FrameError, OptionError

MAX_SIDE = 65_535  # px; what JPEG can declare, and more than any line-scan picture needs
MAX_PADDING = 4096  # bytes after the end of a picture: one block of a file system or of a camera's buffer
PADDING = b"\0\r\n"  # cameras pad with zeros, streams end a part with a line break


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Declared:
    """One still picture whose structure is whole, ready for OpenCV."""

    width: int  # px, as stored: before `orientation` is applied
    height: int
    bit_depth: int  # of the decoded pixels, 8 or 16
    grey: bool  # one channel carries everything: a grey picture, or a palette of greys
    significant_bits: int = 16  # that a 16-bit file says its values had before they were spread over all 16
    orientation: int = 1  # EXIF 1..8
    payload: memoryview  # the file without what a decoder has no need of (metadata, alpha, padding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a picture file is, told without decoding a pixel."""

    media_type: str
    width: int  # px, upright
    height: int


def pixel_limit(max_megapixels: float) -> int:
    """The cap in pixels; OptionError unless it is a positive number."""
    if not (math.isfinite(max_megapixels) and max_megapixels > 0):
        raise OptionError(f"max megapixels is {max_megapixels}; give a positive number, such as 50.")
    return round(max_megapixels * 1_000_000)


def check_size(width: int, height: int, limit: int) -> None:
    """Raise FrameError unless the declared size is a picture of at most `limit` pixels and MAX_SIDE per side."""
    if width < 1 or height < 1:
        raise FrameError(f"declares {width} x {height} pixels, which is no picture. The file is damaged.")
    if max(width, height) > MAX_SIDE:
        raise FrameError(f"declares {width} x {height} pixels; a side may have at most {MAX_SIDE}. Cut it into tiles.")
    if width * height > limit:
        raise FrameError(
            f"declares {width} x {height} pixels ({width * height / 1e6:.1f} megapixels); the limit is "
            f"{limit / 1e6:g}. If the picture is genuine, raise it with --max-megapixels."
        )


def check_tail(data: memoryview, end: int, name: str) -> None:
    """Raise FrameError if anything but a little padding follows the end of the picture."""
    tail = data[end:]
    if len(tail) > MAX_PADDING or bytes(tail).strip(PADDING):
        raise FrameError(
            f"has {len(tail)} bytes after the end of the {name} picture. Save it again without what was appended."
        )


def cut_short(name: str) -> FrameError:
    return FrameError(f"this {name} is cut short: it declares more data than it holds. Copy it again from its source.")
