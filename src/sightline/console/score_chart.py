"""A histogram of scores with thresholds in it, in the colours of the page."""

from collections.abc import Mapping, Sequence
from html import escape

from nicegui import ui

from sightline.console.threshold_figures import Scores, histogram

_HEIGHT = 100


class ScoreChart:
    """Good scores upwards and those of defects on top of them; markers can be moved."""

    def __init__(self, scores: Scores, *, named: str, good: str, bad: str, limits: Sequence[float] = ()) -> None:
        """
        Args:
            named: what it shows, for those who do not see it.
            good, bad: what the two kinds are called.
            limits: that have their place in it even where they are beyond all scores.
        """
        self._reach = scores.reach_with(limits)
        self._markers: dict[str, ui.element] = {}
        shapes = _bars(histogram(scores.good, self._reach), histogram(scores.bad, self._reach))
        with ui.element("figure").classes("scores"):
            with ui.element("div").classes("plot").props(f'role=img aria-label="{escape(named)}"') as self._plot:
                ui.html(
                    f'<svg viewBox="0 0 {len(shapes[1])} {_HEIGHT}" preserveAspectRatio="none">{shapes[0]}</svg>',
                    sanitize=False,
                )
            with ui.element("figcaption"):
                ui.label(f"{good}: {scores.good.size}").classes("key good")
                if scores.bad.size:
                    ui.label(f"{bad}: {scores.bad.size}").classes("key bad")

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest score at its edges."""
        return self._reach

    def mark(self, kind: str, score: float | None, text: str = "") -> None:
        """Put a marker at a score, or take it away; kinds are told apart by their class."""
        if kind in self._markers:
            self._markers.pop(kind).delete()
        if score is None or not self._reach[0] <= score <= self._reach[1]:
            return
        with self._plot, ui.element("div").classes(f"mark {kind}").style(f"left:{self._place(score)}") as marker:
            ui.label(text)
        self._markers[kind] = marker

    def move(self, kind: str, score: float) -> None:
        """Move a marker that is there."""
        if kind in self._markers:
            self._markers[kind].style(f"left:{self._place(score)}")

    def _place(self, score: float) -> str:
        low, high = self._reach
        return f"{100 * min(1.0, max(0.0, (score - low) / (high - low))):.2f}%"


def _bars(good: Sequence[int], bad: Sequence[int]) -> tuple[str, Sequence[int]]:
    # the two kinds each by their own highest bin, as there are mostly far fewer of one
    shapes: Mapping[str, Sequence[int]] = {"good": good, "bad": bad}
    drawn = []
    for kind, counts in shapes.items():
        top = max(counts, default=0)
        for place, count in enumerate(counts):
            if count:
                height = max(2.0, 94 * count / top)
                drawn.append(
                    f'<rect class="{kind}" x="{place + 0.05}" width="0.9" y="{_HEIGHT - height:.1f}" '
                    f'height="{height:.1f}"/>'
                )
    return "".join(drawn), good
