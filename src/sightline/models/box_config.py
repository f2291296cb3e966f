"""How a detector of boxes is trained, as values; what acts on them imports torch."""

import math
from dataclasses import dataclass

from sightline.errors import OptionError
from sightline.models.class_config import MATERIALS, Material


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxLearningConfig:
    """How long to learn, and from what."""

    epochs: int = 40  # at most, those of the head alone among them
    patience: int = 6  # epochs without a better one, after which it ends
    minutes: float | None = None  # None: as long as the epochs take
    material: Material = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.epochs <= 10_000:
            raise OptionError(f"epochs is {self.epochs}; a detector of boxes takes 1 to 10000.")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise OptionError(f"minutes is {self.minutes}; give a number above 0.")
        if self.material not in MATERIALS:
            raise OptionError(f"material {self.material!r} is not known; use one of {', '.join(MATERIALS)}.")
