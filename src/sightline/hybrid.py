"""A model that finds whatever is unusual, and names what it was shown: the recommended way to name defects.

An anomaly model learns from the good pictures. It then looks at the pictures of defects: what it finds in them is cut
out, and a classifier learns the names of these pieces. A small defect fills its piece, wherever it lies in the part.
"""

import hashlib
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.bundle import load, save
from sightline.datasets import csv_file
from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.masks import read_mask
from sightline.datasets.synthetic import NAME_PREFIX, is_synthetic, refuse_synthetic
from sightline.errors import DatasetError, FrameError, OptionError, StoreError
from sightline.files import refuse_unwritable, write_bytes
from sightline.imaging.decode import read_size
from sightline.imaging.writing import png
from sightline.inspector import Inspector, find_defects
from sightline.models.features import Progress
from sightline.name_rules import RegionRule
from sightline.records import Box, FloatArray, Frame
from sightline.regions import Piece, cut_out
from sightline.supervised import FEWEST_PICTURES, ClassifierConfig, train_classifier
from sightline.training import TrainConfig, Trained, not_extendable, train

PIECE_PX = 256  # side at which the classifier looks at a piece
_SIDE_SHARE = 1.0  # of the region's box, which the anomaly map draws generously
_LEAST_SHARE = 0.2  # of the frame's short side: below it a piece shows too little
_UNSURE_PEAK = 0.5  # of the map's maximum: where a defect stays below the threshold, its region


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    """The pieces as a data set on disk, and the rule that they were cut by."""

    table: Path
    rule: RegionRule  # its hash is not known yet
    count: int
    passed: int  # pictures of defects whose score stays below the threshold


def train_hybrid(
    dataset: Dataset,
    output: Path,
    config: TrainConfig,
    naming: ClassifierConfig,
    progress: Progress | None = None,
) -> Trained:
    """Learn what is good, then the names of what is not, and write both to `output` as one file.

    Args:
        dataset: good training pictures, and training pictures of two or more kinds of defect; where they have masks,
            the piece is cut out where region and mask meet.
        config: of the anomaly model; no depth, and one product.
        naming: of the classifier; its size is set here.

    Raises:
        DatasetError: too few pictures. OptionError: an option cannot work. FrameError: a picture cannot be read.
        StoreError: the file cannot be written.
    """
    refuse_unwritable(output)
    if naming.min_recall:
        raise OptionError(
            "a hybrid rejects what is unusual, whatever its name; set its threshold for a recall with "
            "`sightline calibrate --min-recall`."
        )
    defects = [sample for sample in (*dataset.train, *dataset.validation) if not sample.is_good]
    refuse_synthetic(dataset.validation)
    _check(dataset, defects)
    try:
        with tempfile.TemporaryDirectory(prefix=".sightline-", dir=output.parent) as place:
            folder = Path(place)
            good = replace(dataset, samples=dataset.train_good or dataset.samples)  # else `train` says what is missing
            trained = train(good, folder / "anomaly.sight", config, progress)
            inspector = Inspector(trained.bundle, max_megapixels=config.max_megapixels)
            pieces = _cut_out(inspector, defects, folder / "pieces", config.max_megapixels, progress)
            bits = trained.bundle.manifest.input.bit_depth
            asked = replace(naming, weighted=True, size=(PIECE_PX, PIECE_PX), bit_depth=None if bits == 8 else bits)
            named = train_classifier(csv_file.read(pieces.table), folder / "names.sight", asked, progress)
            content = named.bundle.path.read_bytes()
            manifest, exemplars = not_extendable(trained.bundle.manifest, trained.bundle.exemplars)
            manifest = replace(
                manifest,
                labels=(*manifest.labels, *named.bundle.manifest.labels),
                regions=replace(pieces.rule, names_sha256=hashlib.sha256(content).hexdigest()),
            )
            save(output, trained.bundle.graph, manifest, None, content, exemplars)
    except OSError as error:
        raise StoreError(f"{output.parent}: cannot be written ({error.strerror or error}). Check the disk.") from error
    warnings = [*trained.warnings, *named.warnings]
    if pieces.passed:
        warnings.append(
            f"{pieces.passed} of {pieces.count} pictures of defects stay below the threshold and would be passed; "
            "`sightline calibrate` can set it by them."
        )
    return replace(trained, bundle=load(output), warnings=tuple(warnings))


def _check(dataset: Dataset, defects: list[Sample]) -> None:
    counts: dict[str, int] = {}
    for sample in defects:
        counts[sample.label] = counts.get(sample.label, 0) + 1
    if len(counts) < 2:
        raise DatasetError(
            f"{dataset.root}: has {len(counts)} kinds of defect among its training pictures; a hybrid names two or "
            "more. Where they lie in the test split, divide the data set with `sightline data split` and give the CSV."
        )
    few = [f"{label} ({count})" for label, count in sorted(counts.items()) if count < FEWEST_PICTURES]
    if few:
        raise DatasetError(
            f"{dataset.root}: too few pictures of {', '.join(few)}; give at least {FEWEST_PICTURES} of each."
        )


def piece_of(inspector: Inspector, frame: Frame, rule: RegionRule) -> Piece:
    """The piece around what is most unusual in a picture, which the classifier is shown."""
    found = _found(inspector, frame)
    return cut_out(frame, found.boxes[0], found.values, rule)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """What the anomaly model finds in a picture."""

    boxes: tuple[Box, ...]  # one at least, the most anomalous first
    values: FloatArray  # (h, w) its map
    reached: bool  # whether they reach the threshold


def _found(inspector: Inspector, frame: Frame) -> _Found:
    """Raises FrameError where the picture cannot be judged."""
    judged = inspector.inspect(frame)
    if judged.map is None or judged.score is None:
        raise FrameError(judged.fault or f"{frame.source}: cannot be judged.")
    defects = judged.defects
    if not defects:
        peak = float(judged.map.max())
        level = peak - (1 - _UNSURE_PEAK) * abs(peak)
        defects = find_defects(judged.map, level, frame.height, frame.width)
    return _Found(boxes=tuple(one.box for one in defects), values=judged.map, reached=judged.score >= judged.threshold)


def _cut_out(
    inspector: Inspector, defects: list[Sample], folder: Path, max_megapixels: float, progress: Progress | None
) -> _Pieces:
    """Write one piece of each picture; where two or more are found, the likeliest."""
    folder.mkdir()
    sides = [min(read_size(sample.path, max_megapixels=max_megapixels)) for sample in defects]
    rule = RegionRule(
        names_sha256="0" * 64,
        side_share=_SIDE_SHARE,
        least_px=max(1, math.ceil(_LEAST_SHARE * float(np.median(sides)))),
    )
    samples, passed = [], 0
    for number, sample in enumerate(defects):
        frame = inspector.frame(sample.path)
        found = _found(inspector, frame)
        passed += not found.reached
        piece = cut_out(frame, _likeliest(sample, frame, found.boxes), found.values, rule)
        name = f"{NAME_PREFIX if is_synthetic(sample.path) else ''}{number:06}"  # to learn from, never to judge by
        path, weights = folder / f"{name}.png", folder / f"{name}.weights.png"
        write_bytes(path, png(piece.frame.pixels))
        write_bytes(weights, png(piece.weights))
        samples.append(Sample(path=path, label=sample.label, split=sample.split, mask=weights))
        if progress:
            progress("finding defects", number + 1, len(defects))
    table = folder / "pieces.csv"
    csv_file.write(Dataset(name="pieces", root=folder, samples=tuple(samples), layout="csv"), table)
    return _Pieces(table=table, rule=rule, count=len(defects), passed=passed)


def _likeliest(sample: Sample, frame: Frame, found: Sequence[Box]) -> Box:
    """Of what was found, the region that holds most of the mask; without one, the most anomalous.

    The mask's own box where nothing found meets it: the name is that of what the mask marks.
    """
    mask = None if sample.mask is None else read_mask(sample.mask, frame.height, frame.width)
    if mask is None or not mask.any():
        return found[0]
    shares = [int(mask[b.y : b.y + b.height, b.x : b.x + b.width].sum()) for b in found]
    if max(shares) > 0:
        return found[int(np.argmax(shares))]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(
        x=int(columns[0]),
        y=int(rows[0]),
        width=int(columns[-1] - columns[0]) + 1,
        height=int(rows[-1] - rows[0]) + 1,
    )
