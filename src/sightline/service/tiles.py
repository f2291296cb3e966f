"""Tiles of large pictures, so that a page shows any part of one at any size without loading the whole."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.errors import BusyError, NotFoundError
from sightline.imaging.decode import decode
from sightline.imaging.heat import Rgb
from sightline.records import Frame
from sightline.service.apart import Runner, here
from sightline.store.pictures import Pictures

SIDE = 512  # px of a tile; those at the right and the lower edge are smaller
_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
_AT_ONCE = 3  # decoded at the same time
_WAIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pyramid:
    """A picture at full size, and halved until it fits in one tile."""

    width: int  # px, at full size
    height: int
    levels: tuple[Rgb, ...]  # 8 bits, (H, W, 1) grey or (H, W, 3) BGR; a pixel of level n is 2**n x 2**n px

    @property
    def nbytes(self) -> int:
        return sum(level.nbytes for level in self.levels)

    def tile(self, level: int, column: int, row: int) -> bytes:
        """A JPEG of one tile.

        Raises:
            NotFoundError: there is no such tile.
        """
        if level < len(self.levels):
            pixels = self.levels[level][row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
            if pixels.size:
                made, content = cv2.imencode(".jpg", np.ascontiguousarray(pixels), _QUALITY)
                assert made, "JPEG takes pictures of 8 bits with 1 and 3 channels"
                return content.tobytes()
        raise NotFoundError(f"there is no tile {level}/{column}/{row}; the picture is {self.width} x {self.height} px.")


class Tiles:
    """Tiles of stored pictures; the pictures looked at last stay decoded. Threads may share it."""

    def __init__(self, pictures: Pictures, *, most_bytes: int = 320 << 20, run: Runner = here) -> None:
        """
        Args:
            most_bytes: of decoded pictures; one of 50 megapixels in colour takes 200 MB. The last one always stays.
        """
        self._pictures, self._run = pictures, run
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, Pyramid] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = tuple(threading.Lock() for _ in range(_AT_ONCE))
        self.decoded = 0

    def pyramid(self, digest: str) -> Pyramid:
        """
        Raises:
            BusyError: too many are being decoded. FrameError: it cannot be decoded. Others as `Pictures.read`.
        """
        if found := self._found(digest):
            return found
        turn = self._turns[int(digest[:8], 16) % _AT_ONCE]  # one picture, one turn: it is decoded once
        if not turn.acquire(timeout=_WAIT_S):
            raise BusyError("too many large pictures are being opened; ask again shortly.")
        try:
            return self._found(digest) or self._made(digest)
        finally:
            turn.release()

    def _found(self, digest: str) -> Pyramid | None:
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
            return self._kept.get(digest)

    def _made(self, digest: str) -> Pyramid:
        content = self._pictures.read(digest)
        made = self._run(_opened, content, digest[:12], self._pictures.max_megapixels)
        with self._lock:
            self.decoded += 1
            self._kept[digest] = made
            while len(self._kept) > 1 and sum(kept.nbytes for kept in self._kept.values()) > self._most_bytes:
                self._kept.popitem(last=False)
        return made


def _opened(content: bytes, source: str, max_megapixels: float) -> Pyramid:
    return pyramid(decode(content, source=source, max_megapixels=max_megapixels))


def pyramid(frame: Frame) -> Pyramid:
    """All levels of a frame."""
    eight = (frame.pixels >> (frame.bit_depth - 8)).astype(np.uint8, copy=False)
    levels = [np.ascontiguousarray(eight[..., ::-1])]
    while max(levels[-1].shape[:2]) > SIDE:
        levels.append(_halved(levels[-1]))
    return Pyramid(width=frame.width, height=frame.height, levels=tuple(levels))


def _halved(pixels: Rgb) -> Rgb:
    height, width, channels = pixels.shape
    if height % 2 or width % 2:  # a row or a column again, so that each pixel is the mean of just four
        pixels = cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(np.uint8)
    sides = (width + 1) // 2, (height + 1) // 2
    return cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA).reshape(sides[1], sides[0], channels)  # type: ignore[return-value]
