"""A model with other thresholds: a new version of it, as files are never changed."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.bundle import Bundle, load, save_changed
from sightline.errors import OptionError
from sightline.evaluation.thresholds import for_overkill
from sightline.manifest import BAND, Thresholds
from sightline.products import Limits, limits_of, with_thresholds
from sightline.store.database import Database
from sightline.store.models import KnownModel, ModelFiles, Upload, add, one
from sightline.store.scratch import scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the new threshold shall be; one of `reject` and `max_overkill` is given."""

    reject: float | None = None  # score that is a REJECT from now on
    max_overkill: float | None = None  # share of good parts that may be rejected; by it the threshold is set
    review: float | None = None  # score from which a person decides; goes with `reject`, which means no such band
    product: str = ""  # for a model with a bank for each of several
    by: str
    reason: str
    signed: bool = False  # the password was given again for it

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

    A REVIEW band stays where it is unless the wish names another one, and at most begins at the threshold: parts that
    people looked at do not pass unseen because the threshold moved.

    Args:
        work: a folder where its file is made.

    Raises:
        NotFoundError: there is no such version. OptionError: the wish cannot be, or classes decide in this model.
        StoreError: the file cannot be made; StoreFull where the disk is full.
    """
    bundle = _bundle(files, one(database, name, version))
    limits = limits_of(bundle, wish.product or None)
    thresholds = _thresholds(limits, wish)
    manifest = with_thresholds(bundle, wish.product or None, thresholds)
    with scratch(work) as folder:
        path = folder / "model.sight"
        save_changed(path, bundle, manifest)
        note = f"version {version} with another threshold: {wish.reason}"
        upload = Upload(
            name=name,
            author=wish.by,
            note=note,
            before={"version": version, **_noted(limits.thresholds, wish)},
            after={**_noted(thresholds, wish), "reason": wish.reason},
            signed=wish.signed,
        )
        return add(database, files, path, upload, now_s=now_s)


def _bundle(files: ModelFiles, known: KnownModel) -> Bundle:
    bundle = load(files.path_of(known.digest))
    if bundle.manifest.names_defects:
        raise OptionError(
            f"{known.name} {known.version} decides by classes, each with a limit of its own; "
            "set them with `sightline calibrate --min-recall CLASS=SHARE`."
        )
    return bundle


def _noted(thresholds: Thresholds, wish: Wish) -> dict[str, object]:
    """For the audit trail."""
    limits: dict[str, object] = {"reject": thresholds.reject, "review": thresholds.review}
    return limits | ({"product": wish.product} if wish.product else {})


def _thresholds(limits: Limits, wish: Wish) -> Thresholds:
    good = limits.good_scores
    if wish.max_overkill is not None:
        found = for_overkill(good, wish.max_overkill)
        rate = found.guarantee.rate if found.guarantee else None
        made = Thresholds(reject=found.value, review=None, rule=found.rule, promise=found.promise, max_overkill=rate)
        return _with_band(made, limits, wish)
    assert wish.reject is not None, "one of the two is given"
    reject = _single(wish.reject)
    made = Thresholds(
        reject=reject,
        review=None,
        rule=f"REJECT if score >= {reject:.6g}, set by hand by {wish.by}",
        promise=f"{_reaching(good, reject)} of the {good.size} good scores it was calibrated with reach it",
        max_overkill=None,
    )
    return _with_band(made, limits, wish)


def _with_band(made: Thresholds, limits: Limits, wish: Wish) -> Thresholds:
    """With the REVIEW band that is wished for, or the one that there was."""
    kept, reject = limits.thresholds.review, made.reject
    if wish.review is not None:
        review, told = _single(wish.review), "set by hand"
        if review == reject:
            return made
    elif kept is not None:
        review, told = min(kept, reject), "as before"
    else:
        return made
    good = limits.good_scores
    within = _reaching(good, review) - _reaching(good, reject)
    return replace(
        made,
        review=review,
        rule=f"{made.rule}{BAND}REVIEW if {review:.6g} <= score < {reject:.6g}, {told}",
        promise=f"{made.promise}{BAND}{within} of the {good.size} lie in it",
    )


def _reaching(scores: NDArray[np.float64], threshold: float) -> int:
    """How many of these, ascending, are not below it."""
    return scores.size - int(np.searchsorted(scores, threshold, side="left"))


def _single(value: float) -> float:
    """As float32 has it, so that a comparison comes out the same everywhere."""
    with np.errstate(over="ignore"):
        single = float(np.float32(value))
    if not math.isfinite(single):
        raise OptionError(f"a threshold of {value:g} cannot be; give a score.")
    return single
