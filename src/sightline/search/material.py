"""What a search compares models on: good pictures held out, and defects that are no part of the test split.

Real defects count where the training and validation splits have enough of them. Else defects are painted onto the good
pictures held out: a stand-in, which tells a model that sees nothing from one that sees much, and no more.

Where names are searched for, defects are learnt from too, and of every kind a part is held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from sightline.datasets.dataset import GOOD, Dataset
from sightline.datasets.duplicates import duplicates
from sightline.datasets.frames import FrameFiles
from sightline.datasets.splits import split
from sightline.datasets.survey import survey
from sightline.datasets.synthetic import NAME_PREFIX, file_digest, is_synthetic, marked
from sightline.errors import DatasetError, OptionError, StoreError
from sightline.files import write_bytes
from sightline.imaging.writing import png
from sightline.models.features import Progress
from sightline.records import Frame
from sightline.synthesis.painting import PaintKind, paint_defect
from sightline.synthesis.scene import look_at

Task = Literal["auto", "anomaly", "names"]

FEWEST_GOOD = 20  # to search at all
FEWEST_OF_A_KIND = 8  # pictures of a kind of defect, so that some are held out and some calibrate
_ENOUGH_DEFECTS = 20  # real ones; below it defects are painted
_MOST = 100  # pictures of each kind that a trial judges
_HELD_OUT_SHARE, _FEWEST_HELD_OUT = 0.25, 8
_SEVERITY = 0.15, 0.8  # of painted defects, from hardly visible to plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The two sides of every trial; no picture is in both, nor a near duplicate."""

    learn: Dataset  # good pictures; with those of defects, where names are learnt
    good: tuple[Path, ...]  # held out
    defects: tuple[Path, ...]
    painted: bool  # whether the defects were painted by us
    kinds: tuple[str, ...] = ()  # of the defects, one for each; none where no names are learnt

    @property
    def told(self) -> str:
        """In words."""
        kind = "painted" if self.painted else "real"
        shown = f"{len(self.good)} good pictures held out and {len(self.defects)} {kind} defects"
        return f"{shown} of {len(set(self.kinds))} kinds, held out too" if self.kinds else shown


def nameable(dataset: Dataset) -> dict[str, int]:
    """Kinds of defect with enough pictures outside the test split for a search to hold some out, and how many."""
    labels = [
        sample.label
        for sample in (*dataset.train, *dataset.validation)
        if not sample.is_good and not is_synthetic(sample.path)
    ]
    counts = {label: labels.count(label) for label in sorted(set(labels))}
    return {label: count for label, count in counts.items() if count >= FEWEST_OF_A_KIND}


def prepare_named(dataset: Dataset, seed: int, max_megapixels: float) -> Material:
    """Divide good pictures and each kind of defect that is `nameable`; near duplicates stay on one side.

    Pictures of the test split are not looked at. Made-up defects are learnt from, and judge nothing.

    Raises:
        DatasetError: fewer than two kinds of defect have FEWEST_OF_A_KIND pictures.
    """
    kinds = nameable(dataset)
    if len(kinds) < 2:
        raise DatasetError(
            f"{dataset.root}: has {len(kinds)} kinds of defect with {FEWEST_OF_A_KIND} pictures outside its test split."
            " A search for names holds some out; give two such kinds at least, better with 50 pictures each."
        )
    seen = (*dataset.train, *dataset.validation)
    labels = {*kinds, *([GOOD] if sum(sample.is_good for sample in seen) >= FEWEST_OF_A_KIND else [])}
    offered = tuple(replace(sample, split="train") for sample in seen if sample.label in labels)
    divided = _split(replace(dataset, samples=offered), _HELD_OUT_SHARE, seed, max_megapixels)
    judged = [sample for sample in divided.validation if not sample.is_good]
    place = {sample.path: sample.label for sample in judged}
    defects = _some([sample.path for sample in judged], _MOST, seed)
    return Material(
        learn=replace(divided, samples=divided.train),
        good=tuple(_some([sample.path for sample in divided.validation if sample.is_good], _MOST, seed)),
        defects=tuple(defects),
        painted=False,
        kinds=tuple(place[path] for path in defects),
    )


def prepare(dataset: Dataset, folder: Path, seed: int, max_megapixels: float, progress: Progress | None) -> Material:
    """Divide the good pictures, and find or paint defects; what is painted is kept in `folder/painted`.

    Near duplicates stay on one side. Pictures of the test split are not looked at.

    Raises:
        DatasetError: fewer than FEWEST_GOOD good pictures. FrameError: a picture cannot be read or painted on.
        StoreError: the folder cannot be written.
    """
    good = dataset.train_good
    if len(good) < FEWEST_GOOD:
        raise DatasetError(
            f"{dataset.root}: has {len(good)} good training pictures; a search holds some of them out, so give at "
            f"least {FEWEST_GOOD}, better 100."
        )
    learn, held = _divided(dataset, seed, max_megapixels)
    defects_seen = (sample.path for sample in (*dataset.validation, *dataset.train) if not sample.is_good)
    real = [path for path in defects_seen if not is_synthetic(path)]
    chosen = _some(held, _MOST, seed)
    if len(real) >= _ENOUGH_DEFECTS:
        defects, painted = _some(real, _MOST, seed), False
    else:
        defects, painted = _painted(chosen, folder / "painted", seed, max_megapixels, progress), True
    return Material(learn=learn, good=tuple(chosen), defects=tuple(defects), painted=painted)


def _divided(dataset: Dataset, seed: int, max_megapixels: float) -> tuple[Dataset, list[Path]]:
    """The good training pictures to learn from, and those held out; a validation split of good ones is taken as is."""
    validation = [sample.path for sample in dataset.validation if sample.is_good]
    whole = replace(dataset, samples=dataset.train_good)
    if len(validation) >= _FEWEST_HELD_OUT:
        return whole, validation
    share = max(_HELD_OUT_SHARE, _FEWEST_HELD_OUT / len(whole.samples))
    divided = _split(whole, share, seed, max_megapixels)
    return replace(divided, samples=divided.train), [sample.path for sample in divided.validation]


def _split(whole: Dataset, share: float, seed: int, max_megapixels: float) -> Dataset:
    """With so large a share of each label as validation pictures; near duplicates on one side."""
    seen = survey(whole, max_megapixels=max_megapixels, progress=False)
    groups = [[sample.path for sample in group.samples] for group in duplicates(seen.looks)]
    return split(whole, {"train": 1 - share, "validation": share}, seed, groups)


def _some(paths: Sequence[Path], most: int, seed: int) -> list[Path]:
    """At most so many, drawn once, in their order."""
    drawn = np.sort(np.random.default_rng(seed).permutation(len(paths))[:most])
    return [paths[int(index)] for index in drawn]


def _painted(
    paths: Sequence[Path], folder: Path, seed: int, max_megapixels: float, progress: Progress | None
) -> list[Path]:
    """Each picture with one defect, written once and found again when a search goes on."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}). Check the disk and the folder.") from error
    frames = FrameFiles(paths=paths, max_megapixels=max_megapixels)
    written = []
    for index in range(len(paths)):
        path = folder / f"{NAME_PREFIX}{seed}_{index:03}.png"
        if not path.is_file():
            _paint(frames[index], path, np.random.default_rng((seed, index)), index, file_digest(paths[index]))
        written.append(path)
        if progress:
            progress("painting defects", index + 1, len(paths))
    return written


def _paint(frame: Frame, path: Path, rng: np.random.Generator, first: int, source: str) -> None:
    """Write the picture with a defect of the first kind that shows on it."""
    scene, kinds = look_at(frame), list(PaintKind)
    for turn in range(len(kinds)):
        try:
            spoilt = paint_defect(scene, kinds[(first + turn) % len(kinds)], rng, float(rng.uniform(*_SEVERITY)))
            break
        except OptionError:
            if turn == len(kinds) - 1:
                raise
    pixels = np.rint(np.clip(spoilt.values, 0, 1) * (2**frame.bit_depth - 1)).astype(frame.pixels.dtype)
    write_bytes(path, marked(png(pixels), (source,)))
