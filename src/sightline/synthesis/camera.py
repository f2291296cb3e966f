"""From light to pixels: defocus, the sensor's own resolution, exposure, noise, and the display curve."""

from dataclasses import dataclass

import cv2
import numpy as np

from sightline.records import FloatArray, Pixels

GAMMA = 2.2
READ_NOISE, SHOT_NOISE = 0.0013, 0.0065  # deviation at black, and added in quadrature at white; linear, white is 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """One exposure's settings."""

    blur_px: float  # deviation of lens and focus, in the picture's pixels
    gain: float
    balance: tuple[float, float, float]  # white balance error, RGB
    gradient: tuple[float, float]  # change of light from the centre to the right and to the bottom border
    vignette: float = 0.06  # light lost in the corners


def project(radiance: FloatArray, camera: Camera, size: int) -> FloatArray:
    """What reaches the sensor: (size, size, 3) float32 linear, 1 saturates; no noise yet."""
    oversample = radiance.shape[0] / size
    soft = cv2.GaussianBlur(radiance, (0, 0), camera.blur_px * oversample)
    small = cv2.resize(soft, (size, size), interpolation=cv2.INTER_AREA) if oversample > 1 else soft
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    fall_x, fall_y = (
        1 + np.float32(slope) * axis - np.float32(camera.vignette / 2) * axis**2 for slope in camera.gradient
    )
    level = fall_y[:, None] * fall_x * np.float32(camera.gain)
    return np.asarray(small * level[..., None] * np.asarray(camera.balance, np.float32), np.float32)


def develop(linear: FloatArray) -> FloatArray:
    """Linear light to display values, both 0..1."""
    return np.asarray(cv2.pow(np.clip(linear, 0, 1), 1 / GAMMA), np.float32)


def expose(linear: FloatArray, rng: np.random.Generator, bit_depth: int, noise: float) -> Pixels:
    """Noisy pixels, (H, W, 3) uint8 or uint16; the same `rng` state gives each pixel the same draw.

    `noise` multiplies the sensor's own.
    """
    draw = rng.standard_normal(linear.shape, dtype=np.float32) * np.float32(noise)
    deviation = np.sqrt(np.float32(READ_NOISE**2) + np.float32(SHOT_NOISE**2) * np.clip(linear, 0, 1))
    display = develop(linear + draw * deviation)
    white = np.float32(2**bit_depth - 1)
    levels: FloatArray = np.rint(display * white)
    return levels.astype(np.uint8) if bit_depth == 8 else levels.astype(np.uint16)
