"""Pictures of rendered parts for a simulated line: each part as every view sees it, made in advance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sightline.devices.sim_belt import BeltPart, Truth
from sightline.records import Frame
from sightline.synthesis.defects import DefectType
from sightline.synthesis.parts import PartConfig, render

CAMERAS = {  # two of a kind, as far as two cameras ever are: what is learnt with the first one holds for the second
    "front": PartConfig(),
    "rear": PartConfig(blur_px=0.6, noise=1.15),
}
_SEVERITY = 0.8  # of all defects: the line is tested here, and the model by pictures of every severity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stock:
    """Good and bad parts by view; at least two of each, so that no picture comes twice in a row."""

    good: tuple[Mapping[str, Frame], ...]
    bad: tuple[Mapping[str, Frame], ...]
    defects: tuple[str, ...] = ()  # of the bad ones, by name; empty: nobody noted them

    @property
    def views(self) -> tuple[str, ...]:
        return tuple(self.good[0])

    def picture(self, view: str, part: BeltPart | None) -> Frame:
        """What a camera sees of this part, the same each time; of none, darkness."""
        if part is None:
            lit = self.good[0][view]
            return replace(lit, pixels=np.zeros_like(lit.pixels))
        kind = self.good if part.truth is Truth.GOOD else self.bad
        return kind[part.number % len(kind)][view]

    def defect(self, part: BeltPart) -> str:
        """What is wrong with this part; empty: nothing, or nobody noted it."""
        return "" if part.truth is Truth.GOOD or not self.defects else self.defects[part.number % len(self.bad)]


def render_stock(
    *, good: int = 16, bad: int = 14, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> Stock:
    """Render so many parts, each by both cameras; the defects take turns.

    Args:
        good, bad: at least 2.
        progress: is called after each part with how many are done and how many there will be.
    """
    assert min(good, bad) >= 2
    kinds = list(DefectType)
    wanted: list[DefectType | None] = [None] * good + [kinds[place % len(kinds)] for place in range(bad)]
    parts = []
    for place, defect in enumerate(wanted):
        parts.append({view: _photographed(config, (seed, place), defect) for view, config in CAMERAS.items()})
        if progress:
            progress(place + 1, len(wanted))
    defects = tuple(defect.value for defect in wanted if defect is not None)
    return Stock(good=tuple(parts[:good]), bad=tuple(parts[good:]), defects=defects)


def _photographed(config: PartConfig, seed: tuple[int, int], defect: DefectType | None) -> Frame:
    severity = None if defect is None else _SEVERITY
    return Frame(pixels=render(config, np.random.default_rng(seed), defect=defect, severity=severity).pixels)
