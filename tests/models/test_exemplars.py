"""Pieces of good pictures: cut where the patches lie, shared, bounded, and read with suspicion."""

import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest

from sightline.errors import BundleError
from sightline.models import exemplars
from sightline.models.exemplars import SIDE_PX, Excerpt, Exemplars, Span, cut, from_bytes, keep, picture
from sightline.models.pools import Pool
from sightline.models.window import Memory
from sightline.records import Frame

GRID = (16, 24)


def frame(number: int, bit_depth: int = 8) -> Frame:
    """128 x 192 px, every cell of 8 px a grey of its own picture and place."""
    cells = (np.arange(GRID[0] * GRID[1]).reshape(GRID) * 7 + 31 * number) % 200 + 20
    pixels = np.kron(cells, np.ones((8, 8)))[:, :, None].astype(np.uint8)
    if bit_depth > 8:
        return Frame(pixels=(pixels.astype(np.uint16) << 4).astype(np.uint16), bit_depth=12, source=f"in/{number}.png")
    return Frame(pixels=pixels, source=f"in/{number}.png")


def memory(*places: tuple[int, int, int]) -> Memory:
    """Of patches at (image, row, column)."""
    owners, rows, columns = np.array(places, np.int32).T
    cells = np.where(rows < 0, -1, rows * GRID[1] + columns).astype(np.int32)
    pool = Pool(patches=np.zeros((len(places), 2), np.float32), owners=owners.astype(np.int32), cells=cells)
    return Memory(grid=GRID, pool=pool, prior=None)


FRAMES = [frame(0), frame(1), frame(2)]
KEPT = keep(FRAMES, memory((2, 0, 0), (0, 5, 9), (2, 1, 3), (1, 15, 23)))


def test_patches_of_one_block_share_an_excerpt_and_each_names_its_picture() -> None:
    assert KEPT.places.tolist() == [0, 1, 0, 2]
    assert [excerpt.name for excerpt in KEPT.excerpts] == ["2.png", "0.png", "1.png"]
    assert KEPT.cells.tolist() == [0, 5 * 24 + 9, 24 + 3, 15 * 24 + 23]


@pytest.mark.parametrize("entry", range(4))
def test_an_excerpt_shows_the_patch_where_its_span_says(entry: int) -> None:
    row, column = divmod(int(KEPT.cells[entry]), GRID[1])
    span = Span.around(row, column, GRID)
    assert (span.top <= row < span.top + span.rows, span.left <= column < span.left + span.columns) == (True, True)
    shown = picture(KEPT.excerpts[KEPT.places[entry]], SIDE_PX).astype(int)
    side = SIDE_PX // 8
    middle = shown[(row - span.top) * side + side // 2, (column - span.left) * side + side // 2]
    owner = [2, 0, 2, 1][entry]
    assert np.abs(middle - int(FRAMES[owner].pixels[8 * row + 4, 8 * column + 4, 0])).max() <= 6  # WebP loses a little


def test_deeper_pixels_are_shown_in_8_bits() -> None:
    deep = picture(keep([frame(0, 12)], memory((0, 5, 9))).excerpts[0], SIDE_PX)
    flat = picture(keep([frame(0)], memory((0, 5, 9))).excerpts[0], SIDE_PX)
    assert np.abs(deep.astype(int) - flat).mean() < 2


def test_a_picture_of_few_cells_is_shown_whole() -> None:
    assert Span.around(2, 1, (4, 3)) == Span(top=0, left=0, rows=4, columns=3)
    assert cut(FRAMES[0], Span.at(0, 0, GRID), GRID).shape == (SIDE_PX, SIDE_PX, 3)


def test_what_is_written_is_read() -> None:
    read = from_bytes(KEPT.to_bytes())
    assert (read.grid, read.excerpts) == (KEPT.grid, KEPT.excerpts)
    assert (read.cells.tolist(), read.places.tolist()) == (KEPT.cells.tolist(), KEPT.places.tolist())
    nothing = keep([], replace(memory((0, -1, 0)), grid=GRID))
    assert from_bytes(nothing.to_bytes()).places.tolist() == [-1]


def test_the_first_patches_take_their_excerpts_along_and_no_others() -> None:
    less = KEPT.first(3)
    assert (less.places.tolist(), less.excerpts) == ([0, 1, 0], KEPT.excerpts[:2])
    swapped = replace(KEPT, places=np.array([2, 0, -1, 1], np.int32)).first(3)
    assert (swapped.places.tolist(), swapped.excerpts) == ([1, 0, -1], (KEPT.excerpts[0], KEPT.excerpts[2]))


def test_as_many_of_the_first_are_kept_as_the_limits_let(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [len(excerpt.content) for excerpt in KEPT.excerpts]
    monkeypatch.setattr(exemplars, "MOST_BYTES", sizes[0] + sizes[1])
    assert keep(FRAMES, memory((2, 0, 0), (0, 5, 9), (2, 1, 3), (1, 15, 23))).places.tolist() == [0, 1, 0, -1]
    monkeypatch.setattr(exemplars, "MOST", 1)
    assert keep(FRAMES, memory((2, 0, 0), (0, 5, 9), (2, 1, 3), (1, 15, 23))).places.tolist() == [0, -1, 0, -1]


def test_noise_stays_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exemplars, "MOST_BYTES", 200_000)
    rng = np.random.default_rng(0)
    noise = [Frame(pixels=rng.integers(0, 256, (128, 192, 3), np.uint8).astype(np.uint8)) for _ in range(4)]
    everywhere = memory(*((image, row, column) for image in range(4) for row in range(16) for column in range(24)))
    found = keep(noise, everywhere)
    assert 0.9 * exemplars.MOST_BYTES < sum(len(one.content) for one in found.excerpts) <= exemplars.MOST_BYTES
    assert found.places[0] == 0


def test_forgetting_keeps_the_younger_pictures_pieces_byte_for_byte() -> None:
    known = exemplars.by_image(KEPT, np.array([2, 0, 2, 1], np.int32), 1)
    assert {key[0] for key in known} == {0, 1}
    after = memory((1, 0, 0), (0, 15, 23), (2, 3, 3), (1, -1, 0))  # image 2 is new, one patch's place is not known
    again = keep([frame(7)], after, older=2, known=known)
    assert again.excerpts[:2] == (KEPT.excerpts[0], KEPT.excerpts[2])
    assert again.excerpts[2].name == "7.png"
    assert again.places.tolist() == [0, 1, 2, -1]


def test_names_are_one_line_and_short() -> None:
    odd = replace(FRAMES[0], source="in/" + "x" * 300 + "\n\u2028.png")
    (excerpt,) = keep([odd], memory((0, 0, 0))).excerpts
    assert excerpt.name.isprintable()
    assert len(excerpt.name) == 100
    assert from_bytes(keep([odd], memory((0, 0, 0))).to_bytes()).excerpts == (excerpt,)


GOOD = KEPT.to_bytes()
HEADER = 24


def put(place: int, number: int) -> bytes:
    return GOOD[:place] + struct.pack("<I", number) + GOOD[place + 4 :]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "does not hold the pieces", id="empty"),
        pytest.param(b"SLX9" + GOOD[4:], "does not hold the pieces", id="another kind"),
        pytest.param(GOOD[:-1], "do not fit together", id="cut"),
        pytest.param(GOOD + b"\0", "do not fit together", id="something after it"),
        pytest.param(GOOD[: HEADER + 4], "fewer than it states", id="cut early"),
        pytest.param(put(4, 0xFFFFFFFF), "fewer than it states", id="too many patches"),
        pytest.param(put(12, 0), "fewer than it states", id="no rows"),
        pytest.param(put(HEADER, 16 * 24), "do not fit together", id="a patch beside its picture"),
        pytest.param(put(HEADER + 16, 3), "do not fit together", id="an excerpt that is none"),
        pytest.param(put(HEADER + 32, 0xFFFFFFFF), "do not fit together", id="a length beyond the end"),
        pytest.param(put(HEADER, 0xFFFFFFFF), "do not fit together", id="an excerpt of no place"),
    ],
)
def test_a_damaged_album_is_refused_in_one_line(content: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        from_bytes(content)
    assert str(caught.value).isprintable()
    assert "train again" in str(caught.value)


def test_a_damaged_or_huge_piece_is_refused_in_one_line() -> None:
    whole = KEPT.excerpts[0].content
    _, huge = cv2.imencode(".webp", np.zeros((SIDE_PX + 1, SIDE_PX, 3), np.uint8))
    for content in (b"", whole[:40], b"\x89PNG\r\n\x1a\n" + whole, huge.tobytes()):
        with pytest.raises(BundleError, match="damaged piece of a good picture"):
            picture(Excerpt(content=content, name="a.png"), SIDE_PX)


def test_exemplars_of_nothing_have_no_excerpt() -> None:
    none = Exemplars(grid=GRID, cells=np.zeros(0, np.int32), places=np.zeros(0, np.int32), excerpts=())
    assert from_bytes(none.to_bytes()).excerpts == ()
