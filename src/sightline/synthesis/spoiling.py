"""A data set of synthetic defects on disk: real good pictures spoilt, in the layout of MVTec AD, each with its mask.

    TARGET/train/<label>/synthetic_<label>_000.png          marked as datasets/synthetic.py says
    TARGET/ground_truth/<label>/synthetic_<label>_000_mask.png
    TARGET/synthetic.json                                   of what each picture was made, and how
    TARGET/mixed.csv                                        the real pictures with their splits, and these in train

Only training pictures are drawn from, good ones and defects: what is tested with has no share in what is learnt from.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np

from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.datasets.masks import read_mask
from sightline.datasets.synthetic import NAME_PREFIX, is_synthetic
from sightline.errors import DatasetError, FrameError, OptionError
from sightline.files import building
from sightline.imaging.decode import read_frame
from sightline.synthesis.composing import Spoilt
from sightline.synthesis.mixing import Mix, plan
from sightline.synthesis.painting import PaintKind, paint_defect
from sightline.synthesis.pasting import Cutout, Limits, cut_out, paste
from sightline.synthesis.pieces import remove_piece, shift_piece
from sightline.synthesis.provenance import Made, write_lists, write_picture
from sightline.synthesis.scene import Scene, look_at

_ATTEMPTS = 24  # pictures tried for one defect before giving up
_MOST_CUTOUTS = 256  # kept in memory
_LIGHT_STREAM = 1 << 20  # of the seed: the light comes from one side in all pictures of a run


class Kind(StrEnum):
    """What can be put onto a good picture without an example; the values are the default labels."""

    SCRATCH = "scratch"
    CRACK = "crack"
    DENT = "dent"
    STAIN = "stain"
    MISSING = "missing"
    SHIFTED = "shifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoilConfig:
    """What is made."""

    mix: Mix
    kinds: Mapping[Kind, str]  # what is painted -> its label in the data set; may be empty
    severity: tuple[float, float] = (0.1, 1.0)  # of what is painted, drawn evenly: 0 barely visible .. 1 obvious
    limits: Limits = field(default_factory=Limits)  # of what is pasted
    seed: int = 0
    max_megapixels: float = 16.0  # a picture takes about 250 bytes of memory for each of its pixels

    def __post_init__(self) -> None:
        low, high = self.severity
        if not 0 <= low <= high <= 1:
            raise OptionError(f"severity is {low} to {high}; give two values from 0 to 1, the lower one first.")
        for label in self.kinds.values():
            check_label(label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was written."""

    made: tuple[Made, ...]
    real: Mapping[str, int]  # label -> real training pictures beside which they go
    unusable: tuple[str, ...]  # good pictures and defects that could not be used, and why


@dataclass(slots=True, kw_only=True)
class _Bench:
    """What one run works with."""

    config: SpoilConfig
    good: Sequence[Sample]
    donors: Mapping[str, Sequence[Sample]]
    light_rad: float
    cutouts: dict[Path, Cutout]
    unusable: dict[Path, str]


def check_label(label: str) -> None:
    """Raise OptionError unless the label can be the name of a folder of defects."""
    if not label or label == GOOD or label.startswith(".") or set(label) & set('/\\:*?"<>|') or not label.isprintable():
        raise OptionError(f'"{label}" cannot be the label of a defect; it becomes the name of a folder.')


def write_synthetic(
    good: Dataset,
    folder: Path,
    config: SpoilConfig,
    *,
    defects: Dataset | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Run:
    """Spoil good training pictures and write them into `folder`, which appears whole or not at all.

    Each picture depends on the seed, its label, its number and the pictures given only. Where a label is both painted
    and pasted, the two take turns.

    Args:
        good: its good training pictures are drawn from, synthetic ones left out.
        folder: does not exist yet, or is empty.
        defects: its training pictures of defects with masks are pasted; None: nothing is pasted.
        progress: is called after each picture with the stage, how many are done and how many there will be.

    Raises:
        DatasetError: there is nothing to draw from, a picture is in training here and tested with there, or a defect
            does not fit any of many pictures.
        OptionError: the mix cannot be made.
        StoreError: it cannot be written.
    """
    mixed = _joined(good, defects)
    bench = _bench(good, defects, config)
    real = dict(mixed.counts.get("train", {}))
    classes = tuple(dict.fromkeys([*config.kinds.values(), *bench.donors]))
    wanted = plan(config.mix, classes, real)
    made: list[Made] = []
    with building(folder) as built:
        for label, count in wanted.items():
            for number in range(count):
                made.append(_make(bench, built, label, number, max(3, len(str(count - 1)))))
                if progress:
                    progress("spoiling", len(made), sum(wanted.values()))
        write_lists(built, mixed, made, config.seed)
    return Run(made=tuple(made), real=real, unusable=tuple(bench.unusable.values()))


def _bench(good: Dataset, defects: Dataset | None, config: SpoilConfig) -> _Bench:
    sound = [sample for sample in good.train_good if not is_synthetic(sample.path)]
    if not sound:
        raise DatasetError(f"{good.root}: has no good training pictures to spoil; put some into train/good.")
    donors: dict[str, list[Sample]] = {}
    for sample in defects.train if defects else ():
        if not sample.is_good and sample.mask and not is_synthetic(sample.path):
            donors.setdefault(sample.label, []).append(sample)
    if defects and not donors:
        raise DatasetError(
            f"{defects.root}: has no training pictures of defects with masks to cut from. Those of test must not be "
            "learnt from: divide the data set with `sightline data split`, and give the CSV."
        )
    for label in donors:
        check_label(label)
    light = np.random.default_rng((config.seed, _LIGHT_STREAM)).uniform(-np.pi, np.pi)
    return _Bench(config=config, good=sound, donors=donors, light_rad=float(light), cutouts={}, unusable={})


def _joined(good: Dataset, defects: Dataset | None) -> Dataset:
    """All real pictures of both; a picture that is in both counts once, and must be in one split."""
    known: dict[Path, Sample] = {}
    for sample in (*good.samples, *(defects.samples if defects else ())):
        earlier = known.setdefault(sample.path.resolve(), sample)
        if earlier.split != sample.split:
            raise DatasetError(
                f"{sample.path}: lies in {earlier.split} of one data set and in {sample.split} of the other; "
                "give one CSV from `sightline data split` for both."
            )
        if earlier.mask is None and sample.mask is not None:
            known[sample.path.resolve()] = sample
    return Dataset(name=good.name, root=good.root, samples=tuple(known.values()), layout="csv")


def _make(bench: _Bench, root: Path, label: str, number: int, digits: int) -> Made:
    """Spoil one picture and write it; raises DatasetError if none of many can be spoilt like this."""
    rng = np.random.default_rng((bench.config.seed, zlib.crc32(label.encode()), number))
    ways: list[Kind | None] = [kind for kind, name in bench.config.kinds.items() if name == label]
    ways += [None] if label in bench.donors else []
    way = ways[number % len(ways)]
    for _ in range(_ATTEMPTS):
        sample = bench.good[int(rng.integers(len(bench.good)))]
        donor = None if way else bench.donors[label][int(rng.integers(len(bench.donors[label])))]
        try:
            frame = read_frame(sample.path, max_megapixels=bench.config.max_megapixels)
            scene = look_at(frame)
        except FrameError as error:
            bench.unusable[sample.path] = str(error)
            continue
        spoilt = _pasted(bench, scene, donor, rng) if donor else _painted(bench, scene, way, rng)
        if spoilt:
            name = f"{NAME_PREFIX}{label}_{number:0{digits}d}"
            deep, method = frame.bit_depth > 8, way.value if way else "pasted"
            return write_picture(root, name, spoilt, deep=deep, method=method, sample=sample, donor=donor, label=label)
    reason = next(iter(bench.unusable.values()), f"none of {_ATTEMPTS} pictures has a place for it")
    raise DatasetError(f'no "{label}" could be made by {way or "pasting"}: {reason}. Leave it out, or give others.')


def _painted(bench: _Bench, scene: Scene, kind: Kind | None, rng: np.random.Generator) -> Spoilt | None:
    severity = float(rng.uniform(*bench.config.severity))
    if kind is Kind.MISSING:
        return remove_piece(scene, rng, severity)
    if kind is Kind.SHIFTED:
        return shift_piece(scene, rng, severity)
    assert kind is not None, "what is not pasted has a kind"
    try:
        return paint_defect(scene, PaintKind(kind.value), rng, severity, bench.light_rad)
    except OptionError:  # it does not show on this picture; another may be calmer
        return None


def _pasted(bench: _Bench, scene: Scene, donor: Sample, rng: np.random.Generator) -> Spoilt | None:
    if donor.path in bench.unusable:
        return None
    try:
        cutout = bench.cutouts.get(donor.path) or _cut(donor, bench.config.max_megapixels)
    except (FrameError, DatasetError) as error:  # an empty mask among many is no reason to stop
        bench.unusable[donor.path] = str(error)
        return None
    if len(bench.cutouts) >= _MOST_CUTOUTS:
        bench.cutouts.clear()
    bench.cutouts[donor.path] = cutout
    return paste(scene, cutout, rng, bench.config.limits)


def _cut(donor: Sample, max_megapixels: float) -> Cutout:
    frame = read_frame(donor.path, max_megapixels=max_megapixels)
    assert donor.mask is not None, "donors have masks"
    return cut_out(look_at(frame), read_mask(donor.mask, frame.height, frame.width), str(donor.path))
