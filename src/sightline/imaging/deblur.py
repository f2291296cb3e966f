"""Undoing the blur of a straight movement of known length, for parts caught while the conveyor accelerates.

Wiener's filter: the inverse of the blur, held back where the blur left less than the noise. Beyond some 6 px on
pictures of 256 px it does more harm than good (benchmarks/deblur.py).
"""

import math

import cv2
import numpy as np

from sightline.errors import OptionError
from sightline.records import FloatArray, Frame

_TEN_PX = 0.1  # cycles per px
LONGEST_PX = 64.0  # beyond it nothing worth judging is left


def deblur(frame: Frame, *, motion_px: float, angle_deg: float, noise: float = 0.01) -> Frame:
    """The picture as without the movement, as far as it can be told; edges within `motion_px` of the border less so.

    Args:
        motion_px: length of the movement during the exposure, speed times exposure; 0..LONGEST_PX.
        angle_deg: of the movement, 0 along a row, 90 down a column.
        noise: power of the noise over that of the picture, in waves of 10 px; shorter ones have less of a picture, by
            the square, and as much noise. The larger, the softer and quieter the result; of 0.0003 to 0.5, 0.01 was
            best for 6 px on rendered parts other than the benchmark's.

    Raises:
        OptionError: a value is out of range.
    """
    if not 0 <= motion_px <= LONGEST_PX or not math.isfinite(angle_deg) or not 0 < noise <= 1:
        raise OptionError(
            f"motion of {motion_px} px at {angle_deg} degrees with noise {noise} cannot be undone: "
            f"give 0 to {LONGEST_PX:g} px, an angle, and a noise above 0 up to 1."
        )
    if motion_px <= 1:  # within a pixel's own width
        return frame
    edge = math.ceil(motion_px)
    padded = cv2.copyMakeBorder(frame.pixels, edge, edge, edge, edge, cv2.BORDER_REFLECT_101)
    planes = padded.reshape(*padded.shape[:2], -1).astype(np.float32)
    blur = transfer(planes.shape[0], planes.shape[1], motion_px, angle_deg)
    distrust = np.float32(noise) * _squared_frequency(*planes.shape[:2]) / _TEN_PX**2
    gain = blur / np.maximum(blur**2 + distrust, np.float32(1e-6))
    sharp = np.fft.irfft2(np.fft.rfft2(planes, axes=(0, 1)) * gain[..., None], planes.shape[:2], axes=(0, 1))
    inner = np.rint(sharp[edge:-edge, edge:-edge]).clip(0, 2**frame.bit_depth - 1)
    pixels = inner.astype(np.uint8) if frame.bit_depth == 8 else inner.astype(np.uint16)
    return Frame(pixels=pixels, bit_depth=frame.bit_depth, source=frame.source, depth=frame.depth)


def transfer(rows: int, columns: int, motion_px: float, angle_deg: float) -> FloatArray:
    """(rows, columns // 2 + 1) what an even movement multiplies a picture's spectrum with, as `np.fft.rfft2` has it."""
    down = np.fft.fftfreq(rows)[:, None] * math.sin(math.radians(angle_deg))
    across = np.fft.rfftfreq(columns)[None, :] * math.cos(math.radians(angle_deg))
    return np.asarray(np.sinc(motion_px * (down + across)), np.float32)


def _squared_frequency(rows: int, columns: int) -> FloatArray:
    return np.asarray(np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.rfftfreq(columns)[None, :] ** 2, np.float32)
