"""From labelled pictures to a `.sight` file that names what it sees."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import GOOD, Dataset, Sample
from sightline.datasets.duplicates import duplicates
from sightline.datasets.frames import FrameFiles
from sightline.datasets.masks import MaskFiles, read_mask
from sightline.datasets.splits import split
from sightline.datasets.survey import Survey, survey
from sightline.datasets.synthetic import refuse_synthetic
from sightline.errors import DatasetError, OptionError
from sightline.evaluation.intervals import between_0_and_1, rate
from sightline.evaluation.thresholds import ALL, for_recall
from sightline.files import refuse_unwritable
from sightline.manifest import Calibration, InputSpec, JsonScalar, Manifest, Provenance, Thresholds, printable
from sightline.models.backbone import load_backbone
from sightline.models.class_config import PRECISIONS, LearningConfig, Precision
from sightline.models.detector import GraphDetector
from sightline.models.features import WEIGHTS, FeatureConfig, Progress
from sightline.name_rules import ClassRule, Naming
from sightline.naming import with_recall
from sightline.precision import MOST_CALIBRATING, choose
from sightline.records import FloatArray, Frame
from sightline.resolution import Resolution, at_once
from sightline.training import BIT_DEPTHS, Learned, Trained, limits_of, require_torch, written

if TYPE_CHECKING:
    from sightline.models.album import Album
    from sightline.models.class_training import Learnt
    from sightline.models.network import Network

METHOD = "classifier"
FEWEST_PICTURES = 4  # of a class: three to learn from, one that judges
HELD_OUT = 0.15  # of each class
_STRANGE_SHARE = 0.01  # of the pictures held out, that may be called like no class
_ROUNDING = 0.01  # of a similarity, which 8 bits moved by up to 0.012 on neu_det and x_sdd
_EVEN_ODDS = 0.5  # calibrated probabilities need no other threshold where nothing else is asked for
_TORCH_MIB = 1024  # of the process: interpreter, torch, the network, one batch


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierConfig:
    """What `train --method classifier` is asked for; the defaults are meant to be good."""

    size: tuple[int, int] | None = None  # height, width of the working resolution, px; None: from the pictures
    smallest_defect: int | None = None  # px across in the pictures, that must be found; None: not known
    short_side: int | None = None  # px, of the working resolution, in the pictures' own shape; None: the usual one
    bit_depth: int | None = None  # significant bits of 16-bit pictures; None: from the pictures
    max_megapixels: float = 50.0
    memory_mib: int = 2048
    backbone: Path | None = None  # None: the one that ships
    network: str | None = None  # by its name in timm, instead of a backbone
    weights: Path | None = None  # of that network, safetensors
    download: bool = False  # or fetch them
    learning: LearningConfig = field(default_factory=LearningConfig)
    precision: Precision = "auto"  # 8-bit integers where they lose nothing
    min_recall: Mapping[str, float] = field(default_factory=dict)  # class, or "all" defects -> share not passed
    review_confidence: float | None = 0.5  # a name that is less probable is a REVIEW
    weighted: bool = False  # every sample's mask is grey and says how much each pixel counts; for regions

    def __post_init__(self) -> None:
        if self.review_confidence is not None and self.review_confidence != 0:
            between_0_and_1(self.review_confidence, "the review confidence")
        if self.network is None and (self.weights is not None or self.download):
            raise OptionError("weights and downloads belong to a network; name one with --network.")
        if self.network is not None and self.backbone is not None:
            raise OptionError("--network and --backbone name two networks; leave one out.")
        if self.precision not in PRECISIONS:
            raise OptionError(f"precision {self.precision!r} is not known; use one of {', '.join(PRECISIONS)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which pictures are learnt from, and which judge and calibrate."""

    learn: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Views:
    """All pictures, those to learn from first, and how they are looked at."""

    samples: tuple[Sample, ...]
    frames: FrameFiles
    features: FeatureConfig
    names: tuple[str, ...]
    weights: FrameFiles | None  # how much each pixel of each counts; None: all alike
    marked: bool  # whether masks say where defects lie, in pictures to learn from
    sha256: str  # of the pictures' pixels and labels, and of the weights
    warnings: tuple[str, ...]  # where the smallest defect is seen too small

    def weights_of(self, index: int) -> NDArray[np.uint8] | None:
        """(H, W) of one picture."""
        return None if self.weights is None else weights_in(self.weights[index])


def weights_in(frame: Frame) -> NDArray[np.uint8]:
    """(H, W) from a grey 8-bit picture of weights."""
    return np.ascontiguousarray(frame.pixels[:, :, 0], np.uint8)


def train_classifier(
    dataset: Dataset, output: Path, config: ClassifierConfig, progress: Progress | None = None
) -> Trained:
    """Learn the classes of the data set's training pictures and write the model to `output`, in one step at the end.

    What an interrupted training has learnt lies beside it, in a file that ends with `.checkpoint`; the same command
    goes on from there, and removes it at the end.

    Raises:
        OptionError: an option cannot work. DatasetError: too few classes or pictures.
        FrameError: a picture changed while it was read. StoreError: the file cannot be written.
    """
    refuse_unwritable(output)
    require_torch(METHOD)
    from sightline.models.class_checkpoint import Checkpoint  # here, as these import torch
    from sightline.models.class_training import learn
    from sightline.models.lesson import Lesson

    learning = config.learning
    parts = parts_of(dataset, config, progress)
    network = _network(config)
    views = views_of(dataset, parts, config, max(network.strides))
    _check_recalls(views.names, config.min_recall)
    identity = hashlib.sha256(repr((views.sha256, views.features, learning, network.sha256)).encode()).hexdigest()
    checkpoint = Checkpoint(path=output.with_name(f"{output.name}.checkpoint"), identity=identity)
    lesson = Lesson(
        album=_album(views, config),
        masks=_masks(views, config),
        room_bytes=_room(config) - _pictures_bytes(views, config),
        labels=np.array([views.names.index(sample.label) for sample in views.samples]),
        names=views.names,
        learn=tuple(range(len(parts.learn))),
        held_out=tuple(range(len(parts.learn), len(views.samples))),
    )
    learnt = learn(lesson, network, learning, checkpoint, progress)
    trained = written(_learned(dataset, parts, views, config, learnt), output)
    checkpoint.remove()
    return trained


def parts_of(dataset: Dataset, config: ClassifierConfig, progress: Progress | None = None) -> Parts:
    """Divide the training pictures by class, seeded; nearly the same pictures stay on one side.

    The data set's own validation pictures are taken where they have every class. A training split without defects, as
    of a data set made for anomaly detection, teaches no names: then all pictures are divided.

    Raises:
        DatasetError: fewer than two classes, or a class of fewer than FEWEST_PICTURES pictures.
    """
    chosen, warnings = dataset.train, list[str]()
    if len({sample.label for sample in chosen}) < 2 <= len(dataset.labels):
        chosen = dataset.samples
        warnings.append(
            "the training pictures show one class; pictures of all splits were learnt from. To keep some for a test, "
            "divide the data set with `sightline data split` first."
        )
    looked = _survey(replace(dataset, samples=chosen or dataset.samples), config, progress)
    warnings += [f"left out: {item.reason}" for item in looked.unreadable]
    samples = tuple(look.sample for look in looked.looks)
    _check_classes(dataset, samples)
    labels = {sample.label for sample in samples}
    if chosen is not dataset.samples and {sample.label for sample in dataset.validation} >= labels:
        refuse_synthetic(dataset.validation)
        return Parts(learn=samples, held_out=dataset.validation, warnings=tuple(warnings))
    groups = [[sample.path for sample in group.samples] for group in duplicates(looked.looks)]
    divided = split(
        replace(dataset, samples=samples), {"train": 1 - HELD_OUT, "validation": HELD_OUT}, config.learning.seed, groups
    )
    for label in labels:
        if not all(any(s.label == label for s in part) for part in (divided.train, divided.validation)):
            raise DatasetError(f"{dataset.root}: the pictures of {label!r} are all alike; add different ones.")
    return Parts(learn=divided.train, held_out=divided.validation, warnings=tuple(warnings))


def _survey(dataset: Dataset, config: ClassifierConfig, progress: Progress | None) -> Survey:
    found = survey(dataset, max_megapixels=config.max_megapixels, progress=False)
    if progress:
        progress("reading", len(dataset.samples), len(dataset.samples))
    return found


def _check_classes(dataset: Dataset, samples: Sequence[Sample]) -> None:
    counts = {label: sum(sample.label == label for sample in samples) for label in dataset.labels}
    counts = {label: count for label, count in counts.items() if count}
    if len(counts) < 2:
        raise DatasetError(
            f"{dataset.root}: shows {len(counts)} class; a classifier needs two at least. "
            "Give one folder per class, or a CSV with labels."
        )
    few = [f"{label} ({count})" for label, count in counts.items() if count < FEWEST_PICTURES]
    if few:
        raise DatasetError(
            f"{dataset.root}: too few pictures of {', '.join(few)}; give at least {FEWEST_PICTURES} of each class, "
            "better 50 or more."
        )


def _check_recalls(names: Sequence[str], min_recall: Mapping[str, float]) -> None:
    defects = [name for name in names if name != GOOD]
    if unknown := sorted(set(min_recall) - {ALL, *defects}):
        raise OptionError(
            f"there is no defect class {unknown[0]!r} to ask a recall of; there are {', '.join(defects)}."
        )


def views_of(dataset: Dataset, parts: Parts, config: ClassifierConfig, multiple: int) -> Views:
    """Look at every picture once; raises DatasetError or OptionError where they or the size cannot be learnt from."""
    samples = (*parts.learn, *parts.held_out)
    frames = FrameFiles(paths=[sample.path for sample in samples], max_megapixels=config.max_megapixels)
    weights = None
    if config.weighted:
        masks = [sample.mask for sample in samples if sample.mask is not None]
        assert len(masks) == len(samples), "whoever asks for weights gives them"
        weights = FrameFiles(paths=masks, max_megapixels=config.max_megapixels)
    shapes, depths, highest, content, marked = [], set[int](), 0, hashlib.sha256(), False
    for index, sample in enumerate(samples):
        frame = frames[index]
        shapes.append((frame.height, frame.width))
        depths.add(frame.pixels.dtype.itemsize * 8)
        highest = max(highest, int(frame.pixels.max()))
        content.update(f"{sample.label} {frame.pixels.shape} {index < len(parts.learn)}".encode())
        content.update(np.ascontiguousarray(frame.pixels).data)
        if sample.mask is not None and not sample.is_good and not config.weighted:
            marked |= index < len(parts.learn)
            content.update(np.packbits(read_mask(sample.mask, frame.height, frame.width)).data)
        if weights is not None:
            content.update(weights_in(weights[index]).data)
    if len(depths) > 1:
        raise DatasetError(f"{dataset.root}: has pictures of 8 and of 16 bits. Give pictures of one depth.")
    depth = 8 if 8 in depths else config.bit_depth or next(bits for bits in BIT_DEPTHS if highest < 1 << bits)
    if highest >= 1 << depth:
        raise OptionError(f"{dataset.root}: has values up to {highest}, which {depth} bits cannot hold.")
    seen = _resolution(shapes, config, multiple)
    labels = {sample.label for sample in samples}
    return Views(
        samples=samples,
        frames=frames,
        features=FeatureConfig(height=seen.height, width=seen.width, bit_depth=depth, seed=config.learning.seed),
        names=tuple(label for label in dataset.labels if label in labels),
        weights=weights,
        marked=marked,
        sha256=content.hexdigest(),
        warnings=seen.warnings,
    )


def _resolution(shapes: Sequence[tuple[int, int]], config: ClassifierConfig, multiple: int) -> Resolution:
    if config.size is None:
        return at_once(
            shapes,
            multiple,
            smallest_defect=config.smallest_defect,
            short_side=config.short_side,
            cure="Methods that learn names see pictures at once: cut the parts out first, or use patchcore",
        )
    height, width = config.size
    if any(side % multiple or side < 2 * multiple for side in (height, width)):
        raise OptionError(f"size {width} x {height} px does not suit this network; use multiples of {multiple}.")
    return Resolution(height=height, width=width)


def _room(config: ClassifierConfig) -> int:
    """Bytes for pictures and what is computed of them."""
    return max(64, config.memory_mib - _TORCH_MIB) * 2**20


def _pictures_bytes(views: Views, config: ClassifierConfig) -> int:
    """Of the room, what pictures in colour and their masks take at most; half of it where more is made of them."""
    of_all = 8 * views.features.height * views.features.width * len(views.samples)
    return min(of_all, _room(config) // 2) if views.marked else _room(config)


def _album(views: Views, config: ClassifierConfig) -> "Album":
    from sightline.models.album import Album

    return Album(views.frames, views.features, _pictures_bytes(views, config), views.weights)


def _masks(views: Views, config: ClassifierConfig) -> "Album | None":
    """Where the defects lie; None where no picture to learn from says it."""
    from sightline.models.album import Album

    if not views.marked:
        return None
    masks = MaskFiles(samples=views.samples, max_megapixels=config.max_megapixels)
    return Album(masks, replace(views.features, bit_depth=8), _pictures_bytes(views, config) // 4)


def _network(config: ClassifierConfig) -> "Network":
    if config.network is not None:
        from sightline.models.named_networks import named_network

        return named_network(config.network, config.weights, download=config.download)
    from sightline.models.network import GraphNetwork

    return GraphNetwork(load_backbone(config.backbone))


def _learned(
    dataset: Dataset,
    parts: Parts,
    views: Views,
    config: ClassifierConfig,
    learnt: "Learnt",
) -> Learned:
    """The finished model: probabilities calibrated, thresholds set, all on the pictures held out."""
    from sightline.models.classifier import temperature, whole_model

    truth = [sample.label for sample in parts.held_out]
    places = np.array([views.names.index(label) for label in truth])
    degrees, first = temperature(learnt.logits, places), len(parts.learn)
    made = learnt.classifier
    weighted = views.weights is not None
    model = whole_model(made.network, made.head, learnt.space, views.features, views.names, degrees, weighted=weighted)
    kept = choose(model, config.precision, _feeds(views, first), lambda graph: _judged(graph, views, first), places)
    graph, (shares, similarities) = kept.graph, kept.answers
    limits = _limits(views.names, truth, [sample.label for sample in parts.learn], shares, config)
    settings: dict[str, JsonScalar] = {
        "epochs": learnt.epochs,
        "imbalance": learnt.imbalance,
        "material": config.learning.material,
        "turned_off": ", ".join(learnt.off),
        "temperature": round(degrees, 4),
        "macro_f1": round(kept.macro_f1, 4),
        "precision": kept.precision,
    }
    least = float(np.quantile(similarities.max(axis=1), _STRANGE_SHARE, method="lower")) - _ROUNDING
    limits = replace(limits, naming=replace(limits.naming, least_similarity=least, weighted=weighted))
    good = np.sort(_scores(views.names, shares)[np.array(truth) == GOOD])
    return Learned(
        graph=graph,
        manifest=_manifest(dataset, views, config, graph, limits, settings, good, learnt.classifier.network),
        paths=tuple(sample.path for sample in parts.learn),
        good_scores=good,
        unusual=(),
        warnings=(*parts.warnings, *views.warnings, *_erased(learnt.off), *kept.warnings, *limits.warnings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    thresholds: Thresholds
    naming: Naming
    source: str  # what they were set with, in words
    warnings: tuple[str, ...]


def _feeds(views: Views, count: int) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Of the first `count` pictures, which are learnt from, some of every kind as the graph takes them."""
    for place in np.unique(np.linspace(0, count - 1, min(count, MOST_CALIBRATING)).round().astype(int)).tolist():
        weights = views.weights_of(place)
        yield {"image": views.frames[place].pixels} | ({} if weights is None else {WEIGHTS: weights})


def _judged(graph: bytes, views: Views, first: int) -> tuple[FloatArray, FloatArray]:
    """Probabilities and similarities, (n, K) each, of the pictures held out, by the finished graph itself."""
    detector = GraphDetector(graph, views.features.bit_depth)
    found = [
        detector.score(views.frames[index], weights=views.weights_of(index))
        for index in range(first, len(views.samples))
    ]
    shares = np.stack([one.probabilities for one in found if one.probabilities is not None])
    return shares, np.stack([one.similarities for one in found if one.similarities is not None])


def _scores(names: Sequence[str], shares: FloatArray) -> FloatArray:
    """(n,) as the graph's: the sum over the defects, or 1 where nothing is good."""
    defects = [place for place, name in enumerate(names) if name != GOOD]
    if len(defects) == len(names):
        return np.ones(len(shares), np.float32)
    scores: FloatArray = np.minimum(shares[:, defects].sum(axis=1, dtype=np.float32), np.float32(1))
    return scores


def _limits(
    names: Sequence[str], labels: Sequence[str], learnt: Sequence[str], shares: FloatArray, config: ClassifierConfig
) -> _Limits:
    """Even odds for the score, and a threshold for each class of which a recall is asked for.

    Args:
        labels: (n,) of the pictures held out, to which `shares` (n, K) belong.
        learnt: labels of the pictures learnt from.
    """
    truth, scores, warnings = np.array(labels), _scores(names, shares), list[str]()
    by_type = {name: scores[truth == name] for name in names if name != GOOD}
    thresholds = even_odds(scores, truth)
    if ALL in config.min_recall:
        found = for_recall(scores[truth == GOOD], by_type, {ALL: config.min_recall[ALL]})
        thresholds, warnings = limits_of(found), [*found.warnings]
    rules = []
    for place, name in enumerate(names):
        rule = ClassRule(name=name, images=sum(label == name for label in learnt))
        if name in config.min_recall:
            of_class, of_good = shares[truth == name, place], shares[truth == GOOD, place]
            rule, said = with_recall(rule, of_class, of_good, config.min_recall[name])
            warnings += said
        rules.append(rule)
    return _Limits(
        thresholds=thresholds,
        naming=Naming(classes=tuple(rules), review_confidence=config.review_confidence or None),
        source=f"{len(labels)} pictures held out of {len(labels) + len(learnt)}",
        warnings=tuple(warnings),
    )


def even_odds(scores: FloatArray, truth: np.ndarray) -> Thresholds:
    """A threshold of one half, and what it does to pictures held out; `truth` (n,) are their labels."""
    caught, stopped = (scores[(truth == GOOD) == kind] >= _EVEN_ODDS for kind in (False, True))
    found = [
        f"{what}: {share.sum()} of {share.size} ({100 * shown.low:.1f} to {100 * shown.high:.1f} %)"
        for what, share in (("caught", caught), ("good parts stopped", stopped))
        if (shown := rate(int(share.sum()), int(share.size))).low is not None and shown.high is not None
    ]
    return Thresholds(
        reject=_EVEN_ODDS,
        review=None,
        rule=f"REJECT if score >= {_EVEN_ODDS}: a defect is more probable than not",
        promise="; ".join(found),
        max_overkill=None,
    )


def _erased(off: Sequence[str]) -> list[str]:
    return [f"changes of {kind} were left out of training, as they make a class look like another" for kind in off]


def _manifest(
    dataset: Dataset,
    views: Views,
    config: ClassifierConfig,
    graph: bytes,
    limits: _Limits,
    settings: dict[str, JsonScalar],
    good: FloatArray,
    network: "Network",
) -> Manifest:
    depth = views.features.bit_depth
    return Manifest(
        sightline_version=version("sightline"),
        method=METHOD,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=InputSpec(dtype="uint8" if depth == 8 else "uint16", bit_depth=depth),
        working_size=(views.features.height, views.features.width),
        tile=None,
        labels=views.names,
        thresholds=limits.thresholds,
        calibration=Calibration(good_scores=tuple(float(score) for score in good), source=limits.source),
        provenance=Provenance(
            dataset=printable(dataset.name),
            images=sum(rule.images for rule in limits.naming.classes),
            dataset_sha256=views.sha256,
            seed=config.learning.seed,
            config=settings,
            backbone=printable(network.name),
            backbone_sha256=network.sha256,
        ),
        naming=limits.naming,
    )
