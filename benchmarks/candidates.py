"""What might be done to a picture before or beside the model, judged without a test picture.

    python benchmarks/candidates.py [--shared FOLDER] [--only NAME ...] [--candidates NAME ...] [--seeds 0 1 2]

Of each data set's good training pictures 70 % are learnt from. Of the others one half stays as it is, and onto the
other half defects are drawn; these two are told apart. Rendered parts, which have a background and are lit unevenly,
come with their own defects. Every candidate learns and judges the same pictures with default settings; a picture's
score is the highest value of its map:

- as it is: the default.
- local contrast: CLAHE of the luminance, 8 x 8 tiles, clip limit 2 (Zuiderveld 1994).
- light: each channel brought to the median and the spread between the 5th and 95th percentile of the good pictures.
- white balance: each channel's mean brought to the picture's (Buchsbaum 1980). Left out where the pictures are grey.
- mirrored: the map is the mean of the picture's and of its mirror image's, which is learnt, too.
- foreground: only what lies on the part counts; the part is where Otsu's threshold of the mean good picture says.
  Left out where that is no part: where it covers less than 20 % or more than 95 %, or the pictures differ in size.
- learnt projection: in place of the principal components, learnt from pieces of the good pictures put elsewhere
  (benchmarks/projection.py). Left out where torch is not installed.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shared import shared_folder
from sightline.datasets.opening import open_dataset
from sightline.evaluation.metrics import image_metrics
from sightline.imaging.decode import read_frame
from sightline.inspector import Inspector, load
from sightline.models.detector import GraphDetector
from sightline.models.features import FeatureConfig
from sightline.records import Frame
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.mixing import Mix
from sightline.synthesis.parts import PartConfig
from sightline.synthesis.spoiling import Kind, SpoilConfig, write_synthetic
from sightline.training import TrainConfig, train
from tables import RESULTS, Cell, write_table

Pixels = NDArray[np.uint8]
Map = NDArray[np.float64]
Change = Callable[[Pixels], Pixels]
RENDERED, AS_IS = "rendered parts", "as it is"
DATASETS = (RENDERED, "kolektor_commutator", "magnetic_tile")
FOREGROUND, CONTRAST, LIGHT, BALANCE = "foreground", "local contrast", "light", "white balance"
MIRRORED, PROJECTION = "mirrored", "learnt projection"
CANDIDATES = (FOREGROUND, CONTRAST, LIGHT, BALANCE, MIRRORED, PROJECTION)
PAINTED = {kind: str(kind) for kind in (Kind.SCRATCH, Kind.CRACK, Kind.DENT, Kind.STAIN)}
LEARNT = 0.7
_PART = (0.2, 0.95)  # shares of the picture that a part may cover


class Pictures:
    """What is learnt from, and what is told apart."""

    def __init__(self, learnt: Sequence[Path], good: Sequence[Path], bad: Sequence[Path]) -> None:
        self.learnt, self.good, self.bad = (tuple(map(_pixels, paths)) for paths in (learnt, good, bad))

    def changed(self, change: Change) -> "Pictures":
        found = object.__new__(Pictures)
        found.learnt, found.good, found.bad = (tuple(map(change, kind)) for kind in (self.learnt, self.good, self.bad))
        return found


def pictures_of(name: str, shared: Path, folder: Path, seed: int) -> Pictures:
    """Those of a data set, spoilt where it has no defects of its own."""
    if name == RENDERED:
        write_dataset(folder / "parts", PartConfig(), Counts(good_train=80, good_test=40, per_defect=6), seed=seed)
        parts = open_dataset(folder / "parts")
        told = {good: [one.path for one in parts.test if one.is_good == good] for good in (True, False)}
        return Pictures([one.path for one in parts.train_good], told[True], told[False])
    good = [sample.path for sample in open_dataset(shared / "data" / name).train_good]
    order = np.random.default_rng(seed).permutation(len(good))
    learnt, held = np.split(order, [round(LEARNT * len(good))])
    whole, spoilt = np.array_split(held, 2)
    bad = _spoilt([good[place] for place in spoilt], folder, seed)
    return Pictures([good[place] for place in learnt], [good[place] for place in whole], bad)


def _spoilt(paths: Sequence[Path], folder: Path, seed: int) -> list[Path]:
    for place, path in enumerate(paths):
        kept = folder / "held" / "train" / "good" / f"{place:04}{path.suffix}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(path.read_bytes())
    config = SpoilConfig(mix=Mix(per_class=max(1, len(paths) // len(PAINTED))), kinds=PAINTED, seed=seed)
    made = write_synthetic(open_dataset(folder / "held"), folder / "spoilt", config).made
    return [folder / "spoilt" / one.path for one in made]


def _pixels(path: Path) -> Pixels:
    return read_frame(path).pixels.astype(np.uint8)


def local_contrast(pixels: Pixels) -> Pixels:
    clahe = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8))
    if pixels.shape[2] == 1:
        return np.asarray(clahe.apply(pixels[..., 0])[..., None], np.uint8)
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    lab[..., 0] = clahe.apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def even_light(good: Sequence[Pixels]) -> Change:
    levels = np.median([np.percentile(picture, (5, 50, 95), axis=(0, 1)) for picture in good], axis=0)

    def change(pixels: Pixels) -> Pixels:
        low, middle, high = np.percentile(pixels, (5, 50, 95), axis=(0, 1))
        gain = (levels[2] - levels[0]) / np.maximum(high - low, 1.0)
        return np.asarray(np.clip((pixels - middle) * gain + levels[1], 0, 255).round(), np.uint8)

    return change


def white_balance(pixels: Pixels) -> Pixels:
    means = pixels.mean(axis=(0, 1))
    return np.asarray(np.clip(pixels * (means.mean() / np.maximum(means, 1.0)), 0, 255).round(), np.uint8)


def is_coloured(good: Sequence[Pixels]) -> bool:
    return any(bool(np.ptp(picture, axis=2).any()) for picture in good)


def part_of(good: Sequence[Pixels]) -> NDArray[np.bool_] | None:
    """(H, W), or None where there is no part to be told from what is behind it."""
    if len({picture.shape for picture in good}) > 1:
        return None
    mean = np.mean([picture.mean(axis=2) for picture in good], axis=0).astype(np.uint8)
    part = cv2.threshold(mean, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1] > 0
    edge = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
    part = ~part if edge.mean() > 0.5 else part  # what lies along the border is behind it
    return (
        cv2.dilate(part.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0 if _PART[0] < part.mean() < _PART[1] else None
    )


def learnt(pictures: Sequence[Pixels], folder: Path, seed: int) -> Inspector:
    for place, picture in enumerate(pictures):
        file = folder / "train" / "good" / f"{place:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), picture[..., ::-1])
    train(open_dataset(folder), folder / "model.sight", TrainConfig(seed=seed))
    return load(folder / "model.sight")


def maps(model: Inspector | GraphDetector, pictures: Sequence[Pixels]) -> list[Map]:
    return [model.score(Frame(pixels=picture)).values.astype(np.float64) for picture in pictures]


def rows_of(pictures: Pictures, folder: Path, seed: int, wanted: Collection[str]) -> Iterator[tuple[str, float, float]]:
    """(candidate, image AUROC, recall at 1 % overkill)"""
    model = learnt(pictures.learnt, folder / "default", seed)
    good, bad = maps(model, pictures.good), maps(model, pictures.bad)
    yield AS_IS, *_told_apart(good, bad)
    if FOREGROUND in wanted and (part := part_of(pictures.learnt)) is not None:
        inside = cv2.resize(part.astype(np.uint8), good[0].shape[::-1]) > 0
        yield FOREGROUND, *_told_apart([one * inside for one in good], [one * inside for one in bad])
    changes: dict[str, Change] = {CONTRAST: local_contrast} if CONTRAST in wanted else {}
    if LIGHT in wanted:
        changes[LIGHT] = even_light(pictures.learnt)
    if BALANCE in wanted and is_coloured(pictures.learnt):
        changes[BALANCE] = white_balance
    for candidate, change in changes.items():
        other = pictures.changed(change)
        changed = learnt(other.learnt, folder / candidate, seed)
        yield candidate, *_told_apart(maps(changed, other.good), maps(changed, other.bad))
    if MIRRORED in wanted:
        yield MIRRORED, *_mirrored(pictures, folder, seed)
    if PROJECTION in wanted and find_spec("torch"):
        yield PROJECTION, *_projected(pictures, model, seed)


def _mirrored(pictures: Pictures, folder: Path, seed: int) -> tuple[float, float]:
    mirror = pictures.changed(lambda pixels: pixels[:, ::-1])
    model = learnt((*pictures.learnt, *mirror.learnt), folder / "mirrored", seed)
    both = [
        [(one + other[:, ::-1]) / 2 for one, other in zip(maps(model, straight), maps(model, turned), strict=True)]
        for straight, turned in ((pictures.good, mirror.good), (pictures.bad, mirror.bad))
    ]
    return _told_apart(*both)


def _projected(pictures: Pictures, default: Inspector, seed: int) -> tuple[float, float]:
    from projection import fit  # here, as it imports torch

    height, width = default.manifest.working_size
    scale = default.manifest.provenance.config["scale"]
    assert scale is None or isinstance(scale, float)
    config = FeatureConfig(height=height, width=width, scale=scale, seed=seed)
    detector = fit(pictures.learnt, config, seed).detector()
    return _told_apart(maps(detector, pictures.good), maps(detector, pictures.bad))


def _told_apart(good: Sequence[Map], bad: Sequence[Map]) -> tuple[float, float]:
    scores = (np.array([found.max() for found in kind]) for kind in (good, bad))
    found = image_metrics(*scores)
    assert found.auroc is not None
    assert found.recall_at_1pct_overkill is not None
    return found.auroc, found.recall_at_1pct_overkill


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="folder with data/ [default: ../shared]")
    parser.add_argument("--only", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=CANDIDATES, help="beside the default")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows: list[dict[str, Cell]] = []
    for name in options.only:
        for seed in options.seeds:
            with tempfile.TemporaryDirectory() as folder:
                pictures = pictures_of(name, shared_folder(options.shared), Path(folder), seed)
                for candidate, auroc, recall in rows_of(pictures, Path(folder), seed, options.candidates):
                    told: dict[str, Cell] = {"data set": name, "seed": seed, "candidate": candidate}
                    rows.append(told | {"image AUROC": auroc, "recall at 1 % overkill": recall})
                    print(rows[-1], flush=True)
    command = " ".join(["python benchmarks/candidates.py", *sys.argv[1:]])
    notes = ["Drawn defects on held-out good training pictures; no test picture was looked at."]
    write_table(options.out, "candidates", rows, title="Before and beside the model", command=command, notes=notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
