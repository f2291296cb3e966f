"""Lot and tool of the parts that come: what is taken, what is kept, and who may say it."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.line.parts import outcome

from sightline.errors import OptionError
from sightline.line.board import Board
from sightline.line.origin import Origin, Origins, origin_changes
from sightline.line.outcome import content
from sightline.line.status import StatusServer


@pytest.fixture
def origins(tmp_path: Path) -> Origins:
    return Origins(tmp_path / "origin.json")


@pytest.fixture
def url(origins: Origins) -> Iterator[str]:
    class Shown:
        def status(self) -> Mapping[str, Any]:
            return {"ready": True}

        def overlay(self, part: int) -> bytes | None:
            return None

        def metrics(self) -> bytes:
            return b""

    server = StatusServer(Shown(), origins=origins)
    yield server.url
    server.close()


def put(url: str, body: bytes, **headers: str) -> tuple[int, str]:
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, sent, method="PUT"), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_what_was_said_is_kept_over_a_restart_and_the_other_one_stays(origins: Origins, tmp_path: Path) -> None:
    assert origins.now == Origin()
    origins.change(lot="L-1", tool="Nest 2")
    origins.change(lot="L-2")
    assert Origins(tmp_path / "origin.json").now == Origin(lot="L-2", tool="Nest 2")
    assert origins.change(lot="", tool="") == Origin()


@pytest.mark.parametrize("lot", ["x" * 65, "a\nb", " a", "a ", "\ud800"])
def test_what_no_record_should_hold_is_refused_and_changes_nothing(origins: Origins, lot: str) -> None:
    origins.change(lot="L-1")
    with pytest.raises(OptionError, match="at most 64 printable characters"):
        origins.change(lot=lot)
    assert origins.now == Origin(lot="L-1")


@pytest.mark.parametrize("wrong", [None, [], {}, {"lot": 7}, {"lot": "a", "mould": "b"}])
def test_only_lot_and_tool_can_be_said(wrong: object) -> None:
    with pytest.raises(OptionError):
        origin_changes(wrong)


@pytest.mark.parametrize("damaged", ["", "{", '{"lot": 7}', '{"lot": "' + 99 * "x" + '"}'])
def test_a_file_that_cannot_be_used_stops_no_station(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "origin.json").write_text(damaged)
    assert Origins(tmp_path / "origin.json").now == Origin()


def test_it_is_said_over_the_station_s_page(origins: Origins, url: str) -> None:
    assert put(f"{url}origin", b'{"lot": "L-7", "tool": "2"}') == (200, '{"lot": "L-7", "tool": "2"}')
    assert origins.now == Origin(lot="L-7", tool="2")


@pytest.mark.parametrize(
    ("path", "body", "headers", "state"),
    [
        pytest.param("origin", b"{", {}, 400, id="no JSON"),
        pytest.param("origin", b'{"lot": 7}', {}, 400, id="no text"),
        pytest.param("origin", b"[" * 4000, {}, 400, id="nested"),
        pytest.param("origin", b" " * 5000, {}, 413, id="too long"),
        pytest.param("status.json", b'{"lot": "L"}', {}, 404, id="another place"),
        pytest.param("origin", b'{"lot": "L"}', {"Content_Type": "text/plain"}, 415, id="as a page of another site"),
        pytest.param("origin", b'{"lot": "L"}', {"Host": "evil.example:80"}, 403, id="by a name that leads here"),
    ],
)
def test_what_is_wrong_or_comes_from_elsewhere_changes_nothing(
    origins: Origins, url: str, path: str, body: bytes, headers: dict[str, str], state: int
) -> None:
    assert put(url + path, body, **headers)[0] == state
    assert origins.now == Origin()


def test_the_board_shows_it_and_records_hold_it(origins: Origins) -> None:
    board = Board("line-1")
    assert (board.status()["lot"], board.status()["tool"]) == ("", "")
    board.origins = origins
    origins.change(lot="L-7", tool="2")
    assert (board.status()["lot"], board.status()["tool"]) == ("L-7", "2")
    recorded = json.loads(json.dumps(content(outcome(lot="L-7", tool="2"))))
    assert (recorded["lot"], recorded["tool"]) == ("L-7", "2")
