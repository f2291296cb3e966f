"""Pieces of the good pictures that a bank's patches are from, so that a person sees what a part was compared with.

An excerpt is a square of 8 x 8 cells around a block of 4 x 4, so patches that lie together share one, and each has its
surroundings. Excerpts are kept in the order in which the patches were picked, as many as the limits let: the first of
a greedy choice stand for all (`models.coreset`). What is kept as a file stays the same bytes when a model is extended.

Layout of the bytes, all numbers little-endian, nothing between or after the parts:

    header    "SLX1", then n patches, m excerpts, rows, columns, t as uint32
    cells     (n,) uint32, where in its picture each patch lies, row by row; patches in the order of the bank and, where
              the model can be extended, of what it remembers beyond that
    places    (n,) uint32, which excerpt shows the patch; 0xffffffff: none
    lengths   (m,) uint32, bytes of each excerpt
    names     t bytes, UTF-8, the m names of the files that the excerpts are from, a line feed between each two
    excerpts  the m files, WebP, one after the other
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import BundleError, FrameError
from sightline.imaging.decode import decode
from sightline.imaging.heat import Rgb
from sightline.imaging.overlay import to_8bit
from sightline.models.features import Frames, Progress
from sightline.models.pools import Numbers, Pool
from sightline.models.window import Memory
from sightline.records import Frame

SIDE_PX = 96  # of an excerpt as it is kept
SPAN = 8  # cells that it shows along each side
MOST_BYTES = 1_500_000  # of all excerpts together
MOST = 3_000  # excerpts: as many as the patches that a model of the default size remembers
_BLOCK = 4  # cells; patches in one block share an excerpt
_QUALITY = 80  # of WebP: below it fine texture goes, which is what good patches are told apart by
_MOST_NAME = 100  # characters
_HEADER = struct.Struct("<4s5I")
_MAGIC = b"SLX1"
_NONE = 0xFFFFFFFF
_CURE = "copy it again from where it was made, or train again"

Key = tuple[int, int, int]  # image, and row and column of the block within it


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A piece of a good picture."""

    content: bytes = field(repr=False)  # WebP, SIDE_PX x SIDE_PX
    name: str  # of the picture's file


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exemplars:
    """What is kept of the good pictures, patch by patch in the order of the bank."""

    grid: tuple[int, int]  # rows and columns of patches in a picture
    cells: Numbers  # (n,) where in its picture each patch lies, row by row; -1: not known
    places: Numbers  # (n,) which excerpt shows it; -1: none
    excerpts: tuple[Excerpt, ...]

    def first(self, count: int) -> "Exemplars":
        """Of the `count` first patches alone, as a model takes them that is not extended."""
        places = self.places[:count]
        used = np.unique(places[places >= 0])
        renumbered = np.where(places >= 0, np.searchsorted(used, places), -1).astype(np.int32)
        excerpts = tuple(self.excerpts[place] for place in used)
        return Exemplars(grid=self.grid, cells=self.cells[:count], places=renumbered, excerpts=excerpts)

    def to_bytes(self) -> bytes:
        names = "\n".join(excerpt.name for excerpt in self.excerpts).encode()
        lengths = np.array([len(excerpt.content) for excerpt in self.excerpts], "<u4")
        return b"".join(
            [
                _HEADER.pack(_MAGIC, len(self.cells), len(self.excerpts), *self.grid, len(names)),
                *(part.astype(np.int64).astype("<u4").tobytes() for part in (self.cells, self.places)),
                lengths.tobytes(),
                names,
                *(excerpt.content for excerpt in self.excerpts),
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The cells that an excerpt shows; those of a picture with fewer than SPAN rows or columns, all of them."""

    top: int
    left: int
    rows: int
    columns: int

    @classmethod
    def around(cls, row: int, column: int, grid: tuple[int, int]) -> Self:
        """Those of the block that a cell lies in."""
        margin = (SPAN - _BLOCK) // 2
        return cls.at(row // _BLOCK * _BLOCK - margin, column // _BLOCK * _BLOCK - margin, grid)

    @classmethod
    def at(cls, top: int, left: int, grid: tuple[int, int]) -> Self:
        """From this cell on, moved into the picture where it would leave it."""
        rows, columns = min(SPAN, grid[0]), min(SPAN, grid[1])
        top, left = min(max(top, 0), grid[0] - rows), min(max(left, 0), grid[1] - columns)
        return cls(top=top, left=left, rows=rows, columns=columns)


def cut(frame: Frame, span: Span, grid: tuple[int, int], side_px: int = SIDE_PX) -> Rgb:
    """(side_px, side_px, 3) uint8, what a frame shows in these cells."""
    top, bottom = (frame.height * row // grid[0] for row in (span.top, span.top + span.rows))
    left, right = (frame.width * column // grid[1] for column in (span.left, span.left + span.columns))
    piece = to_8bit(frame.pixels[top : max(bottom, top + 1), left : max(right, left + 1)], frame.bit_depth)
    smaller = min(piece.shape[:2]) >= side_px
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(piece, (side_px, side_px), interpolation=how).astype(np.uint8, copy=False)


def keep(
    frames: Frames,
    memory: Memory,
    *,
    older: int = 0,
    known: Mapping[Key, Excerpt] | None = None,
    progress: Progress | None = None,
) -> Exemplars:
    """Cut the excerpts of all patches that a model remembers, out of pictures that are read once more, one by one.

    Args:
        frames: the new ones; the first is owner number `older` of the memory's pool.
        known: excerpts of older images, by those same numbers.

    Raises:
        FrameError: a frame cannot be read any more.
    """
    keys = _keys(memory.pool, memory.grid)
    wanted = [key for key in dict.fromkeys(keys) if key is not None][:MOST]
    found = dict(known or {})
    new = sorted(key for key in wanted if key[0] >= older)
    for owner, of_owner in groupby(new, key=itemgetter(0)):
        frame = frames[owner - older]
        found |= {key: _excerpt(frame, key, memory.grid) for key in of_owner}
        if progress:
            progress("excerpts", owner - older + 1, len(frames))
    order = _within_limit([(key, found[key]) for key in wanted if key in found])
    places = {key: place for place, (key, _) in enumerate(order)}
    return Exemplars(
        grid=memory.grid,
        cells=memory.pool.cells,
        places=np.array([-1 if key is None else places.get(key, -1) for key in keys], np.int32),
        excerpts=tuple(excerpt for _, excerpt in order),
    )


def by_image(exemplars: Exemplars, owners: Numbers, forgotten: int) -> dict[Key, Excerpt]:
    """What is kept, by image and block, when the oldest images are forgotten, for `keep`.

    Args:
        owners: (n,) which image each patch is from.
    """
    pool = Pool(patches=np.empty((len(owners), 0), np.float32), owners=owners, cells=exemplars.cells)
    rows = zip(_keys(pool, exemplars.grid), exemplars.places, strict=True)
    return {
        (key[0] - forgotten, *key[1:]): exemplars.excerpts[place]
        for key, place in rows
        if key is not None and place >= 0 and key[0] >= forgotten
    }


def from_bytes(content: bytes) -> Exemplars:
    """The exemplars in `content`, of which nothing is trusted; the pictures themselves are decoded by `picture`.

    Raises:
        BundleError: the sizes do not add up, or a patch lies nowhere; without the path.
    """
    if len(content) < _HEADER.size or not content.startswith(_MAGIC):
        raise BundleError(f"does not hold the pieces of good pictures that it should; {_CURE}")
    _, count, kept, rows, columns, text = _HEADER.unpack_from(content)
    fixed = _HEADER.size + 4 * (2 * count + kept) + text
    if fixed > len(content) or not (rows and columns):
        raise BundleError(f"has pieces of good pictures of {len(content)} bytes, fewer than it states; {_CURE}")
    numbers: NDArray[np.uint32] = np.frombuffer(content, "<u4", 2 * count + kept, _HEADER.size)
    cells, places, lengths = np.split(numbers.astype(np.int64), [count, 2 * count])
    names = content[fixed - text : fixed].decode("utf-8", "replace").split("\n") if kept else []
    cells[cells == _NONE], places[places == _NONE] = -1, -1
    sound = fixed + lengths.sum() == len(content) and len(names) == kept
    if not sound or (cells >= rows * columns).any() or (places >= kept).any() or (cells[places >= 0] < 0).any():
        raise BundleError(f"has pieces of good pictures that do not fit together; {_CURE}")
    edges = fixed + np.cumsum([0, *lengths])
    return Exemplars(
        grid=(rows, columns),
        cells=cells.astype(np.int32),
        places=places.astype(np.int32),
        excerpts=tuple(Excerpt(content=content[edges[at] : edges[at + 1]], name=name) for at, name in enumerate(names)),
    )


def picture(excerpt: Excerpt, side_px: int) -> Rgb:
    """(side_px, side_px, 3) uint8.

    Raises:
        BundleError: it is damaged; without the path.
    """
    try:
        frame = decode(excerpt.content, source=excerpt.name, max_megapixels=SIDE_PX**2 / 1e6)
    except FrameError as error:
        raise BundleError(f"has a damaged piece of a good picture ({error}); {_CURE}") from error
    whole = Span(top=0, left=0, rows=1, columns=1)
    return cut(frame, whole, (1, 1), side_px)


def _keys(pool: Pool, grid: tuple[int, int]) -> list[Key | None]:
    """Image and block of each patch; None where its place is not known."""
    rows, columns = np.divmod(pool.cells, grid[1])
    found = zip(pool.owners.tolist(), (rows // _BLOCK).tolist(), (columns // _BLOCK).tolist(), strict=True)
    return [key if cell >= 0 else None for key, cell in zip(found, pool.cells.tolist(), strict=True)]


def _excerpt(frame: Frame, key: Key, grid: tuple[int, int]) -> Excerpt:
    pixels = cut(frame, Span.around(key[1] * _BLOCK, key[2] * _BLOCK, grid), grid)
    made, content = cv2.imencode(".webp", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    assert made, "WebP takes small pictures of 8 bits"
    name = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in Path(frame.source).name
    )
    return Excerpt(content=content.tobytes(), name=name[-_MOST_NAME:])


def _within_limit(found: list[tuple[Key, Excerpt]]) -> list[tuple[Key, Excerpt]]:
    """As many of the first as take MOST_BYTES."""
    sizes = np.cumsum([len(excerpt.content) for _, excerpt in found])
    return found[: int(np.searchsorted(sizes, MOST_BYTES, side="right"))]
