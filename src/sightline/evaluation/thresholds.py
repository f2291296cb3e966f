"""Where to put the threshold: for an overkill rate, a cost or a recall, and what the examples at hand prove.

The rule is the same everywhere: REJECT if score >= threshold. Scores are float32, as models give them, and so is
every threshold, so that a comparison comes out the same in Python, in the graph's own type and after JSON.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from sightline.errors import DatasetError, FrameError, OptionError
from sightline.evaluation.intervals import beta_quantile, between_0_and_1, lower_bound, rate, zero_miss_sample_size
from sightline.evaluation.metrics import Scores, ascending
from sightline.evaluation.results import Rate
from sightline.records import FloatArray

ALL = "all"  # stands for every defect type together
DEFAULT_DEFECT_RATE = 0.01  # share of defective parts on the line where nobody says


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """What holds for good parts yet to come, whatever the distribution of their scores."""

    rate: float  # a new good part lands in the region with at most this probability, over calibrations
    low: float  # the share of good parts that land there with this one threshold lies between `low` ...
    high: float  # ... and `high` for 95 % of calibrations
    images: int  # good pictures it was set with


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold, why it is there, and what can be expected of it."""

    value: float  # exact in float32
    asked: str  # what was asked for
    rule: str  # the decision rule and where the value comes from
    promise: str  # what holds, with its numbers
    warnings: tuple[str, ...] = ()  # where less holds than was asked
    guarantee: Guarantee | None = None  # None unless set from good parts alone
    overkill: Rate | None = None  # good pictures rejected; None unless set with defects
    escape: Rate | None = None  # defects below the value; None unless set with defects
    recall: dict[str, Rate] = field(default_factory=dict)  # defect type and "all" -> share reaching the value
    cost_per_part: float | None = None  # expected, in the unit of the costs given; None unless costs were given

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise OptionError(f"no threshold fits these scores: it would be {self.value}. Check the model's scores.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostCurve:
    """The expected cost per part of every threshold that parts the scores differently, ascending."""

    thresholds: Scores  # (K,) exact in float32; the first rejects every picture, the last none
    escape: Scores  # (K,) share of defects below the threshold
    overkill: Scores  # (K,) share of good pictures at or above it
    cost: Scores  # (K,) per part, in the unit of the costs


def for_overkill(good_scores: ArrayLike, max_overkill: float) -> Threshold:
    """The lowest threshold that rejects at most the share `max_overkill` of good parts, promised without a model.

    With n good scores and k = ceil((n + 1)(1 - max_overkill)), a score above the k-th lowest is rejected. If the
    scores and a future good part's score are exchangeable, that part is rejected with probability at most
    (n + 1 - k) / (n + 1) <= max_overkill, and the share that this one threshold rejects is distributed as
    Beta(n + 1 - k, k); ties make both smaller. Scores of pictures that the model did not learn from are exchangeable.
    Leave-one-image-out scores by nearest-neighbour distance keep the first promise as far as the bank is not
    thinned: among all n + 1 pictures, each scored without its own patches, scores would be exchangeable, and leaving
    the future picture's patches out as well can only raise the n known ones. The interval is then approximate.

    If n < 1 / max_overkill - 1 the threshold lies just above the highest score and promises 1 / (n + 1).

    Raises:
        OptionError: the rate is not strictly between 0 and 1. DatasetError: no scores. FrameError: one not finite.

    Source: Vovk, Gammerman and Shafer 2005, "Algorithmic Learning in a Random World", section 4.1; Lei et al. 2018,
    JASA 113(523), section 2.2 (split conformal); Vovk 2012, arXiv 1209.2673 (the beta distribution).
    """
    good = _present(good_scores, "good pictures")
    asked = f"reject at most {_percent(max_overkill)} of good parts"
    allowed = _ranks(max_overkill, good.size, "the overkill rate")
    above = max(allowed, 1)
    k = good.size + 1 - above
    value = _above(good[k - 1])
    warnings = () if allowed else (_too_few("overkill", max_overkill, good.size),)
    guarantee = _guarantee(above, good.size)
    return Threshold(
        value=value,
        asked=asked,
        rule=f"REJECT if score >= {value:.6g}, just above good score number {k} of {good.size} from the lowest up",
        promise=f"a good part is rejected with a probability of at most {_percent(guarantee.rate)}; the share of good "
        f"parts that this threshold rejects lies in {_span(guarantee)} with 95 % confidence",
        warnings=warnings,
        guarantee=guarantee,
    )


def for_cost(
    good_scores: ArrayLike,
    defect_scores: ArrayLike,
    cost_escape: float,
    cost_overkill: float,
    defect_rate: float | None = None,
) -> Threshold:
    """The threshold with the least expected cost per part; among equals the lowest, which is the safest.

    Args:
        cost_escape, cost_overkill: of one defect passed and one good part rejected, in the same unit, > 0.
        defect_rate: share of parts on the line that are defective; None takes 1 % and says so. The share among
            the pictures is not used: defects are collected, so it says nothing about the line.

    Raises:
        OptionError: a cost or rate out of range. DatasetError: no good or no defect scores. FrameError: one not finite.
    """
    good, defects = _present(good_scores, "good pictures"), _present(defect_scores, "defects")
    prior = DEFAULT_DEFECT_RATE if defect_rate is None else defect_rate
    curve = cost_curve(good, defects, cost_escape, cost_overkill, prior)
    best = int(np.flatnonzero(curve.cost <= curve.cost.min() * (1 + 1e-9))[0])  # equal but for rounding is equal
    value, cost = float(curve.thresholds[best]), float(curve.cost[best])
    escape, overkill = _below(defects, value), _reaching(good, value)
    warnings = []
    if defect_rate is None:
        warnings.append(f"no defect rate was given: {_percent(prior)} of parts are taken to be defective.")
    if best == 0 or best == curve.cost.size - 1:
        warnings.append(
            f"the cheapest is to {'pass' if best else 'reject'} every part: "
            "at these costs and this defect rate the scores do not pay. Check the costs or improve the model."
        )
    return Threshold(
        value=value,
        asked=f"the least cost, an escape at {cost_escape:g}, an overkill at {cost_overkill:g}, "
        f"{_percent(prior)} of parts defective",
        rule=f"REJECT if score >= {value:.6g}, the lowest of the cheapest thresholds",
        promise=f"{cost:.4g} per part expected; escapes {_counted(escape)}; overkill {_counted(overkill)}",
        warnings=tuple(warnings),
        overkill=overkill,
        escape=escape,
        cost_per_part=cost,
    )


def cost_curve(
    good_scores: ArrayLike, defect_scores: ArrayLike, cost_escape: float, cost_overkill: float, defect_rate: float
) -> CostCurve:
    """What each threshold costs per part; arguments and errors as in `for_cost`."""
    for name, price in (("an escape", cost_escape), ("an overkill", cost_overkill)):
        if not (math.isfinite(price) and price > 0):
            raise OptionError(f"the cost of {name} is {price}; give a number above 0.")
    between_0_and_1(defect_rate, "the defect rate")
    good, defects = _present(good_scores, "good pictures"), _present(defect_scores, "defects")
    distinct = np.unique(np.concatenate([good, defects]))
    # just above each score: the lowest threshold of all that part the scores in the same way
    thresholds = np.unique([_at_most(distinct[0]), *(_above(score) for score in distinct)])
    escape = np.searchsorted(defects, thresholds, side="left") / defects.size
    overkill = (good.size - np.searchsorted(good, thresholds, side="left")) / good.size
    cost = defect_rate * cost_escape * escape + (1 - defect_rate) * cost_overkill * overkill
    return CostCurve(thresholds=thresholds, escape=escape, overkill=overkill, cost=cost)


def for_recall(
    good_scores: ArrayLike,
    defect_scores_by_type: Mapping[str, ArrayLike],
    min_recall: Mapping[str, float],
    guaranteed: bool = False,
) -> Threshold:
    """The highest threshold that catches at least the asked share of the examples of each type asked for.

    Args:
        good_scores: to count overkill on; may be empty.
        min_recall: defect type, or "all" for every defect together -> recall in (0, 1].
        guaranteed: the examples must prove the recall: its one-sided 95 % lower bound meets what was asked. The
            bound holds although the threshold is chosen from the same examples, because which order statistic is
            taken depends on their number alone (Wilks 1941, Annals of Mathematical Statistics 12(1)).

    Raises:
        OptionError: unknown type, recall out of range, or too few examples to guarantee it, with the number needed.
        FrameError: a score is not finite.
    """
    return _by_recall(good_scores, defect_scores_by_type, min_recall, guaranteed, math.inf)


def review_for_share(threshold: float, good_scores: ArrayLike, max_review: float) -> Threshold:
    """The lowest review threshold that sends at most the share `max_review` of good parts to a person.

    REVIEW if value <= score < threshold. The band holds m = floor((n + 1) * max_review) of the n + 1 gaps between
    good scores, so a new good part lands in it with probability at most m / (n + 1); exchangeable as in
    `for_overkill`. With too few pictures for one gap there is no band: the value is the threshold, with a warning.

    Raises:
        OptionError: the share is not strictly between 0 and 1. DatasetError: no scores. FrameError: one not finite.
    """
    good = _present(good_scores, "good pictures")
    allowed = _ranks(max_review, good.size, "the share to review")
    passed = int(np.searchsorted(good, threshold, side="left"))
    # a threshold just above a good score closes that score's gap; any other lies inside a gap, which counts whole
    closed = passed > 0 and threshold <= _above(good[passed - 1])
    top = passed if closed else passed + 1
    k = max(1, top - allowed)
    asked = f"review at most {_percent(max_review)} of good parts"
    if k >= top:
        few = _too_few("review", max_review, good.size) if not allowed else "no good score lies below the threshold."
        return Threshold(value=threshold, asked=asked, rule="no REVIEW", promise="no part is reviewed", warnings=(few,))
    value = min(_above(good[k - 1]), threshold)
    guarantee = _guarantee(top - k, good.size)
    return Threshold(
        value=value,
        asked=asked,
        rule=f"REVIEW if {value:.6g} <= score < {threshold:.6g}",
        promise=f"a good part is reviewed with a probability of at most {_percent(guarantee.rate)}; the share of good "
        f"parts in this band lies in {_span(guarantee)} with 95 % confidence",
        guarantee=guarantee,
    )


def review_for_recall(
    threshold: float,
    good_scores: ArrayLike,
    defect_scores_by_type: Mapping[str, ArrayLike],
    min_recall: Mapping[str, float],
    guaranteed: bool = False,
) -> Threshold:
    """The highest review threshold at which REJECT and REVIEW together catch the recall asked for.

    Arguments and errors as in `for_recall`; the value is at most `threshold`, where it is equal there is no band.
    """
    return _by_recall(good_scores, defect_scores_by_type, min_recall, guaranteed, threshold)


def p_value(score: float, sorted_good_scores: Scores | FloatArray) -> float:
    """(1 + number of good scores >= score) / (n + 1): small for what good parts hardly ever reach.

    At most alpha with probability at most alpha for an exchangeable good part: the conformal p-value
    of Vovk, Gammerman and Shafer 2005, section 2.2.

    Args:
        sorted_good_scores: (n,) ascending.
    """
    if not math.isfinite(score):
        raise FrameError(f"the score is {score}: the picture cannot be judged. Treat it as a FAULT.")
    # np.float64: a bare float would be rounded to float32 before it is compared with one
    below = bisect_left(sorted_good_scores, np.float64(score))
    return (1 + len(sorted_good_scores) - below) / (len(sorted_good_scores) + 1)


def _by_recall(
    good_scores: ArrayLike,
    defect_scores_by_type: Mapping[str, ArrayLike],
    min_recall: Mapping[str, float],
    guaranteed: bool,
    ceiling: float,
) -> Threshold:
    pools = _pools(defect_scores_by_type)
    if not min_recall:
        raise OptionError(f"no recall was asked for. Name one of: {', '.join(pools)}.")
    value = min(ceiling, *(_cut(name, pools, target, guaranteed) for name, target in min_recall.items()))
    recall = {name: _reaching(scores, value) for name, scores in pools.items()}
    overkill = _reaching(ascending(good_scores), value)
    asked = ", ".join(f"{name} {_percent(target)}" for name, target in min_recall.items())
    shown = "; ".join(f"{name} {_counted(recall[name])}" for name in min_recall)
    verb, stopped = ("REJECT", "overkill") if ceiling == math.inf else ("at least REVIEW", "good parts stopped")
    return Threshold(
        value=value,
        asked=f"recall of at least {asked}{', guaranteed' if guaranteed else ''}",
        rule=f"{verb} if score >= {value:.6g}, the highest threshold that catches as many of the examples",
        promise=f"caught: {shown}; {stopped}: {_counted(overkill)}",
        warnings=tuple(
            _unproven(name, recall[name], target)
            for name, target in min_recall.items()
            if lower_bound(recall[name].count, recall[name].total) < target
        ),
        overkill=overkill,
        escape=_below(pools[ALL], value),
        recall=recall,
    )


def _pools(defect_scores_by_type: Mapping[str, ArrayLike]) -> dict[str, Scores]:
    """The types that have examples, ascending, and all of them together."""
    types = {name: ascending(scores) for name, scores in defect_scores_by_type.items()}
    types = {name: scores for name, scores in types.items() if scores.size}
    if not types:
        raise DatasetError("there are no defect examples to set a recall with. Add pictures of defects.")
    return {**types, ALL: np.sort(np.concatenate(list(types.values())))}


def _cut(name: str, pools: Mapping[str, Scores], target: float, guaranteed: bool) -> float:
    """The highest float32 that catches enough examples of one type."""
    if name not in pools:
        raise OptionError(f"there are no examples of a defect type '{name}'. There are: {', '.join(pools)}.")
    if not 0 < target <= 1:
        raise OptionError(f"the recall asked for {name} is {target}; it must lie above 0 and not above 1.")
    scores = pools[name]
    n = scores.size
    caught = bisect_left(range(n + 1), target, key=lambda x: lower_bound(x, n) if guaranteed else x / n)
    if caught > n:
        raise OptionError(f"{n} examples of {name} cannot guarantee a recall of {_percent(target)}. {_needed(target)}")
    return _at_most(scores[n - caught])


def _unproven(name: str, recall: Rate, target: float) -> str:
    return (
        f"{name}: catching {recall.count} of {recall.total} examples proves a recall of "
        f"{_percent(lower_bound(recall.count, recall.total))} (95 % confidence), not {_percent(target)}. "
        + _needed(target)
    )


def _needed(recall: float) -> str:
    if recall == 1:
        return "No number of examples proves 100 %; ask for less."
    return f"At least {zero_miss_sample_size(recall)} examples, all caught, are needed to prove it."


def _ranks(share: float, n: int, what: str) -> int:
    """floor(share * (n + 1)), the share read as the decimal that was typed: 0.07 of 100 is 7, never 7.000...01."""
    return math.floor(Fraction(repr(float(between_0_and_1(share, what)))) * (n + 1))


def _too_few(what: str, share: float, n: int) -> str:
    needed = math.ceil(1 / Fraction(repr(float(share)))) - 1
    return (
        f"{n} good pictures cannot promise {_percent(share)} {what}; the least they can promise is "
        f"{_percent(1 / (n + 1))}. At least {needed} good pictures are needed for what was asked."
    )


def _guarantee(ranks: int, n: int) -> Guarantee:
    """Of a region that holds `ranks` of the n + 1 gaps between n good scores."""
    rest = n + 1 - ranks
    low, high = (beta_quantile(p, ranks, rest) for p in (0.025, 0.975))
    return Guarantee(rate=ranks / (n + 1), low=low, high=high, images=n)


def _above(score: float) -> float:
    """The lowest float32 above a score."""
    with np.errstate(over="ignore"):  # infinity is refused where a threshold is made of it
        near = np.float32(score)
        return float(near if near > np.float64(score) else np.nextafter(near, np.float32(np.inf)))


def _at_most(score: float) -> float:
    """The highest float32 that is not above a score."""
    with np.errstate(over="ignore"):
        near = np.float32(score)
        return float(near if near <= np.float64(score) else np.nextafter(near, np.float32(-np.inf)))


def _present(scores: ArrayLike, what: str) -> Scores:
    values = ascending(scores)
    if values.size == 0:
        raise DatasetError(f"there are no scores of {what} to set a threshold with. Add some.")
    return values


def _below(scores: Scores, value: float) -> Rate:
    return rate(int(np.searchsorted(scores, value, side="left")), scores.size)


def _reaching(scores: Scores, value: float) -> Rate:
    return rate(scores.size - int(np.searchsorted(scores, value, side="left")), scores.size)


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _span(interval: Guarantee) -> str:
    return f"{_percent(interval.low)} to {_percent(interval.high)}"


def _counted(counted: Rate) -> str:
    if counted.value is None or counted.low is None or counted.high is None:
        return "not measured"
    interval = f"{_percent(counted.low)} to {_percent(counted.high)}"
    return f"{counted.count} of {counted.total} ({_percent(counted.value)}; 95 % interval {interval})"
