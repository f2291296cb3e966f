"""One trial of a search: learn with some settings, judge the pictures held out, look at the clock and the file."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.datasets.dataset import GOOD, Dataset
from sightline.errors import FrameError, OptionError
from sightline.evaluation.classes import most_probable, naming
from sightline.evaluation.metrics import image_metrics, reach, recall_at_overkill
from sightline.hybrid import train_hybrid
from sightline.inspector import Inspector
from sightline.models.features import Progress
from sightline.records import Frame, Inspection
from sightline.search.material import Material, Task
from sightline.search.space import NAMING, Settings, config_of, naming_config_of
from sightline.supervised import METHOD as CLASSIFIER
from sightline.supervised import train_classifier
from sightline.training import Trained, train

_LATENCY_RUNS, _WARM_UP_RUNS = 15, 3
_LONGEST_SHARE = 0.2  # of the minutes, that one classifier may learn


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the search may take, and what its result must keep."""

    minutes: float = 30.0
    latency_ms: float | None = None  # to judge one picture, decoded, on this machine
    size_mb: float | None = None  # of the file
    max_overkill: float = 0.01
    task: Task = "auto"
    seed: int = 0
    max_megapixels: float = 50.0

    def __post_init__(self) -> None:
        for name, value in (("minutes", self.minutes), ("latency", self.latency_ms), ("size", self.size_mb)):
            if value is not None and not 0 < value < math.inf:
                raise OptionError(f"{name} is {value}; give a number above 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One trial that was carried through."""

    number: int
    settings: Settings
    auroc: float | None  # None: there are no good pictures
    found: int | None  # defects, at the allowed overkill; None likewise
    defects: int
    macro_f1: float | None = None  # of the names; None: it gives none, or names were not asked for
    by_names: bool = False  # what is compared: the names, or what is found
    latency_ms: float  # of the slower kind of picture, median
    size_mb: float
    seconds: float  # to learn and judge

    def keeps(self, limits: Limits) -> bool:
        return (limits.latency_ms is None or self.latency_ms <= limits.latency_ms) and (
            limits.size_mb is None or self.size_mb <= limits.size_mb
        )

    @property
    def merit(self) -> float:
        """The area under the ROC, or the macro F1: 0..1, higher is better."""
        return (self.macro_f1 if self.by_names else self.auroc) or 0.0

    @property
    def order(self) -> tuple[float, ...]:
        """The better one sorts first: by merit, defects found, names and area, then by speed."""
        others = (self.found or 0, round(self.macro_f1 or 0.0, 4), round(self.auroc or 0.0, 4))
        return (-round(self.merit, 4), *(-value for value in others), self.latency_ms)


def measured(
    number: int, settings: Settings, material: Material, limits: Limits, folder: Path, progress: Progress
) -> Attempt:
    """Learn, judge, and look at the clock and the file; raises as `trained_with`, or FrameError."""
    began = time.monotonic()
    path = folder / "trial.sight"
    try:
        trained = trained_with(settings, material.learn, path, limits, progress)
        inspector = Inspector(trained.bundle, max_megapixels=limits.max_megapixels)
        good = _judged(inspector, material.good, "judging good pictures", progress)
        defects = _judged(inspector, material.defects, "judging defects", progress)
        latency_ms = slowest_ms(inspector, material, defects)
        size_mb = trained.bundle.path.stat().st_size / 1e6
    finally:
        for left in (path, path.with_name(f"{path.name}.checkpoint")):  # of other pictures and limits next time
            left.unlink(missing_ok=True)
    area, found = None, None
    if good:
        scores = [[one.score or 0.0 for one in part] for part in (good, defects)]
        area = image_metrics(*scores).auroc
        found = round(recall_at_overkill(reach(*scores), limits.max_overkill) * len(defects))
    return Attempt(
        number=number,
        settings=settings,
        auroc=area,
        found=found,
        defects=len(defects),
        macro_f1=_macro_f1(good, defects, material.kinds) if settings["method"] in NAMING else None,
        by_names=limits.task == "names" or not good,
        latency_ms=latency_ms,
        size_mb=size_mb,
        seconds=time.monotonic() - began,
    )


def trained_with(
    settings: Settings, dataset: Dataset, path: Path, limits: Limits, progress: Progress | None
) -> Trained:
    """Learn from the data set with these settings and write the model; raises as `train` and `train_classifier`."""
    asked = config_of(
        settings, max_overkill=limits.max_overkill, seed=limits.seed, max_megapixels=limits.max_megapixels
    )
    if settings["method"] not in NAMING:
        return train(dataset, path, asked, progress)
    names = naming_config_of(
        settings, minutes=_LONGEST_SHARE * limits.minutes, seed=limits.seed, max_megapixels=limits.max_megapixels
    )
    if settings["method"] == CLASSIFIER:
        return train_classifier(dataset, path, names, progress)
    return train_hybrid(dataset, path, asked, names, progress)


def _judged(inspector: Inspector, pictures: Sequence[Path], stage: str, progress: Progress) -> list[Inspection]:
    """FrameError where a picture cannot be judged, as a model that faults is none to choose."""
    judged = []
    for done, picture in enumerate(pictures):
        found = inspector.inspect(picture)
        if found.score is None or found.fault is not None:
            raise FrameError(found.fault or f"{picture}: has no score.")
        judged.append(found)
        progress(stage, done + 1, len(pictures))
    return judged


def _macro_f1(good: Sequence[Inspection], defects: Sequence[Inspection], kinds: Sequence[str]) -> float | None:
    """By the most probable class, or the name given, as `evaluate` has it; None where the defects have no names."""
    if len(kinds) != len(defects):
        return None
    said = [most_probable(one.probabilities) or one.named or GOOD for one in (*good, *defects)]
    found = naming(zip([*(GOOD for _ in good), *kinds], said, strict=True))
    return None if found is None else found.macro_f1


def slowest_ms(inspector: Inspector, material: Material, defects: Sequence[Inspection]) -> float:
    """Median to judge a picture, the slower of a good one and of the defect with the most regions: each is named.

    Args:
        defects: what was found in the material's defects.
    """
    regions = [len(one.defects) for one in defects]
    pictures = (*material.good[:1], material.defects[int(np.argmax(regions))])
    return max(_median_ms(inspector, inspector.frame(picture)) for picture in pictures)


def _median_ms(inspector: Inspector, frame: Frame) -> float:
    timings = [inspector.inspect(frame).timings for _ in range(_WARM_UP_RUNS + _LATENCY_RUNS)]
    return float(np.median([timing.total_ms for timing in timings[_WARM_UP_RUNS:] if timing]))
