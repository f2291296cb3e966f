"""Which of some good pictures are not like the others in how they were taken: to be looked at before training."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from sightline.datasets.duplicates import duplicates
from sightline.datasets.survey import Look

_BRIGHTNESS = 0.12  # of white, off the others' median
_SHARPNESS = 0.6  # times the others' median: what `least_sharpness` of a recipe is usually
_SATURATED = 0.2  # share of pixels at white, as `most_saturated_share` of a recipe
_FEW = 3  # pictures below which there is nothing to compare with


class Odd(StrEnum):
    """What is odd about a picture."""

    BLURRED = "blurred"
    DARK = "dark"
    BRIGHT = "bright"
    SATURATED = "saturated"
    SIZE = "size"  # another one than most have
    FORMAT = "format"  # grey among coloured ones, or of another depth
    DUPLICATE = "duplicate"  # of one in front of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A picture with what a look does not tell."""

    look: Look
    sharpness: float  # as `imaging.fitness.Measured`
    saturated_share: float


def oddities(pictures: Sequence[Measured]) -> list[tuple[Odd, ...]]:
    """What is odd about each; the first of several that are one picture is not."""
    repeated = _repeated([one.look for one in pictures])
    if len(pictures) < _FEW:
        return [(Odd.DUPLICATE,) if id(one.look) in repeated else () for one in pictures]
    brightness = median(one.look.brightness for one in pictures)
    sharpness = median(one.sharpness for one in pictures)
    size = _usual([(one.look.width, one.look.height) for one in pictures])
    form = _usual([(one.look.channels, one.look.bit_depth) for one in pictures])
    return [
        tuple(
            odd
            for odd, holds in (
                (Odd.DUPLICATE, id(one.look) in repeated),
                (Odd.BLURRED, one.sharpness < _SHARPNESS * sharpness),
                (Odd.DARK, one.look.brightness < brightness - _BRIGHTNESS),
                (Odd.BRIGHT, one.look.brightness > brightness + _BRIGHTNESS),
                (Odd.SATURATED, one.saturated_share > _SATURATED),
                (Odd.SIZE, (one.look.width, one.look.height) != size),
                (Odd.FORMAT, (one.look.channels, one.look.bit_depth) != form),
            )
            if holds
        )
        for one in pictures
    ]


def _repeated(looks: Sequence[Look]) -> set[int]:
    by_sample = {id(look.sample): id(look) for look in looks}
    return {by_sample[id(sample)] for group in duplicates(looks) for sample in group.samples[1:]}


def _usual(values: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return Counter(values).most_common(1)[0][0]
