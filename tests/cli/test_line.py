"""`sightline line`: a whole station as a process, and what one asks it and its records."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from tests.line.deadline import until
from tests.line.parts import outcome

from sightline.cli.line import _run, _write
from sightline.devices.plc import Request
from sightline.devices.sim_camera import SimCamera, SimDevice
from sightline.imaging.decode import read_frame
from sightline.imaging.writing import write_png
from sightline.line import plan
from sightline.line.board import Board
from sightline.line.calibration import take
from sightline.line.history import History
from sightline.line.origin import Origin, Origins
from sightline.line.recipe import View
from sightline.line.spool import Spool
from sightline.line.status import StatusServer
from sightline.line.systemd import Notifier
from sightline.records import Frame, Verdict

Sightline = Callable[..., CompletedProcess[str]]
ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("sightline")
PATIENCE_S = 120.0

RECIPE = """
product = "weave"
number = 4
window_ms = 5000

[plc]
{plc}

[[views]]
name = "top"
model = "part.sight"
{view}

[views.camera]
kind = "sim"
pictures = "{pictures}"

[store]
folder = "records"
"""


@pytest.fixture
def write(model: Path, good: Path) -> Callable[..., Path]:
    """A recipe beside the model of the pictures that its camera shows."""

    def write(*, plc: str = 'kind = "sim"', view: str = "", more: str = "") -> Path:
        path = model.parent / "recipe.toml"
        path.write_text(RECIPE.format(plc=plc, view=view, pictures=good) + more, "utf-8")
        return path

    return write


def test_check_shows_what_follows_from_a_recipe(sightline: Sightline, write: Callable[..., Path]) -> None:
    done = sightline("line", "check", write(view="reject_at = 3.5"))
    assert done.returncode == 0, done.stderr
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert rows["recipe"].strip() == "4, weave"
    assert "5000 ms" in rows["window"]
    assert "top: Sim, part.sight, rejects from 3.5" in rows["view"]


def test_what_is_wrong_with_a_recipe_is_one_line(refused: Callable[..., str], write: Callable[..., Path]) -> None:
    recipe = write()
    (recipe.parent / "part.sight").unlink()
    assert "recipe.toml, line 11: views[0].model: " in refused("line", recipe)


def fade(path: Path, times: float) -> None:
    """What the camera sees now has so many times less light than this picture."""
    pixels = read_frame(path).pixels
    write_png(path, np.clip(pixels * times, 0, 250).astype(np.uint8))


def test_calibrate_writes_the_set_up_and_compares_with_it(sightline: Sightline, write: Callable[..., Path]) -> None:
    recipe = write()
    done = sightline("line", "calibrate", recipe, "--pictures", 2, "--write")
    assert done.returncode == 0, done.stderr
    assert 'add to its [[views]]: reference = "top.png"' in done.stdout
    recipe = write(view='reference = "top.png"')
    done = sightline("line", "calibrate", recipe, "--pictures", 2)
    assert done.returncode == 0, done.stdout
    assert "top: set-up     brightness 0." in done.stdout
    assert done.stdout.count("  fit\n") == 2
    fade(recipe.parent / "top.png", 2.0)
    dark = sightline("line", "calibrate", recipe, "--pictures", 1)
    assert dark.returncode == 1, dark.stdout
    assert "brightness at " in dark.stdout, "half the light of the set-up is not fit"
    recipe = write(view='reference = "top.png"\nfitness = { least_brightness = 0.9 }')
    done = sightline("line", "calibrate", recipe, "--pictures", 1)
    assert (done.returncode, "brightness 0." in done.stdout) == (1, True)


def test_a_camera_of_12_bits_fits_the_set_up_that_was_written_of_it(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(200, 3900, (64, 64, 1), dtype=np.uint16)
    device = SimDevice(lambda _: Frame(pixels=pixels, bit_depth=12, source="top"))
    view = View(name="top", model=tmp_path / "part.sight", camera=None, reference=tmp_path / "top.png")
    with closing(SimCamera("top", device)) as camera:
        _write(tmp_path / "recipe.toml", view, take(camera, view, None, 1))
        assert view.reference is not None
        assert read_frame(view.reference).bit_depth == 12
        again = take(camera, view, plan.reference_of_view(view), 1)
    assert [one.unfit for one in again.fitness] == [()]


def test_verify_finds_what_was_changed(sightline: Sightline, tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with closing(Spool(path, station="test")) as spool:
        spool.record([outcome(number) for number in range(1, 4)])
    assert sightline("line", "verify", tmp_path).returncode == 0
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE parts SET document = replace(document, 'PASS', 'FAIL') WHERE sequence = 2")
        connection.commit()
    done = sightline("line", "verify", path)
    assert done.returncode == 1
    assert "record 2" in done.stdout


def test_where_no_station_runs_its_status_is_an_error(refused: Callable[..., str]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        assert "no station answers" in refused("line", "status", url)


def test_lot_and_tool_are_said_to_a_running_station(
    sightline: Sightline, refused: Callable[..., str], tmp_path: Path
) -> None:
    board = Board("press-1")
    origins = board.origins = Origins(tmp_path / "origin.json")

    class Shown:
        def status(self) -> dict[str, Any]:
            return board.status()

        def overlay(self, part: int) -> bytes | None:
            return None

        def metrics(self) -> bytes:
            return b""

    with closing(StatusServer(Shown(), origins=origins)) as page:
        at = ("--url", page.url)
        said = sightline("line", "lot", "L-7", "--tool", "cavity 2", *at)
        assert said.stdout.split() == ["lot", "L-7", "tool", "cavity", "2"]
        assert origins.now == Origin(lot="L-7", tool="cavity 2")
        assert json.loads(sightline("line", "lot", "", "--json", *at).stdout) == {"lot": "", "tool": "cavity 2"}
        assert "not known" in sightline("line", "lot", *at).stdout
        assert "at most 64" in refused("line", "lot", "x" * 65, *at)
    assert Origins(tmp_path / "origin.json").now == Origin(tool="cavity 2")


def test_systemd_hears_when_the_station_is_ready_and_alive(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        with closing(Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000000"})) as notifier:
            notifier.ready()
            for _ in range(3):
                notifier.alive()
            notifier.stopping()
        assert [systemd.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]
    with closing(Notifier({})) as notifier:
        notifier.ready()  # says nothing


def test_a_station_works_with_a_real_plc_drains_and_its_records_are_whole(
    sightline: Sightline, write: Callable[..., Path], tmp_path: Path
) -> None:
    servers = pytest.importorskip("plc_servers")
    with (
        closing(servers.ModbusServer()) as server,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd,
    ):
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_S)
        page = servers.free_port()
        plc = f'kind = "modbus"\nhost = "127.0.0.1"\nport = {server.port}\ntimeout_s = 2.0'
        recipe = write(plc=plc, more=f"\n[pages]\nstatus_port = {page}\n")
        with _process(recipe, tmp_path) as process, Programme(server) as programme:
            assert systemd.recv(100) == b"READY=1"
            until(lambda: _asked(sightline, page).returncode == 0, PATIENCE_S)
            told = [programme.part(number) for number in (1, 2, 3)]
            assert "ok" in told, told  # the pictures are those that the model learnt
            assert "PASS" in _asked(sightline, page).stdout
            write(plc=plc, view="reject_at = -1000", more=f"\n[pages]\nstatus_port = {page}\n")
            process.send_signal(signal.SIGHUP)
            while "ng" not in told[3:]:
                assert len(told) < 5_000, "the changed recipe is not put to work"
                told.append(programme.part(len(told) + 1))
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
            assert systemd.recv(100) == b"STOPPING=1"
            assert not server.heard().ready
    log = [json.loads(line) for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    assert any("asked to stop by SIGTERM" in entry["message"] for entry in log)
    records = recipe.parent / "records"
    assert sightline("line", "verify", records).returncode == 0
    with closing(History(records / "records.db")) as history:
        found = {record.part_id: record.verdict for record in history.newest(10_000)}
    assert found.keys() == set(range(1, len(told) + 1))
    assert [found[number] is Verdict.PASS for number in found] == [told[number - 1] == "ok" for number in found]


def test_a_second_signal_to_stop_ends_at_once() -> None:
    said: list[str] = []

    def run(alive: Callable[[], None]) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(os.getpid(), number)
            alive()

    station = {name: lambda name=name: said.append(name) for name in ("stop", "end", "renew")}
    line = SimpleNamespace(
        run=run, urls=(), recipe=SimpleNamespace(number=1, product="weave"), station=SimpleNamespace(**station)
    )
    with closing(Notifier({})) as systemd:
        _run(cast(Any, line), systemd)
    assert said == ["stop", "renew", "end"]


def _asked(sightline: Sightline, port: int) -> CompletedProcess[str]:
    return sightline("line", "status", f"http://127.0.0.1:{port}/")


@contextmanager
def _process(recipe: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"NOTIFY_SOCKET": str(folder / "notify")}
    with (folder / "log").open("wb") as log:
        words: list[str | Path] = [COMMAND, "line", recipe, "--json-log", "--name", "test"]
        with subprocess.Popen(words, stderr=log, env=environment) as process:
            try:
                yield process
            finally:
                process.kill()


class Programme:
    """A PLC's programme: a heartbeat, and parts one after another."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._request: dict[str, object] = {"enabled": True, "recipe": 4}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="plc")

    def __enter__(self) -> "Programme":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def part(self, number: int) -> str:
        """Announce a part, take its result, acknowledge it; what the station said of it."""
        heard = self._server.heard
        until(lambda: heard().ready, PATIENCE_S)
        self._say(trigger=True, part_id=number)
        until(lambda: heard().taken and heard().taken_id == number, PATIENCE_S)
        self._say(trigger=False)
        until(lambda: heard().valid and heard().result_id == number, PATIENCE_S)
        answer = heard()
        self._say(acknowledged_id=number)
        until(lambda: not heard().valid, PATIENCE_S)
        return "ok" if answer.ok else "ng" if answer.ng else "fault"

    def _say(self, **signals: object) -> None:
        with self._lock:
            self._request |= signals

    def _beat(self) -> None:
        beat = 0
        while not self._ending.wait(0.02):
            beat += 1
            with self._lock:
                request = Request(heartbeat=beat % 2**16, **self._request)  # type: ignore[arg-type]
            self._server.say(request)
