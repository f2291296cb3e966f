"""How a classifier is trained, as values; what acts on them imports torch."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from sightline.errors import OptionError

Imbalance = Literal["none", "weights", "oversample", "focal"]
Material = Literal["metal", "plastic", "textile", "glass", "printed", "none"]
Unfreeze = Literal["none", "last", "all"]
Precision = Literal["auto", "fp32", "int8"]
IMBALANCES: tuple[Imbalance, ...] = get_args(Imbalance)
MATERIALS: tuple[Material, ...] = get_args(Material)
UNFREEZES: tuple[Unfreeze, ...] = get_args(Unfreeze)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningConfig:
    """How long to learn, from what, and how classes are weighed."""

    epochs: int = 60  # of the second phase at most; 0: the head alone learns
    patience: int = 20  # epochs without a better one, after which it ends
    minutes: float | None = None  # of both phases; None: as long as the epochs take
    imbalance: Imbalance | None = None  # None: the way that is best on the pictures held out
    material: Material = "none"
    unfreeze: Unfreeze = "none"  # blocks of the network itself
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.epochs <= 10_000:
            raise OptionError(f"epochs is {self.epochs}; give 0 to 10000.")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise OptionError(f"minutes is {self.minutes}; give a number above 0.")
        for what, value, known in (
            ("imbalance", self.imbalance or IMBALANCES[0], IMBALANCES),
            ("material", self.material, MATERIALS),
            ("unfreeze", self.unfreeze, UNFREEZES),
        ):
            if value not in known:
                raise OptionError(f"{what} {value!r} is not known; use one of {', '.join(known)}.")
