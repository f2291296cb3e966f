"""A known movement is undone as far as the noise allows."""

import math

import cv2
import numpy as np
import pytest

from sightline.errors import OptionError
from sightline.imaging.deblur import deblur
from sightline.records import Frame


def part(channels: int = 3) -> Frame:
    pixels = np.full((120, 160, channels), 60, np.uint8)
    cv2.circle(pixels, (80, 60), 40, (200,) * channels, -1)
    cv2.line(pixels, (60, 50), (100, 75), (90,) * channels, 2)
    return Frame(pixels=pixels)


def moved(frame: Frame, rows: int, columns: int) -> Frame:
    blurred = cv2.blur(frame.pixels.astype(np.float32), (columns, rows), borderType=cv2.BORDER_REFLECT_101)
    noisy = blurred.reshape(frame.pixels.shape) + np.random.default_rng(0).normal(0, 1, frame.pixels.shape)
    return Frame(pixels=np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def error(one: Frame, other: Frame) -> float:
    """Root of the mean square, grey values."""
    return float(np.sqrt(np.square(one.pixels.astype(float) - other.pixels).mean()))


@pytest.mark.parametrize(("rows", "columns", "angle_deg"), [(1, 9, 0), (9, 1, 90), (1, 15, 180)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_known_movement_is_undone(rows: int, columns: int, angle_deg: float, channels: int) -> None:
    sharp = part(channels)
    blurred = moved(sharp, rows, columns)
    found = deblur(blurred, motion_px=rows * columns, angle_deg=angle_deg)
    assert error(found, sharp) < 0.8 * error(blurred, sharp)
    assert error(deblur(blurred, motion_px=rows * columns, angle_deg=angle_deg + 90), sharp) > error(found, sharp)


def test_what_did_not_move_stays_as_it_is() -> None:
    frame = part()
    assert deblur(frame, motion_px=0, angle_deg=0) is frame


def test_depth_and_brightness_are_kept() -> None:
    plain = Frame(pixels=np.full((40, 50, 1), 3000, np.uint16), bit_depth=12, source="top")
    found = deblur(plain, motion_px=12, angle_deg=30)
    assert (found.bit_depth, found.source) == (12, "top")
    assert found.pixels.dtype == np.uint16
    assert np.abs(found.pixels.astype(int) - 3000).max() <= 1


@pytest.mark.parametrize(
    ("motion_px", "angle_deg", "noise"),
    [(-1, 0, 0.1), (65, 0, 0.1), (math.nan, 0, 0.1), (5, math.inf, 0.1), (5, 0, 0)],
)
def test_what_cannot_be_undone_is_refused(motion_px: float, angle_deg: float, noise: float) -> None:
    with pytest.raises(OptionError, match="cannot be undone"):
        deblur(part(), motion_px=motion_px, angle_deg=angle_deg, noise=noise)
