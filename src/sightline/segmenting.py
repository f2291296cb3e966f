"""From pictures with masks to a `.sight` file that outlines defects, names them and says how bad they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import GOOD
from sightline.datasets.segmented import SegmentedSet
from sightline.errors import OptionError
from sightline.evaluation.intervals import between_0_and_1
from sightline.evaluation.thresholds import for_overkill, for_recall
from sightline.files import refuse_unwritable
from sightline.imaging.decode import read_size
from sightline.manifest import (
    Calibration,
    InputSpec,
    JsonScalar,
    Manifest,
    Provenance,
    Thresholds,
    printable,
)
from sightline.models.backbone import Backbone, load_backbone
from sightline.models.class_config import LearningConfig
from sightline.models.detector import GraphDetector
from sightline.models.features import FeatureConfig, Progress
from sightline.models.segment_config import SegmentConfig
from sightline.records import FloatArray
from sightline.resolution import of_one_shape
from sightline.segment_rule import SegmentRule, Zone
from sightline.supervised import ClassifierConfig, Parts, Views, even_odds, parts_of, views_of
from sightline.training import Learned, Trained, limits_of, require_torch, written

if TYPE_CHECKING:
    from sightline.models.excerpts import Scenes
    from sightline.models.segment_training import LearntSegments, SegmentLesson

METHOD = "segmenter"
MARK = 0.5  # a pixel is defect where that is more probable than not
_SHORT_PX = 160  # short side of the automatic working size where shapes differ, so that an excerpt shows most of it
_PLAIN_MULTIPLE = 16  # of the sides that a plain U-Net takes
_TORCH_MIB = 1024  # of the process: interpreter, torch, the network, one batch
_AREA_WEIGHT, _CONTRAST_WEIGHT, _POSITION_WEIGHT = 0.5, 0.25, 0.25
_FULL_CONTRAST = 0.25  # of white
_LARGE = 0.95  # quantile of the areas learnt from, that counts in full


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterConfig:
    """What `train --method segmenter` is asked for; the defaults are meant to be good."""

    size: tuple[int, int] | None = None  # height, width of the working resolution, px; None: from the pictures
    smallest_defect: int | None = None  # px across in the pictures, that must be found; None: not known
    bit_depth: int | None = None  # significant bits of 16-bit pictures; None: from the pictures
    max_megapixels: float = 50.0
    memory_mib: int = 2048
    backbone: Path | None = None  # None: the one that ships
    learning: SegmentConfig = field(default_factory=SegmentConfig)
    # share of good parts that may be rejected, where there are good ones held out; None: even odds decide
    max_overkill: float | None = None
    min_recall: Mapping[str, float] = field(default_factory=dict)  # class, or "all" defects -> share not passed
    mm_per_px: float | None = None  # of the pictures; None: not known
    zones: tuple[Zone, ...] = ()  # where a defect is worse

    def __post_init__(self) -> None:
        if self.max_overkill is not None:
            between_0_and_1(self.max_overkill, "the overkill rate")
        if self.max_overkill is not None and self.min_recall:
            raise OptionError("an overkill rate and a recall set two thresholds; leave one out.")
        if self.learning.trunk == "unet" and self.backbone is not None:
            raise OptionError("--network unet learns without a backbone; leave --backbone out.")
        if self.mm_per_px is not None and not 0 < self.mm_per_px < 1e6:
            raise OptionError(f"mm per px is {self.mm_per_px}; give a number above 0.")


def train_segmenter(
    found: SegmentedSet, output: Path, config: SegmenterConfig, progress: Progress | None = None
) -> Trained:
    """Learn the outlines of the data set's training pictures and write the model to `output`, in one step at the end.

    What an interrupted training has learnt lies beside it, in a file that ends with `.checkpoint`; the same command
    goes on from there, and removes it at the end.

    Raises:
        OptionError: an option cannot work. DatasetError: too few classes or pictures, or a mask does not fit.
        FrameError: a picture changed while it was read. StoreError: the file cannot be written.
    """
    refuse_unwritable(output)
    require_torch(METHOD)
    from sightline.models.class_checkpoint import Checkpoint  # here, as these import torch
    from sightline.models.segment_training import learn_segments
    from sightline.models.taps import tapped

    trunk = tapped(load_backbone(config.backbone)) if config.learning.trunk == "backbone" else None
    looking = ClassifierConfig(
        size=config.size,
        smallest_defect=config.smallest_defect,
        bit_depth=config.bit_depth,
        max_megapixels=config.max_megapixels,
        learning=LearningConfig(seed=config.learning.seed),
    )
    parts = parts_of(found.dataset, looking, progress)
    multiple = trunk.multiple if trunk else _PLAIN_MULTIPLE
    views = views_of(found.dataset, parts, looking, multiple)
    views = replace(views, features=_at_scale(views, config))
    truths = _Truths(found=found, views=views)
    lesson = _lesson(truths, parts, trunk, config, multiple)
    named = (truths.sha256, views.features, config.learning, trunk.sha256 if trunk else "")
    checkpoint = Checkpoint(
        path=output.with_name(f"{output.name}.checkpoint"), identity=hashlib.sha256(repr(named).encode()).hexdigest()
    )
    learnt = learn_segments(lesson, config.learning, checkpoint, progress)
    trained = written(_learned(truths, parts, trunk, config, learnt, multiple), output)
    checkpoint.remove()
    return trained


@dataclass(frozen=True, slots=True, kw_only=True)
class _Truths:
    """The pictures, those learnt from first, and what is true of each pixel."""

    found: SegmentedSet
    views: Views

    @property
    def names(self) -> tuple[str, ...]:
        return self.found.names

    def of(self, index: int) -> NDArray[np.uint8] | None:
        """(H, W); None where the picture is good."""
        sample = self.views.samples[index]
        if sample.is_good:
            return None
        height, width = read_size(sample.path, max_megapixels=self.views.frames.max_megapixels)
        return self.found.classes_of(sample, self.names, height, width)

    @property
    def sha256(self) -> str:
        """Of the pictures, their labels and their masks."""
        content = hashlib.sha256(self.views.sha256.encode())
        for index in range(len(self.views.samples)):
            if (classes := self.of(index)) is not None:
                content.update(classes.data)
        return content.hexdigest()


def _at_scale(views: Views, config: SegmenterConfig) -> FeatureConfig:
    """Where the pictures have many shapes, all are resized by one factor: what is as wide stays as wide."""
    sizes = [read_size(sample.path, max_megapixels=config.max_megapixels) for sample in views.samples]
    if config.size or of_one_shape(sizes):
        return views.features
    short = float(np.median([min(size) for size in sizes]))
    if config.smallest_defect:
        return replace(views.features, scale=min(views.features.height, views.features.width) / short)
    return replace(views.features, scale=min(1.0, _SHORT_PX / short))


def _lesson(
    truths: _Truths, parts: Parts, trunk: Backbone | None, config: SegmenterConfig, multiple: int
) -> "SegmentLesson":
    from sightline.models.augmentation import PRESETS
    from sightline.models.segment_training import SIDE_PX, SegmentLesson, judging

    views, first = truths.views, len(parts.learn)
    bad = [index for index, sample in enumerate(views.samples) if not sample.is_good]
    good = [index for index, sample in enumerate(views.samples) if sample.is_good]
    material = config.learning.material
    changes = PRESETS[material]
    return SegmentLesson(
        scenes=_scenes(truths, config, multiple),
        learn=tuple(index for index in bad if index < first),
        good=tuple(index for index in good if index < first),
        judging=judging(
            [index for index in bad if index >= first],
            [index for index in good if index >= first],
            config.learning.seed,
        ),
        side=SIDE_PX if views.features.scale else min(SIDE_PX, max(views.features.height, views.features.width)),
        trunk=trunk,
        # what is known of no part is that its defects have a handedness
        changes=replace(changes, mirror=True) if material == "none" else changes,
    )


def _scenes(truths: _Truths, config: SegmenterConfig, multiple: int) -> "Scenes":
    from sightline.models.album import Album
    from sightline.models.excerpts import Scenes

    room = max(64, config.memory_mib - _TORCH_MIB) * 2**20
    return Scenes(
        album=Album(truths.views.frames, truths.views.features, room // 2, multiple=multiple),
        classes_of=truths.of,
        classes=len(truths.names),
        room=room // 2,
    )


def _learned(
    truths: _Truths,
    parts: Parts,
    trunk: Backbone | None,
    config: SegmenterConfig,
    learnt: "LearntSegments",
    multiple: int,
) -> Learned:
    """The finished model: its threshold set on the pictures held out, by the graph itself."""
    from sightline.models.segmenter import whole_model

    views = truths.views
    model = whole_model(learnt.head, trunk, views.features, len(truths.names), multiple)
    graph = model.SerializeToString(deterministic=True)
    detector = GraphDetector(graph, views.features.bit_depth)
    held_out = range(len(parts.learn), len(views.samples))
    scores = np.array([detector.score(views.frames[at]).score for at in held_out], np.float32)
    labels = np.array([sample.label for sample in parts.held_out])
    thresholds, warnings = _limits(scores, labels, config)
    good = np.sort(scores[labels == GOOD])
    return Learned(
        graph=graph,
        manifest=_manifest(truths, parts, trunk, config, learnt, graph, thresholds, good),
        paths=tuple(sample.path for sample in parts.learn),
        good_scores=good,
        unusual=(),
        warnings=(*_about_undrawn(truths.found), *parts.warnings, *truths.views.warnings, *warnings),
    )


def _manifest(
    truths: _Truths,
    parts: Parts,
    trunk: Backbone | None,
    config: SegmenterConfig,
    learnt: "LearntSegments",
    graph: bytes,
    thresholds: Thresholds,
    good: FloatArray,
) -> Manifest:
    views, first = truths.views, len(parts.learn)
    settings: dict[str, JsonScalar] = {
        "network": config.learning.trunk,
        "scale": views.features.scale,
        "epochs": learnt.epochs,
        "material": config.learning.material,
        "pooled_iou": round(learnt.iou, 4),
    }
    return Manifest(
        sightline_version=version("sightline"),
        method=METHOD,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(
            dtype="uint8" if views.features.bit_depth == 8 else "uint16", bit_depth=views.features.bit_depth
        ),
        working_size=(views.features.height, views.features.width),
        tile=None,
        labels=(GOOD, *truths.names),
        thresholds=thresholds,
        calibration=Calibration(
            good_scores=tuple(float(score) for score in good),
            source=f"{len(parts.held_out)} pictures held out of {len(views.samples)}",
        ),
        provenance=Provenance(
            dataset=printable(truths.found.dataset.name),
            images=first,
            dataset_sha256=truths.sha256,
            seed=config.learning.seed,
            config=settings,
            backbone=printable(trunk.name) if trunk else config.learning.trunk,
            backbone_sha256=trunk.sha256 if trunk else hashlib.sha256().hexdigest(),
        ),
        segments=_rule(truths, first, config),
    )


def _limits(
    scores: FloatArray, labels: NDArray[np.str_], config: SegmenterConfig
) -> tuple[Thresholds, tuple[str, ...]]:
    """By a recall or an overkill rate where one is asked for, else at even odds; and what to know."""
    good = scores[labels == GOOD]
    if config.min_recall:
        by_type = {str(label): scores[labels == label] for label in np.unique(labels) if label != GOOD}
        found = for_recall(good, by_type, config.min_recall)
        return limits_of(found), found.warnings
    if config.max_overkill is not None and good.size:
        found = for_overkill(good, config.max_overkill)
        return limits_of(found), found.warnings
    return even_odds(scores, labels), ()


def _rule(truths: _Truths, first: int, config: SegmenterConfig) -> SegmentRule:
    """How findings are made, with the area that counts in full from what was learnt from."""
    seen = (truths.of(index) for index in range(first))  # one at a time, as they are as large as the pictures
    shares = [float((classes > 0).mean()) for classes in seen if classes is not None]
    return SegmentRule(
        mark=MARK,
        mm_per_px=config.mm_per_px,
        area_weight=_AREA_WEIGHT,
        full_area=max(1e-6, float(np.quantile(shares, _LARGE))),
        contrast_weight=_CONTRAST_WEIGHT,
        full_contrast=_FULL_CONTRAST,
        position_weight=_POSITION_WEIGHT,
        zones=config.zones,
    )


def _about_undrawn(found: SegmentedSet) -> list[str]:
    if not found.undrawn:
        return []
    return [f"{found.undrawn} pictures of defects have neither mask nor outline and were left out."]
