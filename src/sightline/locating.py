"""From pictures with boxes to a `.sight` file that finds defects, as boxes with their names."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.datasets.boxed import BoxedSet
from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.datasets.duplicates import duplicates
from sightline.datasets.splits import split
from sightline.datasets.survey import survey
from sightline.datasets.synthetic import refuse_synthetic
from sightline.errors import DatasetError, OptionError
from sightline.evaluation.intervals import between_0_and_1
from sightline.evaluation.thresholds import ALL, for_overkill, for_recall
from sightline.files import refuse_unwritable
from sightline.manifest import Calibration, InputSpec, JsonScalar, Manifest, Provenance, Thresholds, printable
from sightline.models.backbone import Backbone, load_backbone
from sightline.models.box_confidence import best_f1, calibration, judged_boxes
from sightline.models.box_config import BoxLearningConfig
from sightline.models.class_config import LearningConfig
from sightline.models.detector import GraphDetector
from sightline.models.features import Progress
from sightline.name_rules import ClassRule, Locating
from sightline.naming import with_recall
from sightline.records import Boxes, FloatArray
from sightline.supervised import HELD_OUT, ClassifierConfig, Parts, Views, views_of
from sightline.training import Learned, Trained, limits_of, require_torch, written

if TYPE_CHECKING:
    from sightline.models.album import Album
    from sightline.models.box_training import BoxLearnt

METHOD = "detector"
FEWEST_PICTURES = 4  # with a box of each class: three to learn from, one that judges
_TORCH_MIB = 1024  # of the process: interpreter, torch, the network, one batch
_FOR_PICTURES = 0.25  # of the rest of the memory; what is left keeps what the backbone says of them


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatingConfig:
    """What `train --method detector` is asked for; the defaults are meant to be good."""

    size: tuple[int, int] | None = None  # height, width of the working resolution, px; None: from the pictures
    smallest_defect: int | None = None  # px across in the pictures, that must be found; None: not known
    bit_depth: int | None = None  # significant bits of 16-bit pictures; None: from the pictures
    max_megapixels: float = 50.0
    memory_mib: int = 2048
    backbone: Path | None = None  # None: the one that ships
    learning: BoxLearningConfig = field(default_factory=BoxLearningConfig)
    max_overkill: float = 0.01  # share of good parts that may be rejected, where there are good ones
    min_recall: Mapping[str, float] = field(default_factory=dict)  # class, or "all" defects -> share not passed

    def __post_init__(self) -> None:
        between_0_and_1(self.max_overkill, "the overkill rate")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Truths:
    """What is learnt and judged by: the pictures, those to learn from first, and their boxes."""

    views: Views
    parts: Parts
    names: tuple[str, ...]
    boxes: tuple[Boxes, ...]  # of each picture, px of the working picture

    @property
    def first(self) -> int:
        """Place of the first picture held out."""
        return len(self.parts.learn)

    @property
    def sha256(self) -> str:
        """Of the pictures and of their boxes."""
        content = hashlib.sha256(self.views.sha256.encode())
        for one in self.boxes:
            content.update(one.corners.tobytes() + one.classes.tobytes())
        return content.hexdigest()


def train_boxes(found: BoxedSet, output: Path, config: LocatingConfig, progress: Progress | None = None) -> Trained:
    """Learn the boxes of the data set's training pictures and write the model to `output`, in one step at the end.

    What an interrupted training has learnt lies beside it, in a file that ends with `.checkpoint`; the same command
    goes on from there, and removes it at the end.

    Raises:
        OptionError: an option cannot work. DatasetError: too few pictures with boxes.
        FrameError: a picture changed while it was read. StoreError: the file cannot be written.
    """
    refuse_unwritable(output)
    require_torch(METHOD)
    from sightline.models.box_training import BoxLesson, learn_boxes  # here, as these import torch
    from sightline.models.class_checkpoint import Checkpoint
    from sightline.models.network import GraphNetwork

    backbone = load_backbone(config.backbone)
    truths = _truths(found, config, backbone.multiple, progress)
    _check_recalls(truths.names, config.min_recall)
    identity = hashlib.sha256(repr((truths.sha256, config.learning, backbone.sha256)).encode()).hexdigest()
    checkpoint = Checkpoint(path=output.with_name(f"{output.name}.checkpoint"), identity=identity)
    album, room = _album(truths.views, config)
    lesson = BoxLesson(
        album=album,
        size=(truths.views.features.height, truths.views.features.width),
        truths=truths.boxes,
        classes=len(truths.names),
        learn=tuple(range(truths.first)),
        held_out=tuple(range(truths.first, len(truths.boxes))),
    )
    learnt = learn_boxes(lesson, GraphNetwork(backbone), config.learning, checkpoint, room, progress)
    trained = written(_learned(found, truths, config, backbone, learnt, album), output)
    checkpoint.remove()
    return trained


def _truths(found: BoxedSet, config: LocatingConfig, multiple: int, progress: Progress | None) -> _Truths:
    parts = _parts(found, config, progress)
    looking = ClassifierConfig(
        size=config.size,
        smallest_defect=config.smallest_defect,
        bit_depth=config.bit_depth,
        max_megapixels=config.max_megapixels,
        learning=LearningConfig(seed=config.learning.seed),
    )
    views = views_of(found.dataset, parts, looking, multiple)
    size = (views.features.height, views.features.width)
    # classes that only pictures of other splits have are not learnt
    names = tuple(
        name for place, name in enumerate(found.names) if any(place in _places(found, s) for s in parts.learn)
    )
    boxes = tuple(_known(found.boxes_of(sample.path, names, size), len(names)) for sample in views.samples)
    return _Truths(views=views, parts=parts, names=names, boxes=boxes)


def _known(boxes: Boxes, classes: int) -> Boxes:
    return boxes.only(np.flatnonzero(boxes.classes < classes))


def _places(found: BoxedSet, sample: Sample) -> set[int]:
    """The classes of the boxes of a picture."""
    return set(found.boxes_of(sample.path, found.names, (1, 1)).classes.tolist())


def _parts(found: BoxedSet, config: LocatingConfig, progress: Progress | None) -> Parts:
    """Divide the training pictures, seeded; nearly the same ones stay on one side.

    The data set's own validation pictures are taken where they have boxes of every class that is learnt.
    """
    dataset, warnings = found.dataset, list[str]()
    if found.unknown:
        warnings.append(f"{found.unknown} pictures do not say where their defect is, and were left out.")
    looked = survey(
        replace(dataset, samples=dataset.train or dataset.samples), max_megapixels=config.max_megapixels, progress=False
    )
    if progress:
        progress("reading", len(looked.looks), len(looked.looks))
    warnings += [f"left out: {item.reason}" for item in looked.unreadable]
    samples = tuple(look.sample for look in looked.looks)
    learnt = _checked(found, samples)
    if learnt <= set[int]().union(*(_places(found, sample) for sample in dataset.validation)):
        refuse_synthetic(dataset.validation)
        return Parts(learn=samples, held_out=dataset.validation, warnings=tuple(warnings))
    groups = [[sample.path for sample in group.samples] for group in duplicates(looked.looks)]
    shares = {"train": 1 - HELD_OUT, "validation": HELD_OUT}
    divided = split(replace(dataset, samples=samples), shares, config.learning.seed, groups)
    if not any(_places(found, sample) for sample in divided.validation):
        raise DatasetError(f"{dataset.root}: the pictures with boxes are too few or all alike; add different ones.")
    return Parts(learn=divided.train, held_out=divided.validation, warnings=tuple(warnings))


def _checked(found: BoxedSet, samples: Sequence[Sample]) -> set[int]:
    """The classes whose boxes these pictures have; raises DatasetError where one has too few, or there is none."""
    counts = dict.fromkeys(range(len(found.names)), 0)
    for sample in samples:
        for place in _places(found, sample):
            counts[place] += 1
    few = [f"{found.names[place]} ({count})" for place, count in counts.items() if 0 < count < FEWEST_PICTURES]
    if few or not any(counts.values()):
        raise DatasetError(
            f"{found.dataset.root}: too few pictures with boxes of {', '.join(few) or 'any class'}; give at least "
            f"{FEWEST_PICTURES} of each class, better 50 or more."
        )
    return {place for place, count in counts.items() if count}


def _check_recalls(names: Sequence[str], min_recall: Mapping[str, float]) -> None:
    if unknown := sorted(set(min_recall) - {ALL, *names}):
        raise OptionError(f"there is no defect class {unknown[0]!r} to ask a recall of; there are {', '.join(names)}.")


def _album(views: Views, config: LocatingConfig) -> tuple["Album", int]:
    """The pictures, and the bytes that are left for what the backbone says of them."""
    from sightline.models.album import Album

    room = max(64, config.memory_mib - _TORCH_MIB) * 2**20
    pictures = int(_FOR_PICTURES * room)
    return Album(views.frames, views.features, pictures), room - pictures


def _learned(
    found: BoxedSet,
    truths: _Truths,
    config: LocatingConfig,
    backbone: Backbone,
    learnt: "BoxLearnt",
    album: "Album",
) -> Learned:
    """The finished model: confidences calibrated and thresholds set on the pictures held out."""
    from sightline.models.box_graph import whole_model
    from sightline.models.box_training import found_boxes

    views, first, classes = truths.views, truths.first, len(truths.names)
    held_out, size = range(first, len(truths.boxes)), (views.features.height, views.features.width)
    raw = found_boxes(learnt.detector, album, held_out, size)
    slope, offset = calibration(judged_boxes(truths.boxes[first:], raw, classes))
    graph = whole_model(learnt.detector, views.features, slope, offset).SerializeToString(deterministic=True)
    detector = GraphDetector(graph, views.features.bit_depth)
    said = [detector.score(views.frames[place]) for place in held_out]
    scores = np.array([one.score for one in said], np.float32)
    seen = [one.boxes for one in said if one.boxes is not None]
    limits = _limits(truths, scores, seen, config)
    good = np.sort(scores[_is_good(truths)])
    settings: dict[str, JsonScalar] = {
        "epochs": learnt.epochs,
        "material": config.learning.material,
        "slope": round(slope, 4),
        "offset": round(offset, 4),
        "map50": round(learnt.map50, 4),
    }
    return Learned(
        graph=graph,
        manifest=_manifest(found.dataset, truths, config, backbone, graph, limits, settings, good),
        paths=tuple(sample.path for sample in truths.parts.learn),
        good_scores=good,
        unusual=(),
        warnings=(*truths.parts.warnings, *truths.views.warnings, *limits.warnings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    thresholds: Thresholds
    locating: Locating
    warnings: tuple[str, ...]


def _limits(truths: _Truths, scores: FloatArray, seen: Sequence[Boxes], config: LocatingConfig) -> _Limits:
    """For a recall, or for a rate of overkill where there are good pictures; else where boxes have the best F1.

    Args:
        scores: (n,) of the pictures held out, and `seen` their boxes.
    """
    is_good, held_out = _is_good(truths), truths.boxes[truths.first :]
    confidence, f1 = best_f1(judged_boxes(held_out, seen, len(truths.names)))
    warnings, rules = list[str](), list[ClassRule]()
    if ALL in config.min_recall:
        by_recall = for_recall(scores[is_good], {"defects": scores[~is_good]}, {ALL: config.min_recall[ALL]})
        thresholds, warnings = limits_of(by_recall), [*by_recall.warnings]
    elif is_good.any():
        by_overkill = for_overkill(scores[is_good], config.max_overkill)
        thresholds, warnings = limits_of(by_overkill), [*by_overkill.warnings]
    else:
        thresholds = _by_f1(confidence, f1)
    for place, name in enumerate(truths.names):
        rule = ClassRule(name=name, images=sum(place in one.classes for one in truths.boxes[: truths.first]))
        if name in config.min_recall:
            surest = np.array([max(one.confidences[one.classes == place], default=0) for one in seen], np.float32)
            shows_it = np.array([place in one.classes for one in held_out])
            rule, said = with_recall(rule, surest[shows_it], surest[is_good], config.min_recall[name])
            warnings += said
        rules.append(rule)
    locating = Locating(classes=tuple(rules), confidence=confidence)
    return _Limits(thresholds=thresholds, locating=locating, warnings=tuple(warnings))


def _by_f1(value: float, f1: float) -> Thresholds:
    return Thresholds(
        reject=value,
        review=None,
        rule=f"REJECT if score >= {value:.6g}: boxes of that confidence have the best F1; no picture held out is good",
        promise=f"F1 {f1:.3f} of boxes on the pictures held out, at an overlap of 0.5; nothing of good parts",
        max_overkill=None,
    )


def _is_good(truths: _Truths) -> np.ndarray:
    """(n,) of the pictures held out."""
    return np.array([sample.is_good for sample in truths.parts.held_out])


def _manifest(
    dataset: Dataset,
    truths: _Truths,
    config: LocatingConfig,
    backbone: Backbone,
    graph: bytes,
    limits: _Limits,
    settings: dict[str, JsonScalar],
    good: FloatArray,
) -> Manifest:
    features = truths.views.features
    return Manifest(
        sightline_version=version("sightline"),
        method=METHOD,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(dtype="uint8" if features.bit_depth == 8 else "uint16", bit_depth=features.bit_depth),
        working_size=(features.height, features.width),
        tile=None,
        labels=(GOOD, *truths.names),
        thresholds=limits.thresholds,
        calibration=Calibration(
            good_scores=tuple(float(score) for score in good),
            source=f"{len(truths.boxes) - truths.first} pictures held out of {len(truths.boxes)}",
        ),
        provenance=Provenance(
            dataset=printable(dataset.name),
            images=truths.first,
            dataset_sha256=truths.sha256,
            seed=config.learning.seed,
            config=settings,
            backbone=printable(backbone.name),
            backbone_sha256=backbone.sha256,
        ),
        locating=limits.locating,
    )
