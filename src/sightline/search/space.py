"""What a search may try: methods, working sizes, backbones and what each method can be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from optuna import Trial

from sightline.models.class_config import IMBALANCES, Imbalance, LearningConfig, Unfreeze
from sightline.models.detector import Method
from sightline.supervised import METHOD as CLASSIFIER
from sightline.supervised import ClassifierConfig
from sightline.training import HYBRID, TrainConfig

Setting = str | int | bool
Settings = dict[str, Setting]
Tried = Method | Literal["hybrid"]

SHORT_SIDES = (192, 256, 384, 512)  # px, of the working size
SHORTEST_SIDE = 128  # px; tried too where names are learnt: a class may fill the picture
BANKS = (500, 1_500, 4_000, 8_000)
DIMENSIONS = (32, 64, 128)
NAMING = (CLASSIFIER, HYBRID)  # methods that learn names
BEST = "best"  # of the ways with classes of unequal size, found by the classifier itself
SHIPPED = "shipped"  # the backbone's name where none is given
_GRADIENT_MINUTES = 20  # below it, methods that learn for minutes are left out ...
_GRADIENT_IMAGES = 100  # ... and where there are fewer pictures than they need
_MOST_ENLARGED = 2.0  # times: beyond it nothing is gained

# tried before anything is drawn, so that the result is no worse than the defaults
FIRST: tuple[Settings, ...] = (
    {"method": "patchcore", "short_side": 256, "bank": 1_500, "dimensions": 64, "position_prior": True},
    {"method": "padim", "short_side": 256, "dimensions": 64},
    {"method": "patchcore", "short_side": 384, "bank": 1_500, "dimensions": 64, "position_prior": True},
)
FIRST_NAMING: tuple[Settings, ...] = (
    {"method": HYBRID, "short_side": 256, "bank": 1_500, "dimensions": 64, "position_prior": True, "fine_tuned": False},
    {"method": CLASSIFIER, "short_side": 256, "fine_tuned": False},
    {"method": CLASSIFIER, "short_side": 256, "fine_tuned": True},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The choices; each at least one."""

    methods: tuple[Tried, ...]
    short_sides: tuple[int, ...]
    backbones: tuple[str, ...]  # SHIPPED or the path of an ONNX file
    imbalances: tuple[str, ...] = (BEST,)  # BEST or one of IMBALANCES; of what learns names

    @property
    def first(self) -> list[Settings]:
        """Of FIRST and FIRST_NAMING what this space holds, with the first backbone."""
        return [
            self._completed(settings)
            for settings in (*FIRST_NAMING, *FIRST)
            if settings["method"] in self.methods and settings["short_side"] in self.short_sides
        ]

    def _completed(self, settings: Settings) -> Settings:
        ways: Settings = {"imbalance": self.imbalances[0]} if settings["method"] in NAMING else {}
        return {**settings, **ways, "backbone": self.backbones[0]}


def space_for(
    good: int,
    short_side: int,
    minutes: float,
    backbones: Sequence[Path],
    *,
    finds: bool = True,
    names: bool = False,
    uneven: bool = False,
) -> Space:
    """The choices that make sense for so many good pictures of this short side, px, and so much time.

    Args:
        finds: whether methods are tried that learn from good pictures alone.
        names: whether methods are tried that name defects; the hybrid, where there are good pictures.
        uneven: whether some kinds of defect have many more pictures than others.
    """
    methods: list[Tried] = []
    if names:
        methods += ["classifier", "hybrid"] if good else ["classifier"]
    if finds:
        methods += ["patchcore", "padim"]
    if finds and good >= _GRADIENT_IMAGES and minutes >= _GRADIENT_MINUTES and find_spec("onnxscript"):
        methods += ["efficientad", "fastflow", "stfpm"]
    offered = (SHORTEST_SIDE, *SHORT_SIDES) if names else SHORT_SIDES
    sides = [side for side in offered if side <= max(256, _MOST_ENLARGED * short_side)]
    return Space(
        methods=tuple(methods),
        short_sides=tuple(sides),
        backbones=tuple(str(path) for path in backbones) or (SHIPPED,),
        imbalances=(BEST, *IMBALANCES) if uneven else (BEST,),
    )


def drawn(trial: Trial, space: Space) -> Settings:
    """The settings that the sampler chooses next."""
    settings: Settings = {
        "method": trial.suggest_categorical("method", space.methods),
        "short_side": trial.suggest_categorical("short_side", space.short_sides),
        "backbone": trial.suggest_categorical("backbone", space.backbones),
    }
    if settings["method"] in NAMING:
        settings["fine_tuned"] = trial.suggest_categorical("fine_tuned", (True, False))
        settings["imbalance"] = trial.suggest_categorical("imbalance", space.imbalances)
    if settings["method"] in ("patchcore", "padim", HYBRID):
        settings["dimensions"] = trial.suggest_categorical("dimensions", DIMENSIONS)
    if settings["method"] in ("patchcore", HYBRID):
        settings["bank"] = trial.suggest_categorical("bank", BANKS)
        settings["position_prior"] = trial.suggest_categorical("position_prior", (True, False))
    return settings


def config_of(settings: Settings, *, max_overkill: float, seed: int, max_megapixels: float) -> TrainConfig:
    """The settings as `train` takes them; those of a hybrid's anomaly model."""
    backbone = str(settings["backbone"])
    method: Method = "patchcore" if settings["method"] == HYBRID else settings["method"]  # type: ignore[assignment]
    return TrainConfig(
        method=method,
        short_side=int(settings["short_side"]),
        dimensions=int(settings["dimensions"]) if "dimensions" in settings else None,
        bank=int(settings["bank"]) if "bank" in settings else None,
        position_prior=bool(settings.get("position_prior", True)),
        backbone=None if backbone == SHIPPED else Path(backbone),
        max_overkill=max_overkill,
        max_megapixels=max_megapixels,
        seed=seed,
    )


def naming_config_of(settings: Settings, *, minutes: float, seed: int, max_megapixels: float) -> ClassifierConfig:
    """The settings as `train_classifier` takes them, and at most so many minutes of learning."""
    backbone, way = str(settings["backbone"]), str(settings["imbalance"])
    imbalance: Imbalance | None = None if way == BEST else way  # type: ignore[assignment]  # one of the space's
    unfreeze: Unfreeze = "last" if settings["fine_tuned"] else "none"
    return ClassifierConfig(
        short_side=int(settings["short_side"]),
        backbone=None if backbone == SHIPPED else Path(backbone),
        max_megapixels=max_megapixels,
        learning=LearningConfig(minutes=minutes, imbalance=imbalance, unfreeze=unfreeze, seed=seed),
    )


def told(settings: Settings) -> str:
    """In words, short: `patchcore, 256 px, 64 dimensions, bank 1500`."""
    words = [str(settings["method"]), f"{settings['short_side']} px"]
    if "dimensions" in settings:
        words.append(f"{settings['dimensions']} dimensions")
    if "bank" in settings:
        words.append(f"bank {settings['bank']:,}")
    if "fine_tuned" in settings:
        words.append("fine-tuned" if settings["fine_tuned"] else "network as it is")
    if settings.get("imbalance", BEST) != BEST:
        words.append(f"imbalance {settings['imbalance']}")
    if settings.get("position_prior") is False:
        words.append("no position prior")
    if settings["backbone"] != SHIPPED:
        words.append(Path(str(settings["backbone"])).name)
    return ", ".join(words)
