"""A web server for tests that answers as it is told and keeps what it was sent."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True, kw_only=True)
class Got:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Reply = Callable[[BaseHTTPRequestHandler, Got], None]


@dataclass(slots=True, kw_only=True)
class Peer:
    """Where it is, and what it got, in order."""

    url: str
    port: int
    got: list[Got] = field(default_factory=list)


def fine(handler: BaseHTTPRequestHandler, _: Got) -> None:
    answer(handler, 200, b"ok")


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(reply: Reply = fine) -> Iterator[Peer]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            got = Got(method=self.command, path=self.path, headers=headers, body=body)
            peer.got.append(got)
            try:
                reply(self, got)
            except OSError:
                self.close_connection = True

        do_GET = do_POST = _handle  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_address[1]
        peer = Peer(url=f"http://127.0.0.1:{port}", port=port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()
