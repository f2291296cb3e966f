"""Did it help? A supervised model with and without some training pictures, judged on the same real held-out pictures.

The answer is a difference of macro F1 with an interval by the paired bootstrap (Efron and Tibshirani 1993, chapter 16):
held-out pictures are drawn again with replacement and both models are judged on the same draw. Pictures of one part are
drawn together, as they are not independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import Sample
from sightline.datasets.synthetic import is_synthetic, refuse_synthetic
from sightline.errors import DatasetError, OptionError

Confusion = NDArray[np.int64]  # (K, K) true class by predicted class


class Learner(Protocol):
    """A supervised method."""

    def probabilities(
        self, train: Sequence[Sample], judged: Sequence[Sample], labels: Sequence[str]
    ) -> NDArray[np.floating]:
        """Learn from `train`, then judge: (len(judged), len(labels)), the labels' probabilities in their order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """With minus without."""

    value: float
    low: float  # of the two-sided interval
    high: float

    @property
    def verdict(self) -> str:
        """In words: "helps" or "harms" only where the interval says so."""
        return "helps" if self.low > 0 else "harms" if self.high < 0 else "no difference shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the additional pictures did, on real held-out pictures."""

    labels: tuple[str, ...]
    judged: int  # held-out pictures
    without_f1: float  # macro F1, 0..1
    with_f1: float
    difference: Difference  # of the two
    without_recall: tuple[float, ...]  # by label
    with_recall: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """One held-out set and what two models said about it; what `compare` pools over draws."""

    truth: NDArray[np.int64]  # (N,) indices of labels
    without: NDArray[np.int64]  # (N,)
    with_: NDArray[np.int64]  # (N,)
    groups: NDArray[np.int64]  # (N,) pictures of one part have one number


def judge(
    learner: Learner,
    real: Sequence[Sample],
    synthetic: Sequence[Sample],
    held_out: Sequence[Sample],
    labels: Sequence[str],
    groups: Sequence[int] | None = None,
) -> Judged:
    """Train twice, without and with `synthetic`, and judge the held-out pictures.

    Args:
        groups: a number for each held-out picture, the same for pictures of one part; None: each by itself.

    Raises:
        DatasetError: as `refuse_unfair`.
    """
    refuse_unfair(real, synthetic, held_out, labels)
    said = [
        np.asarray(learner.probabilities(train, held_out, labels)).argmax(axis=1)
        for train in (real, [*real, *synthetic])
    ]
    return Judged(
        truth=np.array([list(labels).index(sample.label) for sample in held_out], np.int64),
        without=said[0],
        with_=said[1],
        groups=np.asarray(groups if groups is not None else np.arange(len(held_out)), np.int64),
    )


def refuse_unfair(
    real: Sequence[Sample], synthetic: Sequence[Sample], held_out: Sequence[Sample], labels: Sequence[str]
) -> None:
    """Refuse held-out pictures that would prove nothing.

    Raises:
        DatasetError: one of them is synthetic, is learnt from too, or has a label that is not among `labels`; or one
            of `real` is synthetic.
    """
    refuse_synthetic(held_out)
    learnt = {sample.path.resolve() for sample in (*real, *synthetic)}
    for sample in held_out:
        if sample.path.resolve() in learnt:
            raise DatasetError(f"{sample.path}: is learnt from and held out at once; take it out of one.")
        if sample.label not in labels:
            raise DatasetError(f'{sample.path}: its label "{sample.label}" is not among those that are compared.')
    for sample in real:
        if is_synthetic(sample.path):
            raise DatasetError(f"{sample.path}: is synthetic, but is counted as real; give it with the synthetic ones.")


def compare(
    draws: Sequence[Judged], labels: Sequence[str], *, rounds: int = 2_000, confidence: float = 0.95, seed: int = 0
) -> Comparison:
    """The mean difference over one or more draws of what is learnt from, with its interval.

    Each round of the bootstrap draws the groups of every held-out set anew and averages over the sets.

    Raises:
        OptionError: there is nothing to compare, or the numbers cannot work.
    """
    if not draws or not all(len(draw.truth) for draw in draws):
        raise OptionError("there are no held-out pictures to compare on.")
    if rounds < 100 or not 0 < confidence < 1:
        raise OptionError(f"rounds is {rounds}, confidence {confidence}; give at least 100, and between 0 and 1.")
    rng = np.random.default_rng(seed)
    size = len(labels)
    tables = [_by_group(draw, size) for draw in draws]  # each (groups, 2, K, K)
    whole = np.stack([table.sum(axis=0) for table in tables])  # (draws, 2, K, K)
    f1 = _macro_f1(whole).mean(axis=0)
    again = np.stack([_drawn_again(table, rounds, rng) for table in tables])  # (draws, rounds, 2, K, K)
    resampled = _macro_f1(again).mean(axis=0)  # (rounds, 2)
    found = resampled[:, 1] - resampled[:, 0]
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    recall = _recall(whole).mean(axis=0)
    return Comparison(
        labels=tuple(labels),
        judged=sum(len(draw.truth) for draw in draws),
        without_f1=float(f1[0]),
        with_f1=float(f1[1]),
        difference=Difference(value=float(f1[1] - f1[0]), low=float(low), high=float(high)),
        without_recall=tuple(float(value) for value in recall[0]),
        with_recall=tuple(float(value) for value in recall[1]),
    )


def _drawn_again(table: Confusion, rounds: int, rng: np.random.Generator) -> Confusion:
    """(groups, 2, K, K) -> (rounds, 2, K, K): the counts of as many groups, drawn with replacement."""
    often = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=rounds)
    return np.tensordot(often, table, axes=1)


def _by_group(draw: Judged, size: int) -> Confusion:
    """(groups, 2, K, K) counts: without and with, true class by predicted class."""
    _, group = np.unique(draw.groups, return_inverse=True)
    count = int(group.max()) + 1
    arms = [
        np.bincount((group * size + draw.truth) * size + said, minlength=count * size * size)
        for said in (draw.without, draw.with_)
    ]
    return np.stack([arm.reshape(count, size, size) for arm in arms], axis=1)


def _macro_f1(tables: Confusion) -> NDArray[np.float64]:
    """(..., K, K) -> (...): the mean F1 of the classes that occur in truth."""
    hits = np.diagonal(tables, axis1=-2, axis2=-1)
    true, said = tables.sum(axis=-1), tables.sum(axis=-2)
    f1 = 2 * hits / np.maximum(true + said, 1)
    occurs = true > 0
    return np.asarray((f1 * occurs).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1), np.float64)


def _recall(tables: Confusion) -> NDArray[np.float64]:
    return np.asarray(np.diagonal(tables, axis1=-2, axis2=-1) / np.maximum(tables.sum(axis=-1), 1), np.float64)
