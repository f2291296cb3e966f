"""The station's own page: what it serves, and that nobody can hold it up."""

import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.line.parts import outcome

from sightline.errors import OptionError
from sightline.line import status
from sightline.line.faults import Fault
from sightline.line.fitness import Cause
from sightline.line.german import TEXTS
from sightline.line.metrics import Metrics
from sightline.line.outcome import Kind
from sightline.line.status import StatusServer
from sightline.records import Verdict

pytest.importorskip("prometheus_client")


class Shown:
    def __init__(self) -> None:
        self.ready = True
        self.counted = Metrics()

    def status(self) -> Mapping[str, Any]:
        return {"ready": self.ready, "word": "READY"}

    def overlay(self, part: int) -> bytes | None:
        return b"picture" if part == 7 else None

    def metrics(self) -> bytes:
        return self.counted.page()


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def url(shown: Shown) -> Iterator[str]:
    server = StatusServer(shown)
    yield server.url
    server.close()


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_page_asks_nothing_of_another_machine(url: str) -> None:
    state, page = get(url)
    assert state == 200
    assert b"<title>Sightline" in page
    assert b"http://" not in page
    assert b"https://" not in page


def test_it_says_what_the_station_says(url: str) -> None:
    assert json.loads(get(f"{url}status.json")[1]) == {"ready": True, "word": "READY"}


@pytest.mark.parametrize(("path", "state"), [("parts/7.jpg", 200), ("parts/8.jpg", 404), ("parts/../7.jpg", 404)])
def test_only_pictures_of_parts_that_are_kept_are_served(url: str, path: str, state: int) -> None:
    assert get(url + path)[0] == state


@pytest.mark.parametrize("path", ["nothing", "parts/", "parts/x.jpg", f"parts/{'9' * 400}.jpg", "%00"])
def test_what_there_is_not_is_not_found(url: str, path: str) -> None:
    assert get(url + path)[0] == 404


def test_readiness_is_a_status_code(url: str, shown: Shown) -> None:
    assert get(f"{url}ready")[0] == 200
    shown.ready = False
    assert get(f"{url}ready")[0] == 503


def test_prometheus_reads_the_counts(url: str, shown: Shown) -> None:
    shown.counted.triggered()
    dark = replace(outcome(verdict=Verdict.FAULT, late=True), cause="too_dark")
    shown.counted.decided(dark, 0.02)
    missed = replace(outcome(verdict=Verdict.FAULT, kind=Kind.CHALLENGE), judged=Verdict.PASS)
    shown.counted.decided(missed, 0.02, missed_challenge=True)
    shown.counted.decided(outcome(verdict=Verdict.FAULT), None)
    shown.counted.shadowed("top", "disagreed")
    page = get(f"{url}metrics")[1].decode()
    for line in (
        "sightline_line_triggers_total 1.0",
        'sightline_line_verdicts_total{verdict="FAULT"} 3.0',
        'sightline_line_shadow_total{opinion="disagreed",view="top"} 1.0',
        'sightline_line_faults_total{cause="too_dark"} 1.0',
        "sightline_line_missed_windows_total 1.0",
        "sightline_line_missed_challenges_total 1.0",
        'sightline_line_latency_seconds_bucket{le="0.02"} 2.0',
    ):
        assert line in page


def test_those_who_say_nothing_do_not_keep_others_out_for_good(url: str) -> None:
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(8)]
    assert get(url)[0] == 200
    for one in silent:
        one.close()


def test_a_port_that_is_taken_is_named(shown: Shown, url: str) -> None:
    port = int(url.rstrip("/").rpartition(":")[2])
    with pytest.raises(OptionError, match=str(port)):
        StatusServer(shown, port=port)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_else_can_be_changed(url: str, method: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404" if method == "PUT" else "501"):
        urllib.request.urlopen(urllib.request.Request(url, b"{}", method=method), timeout=30)


def test_it_looks_like_the_console() -> None:
    package = Path(status.__file__).parents[1]
    own = re.findall(r"(--[a-z]+): (#[0-9a-f]+);", (package / "line/page/status.css").read_text("utf-8"))
    shared = (package / "console/assets/console.css").read_text("utf-8")
    known = re.findall(r"(--[a-z]+): (#[0-9a-f]+);", shared)
    assert len(own) == 26
    assert set(own) <= set(known)


def test_every_fault_and_every_word_of_the_page_is_told_in_german() -> None:
    faults = {words for fault in Fault for words in (fault.cause, fault.cure)}
    causes = {cause.value.replace("_", " ") for cause in Cause}
    causes |= {fault.name.lower().replace("_", " ") for fault in Fault if fault.of_a_part}
    page = "".join(path.read_text("utf-8") for path in (Path(status.__file__).parent / "page").iterdir())
    said = set(re.findall(r'data-text="([^"]+)"', page)) | set(re.findall(r'text\("([^"]+)"\)', page))
    assert (faults | causes | said) - set(TEXTS) == set()
