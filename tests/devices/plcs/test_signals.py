"""The table of signals: exact inverses, clear errors, and the document that shows it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.devices import signals
from sightline.devices.plc import HEARTBEATS, LARGEST_PART_ID, LARGEST_RECIPE, LONGEST_SERIAL, SAFE, Answer, Request
from sightline.errors import DeviceError

PAGE = Path(__file__).resolve().parents[3] / "docs" / "signals.md"
PARTS = st.integers(0, LARGEST_PART_ID)
SHORTS = st.integers(0, HEARTBEATS - 1)
REQUESTS = st.builds(
    Request,
    enabled=st.booleans(),
    trigger=st.booleans(),
    part_id=PARTS,
    serial=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=LONGEST_SERIAL),
    challenge=st.booleans(),
    encoder=st.none() | st.integers(-(2**31), 2**31 - 1),
    acknowledged_id=PARTS,
    recipe=st.integers(0, LARGEST_RECIPE),
    reset=st.booleans(),
    heartbeat=SHORTS,
)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    verdict = draw(st.sampled_from(["", "ok", "ng", "fault"]))
    return Answer(
        ready=draw(st.booleans()),
        taken=draw(st.booleans()),
        taken_id=draw(PARTS),
        busy=draw(st.booleans()),
        valid=bool(verdict),
        ok=verdict == "ok",
        ng=verdict == "ng",
        fault=verdict == "fault",
        result_id=draw(st.integers(1, LARGEST_PART_ID)) if verdict else 0,
        gate_open=draw(st.booleans()),
        recipe=draw(SHORTS),
        error=draw(SHORTS),
        heartbeat=draw(SHORTS),
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REQUESTS)
def test_a_request_comes_back_from_its_block(request: Request) -> None:
    block = signals.pack_request(request)
    assert len(block) == 2 * signals.REQUEST_WORDS
    assert signals.unpack_request(block, "plc") == request


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answers())
def test_an_answer_comes_back_from_its_block(answer: Answer) -> None:
    block = signals.pack_answer(answer, "plc")
    assert len(block) == 2 * signals.ANSWER_WORDS
    assert signals.unpack_answer(block, "plc") == answer


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=2 * signals.ANSWER_WORDS, max_size=2 * signals.ANSWER_WORDS))
def test_any_block_is_an_answer_or_a_device_error(block: bytes) -> None:
    try:
        answer = signals.unpack_answer(block, "plc")
    except DeviceError:
        return
    assert signals.pack_answer(answer, "plc") == block


def test_nothing_is_zeros() -> None:
    assert signals.pack_answer(SAFE, "plc") == bytes(2 * signals.ANSWER_WORDS)
    assert signals.pack_request(Request()) == bytes(2 * signals.REQUEST_WORDS)


def test_a_block_is_as_the_table_says() -> None:
    block = signals.pack_request(
        Request(trigger=True, heartbeat=0x0102, part_id=0x03040506, encoder=-2, serial="AB", recipe=9)
    )
    assert block[:10] == bytes.fromhex("0012 0102 0009 0304 0506")
    assert block[14:22] == b"\xff\xff\xff\xfeAB\0\0"
    answer = Answer(valid=True, fault=True, result_id=1, error=2, gate_open=True)
    assert signals.pack_answer(answer, "plc") == bytes.fromhex("00c8 0000 0000 0002 0000 0000 0000 0001")


def changed(block: bytes, place: int, byte: int) -> bytes:
    return block[:place] + bytes([byte]) + block[place + 1 :]


REQUEST = signals.pack_request(Request(serial="A", trigger=True))
ANSWER = signals.pack_answer(Answer(valid=True, ok=True, result_id=7), "plc")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        pytest.param(REQUEST[:-1], "49 bytes", id="short"),
        pytest.param(changed(REQUEST, 18, 0xE4), "serial is", id="not ascii"),
        pytest.param(changed(REQUEST, 19, 7), "serial is", id="not printable"),
        pytest.param(changed(REQUEST, 20, 65), "serial is", id="text after its end"),
        pytest.param(changed(REQUEST, 0, 1), "no signal has", id="a bit of none"),
    ],
)
def test_a_block_that_is_no_request_is_refused(block: bytes, message: str) -> None:
    with pytest.raises(DeviceError, match=f"^plc: .*{message}"):
        signals.unpack_request(block, "plc")


@pytest.mark.parametrize(
    ("block", "message"),
    [
        pytest.param(changed(ANSWER, 1, 0x38), "exactly one", id="ok and ng"),
        pytest.param(changed(ANSWER, 1, 0x08), "no verdict", id="valid without a verdict"),
        pytest.param(changed(ANSWER, 1, 0x10), "exactly one", id="ok without valid"),
        pytest.param(changed(ANSWER, 15, 0), "part 0", id="valid without a part"),
    ],
)
def test_a_block_that_is_no_answer_is_refused(block: bytes, message: str) -> None:
    with pytest.raises(DeviceError, match=f"^plc: .*{message}"):
        signals.unpack_answer(block, "plc")


@pytest.mark.parametrize(
    "wrong",
    [
        {"part_id": -1},
        {"part_id": 2**32},
        {"part_id": True},
        {"trigger": 1},
        {"serial": "x" * 33},
        {"recipe": 1.0},
        {"new": 1},
    ],
    ids=str,
)
def test_a_wrong_signal_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(DeviceError, match=next(iter(wrong))):
        signals.request_from(signals.request_values(Request()) | wrong, "plc")


def test_an_error_too_large_is_refused_before_it_is_sent() -> None:
    with pytest.raises(DeviceError, match="error is 65536"):
        signals.pack_answer(Answer(error=65_536), "plc")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.none() | answers(), answers())
def test_whenever_a_bit_is_up_what_belongs_to_it_is_there(before: Answer | None, after: Answer) -> None:
    new = signals.answer_values(after, "plc")
    unknown: dict[str, signals.Value] = dict.fromkeys(new, True)
    there = unknown if before is None else signals.answer_values(before, "plc")
    known = [new] if before is None else [there, new]
    for number, step in enumerate(signals.steps(before, after, "plc")):
        for name, value in step.items():  # within a step in any order
            there = there | {name: value}
            shown = {name for name in ("ok", "ng", "fault") if there["valid"] and there[name]}
            if before is not None or number:  # else it is not known what was there
                owners = [owner for owner in known if owner["result_id"] == there["result_id"]]
                assert not shown or any(shown <= {name for name in owner if owner[name] is True} for owner in owners)
                assert not there["taken"] or any(
                    owner["taken"] and owner["taken_id"] == there["taken_id"] for owner in known
                )
    assert there == new


def rows(table: tuple[signals.Signal, ...]) -> list[str]:
    found = []
    for signal in table:
        bit = signal.kind is signals.Kind.BIT
        last = signal.word + signals.WORDS[signal.kind] - 1
        words = (
            f"{signal.word}.{signal.bit}"
            if bit
            else str(signal.word)
            if last == signal.word
            else f"{signal.word}-{last}"
        )
        byte = f"{2 * signal.word + 1 - signal.bit // 8}.{signal.bit % 8}" if bit else str(2 * signal.word)
        found.append(f"| `{signal.name}` | {signal.kind} | {words} | {byte} | {signal.meaning} |")
    return found


@pytest.mark.parametrize("table", [signals.REQUEST, signals.ANSWER], ids=["request", "answer"])
def test_the_document_shows_the_table(table: tuple[signals.Signal, ...]) -> None:
    assert "\n".join(rows(table)) in PAGE.read_text("utf-8")
