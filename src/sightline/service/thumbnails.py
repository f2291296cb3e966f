"""Small pictures for pages, made when they are asked for and kept while there is room."""

import threading
from collections import OrderedDict
from enum import StrEnum

import cv2
import numpy as np

from sightline.errors import BusyError
from sightline.imaging.decode import decode
from sightline.records import Frame
from sightline.service.apart import Runner, here
from sightline.store.pictures import Pictures

_QUALITY = 85
_AT_ONCE = 4  # decoded at the same time; one of 50 megapixels takes 150 MB
_WAIT_S = 10.0


class Size(StrEnum):
    """How large a picture is wanted."""

    THUMB = "thumb"
    MEDIUM = "medium"
    FULL = "full"  # the file as it is


SIDES = {Size.THUMB: 256, Size.MEDIUM: 1024}  # px, of the longer side at the most


class Thumbnails:
    """JPEGs of pictures; threads may share it."""

    def __init__(self, pictures: Pictures, *, most_bytes: int = 64 << 20, run: Runner = here) -> None:
        self._pictures, self._run = pictures, run
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[str, Size], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self.hits = 0
        self.made = 0
        self.refused = 0

    def jpeg(self, digest: str, size: Size) -> bytes:
        """The picture with its longer side at most SIDES[size]; it is never enlarged.

        Raises:
            BusyError: too many are being made. FrameError: it cannot be decoded. Others as `Pictures.read`.
        """
        with self._lock:
            found = self._kept.get((digest, size))
            if found is not None:
                self._kept.move_to_end((digest, size))
                self.hits += 1
                return found
        if not self._turns.acquire(timeout=_WAIT_S):
            self.refused += 1
            raise BusyError("too many pictures are being made smaller; ask again shortly.")
        try:
            content = self._pictures.read(digest)
            made = self._run(_made, content, digest[:12], self._pictures.max_megapixels, SIDES[size])
        finally:
            self._turns.release()
        self._keep((digest, size), made)
        return made

    def _keep(self, key: tuple[str, Size], made: bytes) -> None:
        with self._lock:
            self.made += 1
            self._bytes += len(made) - len(self._kept.pop(key, b""))
            self._kept[key] = made
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])


def _made(content: bytes, source: str, max_megapixels: float, longest_px: int) -> bytes:
    return reduced(decode(content, source=source, max_megapixels=max_megapixels), longest_px)


def reduced(frame: Frame, longest_px: int) -> bytes:
    """The frame as an 8-bit JPEG, its longer side at most so long."""
    pixels = frame.pixels[..., ::-1] if frame.pixels.shape[2] == 3 else frame.pixels
    scale = min(1.0, longest_px / max(frame.width, frame.height))
    if scale < 1:
        sides = max(1, round(scale * frame.width)), max(1, round(scale * frame.height))
        pixels = cv2.resize(np.ascontiguousarray(pixels), sides, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    eight = (pixels >> (frame.bit_depth - 8)).astype(np.uint8)
    made, content = cv2.imencode(".jpg", np.ascontiguousarray(eight), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert made, "JPEG takes pictures of 8 bits with 1 and 3 channels"
    return content.tobytes()
