"""A hold is ended by the reset alone: a station that was killed while it held starts as one that holds."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from tests.line.deadline import until

from sightline.devices.clock import SimClock
from sightline.devices.sim_belt import BeltConfig
from sightline.devices.sim_plc import SimPlc, SimPlcConfig
from sightline.errors import StoreError
from sightline.line.faults import Fault
from sightline.line.handshake import HandshakeConfig
from sightline.line.hold import KeptHold
from sightline.line.images import ImagePolicy, ImageWriter
from sightline.line.metrics import Metrics
from sightline.line.pictures import PictureFolder
from sightline.line.spool import Spool
from sightline.line.station import Station, StationConfig

pytest.importorskip("prometheus_client")
RECIPE = """
product = "part"
number = 1
window_ms = 3000

[plc]
kind = "sim"
trigger_timeout_s = 5.0
belt = {{ challenge_share = {share}, bad_share = 0.0, speed_mm_s = 400.0, gate_mm = 2000.0 }}

[challenge]
when_missed = "stop"

[[views]]
name = "top"
model = "{model}"
reject_at = 250.0                   # it finds nothing
camera = {{ kind = "sim" }}
fitness = {{ frozen_after = 1000 }}

[store]
folder = "."

[pages]
status_port = {port}
"""
STARTED = "from sightline.cli.main import main; main()"


class Process:
    """`sightline line` as somebody starts it, to be killed."""

    def __init__(self, recipe: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/status.json"
        self._process = subprocess.Popen([sys.executable, "-c", STARTED, "line", str(recipe)])

    def until_held(self) -> Mapping[str, Any]:
        until(lambda: self._status().get("error") == Fault.CHALLENGE_MISSED, 120.0)
        return self._status()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60.0)

    def _status(self) -> Mapping[str, Any]:
        assert self._process.poll() is None, "it ended"
        try:
            with urlopen(self.url, timeout=10) as answer:
                found: Mapping[str, Any] = json.loads(answer.read())
        except OSError:  # it has not begun
            return {}
        return found


def test_a_station_that_is_killed_while_it_holds_holds_when_it_is_started_again(
    tmp_path: Path, brightness: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for share in (1.0, 0.0):  # of missed challenge parts: the second station meets none
        recipe = tmp_path / "recipe.toml"
        recipe.write_text(RECIPE.format(share=share, model=brightness, port=port), "utf-8")
        station = Process(recipe, port)
        try:
            status = station.until_held()
        finally:
            station.kill()
        assert status["word"] == "NOT READY"
        assert any(Fault.CHALLENGE_MISSED.cure in alarm for alarm in status["alarms"])
    assert status["counts"]["PASS"] == status["counts"]["REJECT"] == 0


class Held:
    """A station without a recipe, stepped by hand."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimClock()
        self.plc = SimPlc(self.clock, SimPlcConfig(belt=BeltConfig(parts=0), recipe=0))
        self.station = Station(
            StationConfig(name="test", handshake=HandshakeConfig(window_s=1.0), hold_file=folder / "hold.json"),
            self.plc,
            lambda *_: pytest.fail("no recipe is asked for"),
            Spool(folder / "records.db", station="test"),
            ImageWriter(PictureFolder(folder / "pictures"), ImagePolicy()),
            Metrics(),
        )

    def run(self) -> int:
        for _ in range(100):
            self.clock.sleep(0.004)
            self.station.cycle()
        return int(self.station.board.status()["error"])


def test_the_reset_ends_a_hold_for_good(tmp_path: Path) -> None:
    (tmp_path / "hold.json").write_text('{"hold": 113}', "utf-8")
    first = Held(tmp_path)
    assert first.run() == Fault.REFERENCE_OFF
    first.plc.reset()
    assert first.run() == Fault.NO_RECIPE
    assert first.station.board.status()["alarms"] == []
    first.station.close()
    again = Held(tmp_path)
    assert again.run() == Fault.NO_RECIPE
    again.station.close()


@pytest.mark.parametrize("damaged", ["", "{}", "[]", '{"hold": 7}', "\ud800"])
def test_a_file_that_cannot_be_read_holds(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "hold.json").write_bytes(damaged.encode("utf-8", "surrogatepass"))
    assert KeptHold(tmp_path / "hold.json").now is Fault.CHALLENGE_MISSED


def test_a_hold_that_cannot_be_written_is_told_once_and_holds_all_the_same(tmp_path: Path) -> None:
    hold = KeptHold(tmp_path / "gone/hold.json")
    with pytest.raises(StoreError, match=r"hold\.json"):
        hold.keep(Fault.REFERENCE_OFF)
    hold.keep(Fault.REFERENCE_OFF)
    assert hold.now is Fault.REFERENCE_OFF


def test_the_page_says_held_while_the_plc_is_told_of_a_part(tmp_path: Path) -> None:
    (tmp_path / "hold.json").write_text('{"hold": 111}', "utf-8")
    held, told = Held(tmp_path), set[int]()
    held.run()
    held.plc.feed()
    held.plc.start()
    while Fault.MISSED_TRIGGER not in told:
        held.clock.sleep(0.004)
        held.station.cycle()
        told.add(held.plc._answer.error)
        assert held.station.board.status()["error"] == Fault.CHALLENGE_MISSED
    held.station.close()
