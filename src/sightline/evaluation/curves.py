"""Plots over all thresholds, each as one SVG element to be put into the page as it is."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sightline.evaluation import axes
from sightline.evaluation.axes import HEIGHT, LEFT, RIGHT, Axis, Svg
from sightline.evaluation.metrics import Scores, pr_curve, roc_curve
from sightline.evaluation.plots import levels, scores, shown_range
from sightline.evaluation.results import Evaluation
from sightline.evaluation.thresholds import CostCurve, cost_curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What mistakes cost on a line, in one unit; checked where they are used."""

    escape: float
    overkill: float
    defect_rate: float  # share of the parts on the line that are defective


def roc(evaluation: Evaluation) -> str:
    """Defects rejected against good parts rejected, for every threshold; the model's own are marked."""
    svg = axes.sheet("ROC curve", "Share of defects rejected against share of good parts rejected.", HEIGHT)
    good, defects = scores(evaluation)
    if not (good.size and defects.size):
        return axes.nothing(svg, "not shown: needs good pictures and defects")
    x, y = axes.horizontal(0, 1), axes.vertical(1)
    axes.frame(svg, x, y, ("overkill: good parts rejected", "recall: defects rejected"), percent=True)
    axes.line(svg, (x.at(0), y.at(0)), (x.at(1), y.at(1)), "chance")
    points = roc_curve(good, defects)
    _draw(svg, x, y, points.overkill, points.recall)
    for kind, level in levels(evaluation):
        axes.dot(svg, x.at(float(np.mean(good >= level))), y.at(float(np.mean(defects >= level))), kind)
    axes.key(svg, _names(evaluation), right=True)
    return axes.finished(svg)


def precision_recall(evaluation: Evaluation) -> str:
    """The share of defects among what is rejected, against the share of defects rejected; the model's own marked."""
    svg = axes.sheet("Precision-recall curve", "Share of defects among the rejected, against recall.", HEIGHT)
    good, defects = scores(evaluation)
    if not (good.size and defects.size):
        return axes.nothing(svg, "not shown: needs good pictures and defects")
    x, y = axes.horizontal(0, 1), axes.vertical(1)
    axes.frame(svg, x, y, ("recall: defects rejected", "precision: rejected that are defects"), percent=True)
    chance = y.at(defects.size / (good.size + defects.size))
    axes.line(svg, (LEFT, chance), (RIGHT, chance), "chance")
    axes.text(svg, LEFT + 6, chance + 15, "rejecting at random", "tick")
    points = pr_curve(good, defects)
    _draw(svg, x, y, points.recall, points.precision)
    for kind, level in levels(evaluation):
        caught, wrong = np.count_nonzero(defects >= level), np.count_nonzero(good >= level)
        if caught + wrong:
            axes.dot(svg, x.at(caught / defects.size), y.at(caught / (caught + wrong)), kind)
    axes.key(svg, _names(evaluation), right=False)
    return axes.finished(svg)


def cost_per_part(evaluation: Evaluation, costs: Costs) -> str:
    """Expected cost per part against the threshold, as if nothing were reviewed; the least and the present marked.

    Raises:
        OptionError: a cost is not above 0, or the defect rate is not between 0 and 1.
    """
    svg = axes.sheet("Expected cost per part", "Expected cost per part against the threshold.", HEIGHT)
    good, defects = scores(evaluation)
    if not (good.size and defects.size):
        return axes.nothing(svg, "not shown: needs good pictures and defects")
    points = cost_curve(good, defects, costs.escape, costs.overkill, costs.defect_rate)
    blind = float(min(points.cost[0], points.cost[-1]))  # reject every part, or pass every part
    x = axes.horizontal(*shown_range(np.concatenate([good, defects]), evaluation.threshold))
    y = axes.vertical(1.2 * blind, headroom=22)  # what costs more than not looking needs no room
    axes.frame(svg, x, y, ("threshold (raw score)", "expected cost per part"))
    axes.line(svg, (LEFT, y.at(blind)), (RIGHT, y.at(blind)), "chance")
    what = "rejecting" if points.cost[0] < points.cost[-1] else "passing"
    axes.text(svg, RIGHT, y.at(blind) - 6, f"{what} every part: {blind:.3g}", "tick", "end")
    _draw(svg, x, y, *_stairs(points, x.high, y.high))
    best = int(np.argmin(points.cost))
    now = max(0, int(np.searchsorted(points.thresholds, evaluation.threshold, side="right")) - 1)
    marks = [
        (kind, level, float(points.cost[index]))
        for kind, level, index in (
            ("threshold", evaluation.threshold, now),
            ("cheapest", float(points.thresholds[best]), best),
        )
    ]
    axes.levels(svg, x, [(kind, level, f"{kind} {level:.4g}: {cost:.3g}") for kind, level, cost in marks])
    for kind, level, cost in marks:
        axes.dot(svg, x.at(level), y.at(cost), kind)
    return axes.finished(svg)


def _names(evaluation: Evaluation) -> list[tuple[str, str]]:
    return [(kind, f"{kind} {level:.4g}") for kind, level in levels(evaluation)]


def _stairs(points: CostCurve, last: float, highest: float) -> tuple[Scores, Scores]:
    """The cost stays what it is from one threshold to the next; the ends that leave the plot are left out."""
    inside = np.flatnonzero((points.cost <= highest) & (points.thresholds <= last))
    if not inside.size:
        return np.empty(0), np.empty(0)
    kept = slice(int(inside[0]), int(inside[-1]) + 1)
    return np.repeat(points.thresholds[kept], 2)[1:], np.repeat(points.cost[kept], 2)[:-1]


def _draw(svg: Svg, x: Axis, y: Axis, across: Iterable[float], up: Iterable[float]) -> None:
    axes.curve(svg, [(x.at(float(a)), y.at(float(b))) for a, b in zip(across, up, strict=True)], "curve")
