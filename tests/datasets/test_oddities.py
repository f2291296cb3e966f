"""Pictures that were not taken as the others."""

from pathlib import Path

import numpy as np

from sightline.datasets.dataset import Sample
from sightline.datasets.oddities import Measured, Odd, oddities
from sightline.datasets.survey import look_of
from sightline.records import Frame


def taken(seed: int, *, light: float = 0.0, sharpness: float = 0.5, side: int = 64) -> Measured:
    rng = np.random.default_rng(seed)
    pixels = np.clip(rng.normal(110 + 255 * light, 30, (side, side, 1)), 0, 255).astype(np.uint8)
    frame = Frame(pixels=pixels, bit_depth=8)
    look = look_of(Sample(path=Path(f"{seed}.png"), label="good"), frame, bytes([seed]))
    return Measured(look=look, sharpness=sharpness, saturated_share=0.0)


def test_what_is_odd_is_told_of_the_picture_that_is() -> None:
    odd = [taken(3, sharpness=0.2), taken(4, light=-0.2), taken(5, side=48), taken(1)]
    found = oddities([taken(0), taken(1), taken(2), *odd])
    assert found[:3] == [(), (), ()]
    assert found[3:] == [(Odd.BLURRED,), (Odd.DARK,), (Odd.SIZE,), (Odd.DUPLICATE,)]


def test_nothing_is_odd_among_too_few() -> None:
    assert oddities([taken(0), taken(1, side=32)]) == [(), ()]
    assert oddities([]) == []
