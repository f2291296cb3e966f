"""Weights in the safetensors format: 8 bytes with the length of a JSON header, the header, raw numbers.

Nothing in such a file is ever run, which is why weights are taken in it and in no other way. Source of the format:
https://github.com/huggingface/safetensors, README, "Format".
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import OptionError

MOST_BYTES = 2 << 30  # of a file
_MOST_HEADER_BYTES = 16 << 20
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1", "BOOL": "|b1"}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}
_CURE = "Save the weights again as safetensors."

Tensors = dict[str, NDArray[Any]]


def read_tensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """The tensors by name, BF16 ones as float32, and the header's texts; nothing in the file is trusted.

    Raises:
        OptionError: it cannot be read, is too large, or is not a whole safetensors file.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > MOST_BYTES:
            raise OptionError(f"{path}: is no file, or larger than {MOST_BYTES >> 30} GiB. Give a safetensors file.")
        data = path.read_bytes()
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    try:
        return _parsed(data)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise OptionError(f"{path}: is not a whole safetensors file. {_CURE}") from error


def to_bytes(tensors: Mapping[str, NDArray[Any]], texts: Mapping[str, str]) -> bytes:
    """A safetensors file with these tensors and texts, in this order."""
    header: dict[str, Any] = {"__metadata__": dict(texts)}
    parts, at = [], 0
    for name, values in tensors.items():
        content = np.ascontiguousarray(values).tobytes()
        header[name] = {
            "dtype": _NAMES[values.dtype],
            "shape": list(values.shape),
            "data_offsets": [at, at + len(content)],
        }
        parts.append(content)
        at += len(content)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def _parsed(data: bytes) -> tuple[Tensors, dict[str, str]]:
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= min(_MOST_HEADER_BYTES, len(data) - 8):
        raise ValueError("the header does not fit")
    header = json.loads(data[8 : 8 + length])
    texts = {str(key): str(text) for key, text in header.pop("__metadata__", {}).items()}
    body = memoryview(data)[8 + length :]
    return {name: _tensor(entry, body) for name, entry in header.items()}, texts


def _tensor(entry: Mapping[str, Any], body: memoryview) -> NDArray[Any]:
    brain = entry["dtype"] == "BF16"
    kind = np.dtype("<u2" if brain else _TYPES[entry["dtype"]])
    shape = tuple(int(side) for side in entry["shape"])
    start, stop = (int(end) for end in entry["data_offsets"])
    if not 0 <= start <= stop <= len(body) or any(side < 0 for side in shape):
        raise ValueError("a tensor lies outside the file")
    if stop - start != math.prod(shape) * kind.itemsize:
        raise ValueError("a tensor's size is not that of its shape")
    values = np.frombuffer(body[start:stop], kind).reshape(shape)
    if brain:  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values
