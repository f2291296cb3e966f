"""From a data set to a `.sight` file: look at the pictures, fit, set the threshold, write."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, get_args

import numpy as np

from sightline.bundle import EXEMPLARS_HASH, WINDOW_HASH, Bundle, hashes_of, load, save
from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.datasets.frames import FrameFiles
from sightline.errors import DatasetError, FrameError, OptionError
from sightline.evaluation.comparison import Comparison
from sightline.evaluation.intervals import between_0_and_1
from sightline.evaluation.thresholds import Threshold, for_overkill
from sightline.files import refuse_unwritable
from sightline.imaging.depth import depth_files
from sightline.manifest import Calibration, InputSpec, JsonScalar, Manifest, Provenance, Thresholds, printable
from sightline.models import exemplars
from sightline.models.backbone import Backbone, load_backbone
from sightline.models.depth import fit as fit_with_depth
from sightline.models.detector import FittedDetector, Method
from sightline.models.features import FeatureConfig, Progress
from sightline.models.padim import fit as fit_padim
from sightline.models.patchcore import PatchCoreConfig
from sightline.models.patchcore import fit as fit_patchcore
from sightline.models.window import Window
from sightline.records import FloatArray
from sightline.resolution import Resolution, at_once, of_one_shape, tiled

HYBRID: Final = "hybrid"  # an anomaly model and a classifier of what it finds: sightline.hybrid
SUPERVISED: tuple[Method, ...] = ("classifier", "segmenter", "detector")  # sightline.supervised, .segmenting, .locating
METHODS: tuple[Method, ...] = tuple(method for method in get_args(Method) if method not in SUPERVISED)
BY_GRADIENT = ("efficientad", "fastflow", "stfpm")  # these need torch
FEW_IMAGES = 50
LEAST_MEMORY_MIB = 768  # the projection alone takes some 680 at its peak, before any patch is held
_RUNTIME_MIB = 512  # of the process: interpreter, runtime, one picture and its feature maps, the model being written
_DIMENSIONS = 64  # a graph then takes 0.36 of resnet18 (benchmarks/latency.py)
BIT_DEPTHS = (10, 12, 14, 16)  # of cameras; a dark scene uses fewer values than its camera has


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """What `train` is asked for; the defaults are meant to be good."""

    method: Method = "patchcore"
    size: tuple[int, int] | None = None  # height, width of the working resolution, px; None: from the pictures
    smallest_defect: int | None = None  # px across in the pictures, that must be found; None: not known
    short_side: int | None = None  # px of the automatic working size; None: 256, or by the smallest defect
    tile: int | None = None  # px; None: at once, but where the smallest defect needs more than can be seen at once
    dimensions: int | None = None  # of a patch feature; None: 64, or as many as the backbone has
    bank: int | None = None  # patches that PatchCore keeps; None: 1 % of all, 1,000 to 1,500
    position_prior: bool = True  # PatchCore also learns what belongs where
    steps: int | None = None  # of the methods trained by gradient; None: the method's own number
    max_overkill: float = 0.01
    memory_mib: int = 2048  # of the whole process, with pictures up to some 1024 px as the backbone sees them
    bit_depth: int | None = None  # significant bits of 16-bit pictures; None: from the pictures
    max_megapixels: float = 50.0
    backbone: Path | None = None  # None: the one that ships
    seed: int = 0
    depth: bool = False  # also learn from the depth map beside each picture; patchcore only

    def __post_init__(self) -> None:
        if self.depth and self.method != "patchcore":
            raise OptionError(f"{self.method} has no use for depth maps; take patchcore, or leave the depth out.")
        if self.method not in (*METHODS, *SUPERVISED):
            raise OptionError(f"method {self.method!r} is not known; use one of {', '.join(METHODS)}.")
        between_0_and_1(self.max_overkill, "the overkill rate")  # here, as it is used only at the end
        if self.steps is not None and self.steps < 1:
            raise OptionError(f"steps is {self.steps}; give at least 1.")
        if not 0 <= self.seed < 2**63:
            raise OptionError(f"seed {self.seed} does not fit; use a whole number from 0 up, below 2**63.")
        if self.smallest_defect is not None and self.smallest_defect < 1:
            raise OptionError(
                f"a smallest defect of {self.smallest_defect} px cannot be; give its width in px, 1 or more."
            )
        if self.smallest_defect is not None and self.size is not None:
            raise OptionError("the smallest defect sets the working size, and a size is given too; leave one out.")
        if self.short_side is not None and (self.size is not None or self.smallest_defect is not None):
            raise OptionError("a short side sets the working size, as a size and a smallest defect do; give one.")
        if self.short_side is not None and self.short_side < 1:
            raise OptionError(f"a short side of {self.short_side} px cannot be; give 64 or more.")
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
    highest: tuple[Unusual, ...] = ()  # the most anomalous of the good ones, whether or not they stand out
    synthetic: Comparison | None = None  # with synthetic pictures and without; None: not asked for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """A model that is not written yet."""

    graph: bytes
    manifest: Manifest
    window: bytes | None = None  # what extending it takes; None: it cannot be extended
    exemplars: bytes | None = None  # pieces of the good pictures; None: it keeps none
    paths: tuple[Path, ...]  # pictures it learned from
    good_scores: FloatArray  # (n,) one for each of them
    unusual: tuple[Unusual, ...]
    warnings: tuple[str, ...]
    highest: tuple[Unusual, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a first pass over the training pictures showed."""

    paths: list[Path]
    shapes: list[tuple[int, int]]  # height, width
    hashes: list[str]  # SHA-256 of each one's pixels, hex
    highest: int  # value of any pixel
    bit_depth: int
    warnings: list[str]

    @property
    def sha256(self) -> str:
        """Of all pictures together, in order."""
        return hashlib.sha256(bytes.fromhex("".join(self.hashes))).hexdigest()


def train(dataset: Dataset, output: Path, config: TrainConfig, progress: Progress | None = None) -> Trained:
    """Learn from the data set's good training pictures and write the model to `output`, in one step at the end.

    Raises:
        OptionError: an option cannot work. DatasetError: too few good pictures, or they do not belong together.
        FrameError: a picture changed while it was read. StoreError: the file cannot be written.
    """
    refuse_unwritable(output)
    return written(learn(dataset, config, progress), output)


def written(learned: Learned, output: Path) -> Trained:
    """Write a model; raises as `bundle.save`."""
    save(output, learned.graph, learned.manifest, learned.window, exemplars=learned.exemplars)
    return Trained(
        bundle=load(output),
        images=len(learned.paths),
        unusual=learned.unusual,
        warnings=learned.warnings,
        highest=learned.highest,
    )


def learn(dataset: Dataset, config: TrainConfig, progress: Progress | None = None) -> Learned:
    """Learn from the data set's good training pictures; raises as `train`, but writes nothing."""
    if config.method in SUPERVISED:
        raise OptionError(
            f"{config.method} learns the names of defects, not what is good; use `train_{config.method}`."
        )
    if config.method in BY_GRADIENT:
        require_torch(config.method)
    backbone = load_backbone(config.backbone)
    look = look_at(dataset, config, progress)
    seen = resolution(look, backbone, config)
    alike = config.size or seen.tile or config.depth or config.method in BY_GRADIENT or of_one_shape(look.shapes)
    usual = min(_DIMENSIONS, sum(backbone.channels))
    features = FeatureConfig(
        height=seen.height,
        width=seen.width,
        scale=None if alike else seen.height / float(np.median([min(shape) for shape in look.shapes])),
        tile=seen.tile,
        dimensions=usual if config.dimensions is None else config.dimensions,
        bit_depth=look.bit_depth,
        seed=config.seed,
    )
    frames = FrameFiles(paths=look.paths, max_megapixels=config.max_megapixels, depth=config.depth)
    fitted = _fit(frames, backbone, features, config, progress)
    if not np.isfinite(fitted.good_scores).all():
        raise DatasetError(f"{dataset.root}: the model gives no finite scores on these pictures. Check them.")
    threshold = for_overkill(fitted.good_scores, config.max_overkill)
    thresholds = limits_of(threshold)
    graph = fitted.graph.SerializeToString(deterministic=True)
    window = window_of(look.hashes, fitted)
    kept = exemplars.keep(frames, fitted.memory, progress=progress).to_bytes() if fitted.memory else None
    manifest = _manifest(dataset, look, config, backbone, fitted, graph, thresholds)
    return Learned(
        graph=graph,
        window=window,
        exemplars=kept,
        manifest=with_config(manifest, hashes_of(window, kept)),
        paths=tuple(look.paths),
        good_scores=fitted.good_scores,
        unusual=most_unusual(_scored(look.paths, fitted), fitted.good_scores),
        warnings=(*look.warnings, *seen.warnings, *few(len(look.paths)), *threshold.warnings),
        highest=highest(_scored(look.paths, fitted), fitted.good_scores),
    )


def limits_of(threshold: Threshold) -> Thresholds:
    """A threshold set from good parts as a manifest has it, without a REVIEW band."""
    return Thresholds(
        reject=threshold.value,
        review=None,
        rule=threshold.rule,
        promise=threshold.promise,
        max_overkill=threshold.guarantee.rate if threshold.guarantee else None,
    )


def resolution(look: Look, backbone: Backbone, config: TrainConfig) -> Resolution:
    """How the pictures are looked at: as is asked for, or as their shapes and the smallest defect ask for."""
    if config.size is not None:
        return Resolution(height=config.size[0], width=config.size[1], tile=config.tile)
    if config.smallest_defect is None or config.method != "patchcore" or config.depth:
        found = at_once(
            look.shapes,
            backbone.multiple,
            smallest_defect=config.smallest_defect,
            short_side=config.short_side,
            cure="patchcore on pictures alone takes tiles and sees more: leave --method and --depth out",
        )
        return replace(found, tile=config.tile)
    return tiled(
        look.shapes,
        backbone.multiple,
        smallest_defect=config.smallest_defect,
        tile=config.tile,
        room_bytes=patch_bytes(config.memory_mib),
    )


def few(images: int) -> list[str]:
    """A warning where so many good pictures are few."""
    if images >= FEW_IMAGES:
        return []
    return [f"{images} good pictures are few; from {FEW_IMAGES} on the limits are more reliable."]


def look_at(dataset: Dataset, config: TrainConfig, progress: Progress | None) -> Look:
    """A first pass over the good training pictures; raises DatasetError or OptionError as `train`."""
    samples = dataset.train_good
    if not samples:
        raise DatasetError(f"{dataset.root}: no good pictures to learn from. {_where_good_belongs(dataset)}")
    readable: list[Path] = []
    shapes: list[tuple[int, int]] = []
    depths: dict[int, Path] = {}
    unreadable: list[str] = []
    hashes: list[str] = []
    highest = 0
    frames = FrameFiles(
        paths=[sample.path for sample in samples], max_megapixels=config.max_megapixels, depth=config.depth
    )
    for done, sample in enumerate(samples):
        try:
            frame = frames[done]
        except FrameError as error:
            unreadable.append(str(error))
            continue
        readable.append(sample.path)
        shapes.append((frame.height, frame.width))
        depths.setdefault(frame.pixels.dtype.itemsize * 8, sample.path)
        highest = max(highest, int(frame.pixels.max()))
        digest = hashlib.sha256(frame.pixels.tobytes())
        if frame.depth is not None:
            digest.update(frame.depth.tobytes())
        hashes.append(digest.hexdigest())
        if progress:
            progress("reading", done + 1, len(samples))
    if not readable:
        raise DatasetError(f"{dataset.root}: none of {len(samples)} pictures can be read; the first: {unreadable[0]}")
    if len(depths) > 1:
        raise DatasetError(
            f"{depths[16]}: has 16 bits per channel, {depths[8]} has 8. Give pictures of one depth, as the camera "
            "makes them."
        )
    warnings = [
        *_about_defects(dataset),
        *_about_depth(readable, config),
        *(f"left out: {reason}" for reason in unreadable),
    ]
    depth = 8 if 8 in depths else config.bit_depth or next(bits for bits in BIT_DEPTHS if highest < 1 << bits)
    if highest >= 1 << depth:
        raise OptionError(
            f"{dataset.root}: pictures have values up to {highest}, which {depth} bits cannot hold; "
            f"set the bit depth to {highest.bit_length()} or leave it out."
        )
    return Look(paths=readable, shapes=shapes, hashes=hashes, highest=highest, bit_depth=depth, warnings=warnings)


def _about_defects(dataset: Dataset) -> list[str]:
    ignored = [sample for sample in dataset.train if not sample.is_good]
    if not ignored:
        return []
    return [f"{_count(len(ignored))} of defects among the training pictures not learnt from: {_labels(ignored)}."]


def _about_depth(paths: Sequence[Path], config: TrainConfig) -> list[str]:
    if config.depth or not all(depth_files(path) for path in paths):
        return []
    return ["depth maps lie beside the pictures and were not learnt from; --depth takes them in."]


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
    settings = PatchCoreConfig(
        bank_limits=limits,
        position_prior=config.position_prior,
        memory_bytes=patch_bytes(config.memory_mib),
        seed=config.seed,
    )
    fit = fit_with_depth if config.depth else fit_patchcore
    return fit(frames, backbone, features, settings, progress)


def patch_bytes(memory_mib: int) -> int:
    """What is left for patches of the memory that the whole process may take; OptionError if that is too little."""
    if memory_mib < LEAST_MEMORY_MIB:
        raise OptionError(f"memory {memory_mib} MiB is too little to train; give at least {LEAST_MEMORY_MIB} MiB.")
    return (memory_mib - _RUNTIME_MIB) * 2**20


def window_of(hashes: Sequence[str], fitted: FittedDetector) -> bytes | None:
    """What the file keeps so that the model can be extended; None if the method cannot."""
    if fitted.memory is None:
        return None
    return Window(images=tuple(hashes), scores=fitted.good_scores, memory=fitted.memory).to_bytes()


def with_config(manifest: Manifest, settings: Mapping[str, JsonScalar]) -> Manifest:
    """The manifest with these among its settings as well."""
    provenance = manifest.provenance
    return replace(manifest, provenance=replace(provenance, config={**provenance.config, **settings}))


def not_extendable(manifest: Manifest, content: bytes | None) -> tuple[Manifest, bytes | None]:
    """A model's manifest without its window, and its exemplars, of the bank alone."""
    config = {
        key: value for key, value in manifest.provenance.config.items() if key not in (WINDOW_HASH, EXEMPLARS_HASH)
    }
    bank = config.get("bank")
    if content is not None and isinstance(bank, int):
        content = exemplars.from_bytes(content).first(bank).to_bytes()
    provenance = replace(manifest.provenance, config={**config, **hashes_of(None, content)})
    return replace(manifest, provenance=provenance), content


def _fit_by_gradient(
    frames: FrameFiles, backbone: Backbone, features: FeatureConfig, config: TrainConfig, progress: Progress | None
) -> FittedDetector:
    from sightline.models import efficientad, fastflow, stfpm  # here, as they import torch
    from sightline.models.gradient import GradientConfig

    fit = {"efficientad": efficientad.fit, "fastflow": fastflow.fit, "stfpm": stfpm.fit}[config.method]
    settings = GradientConfig(steps=config.steps, memory_bytes=config.memory_mib * 2**20, seed=config.seed)
    return fit(frames, backbone, features, settings, progress)


def require_torch(method: str) -> None:
    if any(find_spec(name) is None for name in ("torch", "onnxscript")):
        raise OptionError(f"method {method} needs torch. Install it with pip install 'sightline[train]'.")


def _manifest(
    dataset: Dataset,
    look: Look,
    config: TrainConfig,
    backbone: Backbone,
    fitted: FittedDetector,
    graph: bytes,
    thresholds: Thresholds,
) -> Manifest:
    settings: dict[str, JsonScalar] = {
        "dimensions": fitted.features.dimensions,
        "scale": fitted.features.scale,
        "max_overkill": config.max_overkill,
        **fitted.settings,
    }
    return Manifest(
        sightline_version=version("sightline"),
        method=fitted.method,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(
            dtype="uint8" if look.bit_depth == 8 else "uint16", bit_depth=look.bit_depth, depth=config.depth
        ),
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


def most_unusual(paths: Sequence[Path], scores: np.ndarray, most: int = 10) -> tuple[Unusual, ...]:
    """Pictures beyond the far outer fence, third quartile plus three interquartile ranges (Tukey 1977)."""
    low, high = np.quantile(scores, [0.25, 0.75])
    fence = high + 3 * (high - low)
    return tuple(one for one in highest(paths, scores, most) if one.score > fence)


def highest(paths: Sequence[Path], scores: np.ndarray, most: int = 10) -> tuple[Unusual, ...]:
    """The pictures with the highest scores, the highest first."""
    order = np.argsort(-scores, kind="stable")[:most]
    return tuple(Unusual(path=paths[i], score=float(scores[i])) for i in order)
