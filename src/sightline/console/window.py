"""Which parts the figures of a page are of, as its address says it."""

import time
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from sightline.console.figures import calendar
from sightline.console.session import Session
from sightline.evaluation.periods import Step, moment

PERIODS = {  # in the address: as it is called
    "shift": "This shift",
    "today": "Today",
    "7d": "7 days",
    "30d": "30 days",
    "own": "Own range",
}
_DAY = 86_400.0
_PLACES = ("station", "line", "product", "lot", "tool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the address asks for; a word that is none of its own is as if it were not there."""

    period: str = "7d"
    since: str = ""  # of an own range, local
    until: str = ""
    product: str = ""  # empty: all
    station: str = ""
    step: str = ""  # hour, shift or day; empty: as fits the length
    by: str = "station"  # what the trend compares: one of _PLACES

    def address(self, path: str) -> str:
        """The address of a page with this in it; what goes without saying is left out."""
        plain = Window()
        asked = {one.name: getattr(self, one.name) for one in fields(self)}
        told = {name: value for name, value in asked.items() if value != getattr(plain, name)}
        return f"{path}?{urlencode(told)}" if told else path


def chosen(window: Window) -> Window:
    """The window with only words that it knows."""
    return replace(
        window,
        period=window.period if window.period in PERIODS else "7d",
        step=window.step if window.step in tuple(Step) else "",
        by=window.by if window.by in _PLACES else "station",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A window's time, and what the API is asked for it."""

    since_s: float
    until_s: float
    step: Step
    product: str
    station: str

    @property
    def query(self) -> dict[str, str]:
        """Parameters of the routes of quality."""
        return {
            "since": _iso(self.since_s),
            "until": _iso(self.until_s),
            "product": self.product,
            "station": self.station,
        }


def span(session: Session, window: Window) -> Span:
    """
    Raises:
        OptionError: the own range is no time.
    """
    clocks, now_s = calendar(session), time.time()
    since_s, until_s = now_s - 7 * _DAY, now_s
    if window.period == "shift":
        since_s = clocks.shift_at(now_s).begin_s
    elif window.period == "today":
        since_s = moment(clocks.local(now_s).date().isoformat(), clocks)
    elif window.period == "30d":
        since_s = now_s - 30 * _DAY
    elif window.period == "own":
        until_s = moment(window.until, clocks) if window.until else now_s
        since_s = moment(window.since, clocks) if window.since else until_s - 7 * _DAY
    clocks.periods(since_s, until_s, Step.DAY)  # refuses an end before its begin
    step = Step(window.step) if window.step else _fitting(until_s - since_s)
    return Span(since_s=since_s, until_s=until_s, step=step, product=window.product, station=window.station)


def _fitting(length_s: float) -> Step:
    """Some ten to some sixty points."""
    return Step.HOUR if length_s <= 2.5 * _DAY else Step.SHIFT if length_s <= 15 * _DAY else Step.DAY


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()
