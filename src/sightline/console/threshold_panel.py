"""A threshold that is dragged over scores, with what it does to the parts and what that costs."""

from dataclasses import replace

from nicegui import ui

from sightline.console.figures import between, number, share
from sightline.console.score_chart import ScoreChart
from sightline.console.session import Session
from sightline.console.threshold_figures import Outcome, Prices, Proven, Scores, cheapest, guaranteed, outcome

_STEPS = 1000


class ThresholdPanel:
    """The panel; `value` is what was chosen. All is reckoned from one list of scores; dragging asks for none."""

    def __init__(
        self,
        session: Session,
        scores: Scores,
        *,
        now: float,
        review: float | None = None,
        prices: Prices,
        currency: str = "",
    ) -> None:
        """
        Args:
            now: the threshold that holds.
            review: from which on a person decides; None: nobody does.
            prices: to begin with.
        """
        self._session, self._scores, self._now = session, scores, now
        self._prices, self._currency, self._recall = prices, currency, 0.95
        self.value = now
        text = session.text
        named = text("Scores of good and of bad parts, and the threshold")
        limits = [now] if review is None else [now, review]
        self._chart = ScoreChart(scores, named=named, good=text("Good parts"), bad=text("Bad parts"), limits=limits)
        low, high = self._chart.reach
        self._chart.mark("now", now, text("now"))
        self._chart.mark("review", review, text("REVIEW"))
        self._chart.mark("chosen", now, "")
        step = (high - low) / _STEPS
        start = min(high, max(low, now))
        self._slider = ui.slider(min=low, max=high, step=step, value=start, on_change=self._dragged)
        self._slider.props(f'aria-label="{text("Threshold")}"').classes("threshold")
        self._moving = False
        self._table()
        self._money()
        self._markers()
        self._show()

    def set(self, value: float) -> None:
        """Choose a threshold."""
        self._moving = True
        self.value = value
        self._slider.set_value(value)
        self._moving = False
        self._show()

    def _dragged(self) -> None:
        if not self._moving and self._slider.value is not None:
            self.value = float(self._slider.value)
            self._show()

    def _table(self) -> None:
        text = self._session.text
        with (
            ui.element("div").classes("confusion").props(f'role=group aria-label="{text("What becomes of the parts")}"')
        ):
            names = ("Bad parts rejected", "Bad parts passed", "Good parts rejected", "Good parts passed")
            kinds = ("right", "wrong escape", "wrong", "right")
            self._cells = {}
            for name, kind in zip(names, kinds, strict=True):
                with ui.element("div").classes(f"cell {kind}"):
                    ui.label(text(name)).classes("name")
                    self._cells[name] = ui.label().classes("value")
                    self._cells[f"{name} share"] = ui.label().classes("detail")
        with ui.element("div").classes("actions"):
            ui.label(text("Threshold")).classes("strong")
            self._figure = ui.label().classes("figure").props("aria-live=polite")
            ui.label(text("Cost of 1,000 parts")).classes("strong")
            self._cost = ui.label().classes("figure")

    def _money(self) -> None:
        text, prices = self._session.text, self._prices
        unit = f" ({self._currency})" if self._currency else ""
        with ui.element("div").classes("filters"):
            escape = ui.number(text("Cost of a bad part passed") + unit, value=prices.escape, min=0)
            overkill = ui.number(text("Cost of a good part rejected") + unit, value=prices.overkill, min=0)
            share = ui.number(text("Bad parts on the line, %"), value=100 * prices.defect_share, min=0.001, max=99)
            recall = ui.number(text("Recall to prove, %"), value=100 * self._recall, min=1, max=99.99)
            for box in (escape, overkill, share, recall):
                box.props("outlined dense")

        def changed() -> None:
            if None in (escape.value, overkill.value, share.value, recall.value):
                return
            part = min(0.99, max(1e-5, share.value / 100))
            self._prices = replace(
                self._prices, escape=max(0.0, escape.value), overkill=max(0.0, overkill.value), defect_share=part
            )
            self._recall = min(0.9999, max(0.01, recall.value / 100))
            self._markers()
            self._show()

        for box in (escape, overkill, share, recall):
            box.on_value_change(changed)
        self._choices = ui.element("div").classes("actions")

    def _markers(self) -> None:
        """Where it is cheapest, and where a recall is proven; they change with the prices alone."""
        text = self._session.text
        least, proven = cheapest(self._scores, self._prices), guaranteed(self._scores, self._recall)
        self._chart.mark("cheapest", least, text("cheapest"))
        sure = proven.threshold if isinstance(proven, Proven) else None
        self._chart.mark("proven", sure, text("proven"))
        self._choices.clear()
        with self._choices:
            ui.button(text("As it is"), on_click=lambda: self.set(self._now)).props("outline")
            if least is not None:
                ui.button(text("Cheapest"), on_click=lambda: self.set(least)).props("outline")
            if isinstance(proven, Proven):
                told = text("Proven recall of {share}", share=share(self._session, proven.recall))
                ui.button(told, on_click=lambda: self.set(proven.threshold)).props("outline")
            elif proven:
                ui.label(self._session.heard(proven)).classes("muted")
        if least is None:
            with self._choices:
                ui.label(text("There are no scores of bad parts yet: review parts, or evaluate on a data set."))

    def _show(self) -> None:
        session, found = self._session, outcome(self._scores, self.value, self._prices)
        self._chart.move("chosen", self.value)
        self._figure.set_text(number(session, self.value, 3))
        self._cost.set_text(f"{number(session, found.cost, 2)} {self._currency}".strip())
        for name, (count, part) in self._counts(found).items():
            self._cells[name].set_text(count)
            self._cells[f"{name} share"].set_text(part)

    def _counts(self, found: Outcome) -> dict[str, tuple[str, str]]:
        session, caught, overkill = self._session, found.caught, found.overkill

        def told(part: float | None, low: float | None, high: float | None) -> str:
            return "" if part is None else f"{share(session, part)} ({between(session, low, high)})"

        return {
            "Bad parts rejected": (str(caught.count), told(caught.value, caught.low, caught.high)),
            "Bad parts passed": (str(found.escaped), told(*_rest(caught.value, caught.high, caught.low))),
            "Good parts rejected": (str(overkill.count), told(overkill.value, overkill.low, overkill.high)),
            "Good parts passed": (str(found.passed), told(*_rest(overkill.value, overkill.high, overkill.low))),
        }


def _rest(*shares: float | None) -> tuple[float | None, ...]:
    return tuple(None if share is None else 1 - share for share in shares)
