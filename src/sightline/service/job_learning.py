"""Jobs that make models: train, search, export."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from sightline.bundle import load
from sightline.datasets.boxed import open_boxed
from sightline.datasets.dataset import Dataset
from sightline.datasets.labelled import open_classes
from sightline.datasets.opening import open_dataset
from sightline.datasets.segmented import open_segmented
from sightline.errors import DatasetError, FrameError, OptionError
from sightline.export.exporting import ExportConfig, export
from sightline.files import write_bytes
from sightline.hybrid import train_hybrid
from sightline.inspector import load as load_inspector
from sightline.locating import METHOD as BOXES
from sightline.locating import LocatingConfig, train_boxes
from sightline.models.detector import Method
from sightline.segmenting import METHOD as SEGMENTER
from sightline.segmenting import SegmenterConfig, train_segmenter
from sightline.service.job_judging import Figures, tested
from sightline.service.job_pictures import dataset_of, one_source
from sightline.service.job_task import Kind, Task, inside, model_file
from sightline.store.database import Database
from sightline.store.models import Upload, add
from sightline.supervised import ClassifierConfig, train_classifier
from sightline.training import HYBRID, SUPERVISED, TrainConfig, Trained, train

_LONGEST_SEARCH_MIN = 7 * 24 * 60.0
_ENDINGS = {"onnx": ".onnx", "openvino": ".xml", "litert": ".tflite", "edgetpu": ".tflite", "tensorrt": ".engine"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """As `sightline train` takes them; what is left out is as there."""

    data: str = ""  # folder below the server's data; or `dataset`
    dataset: str = ""  # NAME/VERSION of a data set, or NAME for its newest version; for methods that draw nothing
    name: str = "model"  # of the file, and of the model that it becomes a candidate of
    version: int | None = None  # of that model, that it becomes; None: the next one
    output: str | None = None  # file below the server's data that it is written to as well
    method: Literal["hybrid"] | Method = "patchcore"
    size: tuple[int, int] | None = None  # height, width, px
    smallest_defect: int | None = None  # px
    tile: int | None = None  # px
    dimensions: int | None = None
    bank: int | None = None
    position_prior: bool = True
    steps: int | None = None
    max_overkill: float = 0.01
    memory_mib: int = 2048
    bit_depth: int | None = None
    max_megapixels: float = 50.0
    seed: int = 0
    depth: bool = False
    test: bool = False  # judge the pictures for testing, and put the figures beside the model

    def __post_init__(self) -> None:
        check_name(self.name)
        self.config()
        one_source(self.data, self.dataset)
        if self.version is not None and not 0 < self.version < 2**31:
            raise OptionError(f"version is {self.version}; give a number of 1 or more, or leave it out.")
        if self.dataset and self.method in (SEGMENTER, BOXES):
            raise OptionError(f"{self.method} learns from outlines; give data, the folder of a data set with them.")
        if self.test and self.method in (SEGMENTER, BOXES):
            raise OptionError(f"{self.method} has figures of its own; start the job validate instead of test.")

    def config(self) -> TrainConfig:
        return TrainConfig(
            method="patchcore" if self.method == HYBRID else self.method,
            size=self.size,
            smallest_defect=self.smallest_defect,
            tile=self.tile,
            dimensions=self.dimensions,
            bank=self.bank,
            position_prior=self.position_prior,
            steps=self.steps,
            max_overkill=self.max_overkill,
            memory_mib=self.memory_mib,
            bit_depth=self.bit_depth,
            max_megapixels=self.max_megapixels,
            seed=self.seed,
            depth=self.depth,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """As `sightline auto` takes them."""

    data: str
    name: str = "model"
    task: Literal["auto", "anomaly", "names"] = "auto"
    minutes: float = 30.0
    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    max_overkill: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        check_name(self.name)
        for name in ("minutes", "max_latency_ms", "max_size_mb"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= _LONGEST_SEARCH_MIN:
                raise OptionError(f"{name} is {value}; give a number above 0, up to {_LONGEST_SEARCH_MIN:g}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """As `sightline export` takes them."""

    model: str  # NAME of the current version, or NAME/VERSION
    to: Literal["onnx", "openvino", "litert", "edgetpu", "tensorrt"] = "onnx"
    int8: bool = False
    images: str | None = None  # folder below the server's data that it is judged on; None: made-up ones
    max_loss: float = 0.01
    product: str | None = None

    def __post_init__(self) -> None:
        self.config()

    def config(self) -> ExportConfig:
        return ExportConfig(format=self.to, int8=self.int8, max_loss=self.max_loss, product=self.product)


def check_name(name: str) -> None:
    """Refuse what is no plain name of a file."""
    if not 0 < len(name) <= 100 or not all(sign.isalnum() or sign in "-_." for sign in name) or name[0] == ".":
        raise OptionError(f"name {name!r:.60}: take letters, digits, - and _.")


def _train(options: TrainOptions, task: Task) -> Mapping[str, Any]:
    output = task.folder / f"{options.name}.sight"
    trained = _trained(output, options, task)
    if options.output is not None:
        copied = inside(task.site.data, str(Path(options.output).parent), "output") / Path(options.output).name
        write_bytes(copied, output.read_bytes())
    return _learnt(trained, task, options.name, options.version, _tested(output, options, task))


def _tested(output: Path, options: TrainOptions, task: Task) -> Figures:
    """Empty where that is not asked for, or there are no pictures for it."""
    if not options.test:
        return {}
    try:
        inspector = load_inspector(output)
        dataset = _opened(options, task, open_classes if inspector.names else open_dataset)
        return tested(inspector, dataset, task) if dataset.test else {}
    except (DatasetError, FrameError) as error:  # the model is as good without
        task.say(f"warning: it is not tested: {error}")
        return {}


def _trained(output: Path, options: TrainOptions, task: Task) -> Trained:
    config = options.config()
    if config.method not in SUPERVISED and options.method != HYBRID:
        return train(_opened(options, task, open_dataset), output, config, task.progress)
    if options.method == SEGMENTER:
        data = inside(task.site.data, options.data, "data")
        outlining = SegmenterConfig(**_shared(config))
        return train_segmenter(open_segmented(data), output, outlining, task.progress)
    if options.method == BOXES:
        data = inside(task.site.data, options.data, "data")
        return train_boxes(open_boxed(data), output, LocatingConfig(**_shared(config)), task.progress)
    naming = ClassifierConfig(**_shared(config))
    if options.method == HYBRID:
        return train_hybrid(_opened(options, task, open_classes), output, config, naming, task.progress)
    return train_classifier(_opened(options, task, open_classes), output, naming, task.progress)


def _opened(options: TrainOptions, task: Task, read: Callable[[Path], Dataset]) -> Dataset:
    if options.dataset:
        return dataset_of(task, options.dataset)
    return read(inside(task.site.data, options.data, "data"))


def _shared(config: TrainConfig) -> dict[str, Any]:
    """What all methods that learn from labels take."""
    names = ("size", "smallest_defect", "bit_depth", "max_megapixels", "memory_mib")
    return {name: getattr(config, name) for name in names}


def _learnt(
    trained: Trained, task: Task, name: str, version: int | None = None, figures: Figures | None = None
) -> dict[str, Any]:
    """What became of it; the model is a candidate from here on, and the same one where the job began again."""
    manifest = trained.bundle.manifest
    told = figures or {}
    upload = Upload(name=name, author=task.author, note=f"job {task.folder.name}", figures=told, version=version)
    with closing(Database(task.site.database)) as database:
        known = add(database, task.site.model_files(), trained.bundle.path, upload, now_s=time.time())
    for warning in trained.warnings:
        task.say(f"warning: {warning}")
    return {
        "file": trained.bundle.path.name,
        "model": f"{known.name}/{known.version}",
        "model_id": trained.bundle.model_id,
        "method": manifest.method,
        "images": trained.images,
        "threshold": manifest.thresholds.reject,
        "promise": manifest.thresholds.promise,
        "figures": told,
        "unusual": [{"image": item.path.name, "score": item.score} for item in trained.unusual],
        "highest": [{"image": item.path.name, "score": item.score} for item in trained.highest],
        "warnings": list(trained.warnings),
    }


def _search(options: SearchOptions, task: Task) -> Mapping[str, Any]:
    if find_spec("optuna") is None:
        raise OptionError("a search needs Optuna. Install it on the server with pip install 'sightline[train]'.")
    from sightline.search.leaderboard import rows, write_leaderboard
    from sightline.search.study import search
    from sightline.search.trial import Limits

    limits = Limits(
        minutes=options.minutes,
        latency_ms=options.max_latency_ms,
        size_mb=options.max_size_mb,
        max_overkill=options.max_overkill,
        task=options.task,
        seed=options.seed,
    )
    data = inside(task.site.data, options.data, "data")
    dataset: Dataset = open_dataset(data) if options.task == "anomaly" else open_classes(data)
    folder = task.folder / "search"  # begun again, it goes on where it was
    outcome = search(dataset, task.folder / f"{options.name}.sight", limits, folder=folder, progress=task.progress)
    page = write_leaderboard(task.folder, outcome, limits)  # where it can be fetched
    return _learnt(outcome.trained, task, options.name) | {
        "compared_on": outcome.material.told,
        "settings": dict(outcome.chosen.settings),
        "leaderboard": rows(outcome, limits)[:50],
        "page": page.name,
    }


def _export(options: ExportOptions, task: Task) -> Mapping[str, Any]:
    bundle = load(model_file(task.site, options.model))
    opened = open_dataset if bundle.manifest.naming is None else open_classes
    dataset = opened(inside(task.site.data, options.images, "data")) if options.images else None
    output = task.folder / f"{options.model.replace('/', '-')}{_ENDINGS[options.to]}"
    return export(bundle, output, options.config(), dataset, task.progress).document


TRAIN = Kind(name="train", told="learn a model from pictures", options=TrainOptions, run=_train)
SEARCH = Kind(name="search", told="try methods and settings for some time", options=SearchOptions, run=_search)
EXPORT = Kind(name="export", told="write a model for another runtime", options=ExportOptions, run=_export)
