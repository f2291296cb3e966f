"""What stands around a station in the trials: cameras that push pictures, and what asks for its pages."""

import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, cast

import pytest
from tests.line.deadline import until

pytest.importorskip("pymodbus")
pytest.importorskip("asyncua")
pytest.importorskip("snap7")
pytest.importorskip("paho.mqtt")

import soak_scraper
import soak_surroundings
from brightness import brightness_stock
from plc_servers import free_port
from sightline.devices.http_camera import HttpCamera, HttpConfig
from sightline.devices.sim_belt import BeltPart, Truth

PATIENCE_S = 60.0
PARTS = [BeltPart(number=number, truth=Truth.GOOD, place_mm=0.0) for number in range(1, 31)]


class Sensor:
    """Has seen all parts when it is first asked, as where the machine stood still."""

    def sensed(self, after: int) -> list[tuple[int, BeltPart]]:
        return [(part.number, part) for part in PARTS if part.number > after]


def test_a_camera_that_is_behind_catches_up_and_is_closed_when_all_is_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_surroundings, "EXPOSURE_S", 2.0)
    with closing(HttpCamera("top", HttpConfig(port=0))) as camera:
        began_s = time.monotonic()
        view = brightness_stock().views[0]
        cameras = soak_surroundings.PushedCameras(
            cast(Any, Sensor()), brightness_stock(), {view: camera.port}, named=True
        )
        came = [camera.grab(PATIENCE_S).part_id for _ in PARTS[:26]]
        cameras.close()
        cameras.close()
        came += [camera.grab(PATIENCE_S).part_id for _ in PARTS[26:]]
        took_s = time.monotonic() - began_s
    assert came == [part.number for part in PARTS]
    assert cameras.failed == []
    assert 2.0 <= cameras.slowest_s <= took_s < 10 * 2.0, "all were exposed at once"


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"here")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def page() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_that_does_not_answer_while_the_station_works_is_told(
    page: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak_scraper, "EVERY_S", 0.01)
    with closing(soak_scraper.Scraper(f"http://127.0.0.1:{page.server_address[1]}/")) as scraper:
        until(lambda: scraper.answered > 0, PATIENCE_S)
        assert scraper.broken() == []
        page.socket.close()
        until(lambda: bool(scraper.failed), PATIENCE_S)
    assert "was not answered" in scraper.broken()[0]
    with closing(soak_scraper.Scraper(f"http://127.0.0.1:{free_port()}/")) as scraper:
        until(lambda: bool(scraper.failed), PATIENCE_S)
    assert "status page and metrics were never answered" in scraper.broken()
