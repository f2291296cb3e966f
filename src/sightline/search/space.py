"""What a search may try: methods, working sizes, backbones and what each method can be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from optuna import Trial

from sightline.models.detector import Method
from sightline.training import TrainConfig

Setting = str | int | bool
Settings = dict[str, Setting]

SHORT_SIDES = (192, 256, 384, 512)  # px, of the working size
BANKS = (500, 1_500, 4_000, 8_000)
DIMENSIONS = (32, 64, 128)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The choices; each at least one."""

    methods: tuple[Method, ...]
    short_sides: tuple[int, ...]
    backbones: tuple[str, ...]  # SHIPPED or the path of an ONNX file

    @property
    def first(self) -> list[Settings]:
        """Of FIRST what this space holds, with the first backbone."""
        return [
            {**settings, "backbone": self.backbones[0]}
            for settings in FIRST
            if settings["method"] in self.methods and settings["short_side"] in self.short_sides
        ]


def space_for(images: int, short_side: int, minutes: float, backbones: Sequence[Path]) -> Space:
    """The choices that make sense for so many pictures of this short side, px, and so much time."""
    methods: list[Method] = ["patchcore", "padim"]
    if images >= _GRADIENT_IMAGES and minutes >= _GRADIENT_MINUTES and find_spec("onnxscript"):
        methods += ["efficientad", "fastflow", "stfpm"]
    sides = [side for side in SHORT_SIDES if side <= max(256, _MOST_ENLARGED * short_side)]
    return Space(
        methods=tuple(methods),
        short_sides=tuple(sides),
        backbones=tuple(str(path) for path in backbones) or (SHIPPED,),
    )


def drawn(trial: Trial, space: Space) -> Settings:
    """The settings that the sampler chooses next."""
    settings: Settings = {
        "method": trial.suggest_categorical("method", space.methods),
        "short_side": trial.suggest_categorical("short_side", space.short_sides),
        "backbone": trial.suggest_categorical("backbone", space.backbones),
    }
    if settings["method"] in ("patchcore", "padim"):
        settings["dimensions"] = trial.suggest_categorical("dimensions", DIMENSIONS)
    if settings["method"] == "patchcore":
        settings["bank"] = trial.suggest_categorical("bank", BANKS)
        settings["position_prior"] = trial.suggest_categorical("position_prior", (True, False))
    return settings


def config_of(settings: Settings, *, max_overkill: float, seed: int, max_megapixels: float) -> TrainConfig:
    """The settings as `train` takes them."""
    backbone = str(settings["backbone"])
    method: Method = settings["method"]  # type: ignore[assignment]  # one of the space's
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


def told(settings: Settings) -> str:
    """In words, short: `patchcore, 256 px, 64 dimensions, bank 1500`."""
    words = [str(settings["method"]), f"{settings['short_side']} px"]
    if "dimensions" in settings:
        words.append(f"{settings['dimensions']} dimensions")
    if "bank" in settings:
        words.append(f"bank {settings['bank']:,}")
    if settings.get("position_prior") is False:
        words.append("no position prior")
    if settings["backbone"] != SHIPPED:
        words.append(Path(str(settings["backbone"])).name)
    return ", ".join(words)
