"""Plots that count pictures, each as one SVG element to be put into the page as it is.

Blue stands for good parts and orange for defects, strong colour for a wrong verdict and pale for a right one,
so the plots are read without colour too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sightline.datasets.dataset import GOOD
from sightline.evaluation import axes
from sightline.evaluation.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, Axis, Svg
from sightline.evaluation.metrics import Scores
from sightline.evaluation.results import Evaluation, Rate
from sightline.records import Verdict

_BINS = 44
_MAX_ROWS = 30
_REACH = 3.0  # times the way from the lowest score to the threshold: beyond it scores share the last bar
_NAMES = 158  # where rows begin, to the right of their names


def scores(evaluation: Evaluation) -> tuple[Scores, Scores]:
    """The finite scores of the good pictures and of the defects."""
    finite = [one for one in evaluation.judged if math.isfinite(one.score)]
    good = np.array([one.score for one in finite if not one.is_defect], np.float64)
    return good, np.array([one.score for one in finite if one.is_defect], np.float64)


def levels(evaluation: Evaluation) -> list[tuple[str, float]]:
    """The thresholds a model has, by name."""
    review = evaluation.review_threshold
    return [("threshold", evaluation.threshold), *([] if review is None else [("review", review)])]


def shown_range(values: Scores, threshold: float) -> tuple[float, float]:
    """Lowest and highest score to show: the threshold among them, and no room lost to a few extreme scores."""
    low, high = float(values.min()), float(values.max())
    if low < threshold < high:
        high = min(high, threshold + _REACH * (threshold - low))
    return min(low, threshold), max(high, threshold)


def score_histogram(evaluation: Evaluation, *, log: bool = False) -> str:
    """How often which raw score occurs: good parts upwards, defects downwards, on one axis with the thresholds.

    Args:
        evaluation: any; one without judged pictures gives an empty plot.
        log: count in powers of ten, where a few escapes would vanish beside thousands of parts.
    """
    svg = axes.sheet("Score histogram", "Good parts above the axis, defects below it, by raw score.", HEIGHT)
    good, defects = scores(evaluation)
    both = np.concatenate([good, defects])
    if not both.size:
        return axes.nothing(svg, "not shown: no picture was judged")
    edges = _edges(*shown_range(both, evaluation.threshold), evaluation.threshold)
    up, down = (np.histogram(np.minimum(kind, edges[-2]), edges)[0] for kind in (good, defects))
    x, rise = axes.horizontal(edges[0], edges[-1]), _rise(int(up.max()), int(down.max()), log=log)
    _count_grid(svg, x, rise, max(int(up.max()), int(down.max())))
    _bars(svg, x, edges, [(rise.base, rise.base - rise.tall(count), count) for count in up], GOOD, evaluation)
    _bars(svg, x, edges, [(rise.base, rise.base + rise.tall(count), count) for count in down], "defect", evaluation)
    axes.line(svg, (LEFT, rise.base), (RIGHT, rise.base), "axis")
    for value, shown in axes.ticks(x):
        axes.text(svg, x.at(value), HEIGHT - BOTTOM + 16, shown, "tick", "middle")
    clipped = ", last bar: and above" if both.max() >= edges[-1] else ""
    axes.name_axes(svg, x, axes.vertical(1), (f"score (raw{clipped})", f"pictures{' (log scale)' if log else ''}"))
    axes.levels(svg, x, [(kind, level, f"{kind} {level:.4g}") for kind, level in levels(evaluation)])
    axes.text(svg, RIGHT - 4, TOP + 40, f"good ({good.size})", "side good", "end")
    axes.text(svg, LEFT + 4, HEIGHT - BOTTOM - 8, f"defects ({defects.size})", "side defect")
    return axes.finished(svg)


def recall_by_type(rates: Mapping[str, Rate]) -> str:
    """Share of each defect type that is not passed, the worst first, with its exact 95 % interval as a whisker."""
    ordered = sorted(rates.items(), key=lambda item: (math.inf if item[1].value is None else item[1].value, item[0]))
    shown = ordered[:_MAX_ROWS]
    height = 40 + 28 * max(1, len(shown))
    svg = axes.sheet("Recall per defect type", "Share of each defect type caught, with 95 % intervals.", height)
    if not shown:
        return axes.nothing(svg, "not shown: no defect was judged")
    x = Axis(low=0, high=1, begin=_NAMES, end=344)
    for value, label in axes.ticks(x, percent=True):
        axes.line(svg, (x.at(value), 8), (x.at(value), height - 28), "grid")
        axes.text(svg, x.at(value), height - 12, label, "tick", "middle")
    for row, (name, rate) in enumerate(shown):
        _recall_row(svg, x, 22 + 28 * row, name, rate)
    return axes.finished(svg)


def confusion_matrix(confusion: Mapping[str, Mapping[str, int]]) -> str:
    """What became of the pictures of each true label; the tint grows with the share of the row."""
    labels = sorted(confusion, key=lambda label: (label != GOOD, label))[:_MAX_ROWS]
    svg = axes.sheet("Confusion matrix", "Pictures by true label and verdict.", 40 + 34 * max(1, len(labels)))
    if not labels:
        return axes.nothing(svg, "not shown: there are no pictures")
    columns = (Verdict.PASS, Verdict.REVIEW, Verdict.REJECT, Verdict.FAULT)
    wide = (RIGHT - _NAMES) / len(columns)
    for column, verdict in enumerate(columns):
        axes.text(svg, _NAMES + wide * (column + 0.5), 20, verdict.value, "name", "middle")
    for row, label in enumerate(labels):
        counts = [confusion[label].get(verdict.value, 0) for verdict in columns]
        top = 32 + 34 * row
        axes.text(svg, _NAMES - 10, top + 20, axes.shortened(label, 19), "name", "end")
        for column, (verdict, count) in enumerate(zip(columns, counts, strict=True)):
            at = (_NAMES + wide * column + 1, _NAMES + wide * (column + 1) - 1)
            axes.bar(svg, at, (top, top + 32), "cell")
            told = f"{label}: {count} of {sum(counts)} {verdict.value}"
            tinted = axes.bar(svg, at, (top, top + 32), f"share {_rightness(label, verdict)}", told)
            tinted.set("fill-opacity", f"{0.7 * math.sqrt(count / max(1, sum(counts))):.3f}")
            axes.text(svg, sum(at) / 2, top + 21, str(count), "count" if count else "count none", "middle")
    return axes.finished(svg)


def class_confusion(confusion: Mapping[str, Mapping[str, int]]) -> str:
    """What pictures of each true class were named; the tint grows with the share of the row."""
    labels = list(confusion)[:_MAX_ROWS]
    svg = axes.sheet("Confusion of classes", "Pictures by true class and named class.", 60 + 26 * max(1, len(labels)))
    if not labels:
        return axes.nothing(svg, "not shown: there are no pictures")
    wide = (RIGHT - _NAMES) / len(labels)
    for column, label in enumerate(labels):  # the columns' names would not fit side by side: numbers stand for them
        axes.text(svg, _NAMES + wide * (column + 0.5), 20, str(column + 1), "name", "middle").set("aria-label", label)
    for row, label in enumerate(labels):
        total, top = sum(confusion[label].values()), 32 + 26 * row
        axes.text(svg, _NAMES - 10, top + 17, f"{row + 1} {axes.shortened(label, 17)}", "name", "end")
        for column, named in enumerate(labels):
            count = confusion[label].get(named, 0)
            at = (_NAMES + wide * column + 1, _NAMES + wide * (column + 1) - 1)
            axes.bar(svg, at, (top, top + 24), "cell")
            told = f"{label}: {count} of {total} named {named}"
            kind = "good right" if named == label else "defect wrong"
            tinted = axes.bar(svg, at, (top, top + 24), f"share {kind}", told)
            tinted.set("fill-opacity", f"{0.7 * math.sqrt(count / max(1, total)):.3f}")
            axes.text(svg, sum(at) / 2, top + 17, str(count), "count" if count else "count none", "middle")
    return axes.finished(svg)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rise:
    """Where the axis between both kinds lies, and how tall a count is."""

    base: float
    unit: float
    log: bool

    def tall(self, count: int) -> float:
        return self.unit * (math.log10(1 + count) if self.log else count)


def _rise(up: int, down: int, *, log: bool) -> _Rise:
    """Share the height in proportion to the tallest bars, but leave each kind a quarter."""
    over, under = (math.log10(1 + count) if log else float(count) for count in (up, down))
    share = min(max(over / (over + under), 0.25), 0.75) if up and down else float(up > 0)
    top, room = TOP + 24, HEIGHT - BOTTOM - TOP - 24
    base = top + room * share
    fits = [length / count for length, count in ((room * share, over), (room * (1 - share), under)) if count]
    return _Rise(base=base, unit=min(fits), log=log)


def _edges(low: float, high: float, threshold: float) -> Scores:
    """Bins of equal width with an edge on the threshold, so that no bar is half rejected."""
    width = max(high - low, 1e-6 * abs(threshold), 1e-12) / _BINS
    below, above = math.ceil((threshold - low) / width - 1e-9), math.floor((high - threshold) / width + 1e-9) + 1
    return threshold + width * np.arange(-below, above + 1, dtype=np.float64)


def _count_grid(svg: Svg, x: Axis, rise: _Rise, most: int) -> None:
    even = [int(value) for value, _ in axes.ticks(Axis(low=0, high=most, begin=0, end=1), 4) if value.is_integer()]
    marks = [10**power for power in range(1 + int(math.log10(most)))] if rise.log else [mark for mark in even if mark]
    for mark in marks:
        for y in (rise.base - rise.tall(mark), rise.base + rise.tall(mark)):
            if TOP + 23 <= y <= HEIGHT - BOTTOM + 1:
                axes.line(svg, (x.begin, y), (x.end, y), "grid")
                axes.text(svg, x.begin - 7, y + 4, str(mark), "tick", "end")


def _bars(
    svg: Svg, x: Axis, edges: Scores, bars: list[tuple[float, float, int]], label: str, evaluation: Evaluation
) -> None:
    for left, right, (base, top, count) in zip(edges[:-1], edges[1:], bars, strict=True):
        if count:
            verdict = _verdict((left + right) / 2, evaluation)
            told = f"{count} {label} from {left:.4g} to {right:.4g}: {verdict.value}"
            axes.bar(svg, (x.at(left) + 0.4, x.at(right) - 0.4), (base, top), _rightness(label, verdict), told)


def _verdict(score: float, evaluation: Evaluation) -> Verdict:
    if score >= evaluation.threshold:
        return Verdict.REJECT
    review = evaluation.review_threshold
    return Verdict.PASS if review is None or score < review else Verdict.REVIEW


def _rightness(label: str, verdict: Verdict) -> str:
    """The class of a mark: its kind, and whether that verdict was right for it."""
    kind = "good" if label == GOOD else "defect"
    if verdict in (Verdict.REVIEW, Verdict.FAULT):
        return f"{kind} unsure"
    return f"{kind} {'right' if (verdict is Verdict.PASS) == (label == GOOD) else 'wrong'}"


def _recall_row(svg: Svg, x: Axis, y: float, name: str, rate: Rate) -> None:
    axes.text(svg, x.begin - 10, y + 4, axes.shortened(name, 19), "name", "end")
    if rate.value is None or rate.low is None or rate.high is None:
        axes.text(svg, x.begin + 6, y + 4, "none judged", "tick")
        return
    told = f"{name}: {rate.count} of {rate.total}, 95 % interval {100 * rate.low:.1f} to {100 * rate.high:.1f} %"
    axes.bar(svg, (x.begin, x.end), (y - 8, y + 8), "cell", told)
    axes.bar(svg, (x.begin, x.at(rate.value)), (y - 8, y + 8), "recall", told)
    axes.line(svg, (x.at(rate.low), y), (x.at(rate.high), y), "whisker")
    for end in (rate.low, rate.high):
        axes.line(svg, (x.at(end), y - 5), (x.at(end), y + 5), "whisker")
    axes.text(svg, x.end + 10, y + 4, f"{100 * rate.value:.1f} % ({rate.count}/{rate.total})", "tick")
