"""A rendered data set on disk, in the layout of MVTec AD."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.errors import DatasetError, OptionError, StoreError
from sightline.imaging.depth import DEPTH_MARK
from sightline.synthesis.defects import DefectType
from sightline.synthesis.parts import PartConfig, render
from sightline.synthesis.profiler import Profiler
from sightline.synthesis.relief import ShapeDefect

MOST_PICTURES = 100_000  # of one kind; also what keeps their seeds apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many pictures of each kind."""

    good_train: int = 60
    good_test: int = 20
    per_defect: int = 6

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not 0 <= value <= MOST_PICTURES:
                raise OptionError(f"{name} is {value}; give a number from 0 to {MOST_PICTURES}.")
        if self.total == 0:
            raise OptionError("all counts are 0; ask for at least one picture.")

    @property
    def total(self) -> int:
        """Pictures in all, masks and depth maps not counted, defects of shape neither."""
        return self.good_train + self.good_test + self.per_defect * len(DefectType)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    folder: str
    index: int
    stream: int  # one number per kind of picture, so that no count changes another kind's pictures
    defect: DefectType | ShapeDefect | None = None


def write_dataset(
    folder: Path,
    config: PartConfig,
    counts: Counts,
    *,
    seed: int = 0,
    profiler: Profiler | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render `train/good`, `test/good`, `test/<defect>` and `ground_truth/<defect>/NNN_mask.png` into `folder`.

    Each picture depends on the seed, its kind and its own number only: the same seed gives the same files byte for
    byte, and a larger set begins with the smaller one's pictures. The folder appears whole or not at all.

    Args:
        folder: does not exist yet, or is empty; its parents are made.
        config: how the parts look.
        counts: how many of each.
        seed: 0 or more.
        profiler: a 3D camera, whose depth map is written beside each picture as NNN.depth.png, and for which defects
            of shape (`ShapeDefect`) are made as well; the pictures are the same without.
        progress: is called after each picture with how many are done and how many there will be.

    Raises:
        OptionError: the seed is negative.
        DatasetError: the folder is there already and not empty, or is a file.
        StoreError: it cannot be written.
    """
    if seed < 0:
        raise OptionError(f"seed is {seed}; give 0 or more.")
    refuse_occupied(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as workshop:
            built = Path(workshop) / "built"  # a plain mkdir's permissions; the temporary folder's are the owner's only
            items = list(_items(counts, [*DefectType, *(ShapeDefect if profiler else ())]))
            for done, item in enumerate(items, start=1):
                _write_item(built, item, config, seed, profiler)
                if progress:
                    progress(done, len(items))
            move_into_place(built, folder)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror or error}); choose another place.") from error


def refuse_occupied(folder: Path) -> None:
    """Raise DatasetError where a new data set cannot appear: the folder is not empty, or is no folder."""
    if folder.is_dir():
        if any(folder.iterdir()):
            raise DatasetError(f"{folder}: the folder is not empty; give a new one, or empty it first.")
    elif folder.exists() or folder.is_symlink():
        raise DatasetError(f"{folder}: is there already and is not a folder; give a new folder.")


def _items(counts: Counts, defects: Sequence[DefectType | ShapeDefect]) -> Iterator[_Item]:
    yield from (_Item(folder="train/good", index=i, stream=0) for i in range(counts.good_train))
    yield from (_Item(folder="test/good", index=i, stream=1) for i in range(counts.good_test))
    for stream, defect in enumerate(defects, start=2):
        for index in range(counts.per_defect):
            yield _Item(folder=f"test/{defect}", index=index, stream=stream, defect=defect)


def _write_item(root: Path, item: _Item, config: PartConfig, seed: int, profiler: Profiler | None) -> None:
    rng = np.random.default_rng((seed, item.stream, item.index))
    part = render(config, rng, defect=item.defect, profiler=profiler)
    name = f"{item.index:03d}"
    _write_png(root / item.folder / f"{name}.png", part.pixels[..., ::-1])  # OpenCV's order is BGR
    if part.depth is not None:
        _write_png(root / item.folder / f"{name}{DEPTH_MARK}.png", part.depth)
    if item.defect:
        mask = part.mask.astype(np.uint8) * 255
        _write_png(root / "ground_truth" / item.defect / f"{name}_mask.png", mask)


def _write_png(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    encoded, data = cv2.imencode(".png", np.ascontiguousarray(pixels))
    assert encoded, "PNG takes 8 and 16 bit pictures of 1 and 3 channels"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data.tobytes())
        file.flush()
        os.fsync(file.fileno())


def move_into_place(built: Path, folder: Path) -> None:
    """Let the folder appear whole; raises DatasetError if it was filled meanwhile, OSError if it cannot be moved."""
    try:
        built.replace(folder)  # replaces an empty folder; one that was filled meanwhile is refused
    except OSError:
        refuse_occupied(folder)
        raise
