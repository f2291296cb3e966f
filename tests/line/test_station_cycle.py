"""One cycle of the station beside a PLC that takes its time or does not listen."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sightline.devices.plc import Answer, Request
from sightline.errors import DeviceTimeout, OptionError
from sightline.line.faults import Fault
from sightline.line.handshake import HandshakeConfig
from sightline.line.images import ImagePolicy, ImageWriter
from sightline.line.metrics import Metrics
from sightline.line.pictures import PictureFolder
from sightline.line.setup import Setup
from sightline.line.spool import Spool
from sightline.line.station import Station, StationConfig
from sightline.line.tracking import Gate, Tracker, track_of
from sightline.line.view import Seen

pytest.importorskip("prometheus_client")
LONGEST_CYCLE_S = 0.2


class Plc:
    """Lives, and answers as the test has it."""

    def __init__(self) -> None:
        self.reading_s, self.listens = 0.0, True
        self.recipe = 0  # asked for
        self.heard: list[Answer] = []
        self._beat = 0

    def read(self) -> Request:
        time.sleep(self.reading_s)
        self._beat += 1
        return Request(enabled=True, encoder=10 * self._beat, recipe=self.recipe, heartbeat=self._beat)

    def write(self, answer: Answer) -> None:
        if not self.listens:
            raise DeviceTimeout("plc", "it refuses what is written.")
        self.heard.append(answer)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def plc() -> Plc:
    return Plc()


@pytest.fixture
def station(plc: Plc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    """Whose tracker says at all times that the gate may be open."""
    monkeypatch.setattr(Tracker, "step", lambda *_: Gate(open=True))
    track = track_of(
        counts_per_mm=10.0, speed_mm_s=100.0, gate_mm=300.0, pitch_mm=150.0, before_mm=20.0, after_mm=20.0,
        open_s=0.01, shut_s=0.01, cycle_s=LONGEST_CYCLE_S, watch_s=0.05,
    )  # fmt: skip
    config = StationConfig(
        name="test",
        handshake=HandshakeConfig(window_s=0.5, plc_timeout_s=0.3, heartbeat_s=0.0),
        track=track,
        longest_cycle_s=LONGEST_CYCLE_S,
    )
    pictures = PictureFolder(tmp_path / "pictures")
    images, spool = ImageWriter(pictures, ImagePolicy()), Spool(tmp_path / "records.db", station="test")
    made = Station(config, plc, _no_recipe, spool, images, Metrics())
    yield made
    made.close()
    pictures.close()
    spool.close()


def _no_recipe(recipe: int, tell: Callable[[Seen], None]) -> Setup:
    raise OptionError(f"recipe {recipe}: there is none for {tell}.")


def test_a_cycle_that_took_long_does_not_open_the_gate_for_where_parts_were(station: Station, plc: Plc) -> None:
    for _ in range(3):
        station.cycle()
    assert plc.heard[-1].gate_open
    plc.reading_s = LONGEST_CYCLE_S + 0.02
    station.cycle()
    assert not plc.heard[-1].gate_open
    plc.reading_s = 0.0
    station.cycle()
    assert plc.heard[-1].gate_open, "the count is of now again"


def test_a_plc_that_hears_nothing_is_lost(station: Station, plc: Plc) -> None:
    for _ in range(3):
        station.cycle()
    assert station.board.status()["error"] != Fault.PLC_LOST
    plc.listens = False
    station.cycle()
    end_s = time.monotonic() + 0.6
    while time.monotonic() < end_s:
        station.cycle()
        assert not station.board.status()["ready"]
    assert station.board.status()["error"] == Fault.PLC_LOST
    plc.listens = True
    for _ in range(3):
        station.cycle()
    assert station.board.status()["error"] != Fault.PLC_LOST
    assert plc.heard[-1].gate_open


def test_a_station_that_ends_begins_to_load_no_recipe(station: Station, plc: Plc) -> None:
    for _ in range(3):
        station.cycle()
    station.stop()
    plc.recipe = 2
    end_s = time.monotonic() + 0.2
    while time.monotonic() < end_s:
        station.cycle()
    assert not station.board.status()["alarms"], "there is no recipe 2, which would be told"
