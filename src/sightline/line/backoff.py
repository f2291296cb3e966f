"""How long to wait after failures in a row."""

import math
import random

_MOST_DOUBLINGS = 30  # beyond which any time is longer than the longest


def backoff_s(failures: int, *, first_s: float, longest_s: float, rng: random.Random) -> float:
    """Twice as long after each, up to the longest; a random half is taken off, so that stations do not come in step.

    Args:
        failures: in a row, 1 or more.
    """
    doubled = math.ldexp(first_s, min(failures - 1, _MOST_DOUBLINGS))
    return min(longest_s, doubled) * rng.uniform(0.5, 1)
