"""The table of signals between a PLC and the station, the same for every protocol.

Modbus and S7 carry blocks of 16-bit words, OPC UA a node per signal, MQTT a JSON member or a metric per signal. In a
block: words big-endian, the high word of a 32-bit value first, bit 0 the lowest of its word, text as one byte per
character with the first in the high byte of the first word, zero after its end. Bits and words of no signal are zero.
docs/signals.md is this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sightline.devices.plc import LONGEST_SERIAL, Answer, Request
from sightline.errors import DeviceError

Value = bool | int | str
Values = Mapping[str, Value]  # one for each signal of a table, by its name


class Kind(StrEnum):
    """What a signal carries."""

    BIT = "bit"
    UINT16 = "uint16"
    UINT32 = "uint32"
    INT32 = "int32"
    TEXT = "text"  # LONGEST_SERIAL printable ASCII characters at most


WORDS = {Kind.BIT: 1, Kind.UINT16: 1, Kind.UINT32: 2, Kind.INT32: 2, Kind.TEXT: LONGEST_SERIAL // 2}
RANGES = {Kind.UINT16: (0, 2**16 - 1), Kind.UINT32: (0, 2**32 - 1), Kind.INT32: (-(2**31), 2**31 - 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One row of the table."""

    name: str  # of the OPC UA node, JSON member or metric; but for `has_encoder` a field of Request or Answer
    kind: Kind
    word: int  # first word in its block
    meaning: str
    bit: int = 0  # of a BIT, in its word


REQUEST = (
    Signal(name="enabled", kind=Kind.BIT, word=0, bit=0, meaning="the line runs and wants its parts judged"),
    Signal(name="trigger", kind=Kind.BIT, word=0, bit=1, meaning="rises when a part is in view, up until it is taken"),
    Signal(name="challenge", kind=Kind.BIT, word=0, bit=2, meaning="the part in view is known to be bad, a test"),
    Signal(name="reset", kind=Kind.BIT, word=0, bit=3, meaning="rises to leave a hold after a fault"),
    Signal(name="has_encoder", kind=Kind.BIT, word=0, bit=4, meaning="`encoder` is connected and counts"),
    Signal(name="heartbeat", kind=Kind.UINT16, word=1, meaning="changes while the PLC lives"),
    Signal(name="recipe", kind=Kind.UINT16, word=2, meaning="number of the recipe asked for; 0: none"),
    Signal(name="part_id", kind=Kind.UINT32, word=3, meaning="number of the part in view, from 1; 0: none"),
    Signal(name="acknowledged_id", kind=Kind.UINT32, word=5, meaning="part whose result the PLC has taken; 0: none"),
    Signal(name="encoder", kind=Kind.INT32, word=7, meaning="count of the conveyor, wraps around"),
    Signal(name="serial", kind=Kind.TEXT, word=9, meaning="serial number of the part in view; empty: not known"),
)
ANSWER = (
    Signal(name="ready", kind=Kind.BIT, word=0, bit=0, meaning="a part may be triggered"),
    Signal(name="taken", kind=Kind.BIT, word=0, bit=1, meaning="the part `taken_id` is taken; falls with the trigger"),
    Signal(name="busy", kind=Kind.BIT, word=0, bit=2, meaning="a part is being looked at"),
    Signal(name="valid", kind=Kind.BIT, word=0, bit=3, meaning="the result is that of the part `result_id`"),
    Signal(name="ok", kind=Kind.BIT, word=0, bit=4, meaning="result: may pass"),
    Signal(name="ng", kind=Kind.BIT, word=0, bit=5, meaning="result: reject"),
    Signal(name="fault", kind=Kind.BIT, word=0, bit=6, meaning="result: could not be judged, reject"),
    Signal(name="gate_open", kind=Kind.BIT, word=0, bit=7, meaning="what is at the gate now may pass"),
    Signal(name="heartbeat", kind=Kind.UINT16, word=1, meaning="changes while the station lives"),
    Signal(name="recipe", kind=Kind.UINT16, word=2, meaning="recipe that every part taken from now is judged by"),
    Signal(name="error", kind=Kind.UINT16, word=3, meaning="error number; 0: none"),
    Signal(name="taken_id", kind=Kind.UINT32, word=4, meaning="number of the part taken"),
    Signal(name="result_id", kind=Kind.UINT32, word=6, meaning="number of the part the result is of; 0: no result"),
)
REQUEST_WORDS = 25
ANSWER_WORDS = 8


def request_values(request: Request) -> dict[str, Value]:
    """A request by signal; the encoder that there is not counts 0."""
    derived: dict[str, Value] = {"has_encoder": request.encoder is not None, "encoder": request.encoder or 0}
    return {signal.name: getattr(request, signal.name) for signal in REQUEST if signal.name not in derived} | derived


def answer_values(answer: Answer, device: str) -> dict[str, Value]:
    """An answer by signal.

    Raises:
        DeviceError: a number does not fit its signal.
    """
    return _checked({signal.name: getattr(answer, signal.name) for signal in ANSWER}, ANSWER, device)


def request_from(values: Mapping[str, object], device: str) -> Request:
    """The request that these signals say; the exact inverse of `request_values`.

    Raises:
        DeviceError: a signal is missing, unknown, of another kind or out of range.
    """
    checked = _checked(values, REQUEST, device)
    has_encoder = checked.pop("has_encoder")
    return Request(**checked | {"encoder": checked["encoder"] if has_encoder else None})  # type: ignore[arg-type]


def answer_from(values: Mapping[str, object], device: str) -> Answer:
    """The answer that these signals say; the exact inverse of `answer_values`.

    Raises:
        DeviceError: as `request_from`; or not exactly one of ok, ng and fault is up while valid is, and none otherwise.
    """
    checked = _checked(values, ANSWER, device)
    verdicts = [name for name in ("ok", "ng", "fault") if checked[name]]
    if len(verdicts) != int(checked["valid"]):
        raise DeviceError(
            device, f"valid is {checked['valid']} beside {verdicts or 'no verdict'}; exactly one goes with it."
        )
    if bool(checked["result_id"]) != checked["valid"]:
        raise DeviceError(device, f"valid is {checked['valid']} beside the result of part {checked['result_id']}.")
    return Answer(**checked)  # type: ignore[arg-type]


def pack_request(request: Request) -> bytes:
    """A request as its block of REQUEST_WORDS words."""
    return _pack(request_values(request), REQUEST, REQUEST_WORDS)


def unpack_request(block: bytes, device: str) -> Request:
    """The exact inverse of `pack_request`. Raises DeviceError where the block is none."""
    return request_from(_unpack(block, REQUEST, REQUEST_WORDS, device), device)


def pack_answer(answer: Answer, device: str) -> bytes:
    """An answer as its block of ANSWER_WORDS words, the safe state all zeros. Raises DeviceError as `answer_values`."""
    return _pack(answer_values(answer, device), ANSWER, ANSWER_WORDS)


def unpack_answer(block: bytes, device: str) -> Answer:
    """The exact inverse of `pack_answer`. Raises DeviceError where the block is none."""
    return answer_from(_unpack(block, ANSWER, ANSWER_WORDS, device), device)


def steps(before: Answer | None, after: Answer, device: str) -> list[dict[str, Value]]:
    """What to write, one step after the other, where signals cannot all be written at once.

    First the bits that fall, then the numbers, then the bits that rise: whenever a bit is up, what belongs to it is
    there. Where the result changes from one part's to another's, `valid` and the verdict fall in between.

    Args:
        before: what is there now; None: not known, so that every signal is written and every bit falls first.
    """
    new = answer_values(after, device)
    old = {} if before is None else answer_values(before, device)
    bits = {signal.name for signal in ANSWER if signal.kind is Kind.BIT}
    renewed = {"valid", "ok", "ng", "fault"} if old.get("result_id") != new["result_id"] else set()
    renewed |= {"taken"} if old.get("taken_id") != new["taken_id"] else set()
    falling = {name for name in bits if old.get(name, True) and (name in renewed or not old or not new[name])}
    falls: dict[str, Value] = dict.fromkeys(sorted(falling), False)
    numbers = {name: new[name] for name in new if name not in bits and old.get(name) != new[name]}
    rising = {name for name in bits if new[name] and (name in falling or not old.get(name))}
    rises: dict[str, Value] = dict.fromkeys(sorted(rising), True)
    return [step for step in (falls, numbers, rises) if step]


def _checked(values: Mapping[str, object], table: tuple[Signal, ...], device: str) -> dict[str, Value]:
    names = {signal.name for signal in table}
    if names != set(values):
        differing = ", ".join(sorted(str(name) for name in names ^ set(values)))
        raise DeviceError(device, f"these signals are missing or unknown: {differing[:200]}; see docs/signals.md.")
    return {signal.name: _value(values[signal.name], signal, device) for signal in table}


def _value(value: object, signal: Signal, device: str) -> Value:
    if signal.kind is Kind.BIT and isinstance(value, bool):
        return value
    if signal.kind is Kind.TEXT and isinstance(value, str):
        if len(value) <= LONGEST_SERIAL and value.isascii() and value.isprintable():
            return value
    elif signal.kind in RANGES and isinstance(value, int) and not isinstance(value, bool):
        lowest, highest = RANGES[signal.kind]
        if lowest <= value <= highest:
            return value
    kind = f"at most {LONGEST_SERIAL} printable ASCII characters" if signal.kind is Kind.TEXT else f"a {signal.kind}"
    raise DeviceError(device, f"{signal.name} is {value!r:.80}; it is {kind}, see docs/signals.md.")


def _pack(values: Values, table: tuple[Signal, ...], words: int) -> bytes:
    block = bytearray(2 * words)
    for signal in table:
        value, start = values[signal.name], 2 * signal.word
        if isinstance(value, str):
            block[start : start + len(value)] = value.encode("ascii")
        elif signal.kind is Kind.BIT:
            block[start + 1 - signal.bit // 8] |= value << signal.bit % 8
        else:
            size = 2 * WORDS[signal.kind]
            block[start : start + size] = value.to_bytes(size, "big", signed=signal.kind is Kind.INT32)
    return bytes(block)


def _unpack(block: bytes, table: tuple[Signal, ...], words: int, device: str) -> dict[str, Value]:
    if len(block) != 2 * words:
        raise DeviceError(device, f"{len(block)} bytes came, a block of {2 * words} was expected.")
    values: dict[str, Value] = {}
    for signal in table:
        content = block[2 * signal.word : 2 * (signal.word + WORDS[signal.kind])]
        if signal.kind is Kind.TEXT:
            values[signal.name] = content.rstrip(b"\0").decode("latin-1")  # every byte is a character; checked later
        elif signal.kind is Kind.BIT:
            values[signal.name] = bool(int.from_bytes(content, "big") >> signal.bit & 1)
        else:
            values[signal.name] = int.from_bytes(content, "big", signed=signal.kind is Kind.INT32)
    known = sum(1 << signal.bit for signal in table if signal.kind is Kind.BIT)
    if unknown := int.from_bytes(block[:2], "big") & ~known:  # all bits are in word 0
        raise DeviceError(device, f"word 0 has bits up that no signal has ({unknown:#06x}). Check the block's address.")
    return values
