"""Tensors as the Open Inference Protocol v2 writes them: in JSON, or behind it in binary."""

import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.service.body import json_object

_TYPES = {"UINT8": "u1", "UINT16": "<u2", "FP32": "<f4", "INT64": "<i8", "BOOL": "?"}
Tensor = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Input:
    """One tensor that was sent."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Tensor | list[bytes]  # a list of the elements for BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One tensor that is asked for."""

    name: str
    binary: bool


def parse(body: bytes, header_bytes: int | None) -> tuple[dict[str, Any], list[Input]]:
    """The JSON of a request, and its inputs.

    Args:
        header_bytes: length of the JSON where binary tensors follow it; None: it is the whole body.

    Raises:
        OptionError: it is not as the protocol says.
    """
    length = len(body) if header_bytes is None else header_bytes
    if not 0 <= length <= len(body):
        raise OptionError(f"Inference-Header-Content-Length is {length}, the body has {len(body)} bytes.")
    document, rest = json_object(body[:length]), memoryview(body)[length:]
    given = document.get("inputs")
    if not isinstance(given, list):
        raise OptionError("inputs: is not a list of tensors.")
    inputs = []
    for place, tensor in enumerate(given):
        made, used = _input(tensor, f"inputs[{place}]", rest)
        inputs.append(made)
        rest = rest[used:]
    if rest:
        raise OptionError(f"{len(rest)} bytes follow the last tensor; check binary_data_size.")
    return document, inputs


def asked(document: dict[str, Any], usual: tuple[str, ...], known: tuple[str, ...]) -> list[Output]:
    """The outputs that a request names, or the usual ones; raises OptionError for one that there is not."""
    binary = _parameters(document).get("binary_data_output") is True
    given = document.get("outputs")
    if not given:
        return [Output(name=name, binary=binary) for name in usual]
    if not isinstance(given, list) or not all(isinstance(output, dict) for output in given):
        raise OptionError("outputs: is not a list of objects.")
    for output in given:
        if output.get("name") not in known:
            raise OptionError(f"outputs: {str(output.get('name'))[:80]!r} is none of {', '.join(known)}.")
    return [Output(name=o["name"], binary=_parameters(o).get("binary_data", binary) is True) for o in given]


def written(head: dict[str, Any], made: dict[str, Tensor | list[bytes]], outputs: list[Output]) -> tuple[bytes, int]:
    """(body, length of the JSON in it); they are equal where nothing is binary."""
    told: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for output in outputs:
        values = made[output.name]
        datatype, shape = _kind(values)
        one: dict[str, Any] = {"name": output.name, "datatype": datatype, "shape": shape}
        if output.binary:
            content = _packed(values)
            one["parameters"] = {"binary_data_size": len(content)}
            tail.append(content)
        elif isinstance(values, list):
            one["data"] = [value.decode() for value in values]
        else:
            one["data"] = values.ravel().tolist()
        told.append(one)
    text = json.dumps(head | {"outputs": told}, allow_nan=False, separators=(",", ":")).encode()
    return b"".join((text, *tail)), len(text)


def _input(tensor: object, where: str, rest: memoryview) -> tuple[Input, int]:
    """The input, and how many bytes of what follows the JSON it took."""
    if not isinstance(tensor, dict):
        raise OptionError(f"{where}: is not an object.")
    datatype, shape = tensor.get("datatype"), tensor.get("shape")
    if datatype != "BYTES" and datatype not in _TYPES:
        raise OptionError(f"{where}.datatype: is none of BYTES, {', '.join(_TYPES)}.")
    if (
        not isinstance(shape, list)
        or len(shape) > 8
        or not all(type(side) is int and 0 < side < 2**31 for side in shape)
    ):
        raise OptionError(f"{where}.shape: is not a list of positive whole numbers.")
    size = _parameters(tensor).get("binary_data_size")
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if size is not None:
        if type(size) is not int or not 0 <= size <= len(rest):
            raise OptionError(f"{where}: binary_data_size is {str(size)[:40]}, {len(rest)} bytes follow.")
        values = _elements(rest[:size], where) if datatype == "BYTES" else _array(rest[:size], datatype, count, where)
    else:
        values = _listed(tensor.get("data"), str(datatype), count, where)
    if len(values) != count:
        raise OptionError(f"{where}: has {len(values)} elements; its shape says {count}.")
    kept = values if isinstance(values, list) else values.reshape(shape)
    return Input(name=str(tensor.get("name", "")), datatype=datatype, shape=tuple(shape), values=kept), size or 0


def _elements(content: memoryview, where: str) -> list[bytes]:
    found = []
    while content:
        length = struct.unpack_from("<I", content)[0] if len(content) >= 4 else -1
        if not 0 <= length <= len(content) - 4:
            raise OptionError(f"{where}: an element is cut short; each is 4 bytes of length and its content.")
        found.append(bytes(content[4 : 4 + length]))
        content = content[4 + length :]
    return found


def _array(content: memoryview, datatype: str, count: int, where: str) -> Tensor:
    kind = np.dtype(_TYPES[datatype])
    if len(content) != count * kind.itemsize:
        raise OptionError(f"{where}: has {len(content)} bytes; its shape takes {count * kind.itemsize}.")
    return np.frombuffer(content, kind)


def _listed(data: object, datatype: str, count: int, where: str) -> Tensor | list[bytes]:
    if not isinstance(data, list):
        raise OptionError(f"{where}.data: is not a list.")
    if datatype == "BYTES":
        return _texts(data, where)
    try:
        flat = np.array(data, np.dtype(_TYPES[datatype])).ravel()
    except (ValueError, TypeError, OverflowError) as error:
        raise OptionError(f"{where}.data: does not fit {datatype} ({error}).") from error
    return flat[: count + 1]


def _texts(data: list[object], where: str) -> list[bytes]:
    if not all(isinstance(text, str) for text in data):
        raise OptionError(f"{where}.data: holds something other than text.")
    try:
        return [str(text).encode("latin-1") for text in data]  # as clients write bytes in JSON
    except UnicodeEncodeError as error:
        raise OptionError(f"{where}.data: is no bytes; send pictures in binary, or in base64.") from error


def _parameters(document: dict[str, Any]) -> dict[str, Any]:
    given = document.get("parameters")
    return given if isinstance(given, dict) else {}


def _kind(values: Tensor | list[bytes]) -> tuple[str, list[int]]:
    if isinstance(values, list):
        return "BYTES", [len(values)]
    return next(name for name, kind in _TYPES.items() if np.dtype(kind) == values.dtype), list(values.shape)


def _packed(values: Tensor | list[bytes]) -> bytes:
    if isinstance(values, list):
        return b"".join(struct.pack("<I", len(value)) + value for value in values)
    return values.tobytes()
