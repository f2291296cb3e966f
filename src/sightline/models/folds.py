"""How good frames are dealt out for cross-calibration."""

import numpy as np

from sightline.errors import OptionError

FEWEST_FRAMES = 5


def folds_of(count: int, folds: int, seed: int) -> list[list[int]]:
    """Deal `count` frames into at most `folds` groups of equal size, give or take one; seeded.

    Raises:
        OptionError: fewer than FEWEST_FRAMES frames, or fewer than two folds.
    """
    if count < FEWEST_FRAMES:
        raise OptionError(
            f"{count} good {'image is' if count == 1 else 'images are'} too few to learn what varies between good "
            f"parts; give at least {FEWEST_FRAMES}, better 50 or more."
        )
    return dealt(count, folds, seed)


def dealt(count: int, folds: int, seed: int) -> list[list[int]]:
    """As `folds_of`, for any count from 1 up: where a model is extended, other frames are known already.

    Raises:
        OptionError: fewer than two folds.
    """
    if folds < 2:
        raise OptionError(f"{folds} folds cannot calibrate; use at least 2.")
    order = np.random.default_rng(seed).permutation(count)
    return [sorted(order[start::folds].tolist()) for start in range(min(folds, count))]
