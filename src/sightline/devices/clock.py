"""Where the line gets its time from: the machine's monotonic clock, or one that tests and simulations move."""

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that never go back; only differences mean anything."""

    def now_s(self) -> float: ...

    def sleep(self, duration_s: float) -> None: ...


class MonotonicClock:
    """The machine's; setting the wall clock does not touch it."""

    def now_s(self) -> float:
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)


class SimClock:
    """Stands still until someone sleeps on it; an hour passes in no time."""

    def __init__(self, now_s: float = 0.0) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        return self._now_s

    def sleep(self, duration_s: float) -> None:
        assert duration_s >= 0
        self._now_s += duration_s
