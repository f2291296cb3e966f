"""Pictures written to disk."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.files import write_bytes


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) RGB or (H, W) grey uint8 as PNG, whole or not at all.

    Raises:
        StoreError: it could not be written.
    """
    write_bytes(path, png(pixels))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) RGB or (H, W) grey uint8 as a PNG file."""
    picture = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    made, content = cv2.imencode(".png", picture)
    assert made, "PNG takes any uint8 picture"
    return content.tobytes()
