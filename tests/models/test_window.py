"""The window of remembered images: what is written is what is read, and nothing else is."""

import numpy as np
import pytest

from sightline.errors import BundleError
from sightline.models.pools import Pool
from sightline.models.window import Memory, Window, from_bytes


def small_window() -> Window:
    rng = np.random.default_rng(0)
    pool = Pool(patches=rng.standard_normal((6, 4), dtype=np.float32), owners=np.array([2, 0, 1, 1, 2, 0]))
    return Window(
        images=tuple(digit * 64 for digit in "0af"),
        scores=np.array([1.5, 0.25, 3], np.float32),
        memory=Memory(grid=(8, 12), pool=pool, prior=None),
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


def test_what_is_written_is_read() -> None:
    assert same(from_bytes(small_window().to_bytes()), small_window())


def test_a_window_of_nothing_is_written_and_read() -> None:
    nothing = small_window().forgetting(3)
    assert (nothing.images, len(nothing.scores), nothing.memory.pool.patches.shape) == ((), 0, (0, 4))
    assert same(from_bytes(nothing.to_bytes()), nothing)


def test_forgetting_takes_image_score_and_patches_together() -> None:
    left = small_window().forgetting(1)
    assert left.images == ("a" * 64, "f" * 64)
    assert left.scores.tolist() == [0.25, 3]
    assert left.memory.pool.owners.tolist() == [1, 0, 0, 1]
    assert np.array_equal(left.memory.pool.patches, small_window().memory.pool.patches[[0, 2, 3, 4]])


GOOD = small_window().to_bytes()
SCORES, OWNERS = 24 + 3 * 32, 24 + 3 * 36


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "does not hold the window", id="empty"),
        pytest.param(b"SLW9" + GOOD[4:], "does not hold the window", id="another kind"),
        pytest.param(GOOD[:20], "does not hold the window", id="cut in the header"),
        pytest.param(GOOD[:-1], "not the size it states", id="cut"),
        pytest.param(GOOD + b"\0", "not the size it states", id="something after it"),
        pytest.param(GOOD[:8] + b"\xff" * 4 + GOOD[12:], "not the size it states", id="states too much"),
        pytest.param(GOOD[:16] + bytes(4) + GOOD[20:], "not the size it states", id="no rows"),
        pytest.param(
            GOOD[:SCORES] + b"\0\0\xc0\x7f" + GOOD[SCORES + 4 :], "numbers that cannot be", id="a score of NaN"
        ),
        pytest.param(GOOD[:-4] + b"\0\0\x80\x7f", "numbers that cannot be", id="an infinite patch"),
        pytest.param(GOOD[:OWNERS] + b"\3" + GOOD[OWNERS + 1 :], "numbers that cannot be", id="a patch of no image"),
    ],
)
def test_a_damaged_window_is_refused_in_one_line(content: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        from_bytes(content)
    assert str(caught.value).isprintable()
