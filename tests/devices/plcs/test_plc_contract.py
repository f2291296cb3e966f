"""What every PLC promises, by each protocol against a server of another make, through a cable that can be cut."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from plc_servers import (
    ModbusServer,
    Mosquitto,
    MqttServer,
    OpcUaServer,
    PlcServer,
    Proxy,
    S7Server,
    SparkplugServer,
    wait_for,
)
from sightline.devices.controllers import open_plc
from sightline.devices.plc import HEARTBEATS, LARGEST_PART_ID, LARGEST_RECIPE, SAFE, Answer, Plc, Request
from sightline.errors import DeviceError, DeviceLost, DeviceTimeout

# the servers, and the cable that stands in for a network, drop sockets when a link is cut; `resources` counts ours
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LONGEST_S = 20.0  # that a lost link may go unnoticed on a machine that is busy
CYCLES = 30

REQUESTS = [
    Request(enabled=True, trigger=True, part_id=1, serial="A-0001 /x", challenge=True, recipe=3, heartbeat=7),
    Request(part_id=LARGEST_PART_ID, acknowledged_id=LARGEST_PART_ID - 1, serial="~" * 32, encoder=-(2**31)),
    Request(recipe=LARGEST_RECIPE, heartbeat=HEARTBEATS - 1, encoder=2**31 - 1, reset=True),
    Request(enabled=True, encoder=0),
    Request(),
]
ANSWERS = [
    Answer(ready=True, recipe=3, heartbeat=1),
    Answer(taken=True, taken_id=LARGEST_PART_ID, busy=True, recipe=LARGEST_RECIPE, heartbeat=2),
    Answer(valid=True, ok=True, result_id=LARGEST_PART_ID, gate_open=True, heartbeat=3),
    Answer(valid=True, ng=True, result_id=1, taken=True, taken_id=2, heartbeat=4),
    Answer(valid=True, fault=True, result_id=2, error=65_535, heartbeat=HEARTBEATS - 1),
    SAFE,
]


@pytest.fixture(scope="module", params=["modbus", "s7", "opcua", "mqtt", "sparkplug"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlcServer]:
    def broker() -> Mosquitto:
        found: Mosquitto = request.getfixturevalue("broker")
        return found

    folder: Path = tmp_path_factory.mktemp("plc")
    making: dict[str, Callable[[], PlcServer]] = {
        "modbus": ModbusServer,
        "s7": S7Server,
        "opcua": OpcUaServer,
        "mqtt": lambda: MqttServer(broker()),
        "sparkplug": lambda: SparkplugServer(broker(), folder),
    }
    server = making[request.param]()
    yield server
    server.close()


@pytest.fixture
def cable(server: PlcServer) -> Iterator[Proxy]:
    cable = Proxy(server.port)
    yield cable
    cable.close()


@pytest.fixture
def plc(server: PlcServer, cable: Proxy) -> Iterator[Plc]:
    plc = connected(server, cable)
    yield plc
    plc.close()


def connected(server: PlcServer, cable: Proxy) -> Plc:
    """As the station does it, which tries again where the PLC had no time."""
    found: list[Plc] = []

    def tried() -> bool:
        with suppress(DeviceTimeout, DeviceLost):
            found.append(open_plc("plc", server.config(cable.port)))
        return bool(found)

    wait_for(tried, "a connection")
    return found[0]


def hears(server: PlcServer, answer: Answer) -> bool:
    """Whether that is what the PLC has; what is half there yet is not."""
    with suppress(DeviceError):
        return server.heard() == answer
    return False


def reads(plc: Plc, request: Request) -> bool:
    with suppress(DeviceTimeout):
        return plc.read() == request
    return False


def fails(exchange: Callable[[int], object]) -> bool:
    """By MQTT it may take a while: what came a moment ago is read, and what is sent first fills the socket's buffer."""
    try:
        exchange(time.monotonic_ns() % HEARTBEATS)
    except (DeviceTimeout, DeviceLost):
        return True
    return False


def lost_after(plc: Plc) -> list[DeviceError]:
    """What reading and writing raise until the connection is known to be gone."""
    errors: list[DeviceError] = []
    end_s = time.monotonic() + LONGEST_S
    while not any(isinstance(error, DeviceLost) for error in errors):
        assert time.monotonic() < end_s, f"not lost after {LONGEST_S:g} s: {errors}"
        with suppress(DeviceTimeout):
            try:
                plc.write(Answer(heartbeat=len(errors) % HEARTBEATS))
                plc.read()
            except DeviceError as error:
                errors.append(error)
                if not isinstance(error, DeviceLost | DeviceTimeout):
                    raise
    return errors


def test_what_is_written_arrives_whole(server: PlcServer, plc: Plc) -> None:
    for answer in ANSWERS:
        plc.write(answer)
        wait_for(lambda answer=answer: hears(server, answer), f"{answer}")  # type: ignore[misc]


def test_what_the_plc_says_is_read_whole(server: PlcServer, plc: Plc) -> None:
    for request in REQUESTS:
        server.say(request)
        wait_for(lambda request=request: reads(plc, request), f"{request}")  # type: ignore[misc]


def test_closing_leaves_the_safe_state_and_ends_it(server: PlcServer, plc: Plc) -> None:
    open_gate = Answer(valid=True, ok=True, result_id=5, gate_open=True)
    plc.write(open_gate)
    wait_for(lambda: hears(server, open_gate), "the gate is open")
    plc.close()
    wait_for(lambda: hears(server, SAFE), "the safe state")
    plc.close()
    with pytest.raises(DeviceLost, match=r"plc: .*closed"):
        plc.read()
    with pytest.raises(DeviceLost):
        plc.write(SAFE)


def test_a_cut_link_is_lost_and_another_works(server: PlcServer, cable: Proxy, plc: Plc) -> None:
    cable.cut()
    lost_after(plc)
    started_s = time.monotonic()
    for _ in range(100):
        with pytest.raises(DeviceLost):
            plc.read()
        with pytest.raises(DeviceLost):
            plc.write(SAFE)
    assert time.monotonic() - started_s < LONGEST_S / 4, "what is lost says so at once"
    cable.mend()
    another = connected(server, cable)
    another.write(ANSWERS[0])
    wait_for(lambda: hears(server, ANSWERS[0]), "an answer by the new connection")
    server.say(REQUESTS[0])
    wait_for(lambda: reads(another, REQUESTS[0]), "a request by the new connection")
    another.close()


def test_a_stalled_link_ends_every_wait(cable: Proxy, plc: Plc) -> None:
    cable.stall()
    for exchange in (lambda number: plc.write(Answer(heartbeat=number)), lambda _: plc.read()):
        wait_for(lambda exchange=exchange: fails(exchange), "an error", LONGEST_S)  # type: ignore[misc]
    started_s = time.monotonic()
    plc.close()
    assert time.monotonic() - started_s < LONGEST_S


def test_where_nobody_listens_nothing_is_opened(server: PlcServer, cable: Proxy) -> None:
    cable.cut()
    before = resources()
    with pytest.raises((DeviceLost, DeviceTimeout), match=r"^plc: "):
        open_plc("plc", server.config(cable.port))
    wait_for(lambda: resources() <= before, "threads and files as before")


def test_thirty_cuts_leave_nothing_behind(server: PlcServer, cable: Proxy) -> None:
    before: tuple[int, int] | None = None
    for cycle in range(CYCLES):
        plc = connected(server, cable)
        with suppress(DeviceTimeout):  # had no time
            plc.write(Answer(heartbeat=cycle))
        cable.cut()
        lost_after(plc)
        plc.close()
        cable.mend()
        if cycle == 1:  # libraries have loaded what they need
            before = settled()
    assert before is not None
    wait_for(lambda: all(now <= then for now, then in zip(resources(), before, strict=True)), "as many as before")


def resources() -> tuple[int, int]:
    return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of this process


def settled() -> tuple[int, int]:
    """Resources when the servers have noticed that nobody is there any more."""
    found = [resources()]
    wait_for(lambda: found.append(resources()) or (len(found) > 50 and found[-1] == found[-50]), "threads and files")  # type: ignore[func-returns-value]
    return found[-1]
