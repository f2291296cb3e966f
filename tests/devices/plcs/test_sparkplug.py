"""Sparkplug B 3.0: payloads by the format's rules and another implementation, messages by the specification's."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plc_servers import Mosquitto, Proxy, SparkplugServer, wait_for
from sightline.devices.controllers import open_plc
from sightline.devices.plc import Answer, Plc, Request
from sightline.devices.sparkplug import REBIRTH
from sightline.devices.sparkplug_payload import DataType, Metric, Payload, decode, encode
from sightline.errors import DeviceError, DeviceTimeout

VALUES: dict[DataType, st.SearchStrategy[bool | int | str]] = {
    DataType.INT32: st.integers(-(2**31), 2**31 - 1),
    DataType.UINT16: st.integers(0, 2**16 - 1),
    DataType.UINT32: st.integers(0, 2**32 - 1),
    DataType.UINT64: st.integers(0, 2**64 - 1),
    DataType.BOOLEAN: st.booleans(),
    DataType.STRING: st.text("Aß€😀/ \0", max_size=40),
}
TIMES = st.integers(0, 2**63)
NAMES = st.text("ab/é", max_size=20)
METRICS = st.sampled_from(list(VALUES)).flatmap(
    lambda kind: st.builds(Metric, name=NAMES, type=st.just(kind), value=VALUES[kind], unix_ms=TIMES)
)
PAYLOADS = st.builds(
    Payload, unix_ms=TIMES, metrics=st.lists(METRICS, max_size=5).map(tuple), seq=st.none() | st.integers(0, 255)
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PAYLOADS)
def test_a_payload_comes_back(payload: Payload) -> None:
    assert decode(encode(payload), "plc") == payload


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload_or_a_device_error(content: bytes) -> None:
    try:
        assert isinstance(decode(content, "plc"), Payload)
    except DeviceError as error:
        assert str(error).startswith("plc: ")  # noqa: PT017 - both outcomes are allowed


def test_a_payload_by_hand() -> None:
    metric = Metric(name="a", type=DataType.BOOLEAN, value=True, unix_ms=5)
    content = encode(Payload(unix_ms=300, metrics=(metric,), seq=0))
    assert content == bytes.fromhex("08 ac02  12 09 0a0161 1805 200b 7001  18 00")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PAYLOADS)
def test_another_implementation_agrees(payload: Payload) -> None:
    theirs = pytest.importorskip("pysparkplug._protobuf", reason="pysparkplug is not installed (it needs another paho)")
    read = theirs.Payload()
    read.ParseFromString(encode(payload))
    assert (read.timestamp, len(read.metrics)) == (payload.unix_ms, len(payload.metrics))
    assert read.HasField("seq") == (payload.seq is not None)
    for metric, ours in zip(read.metrics, payload.metrics, strict=True):
        assert (metric.name, metric.datatype, metric.timestamp) == (ours.name, ours.type, ours.unix_ms)
        value = getattr(metric, metric.WhichOneof("value"))
        signed = value - 2**32 if ours.type is DataType.INT32 and value >= 2**31 else value
        assert signed == ours.value
    assert decode(read.SerializeToString(), "plc") == payload


@pytest.fixture
def host(broker: Mosquitto, tmp_path: Path) -> SparkplugServer:
    return SparkplugServer(broker, tmp_path)


def told(host: SparkplugServer, kind: str, count: int) -> list[Payload]:
    """The first so many of a kind."""
    wait_for(lambda: sum(found == kind for found, _ in host.messages) >= count, f"{count} {kind}")
    return [payload for found, payload in host.messages if found == kind][:count]


def value(payload: Payload, name: str) -> object:
    return next(metric.value for metric in payload.metrics if metric.name == name)


def write_some(plc: Plc, count: int) -> None:
    for number in range(count):
        plc.write(Answer(heartbeat=number + 1))


def test_a_node_is_born_counts_and_dies_by_the_rules(host: SparkplugServer) -> None:
    plc = open_plc("plc", host.config(host.port))
    write_some(plc, 300)
    plc.write(Answer(heartbeat=300))  # nothing new: nothing is told
    birth = told(host, "NBIRTH", 1)[0]
    assert birth.seq == 0
    assert value(birth, REBIRTH) is False
    assert value(birth, "bdSeq") == 0
    assert len(birth.metrics) == 2 + 13 + 11, "all that can come later is announced"
    data = told(host, "NDATA", 300)
    assert [payload.seq for payload in data] == [number % 256 for number in range(1, 301)]
    assert all(metric.unix_ms > 0 for payload in [birth, *data] for metric in payload.metrics)
    assert [metric.name for metric in data[-1].metrics] == ["Answer/heartbeat"]
    plc.close()
    death = told(host, "NDEATH", 1)[0]
    assert death.seq is None
    assert value(death, "bdSeq") == 0
    open_plc("plc", host.config(host.port)).close()
    assert value(told(host, "NBIRTH", 2)[1], "bdSeq") == 1
    host.close()


def test_the_broker_tells_the_death_of_a_node_that_is_cut_off(host: SparkplugServer) -> None:
    cable = Proxy(host.port)
    plc = open_plc("plc", host.config(cable.port))
    told(host, "NBIRTH", 1)
    cable.cut()
    assert value(told(host, "NDEATH", 1)[0], "bdSeq") == 0
    plc.close()
    cable.close()
    host.close()


def test_a_rebirth_is_given_when_it_is_asked_for(host: SparkplugServer) -> None:
    plc = open_plc("plc", host.config(host.port))
    plc.write(Answer(heartbeat=9))
    host.command([Metric(name=REBIRTH, type=DataType.BOOLEAN, value=True, unix_ms=1)])

    def born_again() -> bool:
        plc.read()
        return sum(kind == "NBIRTH" for kind, _ in host.messages) == 2

    wait_for(born_again, "the second birth")
    second = told(host, "NBIRTH", 2)[1]
    assert (second.seq, value(second, "bdSeq"), value(second, "Answer/heartbeat")) == (0, 0, 9)
    plc.close()
    host.close()


def test_a_command_of_the_wrong_type_is_taken_not_even_in_part(host: SparkplugServer) -> None:
    plc = open_plc("plc", host.config(host.port))
    host.close()  # its heartbeat would be the next good command
    wait_for(lambda: not answers(plc), "silence")
    good = Metric(name="Request/part_id", type=DataType.UINT32, value=7, unix_ms=1)
    bad = Metric(name="Request/trigger", type=DataType.UINT32, value=1, unix_ms=1)
    another = host._broker.client("nothing", lambda *_: None)
    another.publish("spBv1.0/plant/NCMD/station", encode(Payload(unix_ms=1, metrics=(good, bad))), 1)
    with pytest.raises(DeviceError, match="Request/trigger came as UINT32"):
        wait_for(lambda: answers(plc), "the command")
    another.publish("spBv1.0/plant/NCMD/station", encode(Payload(unix_ms=1, metrics=(good,))), 1)
    wait_for(lambda: patient(plc) == Request(part_id=7), "a good command")
    another.disconnect()
    another.loop_stop()
    plc.close()


def answers(plc: Plc) -> bool:
    try:
        plc.read()
    except DeviceTimeout:
        return False
    return True


def patient(plc: Plc) -> Request | None:
    try:
        return plc.read()
    except DeviceError:
        return None
