"""What follows from a recipe: for the handshake, for the way to the gate, and for each view."""

import math
import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sightline.devices.camera import Trigger
from sightline.devices.controllers import plc_config
from sightline.devices.mqtt_plc import MqttConfig
from sightline.devices.opening import camera_config
from sightline.devices.sparkplug import SparkplugConfig
from sightline.errors import FrameError, OptionError
from sightline.imaging.decode import read_frame
from sightline.line.fitness import Reference, reference_of
from sightline.line.handshake import HandshakeConfig
from sightline.line.judge import Patience as Judging
from sightline.line.pairing import NEAREST_SHARE
from sightline.line.photographer import Patience
from sightline.line.recipe import Changeover, Doubt, Recipe, View, read_recipe, window_s
from sightline.line.recipe import Track as TrackedBy
from sightline.line.station import LONGEST_CYCLE_S
from sightline.line.toml_table import Key, place_in
from sightline.line.tracking import Track, track_of
from sightline.line.view import ViewPlan
from sightline.line.window import working_window_s
from sightline.line.worker import MOST_DEBLURRED_PX, Motion, Work

CYCLE_S = 0.002  # of the station's loop, at rest
WATCH_S = 0.05  # the PLC shuts the gate when the station's heartbeat stands still for longer, docs/handshake.md
_HEARTBEAT_S = 0.5  # of the station, where the PLC moves the gate
_DELAY_S = 0.1  # at most, from a part's trigger to the camera's; it may have gone by then
_EARLY_S = 0.02  # by which a picture may come before the PLC's word of its part is read
_CAPACITY = 8  # parts in flight where the recipe does not say how near they come
Config = TypeVar("Config")


def read(path: Path) -> Recipe:
    """A recipe, checked whole, with its devices' settings and the times that follow; paths count from its folder.

    Raises:
        OptionError: all that is wrong with it, one line for each; or the gate and the window cannot work.
    """
    folder = path.parent
    recipe = read_recipe(
        path,
        camera=lambda table, place: _rooted(camera_config(table, place), folder),
        plc=lambda table, place: _rooted(plc_config(table, place), folder),
        window=working_window_s,
    )
    told = [f"{place_in(path, trouble.key)}: {trouble.message}" for trouble in _troubles(recipe)]
    if told:
        raise OptionError("\n".join(told))
    return recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """What the recipe's records do not see, each by itself."""

    key: Key
    message: str


def _troubles(recipe: Recipe) -> Iterator[_Trouble]:
    rules: list[tuple[Key, Callable[[], object]]] = [
        (("conveyor",), partial(handshake_of, recipe)),
        (("gate",), partial(way_of, recipe)),
    ]
    for place, view in enumerate(recipe.views):
        rules += [
            (("views", place, "deblur"), partial(motion_of, recipe, view)),
            (("views", place, "camera", "trigger"), partial(_refuse_free, view)),
            (("views", place, "camera"), partial(_refuse_shared_camera, recipe.views, place)),
        ]
    for key, rule in rules:
        try:
            rule()
        except OptionError as error:
            yield _Trouble(key=key, message=str(error))


def _refuse_free(view: View) -> None:
    """A camera that goes by itself gives many pictures for a part, and nobody knows which one shows it."""
    if getattr(view.camera, "trigger", None) is Trigger.FREE:
        raise OptionError(
            'is free, and nobody could tell which picture is of which part; give "software", which takes the first one '
            'after each part\'s trigger, or "hardware" where the camera has that.'
        )


def _refuse_shared_camera(views: Sequence[View], place: int) -> None:
    """Two views of one camera, or a camera that could be any: which view would get its pictures?"""
    view, named = views[place], [_device_of(one) for one in views[: place + 1]]
    if named[place] == "" and len(views) > 1:
        raise OptionError(
            f"view {view.name} takes the first camera that is found, which may be another view's; "
            "name its device by its serial."
        )
    if named[place] in named[:place] and named[place] is not None:
        other = views[named.index(named[place])]
        raise OptionError(f"views {other.name} and {view.name} name one camera, {named[place]}; give each its own.")


def _device_of(view: View) -> str | None:
    """What its camera is known by; empty where it is the first that is found, None where it is no device."""
    if not (hasattr(view.camera, "device") or hasattr(view.camera, "source")):
        return None
    return str(getattr(view.camera, "device", "") or getattr(view.camera, "source", ""))


def find(path: Path, number: int) -> Path:
    """The recipe of this number among those in the folder of `path`.

    Raises:
        OptionError: there is none, or there are several.
    """
    found = [one for one in sorted({path, *path.parent.glob("*.toml")}) if _number(one) == number]
    if len(found) != 1:
        names = ", ".join(one.name for one in found) or "none"
        raise OptionError(f"{path.parent}: recipe {number} must be in one file, found {names}.")
    return found[0]


def window_of(recipe: Recipe) -> float:
    """From the trigger to the last moment for a result, in seconds."""
    return window_s(recipe, working_window_s)


def handshake_of(recipe: Recipe) -> HandshakeConfig:
    window = window_of(recipe)
    conveyor = recipe.conveyor
    in_flight = _CAPACITY if conveyor is None else math.ceil(window * conveyor.speed_mm_s / conveyor.pitch_mm) + 1
    tracks = recipe.gate.tracked_by is TrackedBy.STATION
    return HandshakeConfig(
        window_s=window,
        capacity=in_flight,
        heartbeat_s=0.0 if tracks else _HEARTBEAT_S,
        review_passes=recipe.review is Doubt.PASS,
        beside=recipe.changeover is Changeover.BESIDE,
    )


def way_of(recipe: Recipe) -> Track | None:
    """None where the PLC knows where its parts are.

    Raises:
        OptionError: parts could slip through the gate, it is too near, or the encoder cannot be read in time.
    """
    conveyor, gate = recipe.conveyor, recipe.gate
    if gate.tracked_by is TrackedBy.PLC or conveyor is None:
        return None
    if isinstance(recipe.plc, MqttConfig | SparkplugConfig):
        raise OptionError(
            "a station cannot follow the conveyor through an MQTT broker, which may deliver late; let the PLC track "
            'the parts (tracked_by = "plc"), or use Modbus, S7 or OPC UA.'
        )
    return track_of(
        counts_per_mm=conveyor.counts_per_mm,
        speed_mm_s=conveyor.speed_mm_s,
        gate_mm=conveyor.gate_mm,
        pitch_mm=conveyor.pitch_mm,
        before_mm=gate.before_mm,
        after_mm=gate.after_mm,
        open_s=gate.open_ms / 1e3,
        shut_s=gate.shut_ms / 1e3,
        cycle_s=longest_cycle_s(recipe),
        watch_s=WATCH_S,
        reverse_mm=conveyor.reverse_mm,
    )


def longest_cycle_s(recipe: Recipe) -> float:
    """From the encoder being read to the gate being told, as the way to the gate allows for."""
    return recipe.plc_cycle_ms / 1e3 + LONGEST_CYCLE_S


def view_plan(recipe: Recipe, view: View, reference: Reference | None) -> ViewPlan:
    """How a view works; each has its share of the cores.

    Raises:
        OptionError: its region reaches beyond the reference picture, as it would beyond every other.
    """
    window = window_of(recipe)
    region = None if view.region is None else view.region.box
    shape, bit_depth = None, 8
    if reference is not None:
        frame = reference.frame
        if region is not None and (region.x + region.width > frame.width or region.y + region.height > frame.height):
            raise OptionError(
                f"view {view.name}: the region reaches beyond the {frame.width} x {frame.height} px of "
                f"{view.reference}; correct it, or take the set-up's picture anew."
            )
        height, width = (frame.height, frame.width) if region is None else (region.height, region.width)
        shape, bit_depth = (height, width, frame.pixels.shape[2]), frame.bit_depth
    work = Work(
        model=view.model,
        threads=max(1, _cores() // len(recipe.views)),
        shape=shape,
        bit_depth=bit_depth,
        product=view.product,
        reject_at=view.reject_at,
        review_at=view.review_at,
        motion=motion_of(recipe, view),
    )
    motion, conveyor = work.motion, recipe.conveyor
    by_encoder = None
    if motion is not None and conveyor is not None and conveyor.counts_per_mm is not None:
        by_encoder = motion.length_px / (conveyor.speed_mm_s * conveyor.counts_per_mm)
    shadow = None
    if view.shadow is not None:
        shadow = replace(work, model=view.shadow, reject_at=None, review_at=None, modest=True)
    by_software = getattr(view.camera, "trigger", None) is Trigger.SOFTWARE  # others are not triggered by the station
    return ViewPlan(
        name=view.name,
        work=work,
        patience=Patience(late_s=window, delay_s=_delay_s(recipe))
        if by_software
        else Patience(early_s=_EARLY_S, late_s=window, delay_s=None),
        judging=Judging(restarts=recipe.restarts.most, within_s=recipe.restarts.within_s),
        region=region,
        mm_per_px=view.mm_per_px,
        shadow=shadow,
        px_per_count_s=by_encoder,
    )


def _delay_s(recipe: Recipe) -> float:
    """By when the camera must be triggered: before the next part is nearer to it than this one."""
    conveyor = recipe.conveyor
    return _DELAY_S if conveyor is None else min(_DELAY_S, NEAREST_SHARE * conveyor.pitch_mm / conveyor.speed_mm_s)


def motion_of(recipe: Recipe, view: View) -> Motion | None:
    """How far a part moves in the picture while the camera exposes it, where the recipe has that undone.

    Raises:
        OptionError: it is not known, or too far for it to help.
    """
    if view.deblur is None:
        return None
    exposure_us = getattr(view.camera, "exposure_us", None)
    speed_mm_s = view.deblur.speed_mm_s or (recipe.conveyor.speed_mm_s if recipe.conveyor else None)
    if exposure_us is None or speed_mm_s is None or view.mm_per_px is None:
        raise OptionError(
            f"view {view.name}: deblur needs to know how far a part moves: give mm_per_px, the camera's exposure_us, "
            "and speed_mm_s there or in [conveyor]."
        )
    length_px = speed_mm_s * exposure_us * 1e-6 / view.mm_per_px
    if length_px > MOST_DEBLURRED_PX:
        raise OptionError(
            f"view {view.name}: a part moves by {length_px:.1f} px while exposed, and undoing more than "
            f"{MOST_DEBLURRED_PX:g} px does harm (docs/recipe.md). Expose for a shorter time."
        )
    return Motion(length_px=length_px, angle_deg=view.deblur.angle_deg, noise=view.deblur.noise)


def reference_of_view(view: View) -> Reference | None:
    """The view as it was set up; None where the recipe names no picture of that. Raises OptionError."""
    if view.reference is None:
        return None
    target, patch = (None if region is None else region.box for region in (view.target, view.grey_patch))
    try:
        return reference_of(read_frame(view.reference), target=target, grey_patch=patch)
    except FrameError as error:
        raise OptionError(f"view {view.name}: {error}") from error


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _number(path: Path) -> object:
    """What the file says its number is; None where it cannot be read, which is told when it is asked for."""
    try:
        return tomllib.loads(path.read_text("utf-8")).get("number")
    except (OSError, ValueError):
        return None


def _rooted(config: Config, folder: Path) -> Config:
    """The same settings with their paths counted from this folder."""
    changes: dict[str, Any] = {}
    for field in fields(config):  # type: ignore[arg-type]
        value = getattr(config, field.name)
        if isinstance(value, Path):
            changes[field.name] = folder / value
        elif is_dataclass(value):
            changes[field.name] = _rooted(value, folder)
    return replace(config, **changes) if changes else config  # type: ignore[type-var]
