"""A search within minutes, a latency and a size: trials, one after another, kept so that a broken one can go on.

Which settings to try next is Optuna's work (Akiba et al. 2019, arXiv 1907.10902; its tree-structured Parzen estimator
keeps away from settings that broke a limit). Each trial learns from the pictures that are not held out. It is compared
by the area under the ROC on those that are and on defects, or by how well it names them. The best learns from them all.
"""

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import optuna
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from sightline.bundle import load as load_bundle
from sightline.datasets.dataset import GOOD, Dataset
from sightline.datasets.frames import FrameFiles
from sightline.errors import InspectionError, OptionError, StoreError
from sightline.files import refuse_unwritable, write_bytes
from sightline.models.features import Progress
from sightline.search.material import FEWEST_GOOD, Material, nameable, prepare, prepare_named
from sightline.search.space import Settings, Space, drawn, space_for, told
from sightline.search.trial import Attempt, Limits, measured, trained_with
from sightline.training import Trained, require_torch

_STUDY = "sightline"
_KEY, _RESULT, _FAILURE, _SECONDS = "key", "result", "failure", "seconds"  # names of what is kept beside a trial
_STARTUP_TRIALS = 8  # drawn blindly before the sampler trusts what it saw
_REPEATS = 30  # settings drawn again in a row, after which the space counts as exhausted
_UNEVEN = 1.5  # times as many pictures of one kind as of another, from which ways with that are tried
_NOTED_S = 5.0  # how often the time of a trial is kept, as a power failure leaves no other moment
_SLACK = 1.3  # what a fit may take beyond its share of pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One trial that could not be."""

    number: int
    settings: Settings
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The finished model, and everything that was tried."""

    trained: Trained
    chosen: Attempt
    attempts: tuple[Attempt, ...]  # best first, those outside the limits among them
    failures: tuple[Failure, ...]
    material: Material


def search(
    dataset: Dataset,
    output: Path,
    limits: Limits,
    *,
    folder: Path,
    backbones: Sequence[Path] = (),
    space: Space | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Try settings for some minutes, then train the best within the limits on all pictures, and write it.

    The task says which methods are tried: "anomaly" those that learn from good pictures, compared by what they find;
    "names" those that name defects, compared by macro F1; "auto" both, where two kinds of defect have enough pictures,
    compared by what they find, and by names where there are no good pictures.

    Args:
        folder: where the search is kept; the same call with the same folder goes on, and counts the time spent before.
        backbones: ONNX files to choose from; none: the one that ships.
        space: what may be tried; None: what suits the pictures and the time.

    Raises:
        OptionError: the folder holds another search, or nothing that was tried keeps the limits.
        DatasetError, FrameError: the pictures cannot be learnt from. StoreError: something cannot be written.
    """
    refuse_unwritable(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror}). Check the disk and the folder.") from error
    study = _opened(folder, _key(dataset, limits, backbones), limits)
    material, whole = _prepared(dataset, folder, limits, progress)
    if space is None:
        space = _space(material, limits, backbones)
    share = min(1.0, len(material.learn.samples) / len(whole.samples if material.kinds else whole.train_good))
    while trial := _asked(study, space, limits, share):
        _try(study, trial, space, material, limits, folder, progress)
    trained, chosen = _final(whole, output, folder, study, limits, progress)
    return Outcome(
        trained=trained,
        chosen=chosen,
        attempts=tuple(sorted(attempts_of(study), key=lambda attempt: attempt.order)),
        failures=tuple(_failures(study)),
        material=material,
    )


def _prepared(dataset: Dataset, folder: Path, limits: Limits, progress: Progress | None) -> tuple[Material, Dataset]:
    """What is compared on, and what the best one learns from in the end."""
    asked = limits.task == "names"
    if asked or (limits.task == "auto" and len(nameable(dataset)) > 1 and find_spec("torch")):
        require_torch("that names defects")
        material = prepare_named(dataset, limits.seed, limits.max_megapixels)
        seen = (*dataset.train, *dataset.validation)
        return material, replace(dataset, samples=tuple(s for s in seen if s.label in material.learn.labels))
    return prepare(dataset, folder, limits.seed, limits.max_megapixels, progress), dataset


def _space(material: Material, limits: Limits, backbones: Sequence[Path]) -> Space:
    first = FrameFiles(paths=material.good or material.defects, max_megapixels=limits.max_megapixels)[0]
    good = len(material.learn.train_good)
    counts = [count for label, count in material.learn.counts["train"].items() if label != GOOD]
    return space_for(
        good if good >= FEWEST_GOOD else 0,
        min(first.height, first.width),
        limits.minutes,
        backbones,
        finds=limits.task != "names" and (good >= FEWEST_GOOD or not material.kinds),
        names=bool(material.kinds),
        uneven=bool(material.kinds) and max(counts) > _UNEVEN * min(counts),
    )


def attempts_of(study: optuna.Study) -> list[Attempt]:
    """The trials that were carried through, each settings once, oldest first."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [Attempt(**trial.user_attrs[_RESULT]) for trial in done if _RESULT in trial.user_attrs]


def _failures(study: optuna.Study) -> list[Failure]:
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return [Failure(**trial.user_attrs[_FAILURE]) for trial in failed if _FAILURE in trial.user_attrs]


def _opened(folder: Path, key: str, limits: Limits) -> optuna.Study:
    """The study in the folder, or a new one; what was running when it broke off counts as not tried."""
    optuna.logging.set_verbosity(logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / "study.log")))
    study = optuna.create_study(storage=storage, study_name=_STUDY, direction="maximize", load_if_exists=True)
    found = study.user_attrs.get(_KEY)
    if found not in (None, key):
        raise OptionError(f"{folder}: holds a search over other pictures or seeds; remove it, or give another folder.")
    if found is None:
        study.set_user_attr(_KEY, key)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)):
        study.tell(trial.number, state=TrialState.FAIL)
    # a search that goes on draws anew
    study.sampler = TPESampler(seed=(limits.seed + len(study.trials)) % 2**32, n_startup_trials=_STARTUP_TRIALS)
    return study


def _key(dataset: Dataset, limits: Limits, backbones: Sequence[Path]) -> str:
    """What must be the same for a search to go on: version, pictures, seed, overkill, task, backbones."""
    seen = [
        version("sightline"),
        limits.seed,
        limits.max_overkill,
        limits.task,
        [str(path.resolve()) for path in backbones],
    ]
    for sample in (*dataset.train, *dataset.validation):
        try:
            state = sample.path.stat()
        except OSError as error:
            raise OptionError(f"{sample.path}: cannot be read ({error.strerror}). Check the path.") from error
        seen.append([str(sample.path.resolve()), sample.label, sample.split, state.st_size, state.st_mtime_ns])
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def _asked(study: optuna.Study, space: Space, limits: Limits, share: float) -> optuna.Trial | None:
    """The trial to make next, its settings drawn; None where time is up or all there is was tried."""
    attempts = attempts_of(study)
    if not _has_time(study, attempts, limits, share):
        return None
    tried = {_named(attempt.settings): attempt for attempt in attempts}
    failed = {_named(failure.settings) for failure in _failures(study)}
    for settings in space.first:
        if _named(settings) not in {*tried, *failed}:
            study.enqueue_trial(dict(settings))
            break
    for _ in range(_REPEATS):
        trial = study.ask()
        name = _named(drawn(trial, space))
        if name in tried:  # told again, so that the sampler looks elsewhere
            _tell(study, trial, tried[name], limits)
        elif name in failed:
            study.tell(trial, state=TrialState.FAIL)
        else:
            return trial
    return None


def _has_time(study: optuna.Study, attempts: Sequence[Attempt], limits: Limits, share: float) -> bool:
    """Whether the longest trial yet would still fit, and after it training the best one on all pictures."""
    lost = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))  # what failed, and what was interrupted
    spent = sum(float(trial.user_attrs.get(_SECONDS, 0.0)) for trial in lost) + sum(a.seconds for a in attempts)
    if not attempts:
        return not _failures(study) or spent <= 60 * limits.minutes
    longest = max(a.seconds for a in attempts)
    kept = [attempt for attempt in attempts if attempt.keeps(limits)]
    last = _SLACK / share * min(kept, key=lambda attempt: attempt.order).seconds if kept else longest
    return spent + longest + last <= 60 * limits.minutes


def _named(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)


def _try(
    study: optuna.Study,
    trial: optuna.Trial,
    space: Space,
    material: Material,
    limits: Limits,
    folder: Path,
    progress: Progress | None,
) -> None:
    """Carry a trial through; what fails is kept with its reason, what is interrupted counts as not tried.

    The time of both is kept as spent.
    """
    settings = drawn(trial, space)
    number = 1 + len(attempts_of(study)) + len(_failures(study))
    began = noted = time.monotonic()

    def staged(stage: str, done: int, total: int) -> None:
        nonlocal noted
        if time.monotonic() - noted >= _NOTED_S:
            noted = time.monotonic()
            trial.set_user_attr(_SECONDS, noted - began)
        if progress:
            progress(f"trial {number} ({settings['method']}, {settings['short_side']} px): {stage}", done, total)

    try:
        try:
            attempt = measured(number, settings, material, limits, folder, staged)
        finally:
            trial.set_user_attr(_SECONDS, time.monotonic() - began)
    except InspectionError as error:
        trial.set_user_attr(_FAILURE, asdict(Failure(number=number, settings=settings, reason=str(error))))
        study.tell(trial, state=TrialState.FAIL)
        return
    trial.set_user_attr(_RESULT, asdict(attempt))
    _tell(study, trial, attempt, limits)


def _tell(study: optuna.Study, trial: optuna.Trial, attempt: Attempt, limits: Limits) -> None:
    """How the settings did, and by how much they broke a limit; the sampler keeps away from those that did."""
    allowed = (("latency", attempt.latency_ms, limits.latency_ms), ("size", attempt.size_mb, limits.size_mb))
    for name, found, most in allowed:
        if most is not None:
            trial.set_constraint(name, found / most - 1)
    study.tell(trial, attempt.merit)


def _final(
    dataset: Dataset,
    output: Path,
    folder: Path,
    study: optuna.Study,
    limits: Limits,
    progress: Progress | None,
) -> tuple[Trained, Attempt]:
    """Train the best on all pictures that may be learnt from; the next best where that broke the limit on size."""
    path = folder / "final.sight"
    kept = [attempt for attempt in attempts_of(study) if attempt.keeps(limits)]
    for attempt in sorted(kept, key=lambda attempt: attempt.order):
        try:
            trained = trained_with(attempt.settings, dataset, path, limits, progress)
            if limits.size_mb is None or path.stat().st_size / 1e6 <= limits.size_mb:
                write_bytes(output, path.read_bytes())
                return replace(trained, bundle=load_bundle(output)), attempt
        finally:
            path.unlink(missing_ok=True)
    raise OptionError(
        f"nothing that was tried keeps {_in_words(limits)}{_nearest(study)}. Allow more, or search longer."
    )


def _nearest(study: optuna.Study) -> str:
    """The fastest and the smallest of the attempts, in words; why the first failed where there is none."""
    attempts, failures = attempts_of(study), _failures(study)
    if not attempts:
        return f"; the first failed: {failures[0].reason}" if failures else ""
    fastest, smallest = min(attempts, key=lambda a: a.latency_ms), min(attempts, key=lambda a: a.size_mb)
    return (
        f"; the fastest took {fastest.latency_ms:.1f} ms ({told(fastest.settings)}), the smallest "
        f"{smallest.size_mb:.1f} MB ({told(smallest.settings)})"
    )


def _in_words(limits: Limits) -> str:
    words = [
        *([f"{limits.latency_ms:g} ms"] if limits.latency_ms is not None else []),
        *([f"{limits.size_mb:g} MB"] if limits.size_mb is not None else []),
    ]
    return " and ".join(words) or "the limits"
