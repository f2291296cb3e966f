"""From a data set to a `.sight` file: look at the pictures, fit, set the threshold, write."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np

from sightline.bundle import Bundle, load, save
from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.datasets.frames import FrameFiles
from sightline.errors import DatasetError, FrameError, OptionError
from sightline.evaluation.intervals import between_0_and_1
from sightline.evaluation.thresholds import for_overkill
from sightline.files import refuse_unwritable
from sightline.imaging.decode import read_frame
from sightline.manifest import Calibration, InputSpec, JsonScalar, Manifest, Provenance, Thresholds, printable
from sightline.models.backbone import Backbone, load_backbone
from sightline.models.detector import FittedDetector, Method
from sightline.models.features import FeatureConfig, Progress
from sightline.models.padim import fit as fit_padim
from sightline.models.patchcore import PatchCoreConfig
from sightline.models.patchcore import fit as fit_patchcore

METHODS: tuple[Method, ...] = get_args(Method)
BY_GRADIENT = ("efficientad", "fastflow", "stfpm")  # these need torch
FEW_IMAGES = 50
_DIMENSIONS = 64  # a graph with a bank of 4,000 then takes 0.6 of resnet18 (benchmarks/latency.py)
_BIT_DEPTHS = (10, 12, 14, 16)  # of cameras; a dark scene uses fewer values than its camera has
_SHORT_SIDE_PX, _LONG_SIDE_PX = 256, 1024  # of the automatic working size
_SAME_SHAPE = 0.10  # pictures whose aspect ratios differ by less are the same view; others are squared


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """What `train` is asked for; the defaults are meant to be good."""

    method: Method = "patchcore"
    size: tuple[int, int] | None = None  # height, width of the working resolution, px; None: from the pictures
    tile: int | None = None  # px; None: the backbone sees the working resolution at once
    dimensions: int | None = None  # of a patch feature; None: 64, or as many as the backbone has
    bank: int | None = None  # patches that PatchCore keeps; None: 1 % of all, 1,000 to 8,000
    steps: int | None = None  # of the methods trained by gradient; None: the method's own number
    max_overkill: float = 0.01
    memory_mib: int = 2048
    bit_depth: int | None = None  # significant bits of 16-bit pictures; None: from the pictures
    max_megapixels: float = 50.0
    backbone: Path | None = None  # None: the one that ships
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise OptionError(f"method {self.method!r} is not known; use one of {', '.join(METHODS)}.")
        between_0_and_1(self.max_overkill, "the overkill rate")  # here, as it is used only at the end
        if self.steps is not None and self.steps < 1:
            raise OptionError(f"steps is {self.steps}; give at least 1.")
        if not 0 <= self.seed < 2**63:
            raise OptionError(f"seed {self.seed} does not fit; use a whole number from 0 up, below 2**63.")
        if self.bit_depth is not None and not 8 < self.bit_depth <= 16:
            raise OptionError(f"bit depth {self.bit_depth} is not one of 16-bit pictures; use 9 to 16.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusual:
    """A training picture that differs from the others far more than they do among themselves."""

    path: Path
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The finished model and what a person should know about how it came about."""

    bundle: Bundle
    images: int
    unusual: tuple[Unusual, ...]  # look at these: a defect among the good pictures shows here
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a first pass over the training pictures showed."""

    paths: list[Path]
    shapes: list[tuple[int, int]]  # height, width
    bit_depth: int
    sha256: str
    warnings: list[str]


def train(dataset: Dataset, output: Path, config: TrainConfig, progress: Progress | None = None) -> Trained:
    """Learn from the data set's good training pictures and write the model to `output`, in one step at the end.

    Raises:
        OptionError: an option cannot work. DatasetError: too few good pictures, or they do not belong together.
        FrameError: a picture changed while it was read. StoreError: the file cannot be written.
    """
    refuse_unwritable(output)
    if config.method in BY_GRADIENT:
        _require_torch(config.method)
    backbone = load_backbone(config.backbone)
    look = _look_at(dataset, config, progress)
    height, width = config.size or working_size(look.shapes, backbone.multiple)
    usual = min(_DIMENSIONS, sum(backbone.channels))
    features = FeatureConfig(
        height=height,
        width=width,
        tile=config.tile,
        dimensions=usual if config.dimensions is None else config.dimensions,
        bit_depth=look.bit_depth,
        seed=config.seed,
    )
    frames = FrameFiles(paths=look.paths, max_megapixels=config.max_megapixels)
    fitted = _fit(frames, backbone, features, config, progress)
    if not np.isfinite(fitted.good_scores).all():
        raise DatasetError(f"{dataset.root}: the model gives no finite scores on these pictures. Check them.")
    threshold = for_overkill(fitted.good_scores, config.max_overkill)
    thresholds = Thresholds(
        reject=threshold.value,
        review=None,
        rule=threshold.rule,
        promise=threshold.promise,
        max_overkill=threshold.guarantee.rate if threshold.guarantee else None,
    )
    graph = fitted.graph.SerializeToString(deterministic=True)
    save(output, graph, _manifest(dataset, look, config, backbone, fitted, graph, thresholds))
    return Trained(
        bundle=load(output),
        images=len(look.paths),
        unusual=_unusual(_scored(look.paths, fitted), fitted.good_scores),
        warnings=(*look.warnings, *threshold.warnings),
    )


def working_size(shapes: Sequence[tuple[int, int]], multiple: int) -> tuple[int, int]:
    """Height and width, px: 256 on the short side in the pictures' own shape if they share one, else 256 x 256."""
    ratios = np.array([width / height for height, width in shapes])
    ratio = float(np.median(ratios))
    if np.abs(np.log(ratios / ratio)).max() > math.log1p(_SAME_SHAPE):
        return _SHORT_SIDE_PX, _SHORT_SIDE_PX
    long = min(_LONG_SIDE_PX, round(_SHORT_SIDE_PX * max(ratio, 1 / ratio) / multiple) * multiple)
    return (_SHORT_SIDE_PX, long) if ratio >= 1 else (long, _SHORT_SIDE_PX)


def _look_at(dataset: Dataset, config: TrainConfig, progress: Progress | None) -> _Look:
    samples = dataset.train_good
    if not samples:
        raise DatasetError(f"{dataset.root}: no good pictures to learn from. {_where_good_belongs(dataset)}")
    readable: list[Path] = []
    shapes: list[tuple[int, int]] = []
    depths: dict[int, Path] = {}
    unreadable: list[str] = []
    highest, digest = 0, hashlib.sha256()
    for done, sample in enumerate(samples):
        try:
            frame = read_frame(sample.path, max_megapixels=config.max_megapixels)
        except FrameError as error:
            unreadable.append(str(error))
            continue
        readable.append(sample.path)
        shapes.append((frame.height, frame.width))
        depths.setdefault(frame.pixels.dtype.itemsize * 8, sample.path)
        highest = max(highest, int(frame.pixels.max()))
        digest.update(hashlib.sha256(frame.pixels.tobytes()).digest())
        if progress:
            progress("reading", done + 1, len(samples))
    if not readable:
        raise DatasetError(f"{dataset.root}: none of {len(samples)} pictures can be read; the first: {unreadable[0]}")
    if len(depths) > 1:
        raise DatasetError(
            f"{depths[16]}: has 16 bits per channel, {depths[8]} has 8. Give pictures of one depth, as the camera "
            "makes them."
        )
    warnings = [*_about_defects(dataset), *(f"left out: {reason}" for reason in unreadable)]
    if len(readable) < FEW_IMAGES:
        warnings.append(f"{len(readable)} good pictures are few; from {FEW_IMAGES} on the limits are more reliable.")
    depth = 8 if 8 in depths else config.bit_depth or next(bits for bits in _BIT_DEPTHS if highest < 1 << bits)
    if highest >= 1 << depth:
        raise OptionError(
            f"{dataset.root}: pictures have values up to {highest}, which {depth} bits cannot hold; "
            f"set the bit depth to {highest.bit_length()} or leave it out."
        )
    return _Look(paths=readable, shapes=shapes, bit_depth=depth, sha256=digest.hexdigest(), warnings=warnings)


def _about_defects(dataset: Dataset) -> list[str]:
    ignored = [sample for sample in dataset.train if not sample.is_good]
    if not ignored:
        return []
    return [f"{_count(len(ignored))} of defects among the training pictures not learnt from: {_labels(ignored)}."]


def _where_good_belongs(dataset: Dataset) -> str:
    found = ", ".join(dataset.labels)
    return f'Put them in a folder called "{GOOD}" (found: {found}).'


def _labels(samples: Sequence[Sample]) -> str:
    return ", ".join(sorted({sample.label for sample in samples}))


def _count(number: int) -> str:
    return "1 picture" if number == 1 else f"{number} pictures"


def _fit(
    frames: FrameFiles, backbone: Backbone, features: FeatureConfig, config: TrainConfig, progress: Progress | None
) -> FittedDetector:
    if config.method == "padim":
        return fit_padim(frames, backbone, features, progress)
    if config.method in BY_GRADIENT:
        return _fit_by_gradient(frames, backbone, features, config, progress)
    limits = PatchCoreConfig().bank_limits if config.bank is None else (config.bank, config.bank)
    settings = PatchCoreConfig(bank_limits=limits, memory_bytes=config.memory_mib * 2**20, seed=config.seed)
    return fit_patchcore(frames, backbone, features, settings, progress)


def _fit_by_gradient(
    frames: FrameFiles, backbone: Backbone, features: FeatureConfig, config: TrainConfig, progress: Progress | None
) -> FittedDetector:
    from sightline.models import efficientad, fastflow, stfpm  # here, as they import torch
    from sightline.models.gradient import GradientConfig

    fit = {"efficientad": efficientad.fit, "fastflow": fastflow.fit, "stfpm": stfpm.fit}[config.method]
    settings = GradientConfig(steps=config.steps, memory_bytes=config.memory_mib * 2**20, seed=config.seed)
    return fit(frames, backbone, features, settings, progress)


def _require_torch(method: str) -> None:
    if any(find_spec(name) is None for name in ("torch", "onnxscript")):
        raise OptionError(f"method {method} needs torch. Install it with pip install 'sightline[train]'.")


def _manifest(
    dataset: Dataset,
    look: _Look,
    config: TrainConfig,
    backbone: Backbone,
    fitted: FittedDetector,
    graph: bytes,
    thresholds: Thresholds,
) -> Manifest:
    settings: dict[str, JsonScalar] = {
        "dimensions": fitted.features.dimensions,
        "max_overkill": config.max_overkill,
        **fitted.settings,
    }
    return Manifest(
        sightline_version=version("sightline"),
        method=fitted.method,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(dtype="uint8" if look.bit_depth == 8 else "uint16", bit_depth=look.bit_depth),
        working_size=(fitted.features.height, fitted.features.width),
        tile=fitted.features.tile,
        labels=(GOOD, "anomaly"),
        thresholds=thresholds,
        calibration=Calibration(
            good_scores=tuple(sorted(float(score) for score in fitted.good_scores)), source=fitted.calibration
        ),
        provenance=Provenance(
            dataset=printable(dataset.name),
            images=len(look.paths),
            dataset_sha256=look.sha256,
            seed=config.seed,
            config=settings,
            backbone=printable(backbone.name),
            backbone_sha256=backbone.sha256,
        ),
    )


def _scored(paths: Sequence[Path], fitted: FittedDetector) -> Sequence[Path]:
    """The pictures that `good_scores` belong to."""
    return paths if fitted.held_out is None else [paths[index] for index in fitted.held_out]


def _unusual(paths: Sequence[Path], scores: np.ndarray, most: int = 10) -> tuple[Unusual, ...]:
    """Pictures beyond the far outer fence, third quartile plus three interquartile ranges (Tukey 1977)."""
    low, high = np.quantile(scores, [0.25, 0.75])
    fence = high + 3 * (high - low)
    order = np.argsort(-scores, kind="stable")[:most]
    return tuple(Unusual(path=paths[i], score=float(scores[i])) for i in order if scores[i] > fence)
