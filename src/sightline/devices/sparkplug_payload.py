"""Sparkplug B 3.0 payloads (Eclipse Foundation, chapter 6.4): Protocol Buffers, of which this is all that is needed.

A payload is a message of the .proto file's `Payload`; metrics here carry booleans, integers of up to 32 bits, the
64-bit bdSeq, and text. What else a received payload has is passed over, as the format demands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from sightline.errors import DeviceError

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types
LARGEST_PAYLOAD = 2**16  # bytes

Field = tuple[int, int | bytes]  # number and content; fixed 32 and 64 bits as bytes


class DataType(IntEnum):
    """Those of Sparkplug's data types that occur here, section 6.4.16."""

    INT32 = 3
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    BOOLEAN = 11
    STRING = 12


BITS = {DataType.INT32: 32, DataType.UINT16: 16, DataType.UINT32: 32, DataType.UINT64: 64}
INT_VALUE, LONG_VALUE, BOOLEAN_VALUE, STRING_VALUE = 10, 11, 14, 15  # fields of a metric, one of them is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A name and a value."""

    name: str
    type: DataType
    value: bool | int | str
    unix_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a message carries."""

    unix_ms: int
    metrics: tuple[Metric, ...]
    seq: int | None = None  # 0 to 255; None only in a death certificate or a command


def encode(payload: Payload) -> bytes:
    content = _number(1, payload.unix_ms)
    content += b"".join(_bytes(2, _metric(metric)) for metric in payload.metrics)
    return content + (b"" if payload.seq is None else _number(3, payload.seq))


def decode(content: bytes, device: str) -> Payload:
    """The payload that this is; metrics of other types are left out.

    Raises:
        DeviceError: it is none.
    """
    if len(content) > LARGEST_PAYLOAD:
        raise DeviceError(
            device, f"a Sparkplug payload of {len(content)} bytes came; at most {LARGEST_PAYLOAD} are read."
        )
    unix_ms, seq, metrics = 0, None, []
    try:
        for number, found in _fields(content):
            if number == 1 and isinstance(found, int):
                unix_ms = found
            elif number == 2 and isinstance(found, bytes):
                metrics.append(_read_metric(found))
            elif number == 3 and isinstance(found, int):
                seq = found
    except (ValueError, IndexError) as error:  # UnicodeDecodeError is a ValueError
        raise DeviceError(device, f"a message came that is no Sparkplug payload ({error}).") from error
    return Payload(unix_ms=unix_ms, metrics=tuple(metric for metric in metrics if metric), seq=seq)


def _metric(metric: Metric) -> bytes:
    head = _bytes(1, metric.name.encode()) + _number(3, metric.unix_ms) + _number(4, metric.type)
    if metric.type is DataType.STRING:
        return head + _bytes(STRING_VALUE, str(metric.value).encode())
    if metric.type is DataType.BOOLEAN:
        return head + _number(BOOLEAN_VALUE, int(metric.value))
    bits = BITS[metric.type]
    return head + _number(LONG_VALUE if bits == 64 else INT_VALUE, int(metric.value) % 2**bits)  # two's complement


def _read_metric(content: bytes) -> Metric | None:
    fields = dict(_fields(content))
    name, kind, unix_ms = fields.get(1), fields.get(4), fields.get(3, 0)
    if not isinstance(name, bytes) or kind not in set(DataType) or not isinstance(unix_ms, int) or fields.get(7):
        return None  # without a name, of another type, or null
    kind = DataType(kind)
    value: bool | int | str
    if kind is DataType.STRING:
        text = fields.get(STRING_VALUE, b"")
        if not isinstance(text, bytes):
            raise ValueError("text that is a number")
        value = text.decode()
    elif kind is DataType.BOOLEAN:
        value = bool(fields.get(BOOLEAN_VALUE, 0))
    else:
        number = fields.get(INT_VALUE, fields.get(LONG_VALUE, 0))
        if not isinstance(number, int):
            raise ValueError("a number that is text")
        if number >= 2 ** BITS[kind] and kind is not DataType.INT32:
            raise ValueError(f"{number} is too large for a {kind.name}")
        number %= 2 ** BITS[kind]  # a negative one may come with 64 bits
        value = number - 2**32 if kind is DataType.INT32 and number >= 2**31 else number
    return Metric(name=name.decode(), type=kind, value=value, unix_ms=unix_ms)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | VARINT) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | LENGTH) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    content = bytearray()
    while value > 127:
        content.append(value & 127 | 128)
        value >>= 7
    return bytes([*content, value])


def _fields(content: bytes) -> Iterator[Field]:
    place = 0
    while place < len(content):
        key, place = _read_varint(content, place)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, place = _read_varint(content, place)
            yield number, value
            continue
        if wire not in (FIXED64, LENGTH, FIXED32):
            raise ValueError(f"wire type {wire}")
        size, place = _read_varint(content, place) if wire == LENGTH else ({FIXED64: 8, FIXED32: 4}[wire], place)
        if place + size > len(content):
            raise ValueError("it is cut off")
        yield number, content[place : place + size]
        place += size


def _read_varint(content: bytes, place: int) -> tuple[int, int]:
    """The number there, and the place after it. Raises IndexError where it is cut off."""
    value = 0
    for shift in range(0, 70, 7):
        value |= (content[place] & 127) << shift
        place += 1
        if content[place - 1] < 128:
            return value, place
    raise ValueError("a number of more than 64 bits")
