"""Gaussians of good features, one for each place in the part: the prior on where what belongs.

Defard et al. 2021, "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization",
arXiv 2011.08785, eq. 1 (the covariance with its ridge) and eq. 2 (the Mahalanobis distance). Where there are more
cells than MOST_PLACES, neighbouring cells share a Gaussian: neighbours look alike, and the file stays small.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from sightline.models.graph import GraphBuilder
from sightline.records import FloatArray

DoubleArray = NDArray[np.float64]
MOST_PLACES = 1024  # 6 MB in the file at 64 dimensions
RIDGE = 0.01  # eps of eq. 1, here times the mean variance of a feature, so that the scale does not matter
_LEAST_RIDGE = 1e-6  # pictures that are all alike have no variance; whitening must stay within half precision
_ROUNDING = 1e-5  # of the squares, which float32 leaves of the difference that a variance is


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """Which cells share a Gaussian."""

    cells: NDArray[np.int64]  # (G, b * b) row-major cell numbers; beyond the edge, the edge's own again
    order: NDArray[np.int64]  # (P,) where each cell stands in `cells`, flattened

    @property
    def count(self) -> int:
        return len(self.cells)


def squares_of(grid: tuple[int, int]) -> tuple[int, int, int]:
    """The side, in cells, of the smallest squares that are no more than MOST_PLACES; how many down and across."""
    rows, columns = grid
    side = max(
        math.isqrt(max(0, -(-rows * columns // MOST_PLACES) - 1)) + 1,  # the cells of each bound it from below ...
        -(-max(grid) // MOST_PLACES),  # ... and so does a single row of them
    )
    while -(-rows // side) * -(-columns // side) > MOST_PLACES:
        side += 1
    return side, -(-rows // side), -(-columns // side)


def places_of(grid: tuple[int, int]) -> Places:
    """The squares of `squares_of`."""
    rows, columns = grid
    side, down, across = squares_of(grid)
    row = np.arange(down)[:, None, None, None] * side + np.arange(side)[None, None, :, None]
    column = np.arange(across)[None, :, None, None] * side + np.arange(side)[None, None, None, :]
    cells = np.minimum(row, rows - 1) * columns + np.minimum(column, columns - 1)
    flat = cells.reshape(-1)
    order = np.zeros(rows * columns, np.int64)
    order[flat[::-1]] = np.arange(len(flat))[::-1]  # the first of several
    return Places(cells=cells.reshape(down * across, side * side), order=order)


def single_cells(grid: tuple[int, int]) -> Places:
    """Every cell by itself, however many there are."""
    cells = np.arange(grid[0] * grid[1])
    return Places(cells=cells[:, None], order=cells)


@dataclass(slots=True, kw_only=True, eq=False)
class Moments:
    """Sums over good frames, from which the Gaussians follow; what was added later can be put aside again by folds."""

    count: float  # of feature vectors per place
    total: FloatArray  # (G, D)
    squares: FloatArray  # (G, D, D), sums of x x^T

    @classmethod
    def none(cls, places: int, dimensions: int) -> "Moments":
        return cls(
            count=0.0,
            total=np.zeros((places, dimensions), np.float32),
            squares=np.zeros((places, dimensions, dimensions), np.float32),
        )

    def add(self, patches: FloatArray, places: Places) -> None:
        """Take in frames' patches, (n, P, D) float32; features have nearly zero mean, so that no digits are lost."""
        x = patches[:, places.cells].transpose(1, 0, 2, 3).reshape(places.count, -1, patches.shape[2])
        self.count += x.shape[1]
        self.total += x.sum(axis=1)
        self.squares += x.transpose(0, 2, 1) @ x

    def weighted(self, weight: float) -> "Moments":
        """As if there had been `weight` times as many frames: how the oldest fade where they cannot be told apart."""
        return Moments(
            count=weight * self.count,
            total=np.float32(weight) * self.total,
            squares=np.float32(weight) * self.squares,
        )


def summed(parts: Sequence[Moments]) -> Moments:
    """Of all the frames together; there must be one part at least."""
    return Moments(
        count=sum(part.count for part in parts),
        total=np.sum([part.total for part in parts], axis=0, dtype=np.float32),
        squares=_sum([part.squares for part in parts]),
    )


def _sum(arrays: Sequence[FloatArray]) -> FloatArray:
    total = arrays[0].copy()  # np.sum would stack them first
    for array in arrays[1:]:
        total += array
    return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gaussians:
    """Ready to measure distances."""

    mean: FloatArray  # (G, D)
    whitening: NDArray[np.float16] | FloatArray  # (G, D, D) upper triangles; (x - mean) @ it has unit covariance


def gaussians_of(moments: Moments) -> Gaussians:
    """Eq. 1 for every place."""
    n = max(moments.count, 1.0)
    mean = moments.total.astype(np.float64) / n
    covariance = moments.squares.astype(np.float64) / n
    covariance -= mean[:, :, None] * mean[:, None, :]
    dimensions = mean.shape[1]
    variance = float(np.trace(covariance, axis1=1, axis2=2).mean()) / dimensions
    largest = float(np.trace(moments.squares, axis1=1, axis2=2).max()) / n
    covariance += max(RIDGE * variance, _ROUNDING * largest, _LEAST_RIDGE) * np.eye(dimensions)
    return Gaussians(mean=mean.astype(np.float32), whitening=whitening(covariance).astype(np.float16))


def whitening(covariance: DoubleArray) -> DoubleArray:
    """(G, D, D) covariances -> (G, D, D) upper triangular matrices W with W W^T the inverse."""
    return np.triu(np.linalg.inv(np.linalg.cholesky(covariance)).transpose(0, 2, 1))  # inv leaves rounding below it


def append_mahalanobis(builder: GraphBuilder, patches: str, gaussians: Gaussians, places: Places) -> str:
    """(P, D) patches -> (P,) Mahalanobis distances, each cell by its place's Gaussian (eq. 2)."""
    count, shared = places.cells.shape
    dimensions = gaussians.mean.shape[1]
    if shared > 1:
        patches = builder.node("Gather", [patches, builder.constant(places.cells.reshape(-1))], {"axis": 0})
    rows = builder.node("Reshape", [patches, builder.int64(count, shared, dimensions)])
    delta = builder.node("Sub", [rows, builder.constant(gaussians.mean[:, None, :])])
    parts = []
    for start, stop in pairwise(sorted({0, dimensions // 2, dimensions})):
        # reading the triangles is most of the work: of their left half, the lower rows are zero and left out
        rows = delta
        if stop < dimensions:
            rows = builder.node("Slice", [delta, builder.int64(0), builder.int64(stop), builder.int64(2)])
        columns = builder.constant(gaussians.whitening[:, :stop, start:stop])
        if gaussians.whitening.dtype == np.float16:  # so in the file, cast once when it is loaded
            columns = builder.node("Cast", [columns], {"to": TensorProto.FLOAT})
        parts.append(builder.node("MatMul", [rows, columns]))
    white = builder.node("Concat", parts, {"axis": 2})
    squared = builder.node("ReduceSumSquare", [white, builder.int64(2)], {"keepdims": 0})
    distances = builder.node("Reshape", [builder.node("Sqrt", [squared]), builder.int64(-1)])
    if shared > 1:
        distances = builder.node("Gather", [distances, builder.constant(places.order)], {"axis": 0})
    return distances
