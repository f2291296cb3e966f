"""`sightline line RECIPE` beside `sightline serve`, both as users start them: what is lost on the way comes again."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.cli.test_line import Programme
from tests.line.deadline import until
from tests.service.test_serve import DEADLINE_S, Running, running
from tests.service.test_station_reports import STATION, Site

from brightness import write_brightness
from sightline.line.history import History

pytest.importorskip("pymodbus")
pytest.importorskip("nicegui")
from plc_servers import ModbusServer, free_port

PITCH_S = 0.25  # each part has its picture: also a busy machine triggers the camera while it is nearest
RECIPE = """
product = "cap"
number = 4
window_ms = 20000

[plc]
kind = "modbus"
host = "127.0.0.1"
port = {plc}
timeout_s = 2.0

[[views]]
name = "top"
model = "brightness.sight"

[views.camera]
kind = "sim"
pictures = "pictures"

[store]
folder = "records"

[store.images]
policy = "all"
alarm_share = 0.0
reserve_share = 0.0

[plant]
url = "{url}/api/v1/ingest"
token_file = "{token}"
pictures = true
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "plant").mkdir()
    return Site(tmp_path / "plant")


def test_a_server_killed_and_started_again_has_all_that_the_line_recorded_once_and_in_order(
    site: Site, tmp_path: Path
) -> None:
    port = free_port()
    options = ("--folder", str(site.folder), "--port", str(port))
    with closing(ModbusServer()) as plc, Programme(plc) as programme:
        path = recipe(tmp_path, plc.port, f"http://127.0.0.1:{port}", site.token)
        with line(path) as process, running(*options) as server:
            for number in range(1, 5):
                programme.part(number)
                time.sleep(PITCH_S)
            until(lambda: len(reported(site, server)) >= 2, DEADLINE_S)
            server.process.kill()
            server.process.wait()
            for number in range(5, 13):
                programme.part(number)
                time.sleep(PITCH_S)
            with running(*options) as again:
                for number in range(13, 16):
                    programme.part(number)
                    time.sleep(PITCH_S)
                until(lambda: len(reported(site, again)) >= 15 and all(pictures(site, again)), DEADLINE_S)
                found, shown = reported(site, again), pictures(site, again)
                (station,) = site.seen(again, "/api/v1/stations")
                process.send_signal(signal.SIGTERM)
                assert process.wait(DEADLINE_S) == 0
                assert again.stop() == 0
    with closing(History(tmp_path / "records/records.db")) as history:
        assert [one["id"] for one in found] == [one.id for one in history.after(0, 1000)]
    kept = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "records").rglob("*.png")}
    assert set(shown) == kept
    assert [one["part_number"] for one in found] == list(range(1, 16))
    assert {one["verdict"] for one in found} >= {"PASS", "REJECT"}
    assert (station["name"], station["last_sequence"], station["breaks"]) == (STATION, 15, 0)


def recipe(folder: Path, plc: int, url: str, token: Path) -> Path:
    """A recipe with all that it names: of four pictures that the camera shows in turn, one is of a bad part."""
    write_brightness(folder / "brightness.sight")
    (folder / "pictures").mkdir()
    for number, brightest in enumerate((90, 91, 92, 200)):
        pixels = np.random.default_rng(number).integers(20, 90, (24, 32)).astype(np.uint8)
        pixels[0, 0] = brightest
        assert cv2.imwrite(str(folder / f"pictures/{number}.png"), pixels)
    path = folder / "cap.toml"
    path.write_text(RECIPE.format(plc=plc, url=url, token=token), "utf-8")
    return path


@contextmanager
def line(recipe: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A station's process."""
    program = "from sightline.cli.main import main; main()"
    words = [sys.executable, "-c", program, "line", str(recipe), "--name", STATION]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        (recipe.parent / "line.log").open("wb") as log,
        subprocess.Popen(words, stderr=log, env=environment) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def reported(site: Site, server: Running) -> list[Any]:
    """What the server has, in the order of its coming."""
    items: list[Any] = site.seen(server, "/api/v1/inspections/since?number=0&limit=500")["items"]
    return items


def pictures(site: Site, server: Running) -> list[str | None]:
    """What it has of their views, by their content; a part that nobody looked at has none."""
    return [view["picture"] for one in reported(site, server) for view in one["views"]]
