"""One picture judged by one model, in whichever process that is; it keeps the models that it was asked for."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import BundleError
from sightline.explaining import why_not
from sightline.inspector import Inspector, load
from sightline.records import Frame
from sightline.service.answer import Answer, Nearest, Wish, answered, nearest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A model as a process finds it."""

    name: str
    version: int
    path: Path
    model_id: str
    threads: int | None  # None: all cores
    max_megapixels: float


_MOST_TRIED = 2  # that stay open
_open: dict[Judge, Inspector] = {}
_tried: OrderedDict[Judge, Inspector] = OrderedDict()
_lock = threading.Lock()


def judged(judge: Judge, live: Sequence[str], picture: bytes | Frame, wish: Wish) -> Answer:
    """Judge a picture by a model in service; errors as `answered`.

    Args:
        live: ids of all models in service; others are let go of.

    Raises:
        BundleError: the file is no longer the one that was loaded.
    """
    with _lock:
        for other in [other for other in _open if other.model_id not in live]:
            del _open[other]
        inspector = _open[judge] = _open.get(judge) or _loaded(judge)
    return answered(inspector, picture, wish, judge.name, judge.version)


def tried(judge: Judge, picture: bytes, wish: Wish) -> Answer:
    """Judge a picture by a model that is not in service, of which few stay open; errors as `judged`."""
    return answered(_on_trial(judge), picture, wish, judge.name, judge.version)


def resembled(judge: Judge, picture: bytes) -> Nearest:
    """What the unusual places of a picture looked most like, by any model; errors as `judged`."""
    inspector = _on_trial(judge)
    if inspector.bundle.exemplars is None:
        return Nearest(reason=why_not(inspector.bundle))  # of many products, it could not even judge
    frame = inspector.frame(picture)
    return nearest_of(inspector, frame, inspector.inspect(frame))


def _on_trial(judge: Judge) -> Inspector:
    with _lock:
        inspector = _tried[judge] = _tried.pop(judge) if judge in _tried else _loaded(judge)
        while len(_tried) > _MOST_TRIED:
            _tried.popitem(last=False)
    return inspector


def _loaded(judge: Judge) -> Inspector:
    inspector = load(judge.path, threads=judge.threads, max_megapixels=judge.max_megapixels)
    if inspector.model_id != judge.model_id:
        raise BundleError(f"{judge.path}: was changed since it was loaded. Start the model again.")
    return inspector
