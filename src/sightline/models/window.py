"""What an extendable model remembers of the good images it was made from, oldest first, and how a file keeps it.

Layout of the bytes, all numbers little-endian, nothing between or after the parts:

    header   "SLW1", then n, M, D, rows, columns as uint32
    images   (n, 32) uint8, the SHA-256 of each image's decoded pixels
    scores   (n,) float32, each by a bank that did not know the image
    owners   (M,) uint32, which image a patch is from
    patches  (M, D) float32, in the order in which they were picked
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.errors import BundleError
from sightline.models.pools import Pool
from sightline.records import FloatArray

_HEADER = struct.Struct("<4s5I")
_MAGIC = b"SLW1"
_CURE = "copy it again from where it was made, or train again"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Memory:
    """Patches that stand for all good ones; the beginning of them is the bank."""

    grid: tuple[int, int]  # rows and columns of patches in an image
    pool: Pool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Good images, oldest first."""

    images: tuple[str, ...]  # SHA-256 of the decoded pixels, hex
    scores: FloatArray  # (n,) float32, by a bank that did not know the image
    memory: Memory  # its pool's owners are places in `images`

    def forgetting(self, oldest: int) -> "Window":
        """Without the `oldest` first images, their scores and their patches."""
        pool = self.memory.pool.without(oldest)
        return Window(
            images=self.images[oldest:],
            scores=self.scores[oldest:],
            memory=Memory(grid=self.memory.grid, pool=pool),
        )

    def to_bytes(self) -> bytes:
        pool, grid = self.memory.pool, self.memory.grid
        count, dimensions = pool.patches.shape
        return b"".join(
            [
                _HEADER.pack(_MAGIC, len(self.images), count, dimensions, *grid),
                bytes.fromhex("".join(self.images)),
                self.scores.astype("<f4").tobytes(),
                pool.owners.astype("<u4").tobytes(),
                pool.patches.astype("<f4").tobytes(),
            ]
        )


def from_bytes(content: bytes) -> Window:
    """The window in `content`, of which nothing is trusted.

    Raises:
        BundleError: the sizes do not add up, a number is not finite, or a patch is of no image; without the path.
    """
    if len(content) < _HEADER.size or not content.startswith(_MAGIC):
        raise BundleError(f"does not hold the window of images that it should; {_CURE}")
    _, images, count, dimensions, rows, columns = _HEADER.unpack_from(content)
    sizes = [32 * images, 4 * images, 4 * count, 4 * count * dimensions]
    if len(content) != _HEADER.size + sum(sizes) or not (dimensions and rows and columns):
        raise BundleError(f"has a window of images of {len(content)} bytes, which is not the size it states; {_CURE}")
    starts = np.cumsum([_HEADER.size, *sizes[:-1]]).tolist()
    hashes = content[starts[0] : starts[1]]
    scores = _numbers(content, "<f4", images, starts[1]).astype(np.float32)
    owners = _numbers(content, "<u4", count, starts[2]).astype(np.int64)
    patches = _numbers(content, "<f4", count * dimensions, starts[3]).astype(np.float32).reshape(count, dimensions)
    if not (np.isfinite(scores).all() and np.isfinite(patches).all()) or (owners >= images).any():
        raise BundleError(f"has a window of images with numbers that cannot be; {_CURE}")
    return Window(
        images=tuple(hashes[at : at + 32].hex() for at in range(0, len(hashes), 32)),
        scores=scores,
        memory=Memory(grid=(rows, columns), pool=Pool(patches=patches, owners=owners)),
    )


def _numbers(content: bytes, kind: str, count: int, start: int) -> np.ndarray[Any, np.dtype[Any]]:
    return np.frombuffer(content, kind, count, start)
