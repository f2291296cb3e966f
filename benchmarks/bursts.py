"""Timing that holds on a machine with other work: bursts, taken in turn.

A run of ONNX Runtime leaves its threads spinning for a while, and they take the processor from whatever runs next. So
each turn is a burst whose first runs do not count; and all take turns, so that all see the same machine.
"""

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

DROPPED, KEPT = 12, 5  # runs of a burst; after three, threads of the one before it still spun now and then
SLOW_MS = 250.0  # from here on a burst is one run that does not count and one that does, in every fourth round
_EVERY = 4

Times = NDArray[np.float64]  # (n,) ms
Work = Callable[[], object]
Clock = Callable[[], float]  # s


def burst(work: Work, clock: Clock = time.perf_counter) -> Times:
    """Milliseconds of the runs that count."""
    slow = _timed(work, clock) > SLOW_MS
    for _ in range(0 if slow else DROPPED - 1):
        work()
    return np.array([_timed(work, clock) for _ in range(1 if slow else KEPT)])


def interleaved(works: Mapping[str, Work], rounds: int, clock: Clock = time.perf_counter) -> dict[str, Times]:
    """Milliseconds per run of each, over all rounds.

    Args:
        clock: another one than the time of day, such as `time.thread_time`, which counts what a thread itself computes.
    """
    times: dict[str, list[Times]] = {name: [] for name in works}
    slow: set[str] = set()
    for turn in range(rounds):
        for name, work in works.items():
            if name in slow and turn % _EVERY:
                continue
            times[name].append(burst(work, clock))
            if np.median(times[name][-1]) > SLOW_MS:
                slow.add(name)
    return {name: np.concatenate(parts) for name, parts in times.items()}


def _timed(work: Work, clock: Clock) -> float:
    started = clock()
    work()
    return (clock() - started) * 1e3
