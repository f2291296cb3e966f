"""The PLCs that can be named in a recipe, by their kind."""

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from sightline.devices.clock import MonotonicClock
from sightline.devices.modbus_plc import ModbusConfig, open_modbus
from sightline.devices.mqtt_plc import MqttConfig, open_mqtt
from sightline.devices.opcua_machine_vision import VisionServerConfig, open_vision_server
from sightline.devices.opcua_plc import OpcUaConfig, open_opcua
from sightline.devices.plc import Plc
from sightline.devices.s7_plc import S7Config, open_s7
from sightline.devices.sim_plc import SimPlc, SimPlcConfig
from sightline.devices.sparkplug import SparkplugConfig, open_sparkplug
from sightline.errors import OptionError

PlcConfig = ModbusConfig | S7Config | OpcUaConfig | VisionServerConfig | MqttConfig | SparkplugConfig | SimPlcConfig

LONGEST_WAIT_S = 2.0  # the station's loop waits with it, and its PLC may stand still no longer (`HandshakeConfig`)
_WAITS = ("timeout_s", "stale_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How one kind is set up and opened."""

    config: type[PlcConfig]
    open: Callable[[str, Any], Plc]  # its config, which `PROTOCOLS` alone goes by


def open_sim_plc(_: str, config: SimPlcConfig) -> Plc:
    """A PLC with a conveyor that runs, in real time, to try a station with no hardware."""
    plc = SimPlc(MonotonicClock(), config)
    plc.start()
    return plc


PROTOCOLS = {
    "modbus": Protocol(config=ModbusConfig, open=open_modbus),
    "s7": Protocol(config=S7Config, open=open_s7),
    "opcua": Protocol(config=OpcUaConfig, open=open_opcua),
    "opcua-machine-vision": Protocol(config=VisionServerConfig, open=open_vision_server),
    "mqtt": Protocol(config=MqttConfig, open=open_mqtt),
    "sparkplug": Protocol(config=SparkplugConfig, open=open_sparkplug),
    "sim": Protocol(config=SimPlcConfig, open=open_sim_plc),
}


def plc_config(table: Mapping[str, object], place: str) -> PlcConfig:
    """What a recipe's table says: its `kind`, and the fields of that kind's config; tables in it likewise.

    Args:
        place: of the table, for messages: `recipe.toml: plc`.

    Raises:
        OptionError: the kind or a key is unknown, a key is missing or of the wrong type, or the values do not fit
        together; the message begins with the place.
    """
    kind = table.get("kind")
    protocol = PROTOCOLS.get(kind) if isinstance(kind, str) else None
    if protocol is None:
        raise OptionError(f"{place}.kind: is {kind!r}; choose one of {', '.join(PROTOCOLS)}.")
    config: PlcConfig = _record({key: value for key, value in table.items() if key != "kind"}, protocol.config, place)
    return config


def open_plc(name: str, config: PlcConfig) -> Plc:
    """Connect to a PLC; `name` is what it is called in messages.

    Raises:
        DeviceError: it is not there, or refuses. OptionError: a library, a file or a password is missing.
    """
    opening = next(protocol.open for protocol in PROTOCOLS.values() if protocol.config is type(config))
    return opening(name, config)


def _record(table: Mapping[str, object], record: Any, place: str) -> Any:
    known: dict[str, Field[Any]] = {field.name: field for field in fields(record)}
    if unknown := sorted(str(key) for key in set(table) - set(known)):
        raise OptionError(f"{place}.{unknown[0]}: there is no such key; there are {', '.join(known)}.")
    if missing := [name for name, field in known.items() if name not in table and _is_required(field)]:
        raise OptionError(f"{place}.{missing[0]}: is missing.")
    hints = typing.get_type_hints(record)
    values = {key: _value(value, hints[key], f"{place}.{key}") for key, value in table.items()}
    if slow := [key for key in _WAITS if values.get(key, 0.0) > LONGEST_WAIT_S]:
        raise OptionError(
            f"{place}.{slow[0]}: is {values[slow[0]]:g}; give {LONGEST_WAIT_S:g} s at most, after which the PLC is "
            "taken for lost."
        )
    try:
        return record(**values)
    except OptionError as error:
        raise OptionError(f"{place}: {error}") from error


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _value(value: object, hint: Any, place: str) -> Any:
    """The value as a field of this type has it."""
    if isinstance(hint, types.UnionType):  # of None, which TOML does not have, and another
        hint = next(kind for kind in typing.get_args(hint) if kind is not types.NoneType)
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if is_dataclass(origin) and isinstance(value, Mapping):
        return _record(value, origin, place)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_value(item, arguments[0], f"{place}[{number}]") for number, item in enumerate(value))
    if origin is Mapping and isinstance(value, Mapping):
        return {str(key): _value(item, arguments[1], f"{place}.{key}") for key, item in value.items()}
    read = SCALARS.get(origin) or (
        partial(_choice, origin) if isinstance(origin, type) and issubclass(origin, StrEnum) else None
    )
    found = read(value) if read else None
    if found is None:
        raise OptionError(f"{place}: is {value!r:.80}; expected {_expected(origin)}.")
    return found


def _choice(choices: type[StrEnum], value: object) -> StrEnum | None:
    return next((choice for choice in choices if choice.value == value), None)


def _expected(origin: Any) -> str:
    if isinstance(origin, type) and issubclass(origin, StrEnum):
        return f"one of {', '.join(origin)}"
    return NAMES.get(origin, "a table")


SCALARS: dict[Any, Callable[[object], Any]] = {
    str: lambda value: value if isinstance(value, str) else None,
    bool: lambda value: value if isinstance(value, bool) else None,
    int: lambda value: value if isinstance(value, int) and not isinstance(value, bool) else None,
    float: lambda value: float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None,
    Path: lambda value: Path(value) if isinstance(value, str) and value else None,
}
NAMES = {str: "text", bool: "true or false", int: "a whole number", float: "a number", Path: "a path", tuple: "a list"}
