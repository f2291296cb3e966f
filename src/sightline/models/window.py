"""What an extendable model remembers of the good images it was made from, oldest first, and how a file keeps it.

Layout of the bytes, all numbers little-endian, nothing between or after the parts:

    header   "SLW1", then n, M, D, rows, columns, G as uint32; G is 0 where there is no prior on position
    images   (n, 32) uint8, the SHA-256 of each image's decoded pixels
    scores   (n,) float32, each by a bank that did not know the image
    owners   (M,) uint32, which image a patch is from
    patches  (M, D) float32, in the order in which they were picked
    weights  (3,) float32 where G is not 0: of the distances to the bank and to the place's Gaussian, and how many
             feature vectors there were per place
    means    (G, D) float32, of these feature vectors
    squares  (G, D (D + 1) / 2) float32, the mean products of their components, upper triangle
"""

import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sightline.errors import BundleError
from sightline.models.gaussians import Moments, gaussians_of, squares_of
from sightline.models.pools import Pool
from sightline.records import FloatArray

_HEADER = struct.Struct("<4s6I")
_MAGIC = b"SLW1"
_CURE = "copy it again from where it was made, or train again"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prior:
    """The prior on position, and how it counts beside the bank."""

    moments: Moments
    weights: tuple[float, float]  # of the distance to the nearest of the bank, and to the place's Gaussian

    def fading(self, share: float) -> "Prior":
        """With this share of what it stands on: single frames cannot be taken out again, so all fade alike."""
        return replace(self, moments=self.moments.weighted(share))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Memory:
    """Patches that stand for all good ones; the beginning of them is the bank."""

    grid: tuple[int, int]  # rows and columns of patches in an image
    pool: Pool
    prior: Prior | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Good images, oldest first."""

    images: tuple[str, ...]  # SHA-256 of the decoded pixels, hex
    scores: FloatArray  # (n,) float32, by a bank that did not know the image
    memory: Memory  # its pool's owners are places in `images`

    def forgetting(self, oldest: int) -> "Window":
        """Without the `oldest` first images, their scores and their patches; the prior fades by their share."""
        pool, prior = self.memory.pool.without(oldest), self.memory.prior
        share = 1 - oldest / len(self.images) if self.images else 1.0
        return Window(
            images=self.images[oldest:],
            scores=self.scores[oldest:],
            memory=Memory(grid=self.memory.grid, pool=pool, prior=prior.fading(share) if prior else None),
        )

    def to_bytes(self) -> bytes:
        pool, grid, prior = self.memory.pool, self.memory.grid, self.memory.prior
        count, dimensions = pool.patches.shape
        places = len(prior.moments.total) if prior else 0
        return b"".join(
            [
                _HEADER.pack(_MAGIC, len(self.images), count, dimensions, *grid, places),
                bytes.fromhex("".join(self.images)),
                self.scores.astype("<f4").tobytes(),
                pool.owners.astype("<u4").tobytes(),
                pool.patches.astype("<f4").tobytes(),
                _prior_bytes(prior) if prior else b"",
            ]
        )


def from_bytes(content: bytes) -> Window:
    """The window in `content`, of which nothing is trusted.

    Raises:
        BundleError: the sizes do not add up, a number is not finite, or a patch is of no image; without the path.
    """
    if len(content) < _HEADER.size or not content.startswith(_MAGIC):
        raise BundleError(f"does not hold the window of images that it should; {_CURE}")
    _, images, count, dimensions, rows, columns, places = _HEADER.unpack_from(content)
    prior_bytes = 4 * (3 + places * (dimensions + dimensions * (dimensions + 1) // 2)) if places else 0
    sizes = [32 * images, 4 * images, 4 * count, 4 * count * dimensions, prior_bytes]
    if len(content) != _HEADER.size + sum(sizes) or not (dimensions and rows and columns):
        raise BundleError(f"has a window of images of {len(content)} bytes, which is not the size it states; {_CURE}")
    starts = np.cumsum([_HEADER.size, *sizes[:-1]]).tolist()
    hashes = content[starts[0] : starts[1]]
    scores = _numbers(content, "<f4", images, starts[1]).astype(np.float32)
    owners = _numbers(content, "<u4", count, starts[2])
    patches = _numbers(content, "<f4", count * dimensions, starts[3]).astype(np.float32).reshape(count, dimensions)
    prior = _prior(_numbers(content, "<f4", prior_bytes // 4, starts[4]), places, dimensions) if places else None
    finite = np.isfinite(scores).all() and np.isfinite(patches).all() and (prior is None or _is_sound(prior))
    _, down, across = squares_of((rows, columns))
    if not finite or (owners >= images).any() or places not in (0, down * across):
        raise BundleError(f"has a window of images with numbers that cannot be; {_CURE}")
    return Window(
        images=tuple(hashes[at : at + 32].hex() for at in range(0, len(hashes), 32)),
        scores=scores,
        memory=Memory(grid=(rows, columns), pool=_pool(patches, owners), prior=prior),
    )


def _pool(patches: FloatArray, owners: np.ndarray[Any, np.dtype[Any]]) -> Pool:
    """Where in their images the patches lie is not among what is remembered; `models.exemplars` may know it."""
    return Pool(patches=patches, owners=owners.astype(np.int32), cells=np.full(len(patches), -1, np.int32))


def _prior_bytes(prior: Prior) -> bytes:
    moments, dimensions = prior.moments, prior.moments.total.shape[1]
    n = np.float32(max(moments.count, 1.0))
    head = np.array([*prior.weights, moments.count], "<f4")
    upper = np.triu_indices(dimensions)
    return b"".join(
        part.astype("<f4").tobytes() for part in (head, moments.total / n, moments.squares[:, upper[0], upper[1]] / n)
    )


def _prior(numbers: FloatArray, places: int, dimensions: int) -> Prior:
    nearest, place, count = (float(value) for value in numbers[:3])
    total, upper = np.split(numbers[3:], [places * dimensions])
    rows, columns = np.triu_indices(dimensions)
    squares = np.empty((places, dimensions, dimensions), np.float32)
    squares[:, rows, columns] = squares[:, columns, rows] = upper.reshape(places, -1)
    n = np.float32(max(count, 1.0))
    moments = Moments(count=count, total=n * total.reshape(places, dimensions), squares=n * squares)
    return Prior(moments=moments, weights=(nearest, place))


def _is_sound(prior: Prior) -> bool:
    moments = prior.moments
    if not (min(prior.weights) > 0 and moments.count >= 0 and np.isfinite([*prior.weights, moments.count]).all()):
        return False
    if not (np.isfinite(moments.total).all() and np.isfinite(moments.squares).all()):
        return False
    try:
        gaussians_of(moments)
    except np.linalg.LinAlgError:  # no features have such a covariance
        return False
    return True


def _numbers(content: bytes, kind: str, count: int, start: int) -> np.ndarray[Any, np.dtype[Any]]:
    return np.frombuffer(content, kind, count, start)
