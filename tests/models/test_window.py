"""The window of remembered images: what is written is what is read, and nothing else is."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from sightline.errors import BundleError
from sightline.models.gaussians import Moments, places_of
from sightline.models.pools import Pool
from sightline.models.window import Memory, Prior, Window, from_bytes

GRID, D = (8, 12), 4  # 96 places
IMAGES = tuple(digit * 64 for digit in "0af")


def small_prior() -> Prior:
    patches = np.random.default_rng(1).standard_normal((3, 96, D), dtype=np.float32)
    moments = Moments.none(96, D)
    moments.add(patches, places_of(GRID))
    return Prior(moments=moments, weights=(0.5, 0.25))


def small_window(prior: Prior | None = None) -> Window:
    rng = np.random.default_rng(0)
    patches = rng.standard_normal((6, D), dtype=np.float32)
    owners = np.array([2, 0, 1, 1, 2, 0], np.int32)
    pool = Pool(patches=patches, owners=owners, cells=np.full(6, -1, np.int32))
    return Window(
        images=IMAGES,
        scores=np.array([1.5, 0.25, 3], np.float32),
        memory=Memory(grid=GRID, pool=pool, prior=prior),
    )


def same(one: Window, other: Window) -> bool:
    return (one.images, one.memory.grid) == (other.images, other.memory.grid) and all(
        np.array_equal(a, b)
        for a, b in (
            (one.scores, other.scores),
            (one.memory.pool.patches, other.memory.pool.patches),
            (one.memory.pool.owners, other.memory.pool.owners),
        )
    )


def prior_of(window: Window) -> Prior:
    assert window.memory.prior is not None
    return window.memory.prior


def alike(one: Prior, other: Prior) -> bool:
    """The file has means, the memory sums: a last digit may differ."""
    a, b = one.moments, other.moments
    return (
        (one.weights, a.count) == (other.weights, b.count)
        and np.allclose(a.total, b.total, rtol=1e-6, atol=1e-6)
        and np.allclose(a.squares, b.squares, rtol=1e-6, atol=1e-6)
    )


def test_what_is_written_is_read() -> None:
    read = from_bytes(small_window().to_bytes())
    assert same(read, small_window())
    assert read.memory.prior is None


def test_a_prior_is_written_and_read_beside_the_rest() -> None:
    read = from_bytes(small_window(small_prior()).to_bytes())
    assert same(read, small_window())
    assert alike(prior_of(read), small_prior())


def test_reading_and_writing_again_and_again_changes_nothing() -> None:
    once = small_window(small_prior()).to_bytes()
    twice = from_bytes(once).to_bytes()
    again = twice
    for _ in range(5):
        again = from_bytes(again).to_bytes()
    assert len(once) == len(twice) == len(again)
    assert alike(prior_of(from_bytes(again)), small_prior())


@pytest.mark.parametrize("prior", [None, small_prior()], ids=["without prior", "with prior"])
def test_a_window_of_nothing_is_written_and_read(prior: Prior | None) -> None:
    nothing = small_window(prior).forgetting(3)
    assert (nothing.images, len(nothing.scores), nothing.memory.pool.patches.shape) == ((), 0, (0, D))
    read = from_bytes(nothing.to_bytes())
    assert same(read, nothing)
    if prior:
        assert prior_of(read).moments.count == 0
        assert not prior_of(read).moments.squares.any()
        assert prior_of(read).weights == prior.weights


def test_forgetting_takes_image_score_and_patches_together() -> None:
    left = small_window().forgetting(1)
    assert left.images == ("a" * 64, "f" * 64)
    assert left.scores.tolist() == [0.25, 3]
    assert left.memory.pool.owners.tolist() == [1, 0, 0, 1]
    assert np.array_equal(left.memory.pool.patches, small_window().memory.pool.patches[[0, 2, 3, 4]])


def test_forgetting_fades_the_prior_by_the_share_of_the_images_that_go() -> None:
    before = small_prior()
    after = prior_of(small_window(before).forgetting(1))
    assert after.moments.count == pytest.approx(2)
    np.testing.assert_allclose(after.moments.total, before.moments.total * 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(after.moments.squares, before.moments.squares * 2 / 3, rtol=1e-6)
    assert after.weights == before.weights
    assert alike(prior_of(small_window(before).forgetting(0)), before)


PLAIN, GOOD = small_window().to_bytes(), small_window(small_prior()).to_bytes()
HEADER = 28
SCORES, OWNERS = HEADER + 3 * 32, HEADER + 3 * 36
WEIGHTS = len(PLAIN)
MEANS, SQUARES = WEIGHTS + 12, WEIGHTS + 12 + 96 * D * 4
NAN, INFINITY = b"\0\0\xc0\x7f", b"\0\0\x80\x7f"


def put(content: bytes, place: int, part: bytes) -> bytes:
    return content[:place] + part + content[place + len(part) :]


def of_other_places() -> bytes:
    """All sizes add up, but there are 95 places and the grid has 96."""
    moments = small_prior().moments
    fewer = replace(moments, total=moments.total[:95], squares=moments.squares[:95])
    return small_window(Prior(moments=fewer, weights=(0.5, 0.25))).to_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "does not hold the window", id="empty"),
        pytest.param(put(GOOD, 0, b"SLW9"), "does not hold the window", id="another kind"),
        pytest.param(GOOD[:20], "does not hold the window", id="cut in the header"),
        pytest.param(GOOD[:-1], "not the size it states", id="cut"),
        pytest.param(GOOD + b"\0", "not the size it states", id="something after it"),
        pytest.param(put(GOOD, 8, b"\xff" * 4), "not the size it states", id="states too much"),
        pytest.param(put(GOOD, 24, b"\xff" * 4), "not the size it states", id="states too many places"),
        pytest.param(put(GOOD, 24, bytes(4)), "not the size it states", id="a prior that is not stated"),
        pytest.param(put(GOOD, 16, bytes(4)), "not the size it states", id="no rows"),
        pytest.param(put(GOOD, SCORES, NAN), "numbers that cannot be", id="a score of NaN"),
        pytest.param(put(PLAIN, len(PLAIN) - 4, INFINITY), "numbers that cannot be", id="an infinite patch"),
        pytest.param(put(GOOD, OWNERS, b"\3"), "numbers that cannot be", id="a patch of no image"),
        pytest.param(put(GOOD, WEIGHTS, NAN), "numbers that cannot be", id="a weight of NaN"),
        pytest.param(put(GOOD, WEIGHTS, struct.pack("<f", -1)), "numbers that cannot be", id="a negative weight"),
        pytest.param(put(GOOD, WEIGHTS + 4, bytes(4)), "numbers that cannot be", id="a weight of nothing"),
        pytest.param(put(GOOD, WEIGHTS + 8, struct.pack("<f", -3)), "numbers that cannot be", id="a negative count"),
        pytest.param(put(GOOD, WEIGHTS + 8, INFINITY), "numbers that cannot be", id="an infinite count"),
        pytest.param(put(GOOD, MEANS, NAN), "numbers that cannot be", id="a mean of NaN"),
        pytest.param(put(GOOD, len(GOOD) - 4, INFINITY), "numbers that cannot be", id="an infinite square"),
        pytest.param(
            put(GOOD, SQUARES, struct.pack("<f", -100)), "numbers that cannot be", id="a covariance that none has"
        ),
        pytest.param(put(GOOD, 16, b"\xff" * 8), "numbers that cannot be", id="a grid too large for any memory"),
        pytest.param(of_other_places(), "numbers that cannot be", id="places of another grid"),
    ],
)
def test_a_damaged_window_is_refused_in_one_line(content: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        from_bytes(content)
    assert str(caught.value).isprintable()
