"""A line that reports parts to a plant server by its API, as a station does: for benchmarks of live pages."""

import hashlib
import http.client
import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sightline.line.events import Signal
from sightline.line.outcome import FIRST, Ids, Outcome, ViewOutcome, content, digest, document
from sightline.records import Verdict

_TIMEOUT_S = 30.0
_EVERY = {Verdict.REJECT: 20, Verdict.REVIEW: 97, Verdict.FAULT: 211}  # of so many parts, one
_THRESHOLD = 1.0
_KEPT = 10_000  # parts


@dataclass(slots=True, kw_only=True, eq=False)
class Line:
    """One station of a server."""

    url: str
    key: str  # empty: the server has no login
    station: str
    pictures: Sequence[Path] = ()  # of parts that do not pass; none: no pictures are sent
    sent: int = 0
    sent_s: dict[str, float] = field(default_factory=dict)  # of the last parts: wall clock before, by serial number
    failures: int = 0
    _previous: str = FIRST
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _ids: Ids = field(default_factory=Ids)

    def run(self, rate: float, stop: threading.Event) -> None:
        """Report so many parts a second until it is stopped; what a slow server delays by over a second is left out."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_TIMEOUT_S)
        due_s = time.monotonic()
        while not stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + 1 / rate, time.monotonic() - 1)
            self.report(connection)
        connection.close()

    def report(self, connection: http.client.HTTPConnection) -> None:
        """One part, and its picture where there is one to be sent."""
        number = next(self._numbers)
        part = _outcome(number, self._ids.new(), f"{self.station}-{number}")
        line = document(content(part), number, self._previous, self.station)
        self._previous = digest(line)
        self.sent_s[part.serial] = time.time()
        self.sent += 1
        if len(self.sent_s) > _KEPT:
            del self.sent_s[next(iter(self.sent_s))]
        self._send(connection, "POST", "/api/v1/ingest", line.encode(), {"Content-Type": "application/x-ndjson"})
        if self.pictures and part.verdict is not Verdict.PASS:
            body = self.pictures[number % len(self.pictures)].read_bytes()
            named = {"Content-Type": "image/png", "X-Sightline-Digest": hashlib.sha256(body).hexdigest()}
            self._send(connection, "PUT", f"/api/v1/inspections/{part.id}/views/top/picture", body, named)

    def _send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> None:
        known = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        connection.request(method, path, body, headers | known)
        reply = connection.getresponse()
        reply.read()
        self.failures += reply.status >= 400


def _outcome(number: int, known_as: str, serial: str) -> Outcome:
    verdict = next((verdict for verdict, every in _EVERY.items() if number % every == 0), Verdict.PASS)
    failed = verdict is Verdict.FAULT
    score = None if failed else 1.4 if verdict is Verdict.REJECT else 0.2 + (number * 37 % 61) / 100
    cause, reason = ("view_missing", "the camera did not answer") if failed else (None, None)
    view = ViewOutcome(
        view="top", verdict=verdict, score=score, threshold=_THRESHOLD, model_id="", cause=cause, reason=reason
    )
    return Outcome(
        id=known_as,
        part_id=number,
        product="cap",
        recipe=1,
        verdict=verdict,
        judged=None if failed else verdict,
        told=Signal.FAULT if failed else Signal.OK if verdict is Verdict.PASS else Signal.NG,
        unix_s=time.time(),
        serial=serial,
        score=score,
        cause=cause,
        reason=reason,
        durations_ms={"total": 45.0 + number * 13 % 41},
        views=(view,),
    )
