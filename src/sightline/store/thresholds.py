"""A model with other thresholds: a new version of it, as files are never changed."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.bundle import Bundle, load, save_changed
from sightline.errors import OptionError
from sightline.evaluation.thresholds import for_overkill
from sightline.manifest import Thresholds
from sightline.products import Limits, limits_of, with_thresholds
from sightline.store.database import Database
from sightline.store.models import KnownModel, ModelFiles, Upload, add, one
from sightline.store.scratch import scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the new threshold shall be; one of `reject` and `max_overkill` is given."""

    reject: float | None = None  # score that is a REJECT from now on
    max_overkill: float | None = None  # share of good parts that may be rejected; by it the threshold is set
    review: float | None = None  # score from which a person decides; goes with `reject`
    product: str = ""  # for a model with a bank for each of several
    by: str
    reason: str

    def __post_init__(self) -> None:
        if (self.reject is None) == (self.max_overkill is None):
            raise OptionError("give one of reject and max_overkill.")
        if self.review is not None and self.reject is None:
            raise OptionError("review goes with reject; leave it out.")
        if not self.reason.strip():
            raise OptionError("a reason is missing; say in a few words why the threshold changes.")


def limits_known(files: ModelFiles, known: KnownModel, product: str = "") -> Limits:
    """The thresholds of a version, and the scores of good pictures behind them.

    Raises:
        OptionError: classes decide in this model, or the product is not one of its own.
    """
    return limits_of(_bundle(files, known), product or None)


def set_threshold(
    database: Database, files: ModelFiles, name: str, version: int, wish: Wish, *, now_s: float, work: Path
) -> KnownModel:
    """A version with the same graph and another threshold; it is a candidate like any other.

    Args:
        work: a folder where its file is made.

    Raises:
        NotFoundError: there is no such version. OptionError: the wish cannot be, or classes decide in this model.
        StoreError: the file cannot be made; StoreFull where the disk is full.
    """
    bundle = _bundle(files, one(database, name, version))
    limits = limits_of(bundle, wish.product or None)
    manifest = with_thresholds(bundle, wish.product or None, _thresholds(limits, wish))
    with scratch(work) as folder:
        path = folder / "model.sight"
        save_changed(path, bundle, manifest)
        note = f"version {version} with another threshold: {wish.reason}"
        return add(database, files, path, Upload(name=name, author=wish.by, note=note), now_s=now_s)


def _bundle(files: ModelFiles, known: KnownModel) -> Bundle:
    bundle = load(files.path_of(known.digest))
    if bundle.manifest.names_defects:
        raise OptionError(
            f"{known.name} {known.version} decides by classes, each with a limit of its own; "
            "set them with `sightline calibrate --min-recall CLASS=SHARE`."
        )
    return bundle


def _thresholds(limits: Limits, wish: Wish) -> Thresholds:
    if wish.max_overkill is not None:
        found = for_overkill(limits.good_scores, wish.max_overkill)
        rate = found.guarantee.rate if found.guarantee else None
        return Thresholds(reject=found.value, review=None, rule=found.rule, promise=found.promise, max_overkill=rate)
    reject, review = (None if one is None else _single(one) for one in (wish.reject, wish.review))
    assert reject is not None, "one of the two is given"
    good = limits.good_scores
    above = good.size - int(np.searchsorted(good, reject, side="left"))
    return Thresholds(
        reject=reject,
        review=review,
        rule=f"REJECT if score >= {reject:.6g}, set by hand by {wish.by}",
        promise=f"{above} of the {good.size} good scores it was calibrated with reach it",
        max_overkill=None,
    )


def _single(value: float) -> float:
    """As float32 has it, so that a comparison comes out the same everywhere."""
    with np.errstate(over="ignore"):
        single = float(np.float32(value))
    if not math.isfinite(single):
        raise OptionError(f"a threshold of {value:g} cannot be; give a score.")
    return single
