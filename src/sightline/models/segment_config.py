"""How a segmenter is trained, as values; what acts on them imports torch."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from sightline.errors import OptionError
from sightline.models.class_config import Material

Trunk = Literal["backbone", "unet"]
TRUNKS: tuple[Trunk, ...] = get_args(Trunk)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentConfig:
    """What learns, and for how long."""

    trunk: Trunk = "backbone"  # its features, with a decoder that learns; or a plain U-Net that learns all
    epochs: int = 20  # at most
    patience: int = 10  # epochs without a better one, after which it ends; much is gained while the rate falls
    minutes: float | None = None  # None: as long as the epochs take
    material: Material = "none"  # which changes of light, place and focus it is shown
    seed: int = 0

    def __post_init__(self) -> None:
        if self.trunk not in TRUNKS:
            raise OptionError(f"network {self.trunk!r} is not known to a segmenter; use one of {', '.join(TRUNKS)}.")
        if not 1 <= self.epochs <= 10_000:
            raise OptionError(f"epochs is {self.epochs}; give 1 to 10000.")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise OptionError(f"minutes is {self.minutes}; give a number above 0.")
