"""Patches within bounded memory: whole where they fit, else chunk by chunk, and always known by their image."""

import math
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from sightline.errors import OptionError
from sightline.models import pools
from sightline.models.coreset import bytes_per_patch, greedy_coreset
from sightline.models.features import FeatureConfig, Frames, Progress
from sightline.models.folds import folds_of
from sightline.models.graph import GraphBuilder
from sightline.models.pools import Pool, gather, joined
from sightline.records import FloatArray, Frame

FRAMES = [Frame(pixels=np.zeros((1, 1, 1), np.uint8))] * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Patches of twenty curved sheets instead of a backbone's; the index alone decides what a frame has."""

    config: FeatureConfig
    grid: tuple[int, int] = (10, 20)

    def append_to(self, builder: GraphBuilder, image: str) -> str:
        raise AssertionError("nothing here needs a graph")

    def extract(self, frames: Frames, chosen: Sequence[int], progress: Progress | None = None) -> Iterator[FloatArray]:
        return (self.patches(index) for index in chosen)

    def patches(self, index: int) -> FloatArray:
        d, count = self.config.dimensions, self.grid[0] * self.grid[1]
        shape = np.random.default_rng(0)
        centre, sheet = 2 * shape.standard_normal((20, d)), shape.standard_normal((20, 3, d))
        rng = np.random.default_rng([1, index])
        own = rng.choice(20, count)
        points = centre[own] + np.tanh((rng.standard_normal((count, 3, 1)) * sheet[own]).sum(axis=1))
        return np.asarray(points, np.float32)


DRAWN = Drawn(config=FeatureConfig(dimensions=16))
FOLDS = folds_of(60, 5, 0)
EVERYTHING = np.concatenate([DRAWN.patches(index) for index in range(60)])  # 12,000 patches
TIGHT = 3_000 * bytes_per_patch(16)


def radius_of(bank: FloatArray, patches: FloatArray) -> float:
    return max(
        math.sqrt(((patches[k : k + 100, None] - bank[None]) ** 2).sum(axis=2).min(axis=1).max())
        for k in range(0, len(patches), 100)
    )


def test_what_fits_is_kept_whole_fold_by_fold() -> None:
    found = gather(FRAMES, DRAWN, FOLDS, count=50, memory_bytes=2**30)
    assert not found.reduced
    for members, pool in zip(FOLDS, found.pools, strict=True):
        assert np.array_equal(pool.patches, np.concatenate([DRAWN.patches(index) for index in members]))
        assert np.array_equal(pool.owners, np.repeat(members, 200))
    assert [patches.tolist() for patches in found.patches_of([7, 3])] == [DRAWN.patches(i).tolist() for i in (7, 3)]


@pytest.mark.parametrize("memory", [2**30, TIGHT])
def test_every_patch_is_the_one_of_its_image_and_cell(memory: int) -> None:
    for pool in gather(FRAMES, DRAWN, FOLDS, count=50, first_owner=100, memory_bytes=memory).pools:
        chosen = joined([pool, pool]).chosen(60, 0)
        for patch, owner, cell in zip(chosen.patches, chosen.owners, chosen.cells, strict=True):
            assert (DRAWN.patches(owner - 100)[cell] == patch).all()


@pytest.mark.parametrize(("chunk", "worse"), [(200, 1.5), (2_000, 1.3)], ids=["of one image", "of ten"])
def test_a_bank_from_chunks_covers_nearly_as_well_as_one_from_everything(
    chunk: int, worse: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "_CHUNK", chunk)
    found = gather(FRAMES, DRAWN, FOLDS, count=150, memory_bytes=TIGHT)
    assert found.reduced
    bank = joined(found.pools).chosen(150, 0).patches
    assert radius_of(bank, EVERYTHING) < worse * greedy_coreset(EVERYTHING, 150).radius


def test_the_memory_bounds_what_is_kept_and_the_bank_bounds_it_from_below() -> None:
    kept = {memory: gather(FRAMES, DRAWN, FOLDS, count=50, memory_bytes=memory) for memory in (TIGHT, TIGHT // 15)}
    sizes = [len(joined(found.pools).owners) for found in kept.values()]
    assert sizes[0] == pytest.approx(400, rel=0.05)  # eight banks; one in 32 would be fewer
    assert sizes[1] <= 200 + len(FOLDS)  # what the memory holds; each chunk rounds up


def test_more_patches_than_are_worth_it_are_reduced_though_they_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "MOST_WHOLE", 11_999)
    assert gather(FRAMES, DRAWN, FOLDS, count=50, memory_bytes=2**30).reduced


def test_what_is_held_already_takes_its_share_of_the_memory() -> None:
    memory = 12_000 * bytes_per_patch(16)
    assert not gather(FRAMES, DRAWN, FOLDS, count=50, memory_bytes=memory).reduced
    assert gather(FRAMES, DRAWN, FOLDS, count=50, held=1, memory_bytes=memory).reduced


@pytest.mark.parametrize("memory_mib", [2, 16])
def test_gathering_and_choosing_keep_to_the_memory(memory_mib: int) -> None:
    fine = Drawn(config=FeatureConfig(dimensions=32), grid=(20, 20))  # 24,000 patches
    budget = memory_mib << 20
    tracemalloc.start()
    found = gather(FRAMES, fine, FOLDS, count=500, memory_bytes=budget)
    joined(found.pools).chosen(500, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.reduced == (memory_mib == 2)
    assert peak < budget + (8 << 20)  # products and contenders, of any choice


def test_a_memory_that_holds_no_two_banks_is_refused() -> None:
    with pytest.raises(OptionError, match=r"^memory 1 MiB is too little for a bank of 9000 patches of 16 dimensions"):
        gather(FRAMES, DRAWN, FOLDS, count=9000, memory_bytes=2**20)


def test_forgetting_drops_the_oldest_images_patches_and_counts_anew() -> None:
    pool = Pool(
        patches=np.arange(8, dtype=np.float32)[:, None],
        owners=np.array([3, 0, 1, 2, 0, 3, 2, 1], np.int32),
        cells=np.arange(8, dtype=np.int32),
    )
    left = pool.without(2)
    assert left.patches.ravel().tolist() == [0, 3, 5, 6]
    assert left.owners.tolist() == [1, 0, 1, 0]
    assert left.cells.tolist() == [0, 3, 5, 6]
