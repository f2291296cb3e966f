"""A PLC that comes back: opened again at a bounded rate, and never waited for by the line."""

import threading
import time
from itertools import pairwise

import pytest

from plc_servers import ModbusServer, Proxy, wait_for
from sightline.devices.clock import MonotonicClock
from sightline.devices.controllers import open_plc
from sightline.devices.plc import SAFE, Answer, Plc, Request
from sightline.devices.reconnection import SHORTEST_PAUSE_S, ReconnectingPlc
from sightline.devices.sim_plc import SimPlc, SimPlcConfig
from sightline.errors import DeviceLost, DeviceTimeout
from soak_opcua import SimOpcUa


class Silent:
    """Connected, and never answers."""

    def __init__(self) -> None:
        self.closed = 0

    def read(self) -> Request:
        raise DeviceTimeout("plc", "no answer")

    def write(self, answer: Answer) -> None:
        raise DeviceTimeout("plc", "no answer")

    def close(self) -> None:
        self.closed += 1


def connected(plc: Plc) -> bool:
    try:
        plc.read()
    except DeviceLost:
        return False
    return True


def test_the_simulated_opc_ua_plc_of_the_trials_can_be_unplugged() -> None:
    wire = SimOpcUa(SimPlc(MonotonicClock(), SimPlcConfig()))
    plc = ReconnectingPlc("plc", lambda: open_plc("plc", wire.config), seed=0)
    wait_for(lambda: connected(plc), "the first connection", 120)
    wire.unplug()
    wait_for(lambda: not connected(plc), "the loss", 120)
    wire.plug_in()
    wait_for(lambda: connected(plc), "the second connection", 120)
    plc.close()
    wire.close()


def test_it_is_opened_again_after_what_no_plc_should_raise() -> None:
    trouble = iter([OSError(101, "Network is unreachable")])
    sim = SimPlc(MonotonicClock(), SimPlcConfig())

    def opening() -> Plc:
        if error := next(trouble, None):
            raise error
        return sim

    plc = ReconnectingPlc("plc", opening, seed=0)
    wait_for(lambda: connected(plc), "the second attempt")
    assert (plc.attempts, plc.connections) == (2, 1)
    plc.close()


def test_it_comes_back_after_a_cut() -> None:
    server = ModbusServer()
    cable = Proxy(server.port)
    threads = threading.active_count()
    plc = ReconnectingPlc("plc", lambda: open_plc("plc", server.config(cable.port)), seed=0)
    wait_for(lambda: connected(plc), "the first connection")
    cable.cut()
    with pytest.raises(DeviceLost):
        plc.read()
    started_s = time.monotonic()
    with pytest.raises(DeviceLost, match=r"plc: .*gone"):
        plc.write(SAFE)
    assert time.monotonic() - started_s < SHORTEST_PAUSE_S, "nobody waits for what is not there"
    cable.mend()
    wait_for(lambda: connected(plc), "the second connection")
    plc.write(Answer(ready=True))
    assert server.heard() == Answer(ready=True)
    assert plc.connections == 2
    plc.close()
    assert server.heard() == SAFE
    with pytest.raises(DeviceLost, match="closed"):
        plc.read()
    wait_for(lambda: threading.active_count() <= threads, "no thread is left")
    cable.close()
    server.close()


def test_attempts_are_at_least_a_second_apart() -> None:
    at_s: list[float] = []

    def refused() -> Plc:
        at_s.append(time.monotonic())
        raise DeviceLost("plc", "nobody there")

    plc = ReconnectingPlc("plc", refused, seed=1)
    wait_for(lambda: len(at_s) == 3, "three attempts")
    with pytest.raises(DeviceLost, match="nobody there"):
        plc.read()
    plc.close()
    gaps = [after - before for before, after in pairwise(at_s)]
    assert min(gaps) >= SHORTEST_PAUSE_S
    assert len(set(gaps)) == len(gaps), "jitter"
    assert plc.attempts == 3
    assert plc.connections == 0


def test_three_timeouts_are_a_loss() -> None:
    opened: list[Silent] = []

    def silent() -> Plc:
        opened.append(Silent())
        return opened[-1]

    plc = ReconnectingPlc("plc", silent, seed=2)
    wait_for(lambda: plc.connections == 1, "a connection")
    for _ in range(3):
        with pytest.raises(DeviceTimeout):
            plc.read()
    wait_for(lambda: plc.connections == 2, "another connection")
    assert opened[0].closed == 1
    plc.close()
    plc.close()
    assert opened[1].closed == 1
