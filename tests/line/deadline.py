"""Waiting for a state."""

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], within_s: float = 60.0) -> None:
    """Return when it holds; fail when that takes too long."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.005)
