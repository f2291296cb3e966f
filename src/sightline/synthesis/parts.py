"""Rendered parts: a turned metal flange on a belt, good or with one known defect, and the mask of what it changed."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.errors import OptionError
from sightline.imaging.depth import DepthMap
from sightline.records import BoolArray, FloatArray, Pixels
from sightline.synthesis.assembly import Assembly, Drive, Placement, machine
from sightline.synthesis.camera import Camera, develop, expose, project
from sightline.synthesis.defects import ASSEMBLY_FAULTS, SURFACE_FAULTS, DefectType
from sightline.synthesis.profiler import Profiler, measure, relief_of
from sightline.synthesis.relief import SHAPE_FAULTS, ShapeDefect
from sightline.synthesis.surface import Light, Surface, shade
from sightline.synthesis.traces import FIELD_MM

COARSE_PX = 1024  # pictures smaller than this are sampled twice per pixel side; in larger ones the lens smooths edges
VISIBLE = 3.0 / 255  # a change of display value that shows above the noise
ATTEMPTS = 12  # draws of a defect before giving up on seeing it
MEASURABLE_MM = 0.012  # a change of height that shows above a 3D camera's noise
SHOT_STREAM, NOISE_STREAM, DEFECT_STREAM, PROFILE_STREAM = 6, 7, 8, 9  # of a part's seed; `machine` has those from 0 on


@dataclass(frozen=True, slots=True, kw_only=True)
class PartConfig:
    """How a run of parts is made and photographed; every range is two-sided about its nominal value."""

    size: int = 256  # px, 64..4096; the picture is square and shows 64 mm; 4096 takes 1.5 GB of memory
    bit_depth: int = 8  # 8 (uint8) or 16 (uint16)
    shift_mm: float = 0.75  # play in the fixture, 0..4; 0.25 mm is one pixel at size 256
    turn_deg: float = 2.0  # 0..180
    light_turn_deg: float = 12.0  # of the main lamp about the part, 0..180
    light_change: float = 0.12  # of the lamps' intensity, 0..0.5
    blur_px: float = (
        0.55  # at size 256, 0.2..3; a larger sensor shows more of the lens's blur: grows with the root of the size
    )
    noise: float = 1.0  # times the sensor's own, 0..10
    drive: Drive = Drive.CROSS
    text: str = "SL-204"  # printed on the part, 1..12 ASCII characters

    def __post_init__(self) -> None:
        ranges = {
            "size": (self.size, 64, 4096),
            "shift_mm": (self.shift_mm, 0, 4),
            "turn_deg": (self.turn_deg, 0, 180),
            "light_turn_deg": (self.light_turn_deg, 0, 180),
            "light_change": (self.light_change, 0, 0.5),
            "blur_px": (self.blur_px, 0.2, 3),
            "noise": (self.noise, 0, 10),
        }
        for name, (value, low, high) in ranges.items():
            if not low <= value <= high:  # also true of NaN
                raise OptionError(f"{name} is {value}; give a value from {low} to {high}.")
        if self.bit_depth not in (8, 16):
            raise OptionError(f"bit_depth is {self.bit_depth}; give 8 or 16.")
        if not (1 <= len(self.text) <= 12 and self.text.isascii() and self.text.isprintable()):
            raise OptionError(f"text is {self.text!r}; give 1 to 12 printable ASCII characters.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedPart:
    """A picture and the truth about it."""

    pixels: Pixels  # (H, W, 3) RGB
    mask: BoolArray  # (H, W); outside it the pixels are those of the same part without the defect
    label: str  # "good", or the defect's name
    severity: float | None = None  # 0 barely visible .. 1 obvious; None for a good part
    depth: DepthMap | None = None  # (H, W) height in micrometres above a plane below, 0: no point; None: not asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shot:
    """Everything drawn for one picture but the defect."""

    seed: int
    assembly: Assembly
    lights: tuple[Light, Light]
    ambient: float
    camera: Camera


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flaw:
    """One draw of a defect."""

    defect: DefectType | ShapeDefect
    severity: float
    rng: np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _View:
    """One part as it lies there, and the noise-free picture of it."""

    assembly: Assembly
    surface: Surface
    linear: FloatArray


def render(
    config: PartConfig,
    rng: np.random.Generator,
    *,
    defect: DefectType | ShapeDefect | None = None,
    severity: float | None = None,
    profiler: Profiler | None = None,
) -> RenderedPart:
    """Photograph one part.

    Args:
        config: the product and the station.
        rng: is advanced by one draw, whatever is rendered; the same state gives the same part, light and noise with
            any defect and without.
        defect: what is wrong with it; None for a good part.
        severity: 0 barely visible .. 1 obvious; None draws one. A draw that cannot be seen is drawn again, a little
            more severe each time, and the severity that was used is reported.
        profiler: a 3D camera that measures the same part; the picture is the same without.

    Raises:
        OptionError: severity is out of range, or the defect cannot be seen at this size.
    """
    if severity is not None and not 0 <= severity <= 1:
        raise OptionError(f"severity is {severity}; give a value from 0 (barely visible) to 1 (obvious).")
    shot = _draw_shot(config, int(rng.integers(2**63)))
    good = _photograph(config, shot)
    if defect is None:
        return _rendered(config, shot, good, good, np.zeros(good.linear.shape[:2], np.bool_), None, profiler)
    for attempt in range(ATTEMPTS):
        draw = np.random.default_rng((shot.seed, DEFECT_STREAM, attempt))
        drawn = float(draw.uniform())
        used = min(1.0, (drawn if severity is None else severity) + 0.08 * attempt)
        flaw = _Flaw(defect=defect, severity=used, rng=draw)
        bad = _photograph(config, shot, flaw)
        if isinstance(defect, ShapeDefect):
            mask = _measurable_change(good, bad, config.size)
        else:
            mask = _visible_change(good.linear, bad.linear, config.size)
        if mask.any():
            return _rendered(config, shot, good, bad, mask, flaw, profiler)
    raise OptionError(f"a {defect.value} cannot be seen at size {config.size}; render larger pictures.")


def _rendered(
    config: PartConfig,
    shot: _Shot,
    good: _View,
    bad: _View,
    mask: BoolArray,
    flaw: _Flaw | None,
    profiler: Profiler | None,
) -> RenderedPart:
    linear = np.where(mask[..., None], bad.linear, good.linear)
    depth = None
    if profiler:
        rng = np.random.default_rng((shot.seed, PROFILE_STREAM))
        depth = measure(profiler, relief_of(bad.surface, bad.assembly), bad.surface.pitch_mm, config.size, rng)
    return RenderedPart(
        pixels=expose(linear, np.random.default_rng((shot.seed, NOISE_STREAM)), config.bit_depth, config.noise),
        mask=mask,
        label=flaw.defect.value if flaw else "good",
        severity=flaw.severity if flaw else None,
        depth=depth,
    )


def _draw_shot(config: PartConfig, seed: int) -> _Shot:
    rng = np.random.default_rng((seed, SHOT_STREAM))

    def within(limit: float) -> float:
        return float(rng.uniform(-limit, limit))

    key = Light(
        azimuth_rad=math.radians(-62 + within(config.light_turn_deg)),
        elevation_rad=math.radians(50 + within(config.light_turn_deg / 3)),
        intensity=1.12 * (1 + within(config.light_change)),
    )
    fill = Light(
        azimuth_rad=math.radians(22 + within(config.light_turn_deg)),
        elevation_rad=math.radians(58),
        intensity=0.34 * (1 + within(config.light_change)),
    )
    assembly = Assembly(
        x_mm=within(config.shift_mm),
        y_mm=within(config.shift_mm),
        turn_rad=math.radians(within(config.turn_deg)),
        screw=Placement(turn_rad=within(math.pi / 2)),  # a tightened screw stops at any angle
        mark=Placement(x_mm=within(0.12), y_mm=within(0.12), turn_rad=within(0.008)),
        drive=config.drive,
        text=config.text,
    )
    scale = config.size / 256
    camera = Camera(
        blur_px=math.sqrt(scale) * config.blur_px * (1 + abs(within(0.5))),
        gain=1 + within(config.light_change / 3),
        balance=(1 + within(0.015), 1.0, 1 + within(0.015)),
        gradient=(within(0.08), within(0.08)),
    )
    ambient = 0.13 * (1 + within(config.light_change))
    return _Shot(seed=seed, assembly=assembly, lights=(key, fill), ambient=ambient, camera=camera)


def _photograph(config: PartConfig, shot: _Shot, flaw: _Flaw | None = None) -> _View:
    """The part, with its flaw, and the noise-free picture of it."""
    assembly = shot.assembly
    if flaw and isinstance(flaw.defect, DefectType) and flaw.defect in ASSEMBLY_FAULTS:
        assembly = ASSEMBLY_FAULTS[flaw.defect](assembly, flaw.rng, flaw.severity)
    samples = config.size * (2 if config.size < COARSE_PX else 1)
    surface = machine(assembly, samples, FIELD_MM / samples, shot.lights[0], shot.seed)
    if flaw and isinstance(flaw.defect, ShapeDefect):
        SHAPE_FAULTS[flaw.defect](surface, assembly, flaw.rng, flaw.severity)
    elif flaw and isinstance(flaw.defect, DefectType) and flaw.defect in SURFACE_FAULTS:
        SURFACE_FAULTS[flaw.defect](surface, assembly, flaw.rng, flaw.severity)
    linear = project(shade(surface, shot.lights, shot.ambient), shot.camera, config.size)
    return _View(assembly=assembly, surface=surface, linear=linear)


def _visible_change(good: FloatArray, bad: FloatArray, size: int) -> BoolArray:
    """Where two noise-free pictures differ by what an eye can see, without specks and pinholes; (H, W) bool."""
    change = np.abs(develop(good) - develop(bad)).max(axis=2)
    seen = (change >= VISIBLE).astype(np.uint8)
    scale = size / 256
    reach = 2 * round(1.5 * scale) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    joined = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, disk)
    count, regions, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    kept = np.asarray([False] + [stats[i, cv2.CC_STAT_AREA] >= 9 * scale**2 for i in range(1, count)])
    return np.asarray(kept[regions], np.bool_)


def _measurable_change(good: _View, bad: _View, size: int) -> BoolArray:
    """Where two parts differ in height by what a 3D camera measures; (H, W) bool."""
    change = np.abs(bad.surface.height - good.surface.height)
    small = cv2.resize(change, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small >= MEASURABLE_MM, np.bool_)
