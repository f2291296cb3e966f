"""Pictures over HTTP, from senders of every kind."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.devices.conftest import LOOPBACK, PATIENCE_S, picture, png, post

from sightline.devices import http_camera
from sightline.devices.frame_buffer import CAPACITY
from sightline.devices.http_camera import HttpCamera, HttpConfig
from sightline.errors import DeviceError, FrameError, OptionError


@contextmanager
def listening(config: HttpConfig) -> Iterator[HttpCamera]:
    camera = HttpCamera("top", config)
    try:
        yield camera
    finally:
        camera.close()


def test_a_picture_arrives_as_it_was_sent() -> None:
    with listening(HttpConfig(port=0)) as camera:
        assert post(camera.port, png(3)) == (202, b'{"number": 0}\n')
        shot = camera.grab(PATIENCE_S)
        assert np.array_equal(shot.frame.pixels, picture(3))
        assert (shot.number, shot.lost) == (0, 0)


def test_a_sender_that_knows_whose_picture_it_is_says_so() -> None:
    with listening(HttpConfig(port=0)) as camera:
        assert post(camera.port, png(3), **{"Part-Id": "4294967295"})[0] == 202
        assert camera.grab(PATIENCE_S).part_id == 4294967295
        assert post(camera.port, png(3))[0] == 202
        assert camera.grab(PATIENCE_S).part_id is None
        for wrong in ("0", "-1", "4294967296", "seven", ""):
            status, answer = post(camera.port, png(3), **{"Part-Id": wrong})
            assert status == 400
            assert "1 to 4294967295" in json.loads(answer)["error"]


def test_where_too_many_wait_the_oldest_gives_way_and_is_counted_as_lost() -> None:
    with listening(HttpConfig(port=0)) as camera:
        statuses = [post(camera.port, png(number))[0] for number in range(CAPACITY + 2)]
        assert statuses == [202] * (CAPACITY + 2)
        shots = [camera.grab(PATIENCE_S) for _ in range(CAPACITY)]
        assert [(shot.number, shot.lost) for shot in shots] == [(2, 2), *((number, 0) for number in range(3, 6))]


def test_a_picture_that_cannot_be_decoded_is_told_to_both_sides() -> None:
    with listening(HttpConfig(port=0)) as camera:
        status, answer = post(camera.port, png(1)[:500])
        message = json.loads(answer)["error"]
        assert status == 400
        assert "cut short" in message
        assert "\n" not in message
        with pytest.raises(FrameError, match="cut short"):
            camera.grab(PATIENCE_S)


def test_without_the_token_nothing_is_taken(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token-of-the-line\n")
    with listening(HttpConfig(port=0, token_file=tmp_path / "token")) as camera:
        assert post(camera.port, png(1))[0] == 401
        assert post(camera.port, png(1), Authorization="Bearer another-token-here")[0] == 401
        assert post(camera.port, png(1), Authorization="Bearer a-token-of-the-line")[0] == 202


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("POST / HTTP/1.1", {}, 411),
        ("POST / HTTP/1.1", {"Content-Length": "-5"}, 411),
        ("POST / HTTP/1.1", {"Content-Length": "99999999999"}, 413),
        ("POST /other HTTP/1.1", {"Content-Length": "5"}, 404),
        ("GET / HTTP/1.1", {}, 501),
    ],
)
def test_what_is_no_proper_request_is_refused(request_line: str, headers: dict[str, str], status: int) -> None:
    with listening(HttpConfig(port=0)) as camera:
        method, path, _ = request_line.split()
        connection = http.client.HTTPConnection(LOOPBACK, camera.port, timeout=PATIENCE_S)
        connection.putrequest(method, path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status == status
        connection.close()


def test_slow_senders_are_cut_off_and_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_camera, "_LONGEST_S", 0.5)
    with listening(HttpConfig(port=0)) as camera:
        slow = [socket.create_connection((LOOPBACK, camera.port), PATIENCE_S) for _ in range(20)]
        for connection in slow:
            assert connection.recv(1) == b""  # never an answer, and never for ever
            connection.close()
        assert post(camera.port, png(1))[0] == 202


def test_an_address_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with listening(HttpConfig(port=0)) as camera, pytest.raises(DeviceError, match="Give another port"):
        HttpCamera("second", HttpConfig(port=camera.port))
    with pytest.raises(OptionError, match="give a token_file"):
        HttpConfig(host="0.0.0.0")
    (tmp_path / "token").write_text("short")
    with pytest.raises(OptionError, match="5 characters"):
        HttpCamera("top", HttpConfig(port=0, token_file=tmp_path / "token"))
