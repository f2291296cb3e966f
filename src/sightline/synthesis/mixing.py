"""How many synthetic pictures of each class go beside the real ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from sightline.errors import OptionError

MOST_PICTURES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What is asked for; exactly one of the three."""

    per_class: int | None = None  # synthetic pictures of each class
    class_ratio: float | None = None  # share of each class's training pictures that is synthetic, 0..1 excluded
    ratio: float | None = None  # share of all training pictures that is synthetic; the rarest classes are filled first

    def __post_init__(self) -> None:
        given = [value for value in (self.per_class, self.class_ratio, self.ratio) if value is not None]
        if len(given) != 1:
            raise OptionError("give one of: pictures per class, the ratio per class, the ratio in all.")
        if self.per_class is not None and not 1 <= self.per_class <= MOST_PICTURES:
            raise OptionError(f"per_class is {self.per_class}; give a number from 1 to {MOST_PICTURES}.")
        for name, share in (("class_ratio", self.class_ratio), ("ratio", self.ratio)):
            if share is not None and not 0 < share < 1:  # also true of NaN
                raise OptionError(f"{name} is {share}; it must lie between 0 and 1, both excluded.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of one class, or of all: real and synthetic training pictures."""

    real: int
    synthetic: int

    @property
    def ratio(self) -> float:
        """Share that is synthetic; 0 where there are no pictures."""
        return self.synthetic / max(self.real + self.synthetic, 1)


def plan(mix: Mix, classes: tuple[str, ...], real: Mapping[str, int]) -> dict[str, int]:
    """Synthetic pictures to make of each class.

    Args:
        classes: the labels that can be made.
        real: label -> real training pictures, the good ones included.

    Raises:
        OptionError: no class to make; or a ratio that asks for no picture at all, or for more than 100,000.
    """
    if not classes:
        raise OptionError("there is no class to make; name kinds to paint, or give a data set with defects to paste.")
    if mix.per_class is not None:
        wanted = dict.fromkeys(classes, mix.per_class)
    elif mix.class_ratio is not None:
        wanted = {label: round(_beside(real.get(label, 0), mix.class_ratio)) for label in classes}
    else:
        wanted = _filled(classes, real, round(_beside(sum(real.values()), mix.ratio or 0.0)))
    total = sum(wanted.values())
    if not 1 <= total <= MOST_PICTURES:
        raise OptionError(
            f"the ratio asks for {total} synthetic pictures, beside {sum(real.values())} real ones; "
            f"ask for 1 to {MOST_PICTURES}, or give a number per class."
        )
    return wanted


def shares(wanted: Mapping[str, int], real: Mapping[str, int]) -> dict[str, Share]:
    """Each class's share, in the order of the real labels, then of the new ones."""
    labels = list(dict.fromkeys([*real, *wanted]))
    return {label: Share(real=real.get(label, 0), synthetic=wanted.get(label, 0)) for label in labels}


def in_all(found: Mapping[str, Share]) -> Share:
    return Share(real=sum(s.real for s in found.values()), synthetic=sum(s.synthetic for s in found.values()))


def _beside(real: int, ratio: float) -> float:
    """How many synthetic pictures make up `ratio` beside so many real ones."""
    return real * ratio / (1 - ratio)


def _filled(classes: tuple[str, ...], real: Mapping[str, int], total: int) -> dict[str, int]:
    """`total` pictures over the classes so that their sums are as even as can be: water finds its level."""
    have = {label: real.get(label, 0) for label in classes}
    low, high = 0, max(have.values(), default=0) + total
    while low < high:  # the highest level that the total can fill
        level = (low + high + 1) // 2
        if sum(max(level - count, 0) for count in have.values()) <= total:
            low = level
        else:
            high = level - 1
    wanted = {label: max(low - count, 0) for label, count in have.items()}
    left = total - sum(wanted.values())
    for label in sorted(classes, key=lambda name: have[name] + wanted[name]):  # one more each, as far as it goes
        if left > 0 and have[label] + wanted[label] <= low:
            wanted[label], left = wanted[label] + 1, left - 1
    return wanted
