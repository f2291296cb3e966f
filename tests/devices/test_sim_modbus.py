"""A simulated PLC behind a real Modbus server: what a station reads and writes is the PLC's."""

from collections.abc import Iterator

import pytest

from sightline.devices.clock import SimClock
from sightline.devices.modbus_plc import open_modbus
from sightline.devices.plc import Answer, Plc, Request
from sightline.devices.sim_modbus import SimModbus
from sightline.devices.sim_plc import SimPlc, SimPlcConfig
from sightline.errors import DeviceError, DeviceLost

pytest.importorskip("pymodbus")


class Shelf:
    """A PLC that says what lies there and keeps what it is told."""

    def __init__(self) -> None:
        self.request, self.answer, self.lost = Request(), Answer(), False

    def read(self) -> Request:
        if self.lost:
            raise DeviceLost("shelf", "is gone.")
        return self.request

    def write(self, answer: Answer) -> None:
        self.answer = answer

    def close(self) -> None: ...


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def server(shelf: Shelf) -> Iterator[SimModbus]:
    server = SimModbus(shelf)
    yield server
    server.close()


@pytest.fixture
def station(server: SimModbus) -> Iterator[Plc]:
    plc = open_modbus("plc", server.config)
    yield plc
    plc.close()


def test_each_exchange_is_one_of_the_plc_behind(shelf: Shelf, station: Plc) -> None:
    for number in (1, 2, 3):
        shelf.request = Request(trigger=True, part_id=number, serial=f"S{number}", encoder=-number, heartbeat=number)
        assert station.read() == shelf.request
        answer = Answer(valid=True, ok=True, result_id=number, recipe=7, heartbeat=number)
        station.write(answer)
        assert shelf.answer == answer


def test_a_plc_that_is_gone_is_an_error_of_the_exchange(shelf: Shelf, station: Plc) -> None:
    shelf.lost = True
    with pytest.raises(DeviceError):
        station.read()
    shelf.lost = False
    assert station.read() == Request()


def test_unplugged_nobody_is_connected_and_plugged_in_one_may_come_back(server: SimModbus, station: Plc) -> None:
    server.unplug()
    with pytest.raises(DeviceError):
        station.read()
    with pytest.raises(DeviceLost):
        open_modbus("plc", server.config)
    server.plug_in()
    again = open_modbus("plc", server.config)
    assert again.read() == Request()
    again.close()


def test_the_conveyor_behind_moves_when_it_is_read() -> None:
    clock = SimClock()
    conveyor = SimPlc(clock, SimPlcConfig())
    server = SimModbus(conveyor)
    plc = open_modbus("plc", server.config)
    conveyor.start()
    before = plc.read().encoder
    clock.sleep(1.0)
    assert plc.read().encoder != before
    plc.close()
    server.close()
