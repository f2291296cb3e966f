"""The wall clock for what goes by age: one that is set forward must not make all that is kept old at once."""

import time
from collections.abc import Callable

_HASTE = 10.0  # days believed in each day that really passes: a clock that was behind at the start is right in the end


class PatientClock:
    """Follows the wall clock, but forward no faster than so many times real time. One thread uses it."""

    def __init__(self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = time.monotonic) -> None:
        """`wall` gives unix seconds, `elapsed` those of a clock that nobody sets."""
        self._wall, self._elapsed = wall, elapsed
        self._now_s, self._asked_s = wall(), elapsed()

    def now_s(self) -> float:
        """Unix seconds."""
        asked_s = self._elapsed()
        most_s = self._now_s + _HASTE * (asked_s - self._asked_s)
        self._now_s, self._asked_s = min(self._wall(), most_s), asked_s
        return self._now_s
