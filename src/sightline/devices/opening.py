"""From a camera's table in a recipe to the open camera."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from sightline.devices.aravis_camera import AravisCamera, GenicamConfig
from sightline.devices.camera import Camera
from sightline.devices.folder_camera import FolderCamera, FolderConfig
from sightline.devices.http_camera import HttpCamera, HttpConfig
from sightline.devices.opencv_camera import OpencvCamera, OpencvConfig
from sightline.devices.sim_camera import SimConfig, open_sim
from sightline.errors import OptionError

CameraConfig = GenicamConfig | OpencvConfig | FolderConfig | HttpConfig | SimConfig
KINDS: dict[str, type[CameraConfig]] = {
    "genicam": GenicamConfig,
    "opencv": OpencvConfig,
    "folder": FolderConfig,
    "http": HttpConfig,
    "sim": SimConfig,
}


def camera_config(table: Mapping[str, object], place: str) -> CameraConfig:
    """What a recipe says about a camera.

    Args:
        table: `kind`, one of KINDS, and that kind's options by the names of its fields.
        place: where it stands, such as "recipe.toml: cameras.top"; messages begin with it.

    Raises:
        OptionError: the kind or an option is not known, is missing, or has a value that cannot work.
    """
    kind = table.get("kind")
    config = KINDS.get(kind) if isinstance(kind, str) else None
    if config is None:
        raise OptionError(f"{place}: kind is {kind!r}; give one of {', '.join(KINDS)}.")
    types = get_type_hints(config)
    unknown = sorted(set(table) - {"kind"} - set(types))
    if unknown:
        raise OptionError(f"{place}: {unknown[0]} is no option of kind {kind}; there are {', '.join(types)}.")
    needed = [field.name for field in fields(config) if field.name not in table and _is_required(field)]
    if needed:
        raise OptionError(f"{place}: {needed[0]} is missing.")
    values = {name: _value(value, types[name], f"{place}: {name}") for name, value in table.items() if name != "kind"}
    try:
        return config(**values)
    except OptionError as error:
        raise OptionError(f"{place}: {error}") from error


def open_camera(name: str, config: CameraConfig) -> Camera:
    """Open it; takes seconds at most, but for what a simulated one renders.

    Raises:
        DeviceError: it cannot be opened; DeviceLost where it is not there and may come.
        OptionError, FrameError: a file that the configuration names cannot be used.
    """
    match config:
        case GenicamConfig():
            return AravisCamera(name, config)
        case OpencvConfig():
            return OpencvCamera(name, config)
        case FolderConfig():
            return FolderCamera(name, config)
        case HttpConfig():
            return HttpCamera(name, config)
        case SimConfig():
            return open_sim(name, config)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _value(value: object, wanted: Any, place: str) -> Any:
    """The value as its field has it; TOML and YAML have no enumerations, paths and tuples."""
    choices = get_args(wanted) if isinstance(wanted, UnionType) else (wanted,)
    for choice in choices:
        if get_origin(choice) is tuple and isinstance(value, list | tuple):
            inner = get_args(choice)
            items = inner[:1] * len(value) if inner[1:] == (...,) else inner
            if len(items) == len(value):
                return tuple(_value(item, kind, place) for item, kind in zip(value, items, strict=True))
        elif choice is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        elif choice in (int, str, bool) and type(value) is choice:
            return value
        elif choice is Path and isinstance(value, str) and value:
            return Path(value)
        elif (
            isinstance(choice, type)
            and issubclass(choice, StrEnum)
            and isinstance(value, str)
            and value in list(choice)
        ):
            return choice(value)
    raise OptionError(f"{place} is {value!r}; give {' or '.join(_described(choice) for choice in choices)}.")


def _described(choice: Any) -> str:
    if get_origin(choice) is tuple:
        inner = get_args(choice)
        return f"a list of {_described(inner[0])}" if inner[1:] == (...,) else f"a list of {len(inner)} numbers"
    if isinstance(choice, type) and issubclass(choice, StrEnum):
        return "one of " + ", ".join(choice)
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false", Path: "a path"}.get(
        choice, "nothing"
    )
