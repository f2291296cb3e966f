"""What a threshold does to parts whose truth is known: counts, shares with intervals, and money."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.evaluation.intervals import lower_bound, rate
from sightline.evaluation.results import Rate
from sightline.evaluation.thresholds import ALL, for_cost, for_recall

_BINS = 48
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Of parts whose truth is known."""

    good: Values  # ascending
    defects: dict[str, Values]  # by name, each ascending

    @property
    def bad(self) -> Values:
        """Of all defects, ascending."""
        return np.sort(np.concatenate([np.empty(0), *self.defects.values()]))

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest score, with some room; they differ."""
        return self.reach_with(())

    def reach_with(self, limits: Sequence[float]) -> tuple[float, float]:
        """The same, wide enough for these limits, too."""
        both = np.concatenate([self.good, self.bad, np.asarray(limits, np.float64)])
        if not both.size:
            return 0.0, 1.0
        low, high = float(both.min()), float(both.max())
        room = 0.04 * (high - low) or 0.5
        return low - room, high + room


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What errors cost, and how many parts are bad."""

    escape: float
    overkill: float
    defect_share: float  # of the parts on the line, 0..1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of the parts at one threshold."""

    threshold: float
    caught: Rate  # defects at or above it
    overkill: Rate  # good parts at or above it
    cost: float | None  # of 1,000 parts; None: one kind has no scores

    @property
    def escaped(self) -> int:
        return self.caught.total - self.caught.count

    @property
    def passed(self) -> int:
        return self.overkill.total - self.overkill.count


def scores_of(rows: Sequence[tuple[str, float]], good: str = "good") -> Scores:
    """From (label, score)."""
    labels = sorted({label for label, _ in rows if label != good})
    chosen = {name: np.sort(np.array([score for label, score in rows if label == name])) for name in (good, *labels)}
    return Scores(good=chosen.pop(good).astype(np.float64), defects=chosen)


def outcome(scores: Scores, threshold: float, prices: Prices) -> Outcome:
    """A score that reaches the threshold is rejected."""
    good, bad = scores.good, scores.bad
    caught = rate(bad.size - int(np.searchsorted(bad, threshold, "left")), bad.size)
    overkill = rate(good.size - int(np.searchsorted(good, threshold, "left")), good.size)
    cost = None
    if caught.value is not None and overkill.value is not None:
        share = prices.defect_share
        per_part = share * prices.escape * (1 - caught.value) + (1 - share) * prices.overkill * overkill.value
        cost = 1000 * per_part
    return Outcome(threshold=threshold, caught=caught, overkill=overkill, cost=cost)


def cheapest(scores: Scores, prices: Prices) -> float | None:
    """The threshold of the least cost; None where scores or prices are missing."""
    if not (scores.good.size and scores.bad.size):
        return None
    try:
        return for_cost(scores.good, scores.bad, prices.escape, prices.overkill, prices.defect_share).value
    except OptionError:  # a price of 0
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A threshold at which the examples prove a recall."""

    threshold: float
    recall: float  # one-sided 95 % lower limit of what it catches


def guaranteed(scores: Scores, recall: float) -> Proven | str:
    """The highest threshold whose recall is proven, or why there is none."""
    bad = scores.bad
    if not bad.size:
        return ""
    try:
        value = for_recall(scores.good, {"defects": bad}, {ALL: recall}, guaranteed=True).value
    except OptionError as error:
        return str(error)
    caught = bad.size - int(np.searchsorted(bad, value, "left"))
    return Proven(threshold=value, recall=lower_bound(caught, bad.size))


def histogram(values: Values, reach: tuple[float, float]) -> list[int]:
    """How many scores lie in each of equally wide bins."""
    counts, _ = np.histogram(values, bins=_BINS, range=reach)
    return [int(count) for count in counts]
