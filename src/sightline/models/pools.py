"""The patches that banks are chosen from, fold by fold, within a bounded memory.

What fits is kept whole. Of more, each chunk of images is reduced, as it streams by, to its own coreset, and banks are
chosen from the union of those (composable coresets: Indyk et al. 2014, PODS). A patch lies within its chunk's radius of
one that was kept, so a bank's radius is at most its radius over the union plus the largest of the chunks' radii. On
399,360 patches of magnetic tiles, a bank of 4,000 chosen like this had a radius 12 % larger than one chosen from
everything, whether a chunk held 1 image or 128, with the same mean distance: small chunks are as good and cost less.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.models.coreset import bytes_per_patch, greedy_coreset
from sightline.models.features import Extractor, Frames, Progress
from sightline.records import FloatArray

MOST_WHOLE = 1 << 20  # patches kept whole; beyond that, choosing from everything takes far longer and gains little
_CHUNK = 1 << 15  # patches that are reduced together, in whole images
_KEPT = 32  # one of so many is kept, but enough for ...
_BANKS = 8  # ... this many times the bank

Seen = Callable[[int, FloatArray], None]
Numbers = NDArray[np.int32]
PatchesOf = Callable[[Sequence[int]], Iterator[FloatArray]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Patches, and where each is from."""

    patches: FloatArray  # (n, D) float32
    owners: Numbers  # (n,) which image
    cells: Numbers  # (n,) which of its rows * columns places, row by row; -1: not known

    def without(self, oldest: int) -> "Pool":
        """What is left when images 0 .. oldest - 1 are forgotten; image `oldest` becomes image 0."""
        stays = self.owners >= oldest
        owners = self.owners[stays] - np.int32(oldest)
        return Pool(patches=self.patches[stays], owners=owners, cells=self.cells[stays])

    def chosen(self, count: int, seed: int, progress: Callable[[int, int], None] | None = None) -> "Pool":
        """The greedy coreset of at most `count`, in the order picked: any beginning of it is the smaller coreset."""
        picks = greedy_coreset(self.patches, min(count, len(self.patches)), seed=seed, progress=progress).indices
        return Pool(patches=self.patches[picks], owners=self.owners[picks], cells=self.cells[picks])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gathered:
    """What a pass over the images brought in."""

    pools: list[Pool]  # one per fold
    reduced: bool  # by chunks, as not everything fits
    patches_of: PatchesOf  # the chosen frames' patches again, (rows * columns, D) each


def joined(pools: Sequence[Pool]) -> Pool:
    """All of them, one after the other."""
    return Pool(
        patches=np.concatenate([pool.patches for pool in pools]),
        owners=np.concatenate([pool.owners for pool in pools]),
        cells=np.concatenate([pool.cells for pool in pools]),
    )


def gather(
    frames: Frames,
    features: Extractor,
    folds: Sequence[Sequence[int]],
    *,
    count: int,
    held: int = 0,
    first_owner: int = 0,
    memory_bytes: int,
    seed: int = 0,
    seen: Seen | None = None,
    progress: Progress | None = None,
) -> Gathered:
    """Extract the frames' patches, each fold's into a pool of its own.

    Args:
        count: size of the banks to be chosen.
        held: patches that take part in the choice and are held already.
        first_owner: the number that frame 0 has as an owner.
        memory_bytes: for all patches, a copy of them, and the choice from that copy.
        seen: told each frame's number and patches, (rows * columns, D), as they come by.

    Raises:
        OptionError: the memory does not even hold two banks. FrameError: a frame cannot be used.
    """
    rows, columns = features.grid
    total = len(frames) * rows * columns
    room = memory_bytes // bytes_per_patch(features.config.dimensions) - held
    if total <= min(room, MOST_WHOLE):
        return _whole(frames, features, folds, first_owner, seen, progress)
    if room < 2 * count:
        raise OptionError(
            f"memory {memory_bytes / 2**20:.0f} MiB is too little for a bank of {count} patches of "
            f"{features.config.dimensions} dimensions; give more, or keep fewer."
        )
    share = min(1.0, min(room, max(total // _KEPT, _BANKS * count)) / total)
    order = [member for members in folds for member in members]
    stream = _shown(features.extract(frames, order, progress), order, seen)
    return Gathered(
        pools=[_reduced(stream, members, share, first_owner, rows * columns, seed) for members in folds],
        reduced=True,
        patches_of=lambda members: features.extract(frames, members),
    )


def _shown(stream: Iterator[FloatArray], order: Sequence[int], seen: Seen | None) -> Iterator[FloatArray]:
    for frame, patches in zip(order, stream, strict=True):
        if seen:
            seen(frame, patches)
        yield patches


def _whole(
    frames: Frames,
    features: Extractor,
    folds: Sequence[Sequence[int]],
    first_owner: int,
    seen: Seen | None,
    progress: Progress | None,
) -> Gathered:
    order = [member for members in folds for member in members]
    per_frame = features.grid[0] * features.grid[1]
    patches = np.empty((len(order), per_frame, features.config.dimensions), np.float32)
    for row, values in enumerate(_shown(features.extract(frames, order, progress), order, seen)):
        patches[row] = values
    owners, cells = _places([first_owner + member for member in order], per_frame)
    flat = patches.reshape(-1, patches.shape[2])
    edges = per_frame * np.cumsum([0, *(len(members) for members in folds)])
    row_of = {member: row for row, member in enumerate(order)}
    return Gathered(
        pools=[Pool(patches=flat[a:b], owners=owners[a:b], cells=cells[a:b]) for a, b in pairwise(edges)],
        reduced=False,
        patches_of=lambda members: (patches[row_of[member]] for member in members),
    )


def _reduced(
    stream: Iterator[FloatArray], members: Sequence[int], share: float, first_owner: int, per_frame: int, seed: int
) -> Pool:
    """The next `len(members)` frames of the stream, chunk by chunk; each keeps the share, rounded up."""
    step = max(1, _CHUNK // per_frame)
    kept = []
    for start in range(0, len(members), step):
        chunk = [first_owner + member for member in members[start : start + step]]
        patches = np.concatenate(list(islice(stream, len(chunk))))
        owners, cells = _places(chunk, per_frame)
        pool = Pool(patches=patches, owners=owners, cells=cells)
        kept.append(pool.chosen(int(np.ceil(share * len(patches))), seed))
    return joined(kept)


def _places(images: Sequence[int], per_frame: int) -> tuple[Numbers, Numbers]:
    """Owners and cells of all patches of these images, one image after the other."""
    owners = np.repeat(np.array(images, np.int32), per_frame)
    return owners, np.tile(np.arange(per_frame, dtype=np.int32), len(images))
