"""What a station checks for one product: one TOML file, docs/recipe.md.

TOML and not YAML: its values mean what they look like (`no` is not false, `1e3` is not text), its reader is part of
Python and runs nothing, and there is one way to write a thing.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Protocol

from sightline.devices.plc import LARGEST_RECIPE, LONGEST_SERIAL
from sightline.errors import OptionError
from sightline.line.fitness import FitnessLimits
from sightline.line.fusion import FusionRule
from sightline.line.images import ImagePolicy
from sightline.line.toml_table import Existing, NotNegative, Parse, Parsed, Positive, Share, TomlFile, Within
from sightline.records import Box

ModelFile = Annotated[Path, Existing]
Port = Annotated[int, Within(low=1, high=65_535)]
Pixel = Annotated[int, Within(low=0, high=65_535)]
Side = Annotated[int, Within(low=1, high=65_536)]


class Doubt(StrEnum):
    """What a REVIEW is to the line; a person decides later in any case."""

    REJECT = "reject"
    PASS = "pass"


class Track(StrEnum):
    """Who knows where a part is between camera and gate."""

    PLC = "plc"  # a shift register there; results go by the part's number
    STATION = "station"  # by encoder or time; the station opens the gate


class Changeover(StrEnum):
    """How one recipe follows another."""

    BESIDE = "beside"  # it is loaded while the one before works: no part is missed, and memory is needed for both
    INSTEAD = "instead"  # the one before goes first; parts that come meanwhile are rejected


class Missed(StrEnum):
    """What a challenge part that was not rejected does."""

    ALARM = "alarm"
    STOP = "stop"  # and the line is not ready until it is reset


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle of a view, in pixels of the camera's frame."""

    x: Pixel
    y: Pixel
    width: Side
    height: Side

    @property
    def box(self) -> Box:
        return Box(x=self.x, y=self.y, width=self.width, height=self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deblur:
    """A part's own movement while it is exposed, which is undone before the model sees it."""

    speed_mm_s: Positive | None = None  # of the part before this camera; None: the conveyor's
    angle_deg: float = 0.0  # of the movement in the picture: 0 along a row, 90 down a column
    noise: Annotated[float, Within(low=1e-6, high=1.0)] = 0.01  # the larger, the softer and quieter


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One camera position of a part."""

    name: str
    model: ModelFile
    camera: Annotated[object, Parsed(by="camera")]  # kind and options, exposure and gain among them
    product: str | None = None  # the model's bank, where it has one for each of several products
    region: Region | None = None  # that is judged; None: the whole frame
    reject_at: float | None = None  # score; None: the model's own threshold
    review_at: float | None = None  # score; None: the model's own
    weight: Positive = 1.0  # among the views, for the weighted rule
    mm_per_px: Positive | None = None  # None: areas are told in pixels alone
    shadow: ModelFile | None = None  # a second model that judges too and decides nothing
    reference: ModelFile | None = None  # the picture of the set-up that others are compared with
    target: Region | None = None  # in the reference: a mark that each picture has at the same place
    grey_patch: Region | None = None  # in the reference: something grey that each picture has
    deblur: Deblur | None = None  # None: the model sees pictures as they are
    fitness: FitnessLimits = field(default_factory=FitnessLimits)

    def __post_init__(self) -> None:
        if not (self.name.isidentifier() and self.name.isascii()):
            raise OptionError(f"name is {self.name!r:.40}; give letters, digits and _, beginning with a letter.")
        if self.review_at is not None and (self.reject_at is None or self.review_at > self.reject_at):
            raise OptionError("review_at needs reject_at, and must not be above it.")
        limits = self.fitness
        if self.reference is None and (
            self.target or self.grey_patch or limits.least_sharpness is not None or limits.most_motion_px is not None
        ):
            raise OptionError("target, grey_patch, least_sharpness and most_motion_px need a reference picture.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conveyor:
    """The way from camera to gate."""

    speed_mm_s: Positive  # the highest
    gate_mm: Positive  # from where a part triggers to the gate
    pitch_mm: Positive  # from part to part, the least
    reverse_mm: NotNegative = 0.0  # how far it may jog back
    counts_per_mm: Positive | None = None  # of the encoder; None: there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What lets parts pass, and how it is told."""

    tracked_by: Track = Track.PLC
    open_ms: NotNegative = 0.0  # from the PLC's output to the gate being open
    shut_ms: NotNegative = 0.0  # likewise until it is shut
    before_mm: NotNegative = 0.0  # it is open from so far before the part's middle: half its length and all doubt
    after_mm: NotNegative = 0.0  # until so far behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What is kept at the station."""

    folder: Path
    record_days: NotNegative = 365.0  # records older than this go once the plant server has them
    images: ImagePolicy = field(default_factory=ImagePolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantServer:
    """Where records are delivered to."""

    url: str
    token_file: ModelFile | None = None
    ca_file: ModelFile | None = None
    pictures: bool = False  # those that are stored are delivered too, after their record


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Parts known to be bad that test the station, beside those the PLC announces."""

    serials: tuple[str, ...] = ()
    when_missed: Missed = Missed.ALARM

    def __post_init__(self) -> None:
        for serial in self.serials:
            if not (0 < len(serial) <= LONGEST_SERIAL and serial.isascii() and serial.isprintable()):
                raise OptionError(f"serial {serial!r:.40}: give 1 to {LONGEST_SERIAL} printable ASCII characters.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """How often the process that runs the models is replaced before the station holds."""

    most: Annotated[int, Within(low=0, high=100)] = 5
    within_s: Positive = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What the station serves on this machine."""

    address: str = "127.0.0.1"
    status_port: Port | None = None  # None: no status page
    metrics_port: Port | None = None  # None: no metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What one station checks for one product."""

    product: str
    number: Annotated[int, Within(low=1, high=LARGEST_RECIPE)]  # by which the PLC asks for it
    plc: Annotated[object, Parsed(by="plc")]
    views: tuple[View, ...]
    store: Storage
    fusion: FusionRule = field(default_factory=FusionRule)
    review: Doubt = Doubt.REJECT
    changeover: Changeover = Changeover.BESIDE
    window_ms: Positive | None = None  # from trigger to result; None: computed from the conveyor
    plc_cycle_ms: NotNegative = 10.0  # the longest, exchange of signals included
    conveyor: Conveyor | None = None
    gate: Gate = field(default_factory=Gate)
    audit_share: Share = 0.0  # of passed parts that people look at as well
    challenge: Challenge = field(default_factory=Challenge)
    restarts: Restarts = field(default_factory=Restarts)
    plant: PlantServer | None = None
    pages: Pages = field(default_factory=Pages)

    def __post_init__(self) -> None:
        if not self.product.strip() or not self.product.isprintable():
            raise OptionError("product is empty or not printable; give the product's name.")
        if not self.views:
            raise OptionError("there is no view; give at least one, as [[views]].")
        names = Counter(view.name for view in self.views)
        if twice := [name for name, count in names.items() if count > 1]:
            raise OptionError(f"two views are called {twice[0]!r}; give each its own name.")
        if (self.window_ms is None) == (self.conveyor is None) and self.gate.tracked_by is Track.PLC:
            raise OptionError("give one of window_ms and [conveyor], from which it is computed.")
        if self.gate.tracked_by is Track.STATION and self.conveyor is None:
            raise OptionError("a station that tracks the parts to the gate needs [conveyor].")


class WindowRule(Protocol):
    """How long a station may take over a part, in seconds; raises OptionError where no time is left."""

    def __call__(
        self, *, speed_mm_s: float, distance_mm: float, plc_cycle_s: float, actuator_s: float, tolerance_mm: float
    ) -> float: ...


def window_s(recipe: Recipe, rule: WindowRule) -> float:
    """From trigger to the last moment for a result: as given, or by the rule; raises OptionError as that does."""
    if recipe.window_ms is not None:
        return recipe.window_ms / 1e3
    conveyor = recipe.conveyor
    assert conveyor is not None, "checked when the recipe was made"
    return rule(
        speed_mm_s=conveyor.speed_mm_s,
        distance_mm=conveyor.gate_mm,
        plc_cycle_s=recipe.plc_cycle_ms / 1e3,
        actuator_s=recipe.gate.open_ms / 1e3,
        tolerance_mm=recipe.gate.before_mm,
    )


def read_recipe(
    path: Path,
    *,
    text: str | None = None,
    camera: Parse | None = None,
    plc: Parse | None = None,
    window: WindowRule | None = None,
) -> Recipe:
    """Read and check a recipe; paths in it count from its folder.

    Args:
        text: what the file says, where neither it nor the files that it names are on this machine.
        camera, plc: what makes a device's settings of its table; None: the table stays as it is, unchecked.
        window: what computes the working window; None: it is not computed.

    Raises:
        OptionError: all that is wrong with it, one line for each: file, line, key, what was found, cure.
    """
    parsers = {name: parse for name, parse in (("camera", camera), ("plc", plc)) if parse}
    file = TomlFile(path, parsers, text)
    recipe = file.read(Recipe)
    if window:
        try:
            window_s(recipe, window)
        except OptionError as error:
            raise OptionError(f"{file.place(('conveyor',))}: {error}") from error
    return recipe
