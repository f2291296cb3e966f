"""Frames as cameras deliver them: bytes whose pixel format is declared, not written in them.

Names and packings are those of the GenICam Pixel Format Naming Convention (PFNC 2.4).
"""

from enum import StrEnum
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import FrameError
from sightline.imaging.headers import check_size, pixel_limit
from sightline.records import Frame, Pixels


class PixelFormat(StrEnum):
    """How the bytes of a frame are to be read; more than 8 bits are 16-bit little-endian unless packed.

    Those ending in p are PFNC's (each pixel's bits follow the last one's, lowest first), those in Packed GigE Vision's
    older ones (two pixels in three bytes, the middle byte holds the low bits of both).
    """

    MONO8 = "Mono8"
    MONO10 = "Mono10"
    MONO10P = "Mono10p"  # four pixels in five bytes
    MONO10PACKED = "Mono10Packed"
    MONO12 = "Mono12"
    MONO12P = "Mono12p"  # two pixels in three bytes
    MONO12PACKED = "Mono12Packed"
    MONO16 = "Mono16"
    BAYER_RG8 = "BayerRG8"  # the first row begins red, green
    BAYER_GR8 = "BayerGR8"
    BAYER_GB8 = "BayerGB8"
    BAYER_BG8 = "BayerBG8"
    BAYER_RG12 = "BayerRG12"
    BAYER_GR12 = "BayerGR12"
    BAYER_GB12 = "BayerGB12"
    BAYER_BG12 = "BayerBG12"
    BAYER_RG12P = "BayerRG12p"
    BAYER_GR12P = "BayerGR12p"
    BAYER_GB12P = "BayerGB12p"
    BAYER_BG12P = "BayerBG12p"
    RGB8 = "RGB8"

    @property
    def bit_depth(self) -> int:
        """Significant bits of each sample."""
        return int("".join(filter(str.isdigit, self.value)))

    @property
    def bayer(self) -> str:
        """Colours of the first two pixels, such as 'RG'; '' where there is no mosaic."""
        return self.value[5:7] if self.value.startswith("Bayer") else ""

    @property
    def storage_bits(self) -> int:
        """Bits that one pixel takes in the buffer."""
        if self is PixelFormat.RGB8:
            return 24
        if self.value.endswith("Packed"):
            return 12
        if self.value.endswith("p"):
            return self.bit_depth
        return 8 if self.bit_depth == 8 else 16


# OpenCV's short names are shifted by one pixel (its BayerBG is PFNC's BayerRG); the four-letter ones are not
_DEMOSAIC = {
    "RG": cv2.COLOR_BayerRGGB2RGB,
    "GR": cv2.COLOR_BayerGRBG2RGB,
    "GB": cv2.COLOR_BayerGBRG2RGB,
    "BG": cv2.COLOR_BayerBGGR2RGB,
}


def decode_raw(
    data: bytes | memoryview,
    *,
    pixel_format: PixelFormat,
    width: int,
    height: int,
    stride: int | None = None,
    source: str = "",
    max_megapixels: float = 50.0,
) -> Frame:
    """A frame from a camera's buffer, which may be reused afterwards: the pixels are copied.

    Args:
        data: exactly the frame; without `stride` lines follow each other with no gap, packed ones even within a byte.
        pixel_format: what the camera is set to. Bayer mosaics become RGB by bilinear interpolation.
        width: px.
        height: px.
        stride: bytes from the start of one line to the next, where the camera pads its lines. The last may lack
            its padding.
        source: the camera's name, for messages and for the frame.
        max_megapixels: the largest frame accepted, in 10**6 pixels.

    Returns:
        (H, W, 1) for Mono, (H, W, 3) RGB else; uint8, or uint16 with the format's own `bit_depth`.

    Raises:
        FrameError: too large; not the number of bytes that the format needs; values above its depth.
        OptionError: the cap is not a positive number.
    """
    name = source or "raw frame"
    limit = pixel_limit(max_megapixels)
    try:
        check_size(width, height, limit)
    except FrameError as error:
        raise FrameError(f"{name}: {error}") from error
    if pixel_format.bayer and min(width, height) < 4:
        raise FrameError(f"{name}: {width} x {height} is too small for {pixel_format}; a mosaic needs 4 x 4 pixels.")
    lines = _lines(memoryview(data).cast("B"), pixel_format, width, height, stride, name)
    mosaic = _samples(lines, pixel_format, width, height)
    top = int(mosaic.max())
    if top >= 1 << pixel_format.bit_depth:
        raise FrameError(
            f"{name}: has a value of {top}, but {pixel_format} ends at {(1 << pixel_format.bit_depth) - 1}. "
            "Check the pixel format the camera is set to."
        )
    if not pixel_format.bayer:
        pixels = mosaic if mosaic.ndim == 3 else mosaic[:, :, None]
        return Frame(pixels=pixels, bit_depth=pixel_format.bit_depth, source=source)
    colour = cast(Pixels, cv2.cvtColor(mosaic, _DEMOSAIC[pixel_format.bayer]))
    return Frame(pixels=colour, bit_depth=pixel_format.bit_depth, source=source)


def _lines(
    data: memoryview, pixel_format: PixelFormat, width: int, height: int, stride: int | None, name: str
) -> NDArray[np.uint8]:
    """(lines, bytes) without padding; without a stride the whole frame is one line."""
    count, pixels = (1, width * height) if stride is None else (height, width)
    line = (pixels * pixel_format.storage_bits + 7) // 8
    pitch = line if stride is None else stride
    if pitch < line:
        raise FrameError(f"{name}: a stride of {pitch} bytes cannot hold {width} px of {pixel_format} ({line} bytes).")
    shortest, longest = pitch * (count - 1) + line, pitch * count
    if len(data) not in (shortest, longest):
        raise FrameError(
            f"{name}: {len(data)} bytes, but {width} x {height} px of {pixel_format} are {shortest}. "
            "Check width, height, stride and pixel format."
        )
    buffer = np.zeros((count, pitch), np.uint8)  # the copy that the frame will own
    buffer.reshape(-1)[: len(data)] = data
    return buffer[:, :line]


def _samples(lines: NDArray[np.uint8], pixel_format: PixelFormat, width: int, height: int) -> Pixels:
    """(height, width), of RGB (height, width, 3)."""
    if pixel_format is PixelFormat.RGB8:
        return np.ascontiguousarray(lines).reshape(height, width, 3)
    if pixel_format.storage_bits == 8:
        return lines.reshape(height, width)
    if pixel_format.storage_bits == 16:
        return np.ascontiguousarray(lines).view("<u2").astype(np.uint16, copy=False).reshape(height, width)
    per_line = width * height // len(lines)
    return _unpack(lines, pixel_format)[:, :per_line].reshape(height, width)


def _unpack(lines: NDArray[np.uint8], pixel_format: PixelFormat) -> NDArray[np.uint16]:
    """(lines, pixels or a few more), each line from its own first byte."""
    group = 5 if pixel_format.storage_bits == 10 else 3
    padded = np.pad(lines, ((0, 0), (0, -lines.shape[1] % group))).astype(np.uint16)
    a, b, c, *further = (padded[:, place::group] for place in range(group))
    if further:
        d, e = further
        pixels = [a | (b & 3) << 8, b >> 2 | (c & 15) << 6, c >> 4 | (d & 63) << 4, d >> 6 | e << 2]
    elif pixel_format is PixelFormat.MONO12PACKED:
        pixels = [a << 4 | b & 15, c << 4 | b >> 4]
    elif pixel_format is PixelFormat.MONO10PACKED:
        pixels = [a << 2 | b & 3, c << 2 | b >> 4 & 3]
    else:
        pixels = [a | (b & 15) << 8, b >> 4 | c << 4]
    return np.stack(pixels, axis=2).reshape(len(lines), -1)
