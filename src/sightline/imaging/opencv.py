"""OpenCV's picture decoder with its two manners amended: failure is None, and it keeps quiet."""

import functools
from typing import cast

import cv2
import numpy as np

from sightline.records import Pixels


def imdecode(payload: bytes | memoryview) -> Pixels | None:
    """(H, W, C) as stored, colours in BGR order; None if OpenCV cannot decode it."""
    silence()
    try:
        found = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    return None if found is None else cast(Pixels, found if found.ndim == 3 else found[:, :, None])


@functools.cache
def silence() -> None:
    """It would print for each bad file what the error says anyway; the level is one per process, so set once."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
