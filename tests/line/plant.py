"""A plant server on this machine, with the outages and refusals that a test wants."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(slots=True)
class Plant:
    """What the server has, and how it behaves."""

    ids: list[str] = field(default_factory=list)  # in the order in which they came, each once
    lines: list[str] = field(default_factory=list)
    repeated: int = 0
    requests: int = 0
    tokens: set[str | None] = field(default_factory=set)
    poison: set[str] = field(default_factory=set)
    tried: dict[str, int] = field(default_factory=dict)  # poison sent alone -> how often
    status: int = 200  # of all answers
    forgetful: int = 0  # how many answers from now on are lost after the records were taken
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes | None = None  # instead of the confirmation
    clocks: list[float] = field(default_factory=list)  # what stations said their time is
    pictures: dict[tuple[str, str], bytes] = field(default_factory=dict)  # by record and view
    puts: int = 0
    picture_status: int = 200  # of all answers to pictures
    bad_views: set[str] = field(default_factory=set)  # pictures of these are refused
    batches: list[int] = field(default_factory=list)  # pictures in each request with several
    batch_status: int = 200  # of all answers to those
    bulletins: list[tuple[str, bytes]] = field(default_factory=list)  # station, what it says of itself
    unheard: int = 0  # how many answers to those are lost from now on, after the pictures were taken

    def take(self, body: str) -> tuple[int, bytes]:
        lines = body.splitlines()
        ids = [json.loads(line)["id"] for line in lines]
        bad = self.poison & set(ids)
        if bad:
            if len(ids) == 1:
                self.tried[ids[0]] = self.tried.get(ids[0], 0) + 1
            return 422, b"no such recipe"
        known = set(self.ids[-2000:])
        for id_, line in zip(ids, lines, strict=True):
            if id_ in known:
                self.repeated += 1
            else:
                self.ids.append(id_)
                self.lines.append(line)
        return 200, json.dumps({"through": ids[-1]}).encode()

    def put(self, path: str, headers: Message, body: bytes) -> int:
        words = path.split("/")
        if words[:4] != ["", "api", "v1", "inspections"] or words[5:6] + words[7:] != ["views", "picture"]:
            return 405
        if headers["X-Sightline-Digest"] != hashlib.sha256(body).hexdigest() or headers["Content-Type"] != "image/png":
            return 422
        return self._keep(words[4], words[6], body)

    def put_all(self, body: bytes) -> bytes:
        line, _, files = body.partition(b"\n")
        told = []
        for one in json.loads(line)["pictures"]:
            content, files = files[: one["size_bytes"]], files[one["size_bytes"] :]
            assert hashlib.sha256(content).hexdigest() == one["digest"]
            status = self._keep(one["inspection"], one["view"], content)
            status = self.picture_status if self.picture_status != 200 else 200 if status == 204 else status
            told.append({"digest": one["digest"], "status": status, "detail": "" if status == 200 else "bad"})
        self.batches.append(len(told))
        return json.dumps({"pictures": told}).encode()

    def _keep(self, record: str, view: str, body: bytes) -> int:
        if view in self.bad_views:
            return 422
        if record not in self.ids:
            return 404
        if self.picture_status == 200:
            self.pictures[record, view] = body
        return 204


class PictureHandler(BaseHTTPRequestHandler):
    """Takes several pictures in one request."""

    def take_several(self, plant: Plant) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = plant.put_all(body) if plant.batch_status == 200 else b"not found"
        if plant.unheard:
            plant.unheard -= 1
            self.close_connection = True
            return
        self.send_response(plant.batch_status)
        self.end_headers()
        self.wfile.write(content)


class PlantServer:
    """Serves a `Plant` on a port of its own until it is closed."""

    def __init__(self, plant: Plant, port: int = 0) -> None:
        class Handler(PictureHandler):
            def do_POST(self) -> None:
                if self.path == "/api/v1/ingest/pictures":
                    self.take_several(plant)
                    return
                plant.requests += 1
                plant.tokens.add(self.headers["Authorization"])
                plant.clocks.append(float(self.headers["X-Sightline-Clock"]))
                body = self.rfile.read(int(self.headers["Content-Length"])).decode("ascii")
                status, content = (plant.status, b"") if plant.status != 200 else plant.take(body)
                if plant.forgetful:
                    plant.forgetful -= 1
                    self.close_connection = True
                    return
                self.send_response(status)
                for key, value in plant.headers.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(content if plant.answer is None else plant.answer)

            def do_PUT(self) -> None:
                plant.puts += 1
                plant.tokens.add(self.headers["Authorization"])
                body = self.rfile.read(int(self.headers["Content-Length"]))
                where = urlsplit(self.path)
                if where.path == "/api/v1/ingest/status":
                    plant.bulletins.append((parse_qs(where.query)["station"][0], body))
                    self.send_response(200)
                    self.end_headers()
                    return
                status = plant.picture_status
                if status == 200:
                    status = plant.put(self.path, self.headers, body)
                self.send_response(status)
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/records"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
