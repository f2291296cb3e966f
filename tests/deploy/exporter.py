"""A station's and a server's counters on one page, for Prometheus to scrape; prints its port."""

import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sightline.line.metrics import Metrics
from sightline.line.outcome import Kind, Outcome
from sightline.records import Verdict

STATION = Metrics()
SERVER = CollectorRegistry()
REQUESTS = Counter("sightline_server_requests", "", ["method", "route", "status"], registry=SERVER)
SECONDS = Histogram("sightline_server_request_seconds", "", ["route"], registry=SERVER)


def fill() -> None:
    for name in ("inspections", "alerts_open", "database_up"):
        Gauge(f"sightline_server_{name}", "", registry=SERVER).set(1)
    for name, label, values in (
        ("disk_free_ratio", "disk", ("store", "pictures")),
        ("jobs", "state", ("waiting", "failed")),
        ("deliveries", "state", ("waiting", "given up")),
        ("station_last_seen_seconds", "station", ("press-3",)),
    ):
        gauge = Gauge(f"sightline_server_{name}", "", [label], registry=SERVER)
        for value in values:
            gauge.labels(value).set(1)


def live() -> None:
    """Something of each, as time passes."""
    STATION.triggered()
    STATION.missed()
    good = Outcome(id="1", part_id=1, product="cap", recipe=1, verdict=Verdict.PASS, unix_s=0.0)
    STATION.decided(good, 0.04)
    STATION.decided(replace(good, verdict=Verdict.REJECT, kind=Kind.CHALLENGE, late=True), 0.05)
    STATION.decided(replace(good, verdict=Verdict.FAULT, cause="camera_lost"), 0.2)
    missed = replace(good, verdict=Verdict.FAULT, kind=Kind.CHALLENGE, cause="challenge_missed")
    STATION.decided(missed, 0.04, missed_challenge=True)
    STATION.restarted("top")
    STATION.now(ready=True, queues={"top": 1}, backlog=5)
    STATION.disk(0.5)
    for status in ("200", "503"):
        REQUESTS.labels("GET", "/x", status).inc()
    SECONDS.labels("/x").observe(0.01)


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        live()
        body = STATION.page() + generate_latest(SERVER)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    fill()
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        print(server.server_address[1], flush=True)
        sys.stdout.close()
        server.serve_forever()
