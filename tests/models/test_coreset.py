import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import FrameError, InspectionError, OptionError
from sightline.models import coreset
from sightline.models.coreset import greedy_coreset
from sightline.records import FloatArray


def one_at_a_time(patches: FloatArray, count: int, seed: int) -> list[int]:
    """The plain algorithm in float64, differences squared and summed; argmax takes the lowest index of equals."""
    points = patches.astype(np.float64)
    pick = int(np.random.default_rng(seed).integers(len(points)))
    nearest = np.full(len(points), np.inf)
    picks = []
    for _ in range(count):
        picks.append(pick)
        nearest = np.minimum(nearest, ((points - points[pick]) ** 2).sum(axis=1))
        nearest[picks] = -1
        pick = int(nearest.argmax())
    return picks


def radius_of(bank: FloatArray, patches: FloatArray) -> float:
    points, kept = patches.astype(np.float64), bank.astype(np.float64)
    nearest = np.full(len(points), np.inf)
    for b in kept:
        nearest = np.minimum(nearest, ((points - b) ** 2).sum(axis=1))
    return math.sqrt(nearest.max())


def gaussian(n: int, d: int) -> FloatArray:
    return np.random.default_rng(5).standard_normal((n, d), dtype=np.float32)


def clustered(n: int, d: int) -> FloatArray:
    """Twenty curved sheets of three dimensions, of very different sizes."""
    rng = np.random.default_rng(6)
    own = rng.choice(20, n, p=rng.dirichlet(np.full(20, 0.5)))
    centre, sheet = 2 * rng.standard_normal((20, d)), rng.standard_normal((20, 3, d))
    latent = rng.standard_normal((n, 3, 1))
    points = centre[own] + np.tanh((latent * sheet[own]).sum(axis=1)) + 0.02 * rng.standard_normal((n, d))
    return np.asarray(points, np.float32)


def seed_that_starts_at(index: int, n: int) -> int:
    return next(seed for seed in range(1000) if np.random.default_rng(seed).integers(n) == index)


def test_a_line_is_halved_again_and_again() -> None:
    line = np.arange(9, dtype=np.float32)[:, None]
    kept = greedy_coreset(line, 5, seed=seed_that_starts_at(0, 9))
    assert kept.indices.tolist() == [0, 8, 4, 2, 6]
    assert kept.radius == 1


@pytest.mark.parametrize(
    "patches",
    [
        pytest.param(gaussian(5_000, 16), id="gaussian"),
        pytest.param(clustered(5_000, 32), id="clustered"),
        pytest.param(clustered(5_000, 32) + np.float32(3000), id="far from zero"),
        pytest.param(clustered(5_000, 32) * np.float32(1e30), id="huge"),
        pytest.param(clustered(5_000, 32) * np.float32(1e-30), id="tiny"),
        pytest.param(gaussian(5_000, 1), id="one dimension"),
        pytest.param(np.asfortranarray(clustered(10_000, 32)[::2]), id="strided"),
    ],
)
@pytest.mark.parametrize("width", [16, 2048])
def test_picks_are_those_of_the_plain_algorithm(
    patches: FloatArray, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coreset, "_WIDTH", width)
    before = patches.copy()
    kept = greedy_coreset(patches, 120, seed=3)
    assert kept.indices.tolist() == one_at_a_time(patches, 120, 3)
    assert kept.radius == pytest.approx(radius_of(patches[kept.indices], patches), rel=1e-6)
    assert np.array_equal(patches, before)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_ties_and_duplicates_go_to_the_lowest_index(data: st.DataObject) -> None:
    n, d, seed = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 4)), data.draw(st.integers(0, 99))
    values = data.draw(st.lists(st.integers(-3, 3), min_size=n * d, max_size=n * d))
    patches = np.array(values, np.float32).reshape(n, d)
    count = data.draw(st.integers(1, n))
    expected = one_at_a_time(patches, count, seed) if count < n else list(range(n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coreset, "_WIDTH", 3)
        patch.setattr(coreset, "_CELL", 5)
        assert greedy_coreset(patches, count, seed=seed).indices.tolist() == expected


def test_a_lattice_wider_than_a_round_is_picked_in_the_plain_order() -> None:
    lattice = np.stack(np.meshgrid(*[np.arange(17)] * 3), -1).reshape(-1, 3).astype(np.float32)  # 4913
    assert greedy_coreset(lattice, 200).indices.tolist() == one_at_a_time(lattice, 200, 0)


def test_more_picks_than_distinct_patches_end_and_cover_everything() -> None:
    patches = np.repeat(gaussian(50, 8), 800, axis=0)  # 40 000: more alike than can compete in a round
    kept = greedy_coreset(patches, 2000)
    assert len(set(kept.indices.tolist())) == 2000
    assert len(np.unique(patches[kept.indices[:50]], axis=0)) == 50
    assert kept.radius == pytest.approx(0, abs=1e-6)


def test_equal_patches_are_picked_once_each() -> None:
    kept = greedy_coreset(np.full((5000, 4), 0.1, np.float32), 3000)
    assert len(set(kept.indices.tolist())) == 3000
    assert kept.radius == 0


@pytest.mark.parametrize("count", [7, 8, 1000])
def test_all_are_kept_when_as_many_are_asked_for(count: int) -> None:
    kept = greedy_coreset(gaussian(7, 3), count)
    assert kept.indices.tolist() == list(range(7))
    assert kept.radius == 0


def test_block_size_and_cells_change_the_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = clustered(6000, 16)
    expected = greedy_coreset(patches, 100).indices.tolist()
    assert greedy_coreset(patches, 100, block_bytes=1).indices.tolist() == expected
    monkeypatch.setattr(coreset, "_CELL", 6000)
    assert greedy_coreset(patches, 100).indices.tolist() == expected


def test_the_seed_decides_the_first_pick_and_repeats() -> None:
    patches = gaussian(500, 4)
    first = [int(greedy_coreset(patches, 5, seed=seed).indices[0]) for seed in (0, 1, 0)]
    assert first == [int(np.random.default_rng(seed).integers(500)) for seed in (0, 1, 0)]


def test_progress_rises_to_the_count() -> None:
    told: list[tuple[int, int]] = []
    greedy_coreset(gaussian(9000, 8), 300, progress=lambda done, total: told.append((done, total)))
    assert told[0] == (1, 300)
    assert told[-1] == (300, 300)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


@pytest.mark.parametrize(
    ("patches", "count", "block_bytes", "error", "words"),
    [
        pytest.param(np.zeros((0, 4), "f4"), 1, 1, FrameError, "no patches", id="none"),
        pytest.param(np.zeros((4, 0), "f4"), 1, 1, FrameError, "no patches", id="no dimensions"),
        pytest.param(np.zeros(4, "f4"), 1, 1, FrameError, r"shape \(4,\)", id="flat"),
        pytest.param(np.array([[0, 1], [np.nan, 1]], "f4"), 1, 1, FrameError, "NaN or infinite", id="nan"),
        pytest.param(np.array([[0, 1], [-np.inf, 1]], "f4"), 1, 1, FrameError, "NaN or infinite", id="infinite"),
        pytest.param(np.zeros((4, 2), "f4"), 0, 1, OptionError, "count is 0", id="count"),
        pytest.param(np.zeros((4, 2), "f4"), 1, 0, OptionError, "block_bytes is 0", id="block"),
    ],
)
def test_wrong_input_is_one_clear_line(
    patches: FloatArray, count: int, block_bytes: int, error: type[InspectionError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        greedy_coreset(patches, count, block_bytes=block_bytes)
    assert "\n" not in str(caught.value)


def test_a_longer_choice_begins_with_the_shorter() -> None:
    patches = clustered(6000, 16)
    long, short = greedy_coreset(patches, 400).indices, greedy_coreset(patches, 150).indices
    assert long[:150].tolist() == short.tolist()
