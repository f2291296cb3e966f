"""Pictures written to disk."""

from pathlib import Path

import cv2
import numpy as np

from sightline.files import write_bytes
from sightline.records import Pixels


def write_png(path: Path, pixels: Pixels) -> None:
    """Write a picture as PNG, whole or not at all.

    Args:
        pixels: as `png` takes them.

    Raises:
        StoreError: it could not be written.
    """
    write_bytes(path, png(pixels))


def png(pixels: Pixels) -> bytes:
    """(H, W, 3) RGB, (H, W, 1) or (H, W) grey, uint8 or uint16, as a PNG file."""
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    made, content = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1] if colour else pixels))
    assert made, "PNG takes pictures of both depths with 1 and 3 channels"
    return content.tobytes()
