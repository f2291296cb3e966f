"""What a search tried, for people: a page with plot and table, and a CSV."""

import csv
import io
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sightline.evaluation import axes
from sightline.evaluation.axes import BOTTOM, HEIGHT, TOP, Axis, clean
from sightline.evaluation.intervals import rate
from sightline.files import write_bytes
from sightline.search.space import told
from sightline.search.study import Outcome
from sightline.search.trial import Attempt, Limits

_LEAST_SPAN = 0.02  # of the accuracy that the plot shows
_NAMED = 5  # of the best, by their place
COLUMNS = (
    *("place", "settings", "auroc", "recall", "macro_f1", "latency_ms", "size_mb", "seconds"),
    *("within_limits", "chosen"),
)


def write_leaderboard(folder: Path, outcome: Outcome, limits: Limits) -> Path:
    """Write `leaderboard.html` and `leaderboard.csv`; return the page. Raises StoreError."""
    page = folder / "leaderboard.html"
    write_bytes(folder / "leaderboard.csv", _csv(outcome, limits).encode())
    write_bytes(page, _page(outcome, limits).encode("utf-8", "replace"))
    return page


def rows(outcome: Outcome, limits: Limits) -> list[dict[str, str | int | float | bool | None]]:
    """The attempts, best first, by COLUMNS; recall is the share of defects found at the allowed overkill.

    None where there is nothing to measure: no good pictures, or no names.
    """
    return [
        {
            "place": place,
            "settings": told(attempt.settings),
            "auroc": _rounded(attempt.auroc),
            "recall": None if attempt.found is None else round(attempt.found / attempt.defects, 4),
            "macro_f1": _rounded(attempt.macro_f1),
            "latency_ms": round(attempt.latency_ms, 2),
            "size_mb": round(attempt.size_mb, 2),
            "seconds": round(attempt.seconds, 1),
            "within_limits": attempt.keeps(limits),
            "chosen": attempt == outcome.chosen,
        }
        for place, attempt in enumerate(outcome.attempts, 1)
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def latency_plot(attempts: Sequence[Attempt], chosen: Attempt, limits: Limits) -> str:
    """What is compared against latency as an SVG element, one dot per attempt; hollow ones break a limit."""
    what = "macro F1" if chosen.by_names else "area under the ROC"
    svg = axes.sheet("Accuracy against latency", f"Each trial by its latency and {what}.", HEIGHT)
    slowest = max(*(attempt.latency_ms for attempt in attempts), limits.latency_ms or 0)
    lowest = min(attempt.merit for attempt in attempts)
    x = axes.horizontal(0, 1.08 * slowest)
    low = max(0.0, min(lowest - 0.1 * (1 - lowest), 1 - _LEAST_SPAN))
    y = Axis(low=low, high=1.0, begin=HEIGHT - BOTTOM, end=TOP + 10)
    axes.frame(svg, x, y, ("latency, ms (median)", what))
    if limits.latency_ms is not None:
        axes.levels(svg, x, [("threshold", limits.latency_ms, f"limit {limits.latency_ms:g} ms")])
    for attempt in reversed(attempts):
        kind = "chosen" if attempt == chosen else "kept" if attempt.keeps(limits) else "review"
        spot = axes.dot(svg, x.at(attempt.latency_ms), y.at(attempt.merit), kind)
        axes.name(spot, f"{told(attempt.settings)}: {attempt.merit:.4f} at {attempt.latency_ms:.1f} ms")
    for place, attempt in enumerate(attempts[:_NAMED], 1):
        axes.text(svg, x.at(attempt.latency_ms) + 8, y.at(attempt.merit) + 4, str(place), "note")
    axes.key(svg, [("chosen", "chosen"), ("kept", "within the limits"), ("review", "outside")], right=True)
    return axes.finished(svg)


def _page(outcome: Outcome, limits: Limits) -> str:
    folders = [Path(__file__).parent / "templates", Path(axes.__file__).parent / "templates"]
    environment = Environment(
        loader=FileSystemLoader(folders), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["clean"] = clean
    listed = rows(outcome, limits)
    for row, attempt in zip(listed, outcome.attempts, strict=True):
        if attempt.found is not None:
            found = rate(attempt.found, attempt.defects)
            row["interval"] = f"{100 * (found.low or 0):.0f} to {100 * (found.high or 0):.0f} %"
    return environment.get_template("leaderboard.html").render(
        title=f"Search: {outcome.trained.bundle.path.name}",
        rows=listed,
        chosen=told(outcome.chosen.settings),
        failures=[(failure.number, told(failure.settings), failure.reason) for failure in outcome.failures],
        material=outcome.material,
        limits=limits,
        by_names=outcome.chosen.by_names,
        plot=latency_plot(outcome.attempts, outcome.chosen, limits),
        model_id=outcome.trained.bundle.model_id,
        version=version("sightline"),
    )


def _csv(outcome: Outcome, limits: Limits) -> str:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows(outcome, limits))
    return text.getvalue()
