"""The patches worth keeping: greedy k-centre selection, exact, for about the price of one matrix product.

    Gonzalez 1985, Theoretical Computer Science 38: always take the point farthest from those taken; the
        distance left over is at most twice that of the best possible choice.
    Roth et al. 2022, arXiv 2106.08265, section 3.2, algorithm 1: the bank of PatchCore is chosen this way.

Taken one at a time, each pick costs a pass over all patches. Here a round takes hundreds: the few thousand patches
farthest from the bank compete among themselves for as long as the best of them is farther than any other
patch can be; one blocked matrix product then brings all patches up to date. They lie in memory in cells of near
neighbours, and by the triangle inequality most new picks are too far from a cell to change anything in it.

The bulk is float32 with a bound on its error; picks are decided in float64, beyond that bound. So they are the
picks of the one-at-a-time algorithm, ties going to the lowest index. Only where distances differ by less than
float32 can tell, for more patches than can compete at once, is any of these taken for the farthest.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import FrameError, OptionError
from sightline.records import FloatArray

Progress = Callable[[int, int], None]  # (picked so far, to pick)
Indices = NDArray[np.int64]
Exact = NDArray[np.float64]
Rows = NDArray[np.floating[Any]]  # (n, D + 2): x, |x|^2, 1

_CELL = 1024  # patches a cell holds at most: smaller ones prune more but cost more calls; tuned on N = 400 000
_AXES = 8  # principal directions along which cells are cut
_WIDTH = 2048  # patches that compete in a round
_WIDEST_BYTES = 16 << 20  # of float64 rows: as many compete where the farthest are all alike
_BLOCK_BYTES = 2 << 20  # of one product: written and reduced within the cache


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coreset:
    """Which patches to keep, and how well they stand for the rest."""

    indices: Indices  # (min(count, N),) int64, in the order picked
    radius: float  # largest distance from any patch to the nearest kept one, in embedding units


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Box:
    """Coordinates in which all patches lie within -1..1, so that no square overflows or vanishes."""

    middle: FloatArray  # (D,), after scaling
    scale: float  # a power of two, so scaling is exact

    def rows(self, patches: FloatArray, dtype: type[np.floating[Any]]) -> Rows:
        """A row times a centre (`_centres`) is their squared distance, norms included."""
        d = patches.shape[1]
        rows = np.ones((len(patches), d + 2), dtype)
        np.multiply(patches, self.scale, out=rows[:, :d])
        rows[:, :d] -= self.middle
        np.einsum("ij,ij->i", rows[:, :d], rows[:, :d], out=rows[:, d])
        return rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cloud:
    """All patches, neighbours side by side, and how far each is from the picks so far."""

    box: _Box
    order: Indices  # (N,) which patch lies here
    rows: Rows  # (N, D + 2) float32
    spread: FloatArray  # (N,) distance to the middle of its cell
    nearest: FloatArray  # (N,) squared distance to the nearest pick, updated in place; -inf: is a pick
    starts: Indices  # (C,) where each cell begins
    middles: Rows  # (C, D + 2) float32
    slack: float  # at most this far is a float32 squared distance from the true one


def greedy_coreset(
    patches: FloatArray,
    count: int,
    *,
    seed: int = 0,
    block_bytes: int = _BLOCK_BYTES,
    progress: Progress | None = None,
) -> Coreset:
    """Pick `count` patches, each the farthest from those before it; the first is drawn by `seed`.

    Args:
        patches: (N, D) float32, finite, N >= 1.
        count: how many to keep, >= 1; from N on, all are kept, in the order given.
        block_bytes: size of one block of the matrix product. Besides that and some 50 MB, the working memory
            is 4 D + 88 bytes a patch and 8 D + 24 bytes a pick.
        progress: called after each round with (picked so far, to pick).

    Raises:
        FrameError: there are no patches, or some are not finite.
        OptionError: count or block_bytes is less than 1.
    """
    box = _check(patches, count)
    if block_bytes < 1:
        raise OptionError(f"block_bytes is {block_bytes}; give at least 1.")
    if count >= len(patches):
        return Coreset(indices=np.arange(len(patches)), radius=0.0)
    cloud = _arrange(patches, box)
    bank = np.empty((count, patches.shape[1] + 2))  # picks as centres
    picks = np.empty(count, np.int64)  # places in the cloud
    new = np.flatnonzero(cloud.order == np.random.default_rng(seed).integers(len(patches)))
    done = 0
    while True:
        picks[done : done + len(new)] = new
        bank[done : done + len(new)] = _centres(box.rows(patches[cloud.order[new]], np.float64))
        _update(cloud, new, block_bytes)
        done += len(new)
        if progress:
            progress(done, count)
        if done == count:
            break
        new = _round(patches, cloud, bank[:done], count - done, block_bytes)
    left = _contenders(patches, cloud, bank, _WIDTH, block_bytes)[2].max()
    return Coreset(indices=cloud.order[picks], radius=math.sqrt(max(left, 0.0)) / box.scale)


def bytes_per_patch(d: int) -> int:
    """What a patch of d dimensions takes at the peak: where it lies, a copy to choose from, and the choice."""
    return 4 * d + 4 * d + (4 * d + 88) + 16  # two indices say whose it is


def _check(patches: FloatArray, count: int) -> _Box:
    if count < 1:
        raise OptionError(f"count is {count}; keep at least 1 patch.")
    if patches.ndim != 2:
        raise FrameError(f"patches have shape {patches.shape}; expected (N, D).")
    if 0 in patches.shape:
        raise FrameError("there are no patches to choose from; give at least one good picture.")
    low, high = patches.min(axis=0).astype(np.float64), patches.max(axis=0).astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise FrameError("some patches are NaN or infinite; check the backbone and the picture they come from.")
    _, exponent = math.frexp((high - low).max() / 2)
    scale = math.ldexp(1.0, max(-126, min(126, -exponent)))
    # the middle, not the mean: on whole numbers it leaves every coordinate exact, so that ties remain ties
    return _Box(middle=((low + high) / 2 * scale).astype(np.float32), scale=scale)


def _centres(rows: Rows) -> Rows:
    """Rows as the other factor: -2 b, 1, |b|^2."""
    centres = -2 * rows
    centres[:, -2], centres[:, -1] = 1, rows[:, -2]
    return centres


def _lower(nearest: NDArray[np.floating[Any]], rows: Rows, centres: Rows, block_bytes: int) -> None:
    """Lower `nearest` (n,) in place to the squared distance to the nearest of the centres."""
    step = max(1, block_bytes // max(1, nearest.nbytes))
    for k in range(0, len(centres), step):
        np.minimum(nearest, (centres[k : k + step] @ rows.T).min(axis=0), out=nearest)  # (k, n): contiguous minima


def _arrange(patches: FloatArray, box: _Box) -> _Cloud:
    n, d = patches.shape
    order, starts = _cells(patches, box)
    rows = np.empty((n, d + 2), np.float32)
    spread = np.empty(n, np.float32)
    middles = np.empty((len(starts), d), np.float32)
    for cell, (a, b) in enumerate(_spans(starts, n)):
        rows[a:b] = box.rows(patches[order[a:b]], np.float32)
        middles[cell] = rows[a:b, :d].mean(axis=0)
        spread[a:b] = np.linalg.norm(rows[a:b, :d] - middles[cell], axis=1)
    squares = np.einsum("ij,ij->i", middles, middles)[:, None]
    return _Cloud(
        box=box,
        order=order,
        rows=rows,
        spread=spread,
        nearest=np.full(n, np.inf, np.float32),
        starts=starts,
        middles=np.hstack([middles, squares, np.ones_like(squares)]),
        # a dot product of d + 2 terms, (|x| + |b|)^2 <= 4 max |x|^2: Higham 2002, section 3.1
        slack=4 * (d + 4) * 2.0**-24 * float(rows[:, d].max()) + 1e-30,  # never 0: equal patches are ties
    )


def _cells(patches: FloatArray, box: _Box) -> tuple[Indices, Indices]:
    """Cut the patches into cells of near neighbours: (N,) their order, (C,) where in it each cell starts."""
    n, d = patches.shape
    sample = box.rows(patches[:: max(1, n >> 14)], np.float64)[:, :d]
    sample -= sample.mean(axis=0)
    axes = np.linalg.eigh(sample.T @ sample)[1][:, -_AXES:]
    along = (axes * box.scale).astype(np.float32).T @ patches.T  # (<= 8, N); a shift does not matter here
    order, starts, todo = np.arange(n), [], [(0, n)]
    while todo:
        a, b = todo.pop()
        if b - a <= _CELL:
            starts.append(a)
            continue
        widest = along[:, order[a : b : max(1, (b - a) >> 10)]].var(axis=1).argmax()
        half = (b - a) // 2
        order[a:b] = order[a:b][np.argpartition(along[widest, order[a:b]], half)]
        todo += [(a + half, b), (a, a + half)]
    return order, np.array(starts)


def _spans(starts: Indices, n: int) -> Iterator[tuple[int, int]]:
    return zip(starts.tolist(), [*starts[1:].tolist(), n], strict=True)


def _update(cloud: _Cloud, new: Indices, block_bytes: int) -> None:
    """Bring `nearest` up to date with the picks that lie at `new`.

    A pick at distance g from the middle of a cell is no nearer than g - spread to any patch of it.
    """
    centres = _centres(cloud.rows[new])
    reach = np.maximum.reduceat(cloud.spread + np.sqrt(np.maximum(cloud.nearest, 0)), cloud.starts)
    limit = (reach * (1 + 1e-5)) ** 2 + 2 * cloud.slack
    spans = list(_spans(cloud.starts, len(cloud.order)))
    for first in range(0, len(spans), 64):
        near = cloud.middles[first : first + 64] @ centres.T < limit[first : first + 64, None]
        for (a, b), touching in zip(spans[first : first + 64], near, strict=True):
            _lower(cloud.nearest[a:b], cloud.rows[a:b], centres[touching], block_bytes)
    cloud.nearest[new] = -np.inf


def _contenders(
    patches: FloatArray, cloud: _Cloud, bank: Rows, width: int, block_bytes: int
) -> tuple[Indices, Rows, Exact, float]:
    """The `width` patches farthest from the bank: places, by index; rows; exact distances; most of any other's."""
    places, outside = np.arange(len(cloud.order)), -math.inf
    if width < len(places):
        ranked = np.argpartition(cloud.nearest, -width - 1)
        places, outside = ranked[-width:], float(cloud.nearest[ranked[-width - 1]])
    places = places[np.argsort(cloud.order[places])]
    rows = cloud.box.rows(patches[cloud.order[places]], np.float64)
    nearest = np.where(cloud.nearest[places] < 0, -np.inf, np.inf)
    for k in range(0, width, 256):
        _lower(nearest[k : k + 256], rows[k : k + 256], bank, block_bytes)
    return places, rows, nearest, outside


def _round(patches: FloatArray, cloud: _Cloud, bank: Rows, wanted: int, block_bytes: int) -> Indices:
    """Up to `wanted` further picks, at least one: places in the order picked."""
    widest = min(len(cloud.order), max(_WIDTH, _WIDEST_BYTES // bank[0].nbytes))
    width = min(_WIDTH, widest)
    while True:
        places, rows, nearest, outside = _contenders(patches, cloud, bank, width, block_bytes)
        last = width == widest
        picked = _pick(rows, nearest, outside + (-cloud.slack if last else cloud.slack), wanted)
        if picked:
            return places[picked]
        width = min(4 * width, widest)


def _pick(rows: Rows, nearest: Exact, bound: float, wanted: int) -> list[int]:
    """The farthest of the contenders, one at a time, while it is farther than the bound; `nearest` is used up."""
    centres = _centres(rows)
    picked: list[int] = []
    while len(picked) < wanted:
        best = int(nearest.argmax())
        if not nearest[best] > bound:
            break
        picked.append(best)
        np.minimum(nearest, np.einsum("ij,j->i", rows, centres[best]), out=nearest)  # too small for threads: no BLAS
        nearest[best] = -np.inf
    return picked
