"""What a virtual machine's host takes from it, and which misses it may be to blame for. Linux alone, by /proc."""

import os
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

LOOK_S = 0.25
NEAR_S = 1.0  # before and after a miss
MUCH_S = 0.02  # of processor time taken within that
_STEAL = 8  # field of the line `cpu` in /proc/stat: proc(5)


class Host:
    """Looks until it is closed."""

    def __init__(self) -> None:
        self._times_s, self._taken_s = [time.monotonic()], [_taken_s()]
        self._ending = Event()
        self._thread = Thread(target=self._run, name="host", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()

    @property
    def taken_s(self) -> float:
        """Processor time that was to be had and went to others, since it began."""
        return self._taken_s[-1] - self._taken_s[0]

    def near(self, misses_s: Sequence[float]) -> int:
        """At how many of these moments, of the monotonic clock, much was taken."""
        return near(misses_s, self._times_s, self._taken_s)

    def _run(self) -> None:
        while not self._ending.wait(LOOK_S):
            self._taken_s.append(_taken_s())
            self._times_s.append(time.monotonic())


def near(misses_s: Sequence[float], times_s: Sequence[float], taken_s: Sequence[float]) -> int:
    """As `Host.near`, from what was taken in all by these times, which ascend."""
    found = 0
    for miss_s in misses_s:
        before = max(0, bisect_right(times_s, miss_s - NEAR_S) - 1)
        after = min(bisect_left(times_s, miss_s + NEAR_S), len(times_s) - 1)
        found += taken_s[after] - taken_s[before] >= MUCH_S
    return found


def _taken_s() -> float:
    return int(Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[_STEAL]) / os.sysconf("SC_CLK_TCK")
