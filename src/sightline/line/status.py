"""The station's own page, for the person beside the line: what it does now, and what to do when it does not.

It is served by the station itself, to this machine only unless told otherwise, and works when the plant server is away.

    /             the page, with status.css, status.js and german.json         /status.json  what it shows
    /parts/N.jpg  an overlay         /metrics      for Prometheus        /ready  200 while parts are taken, else 503
    PUT /origin   {"lot": L, "tool": T}, either may be left out: what parts are of from now on; line/origin.py

It is only looked at, but for that one change, which this machine alone may make, and no page of another site through a
browser on it; the page has a form for it where it is opened on this machine.
"""

import ipaddress
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from sightline.devices.pooled_server import PooledServer
from sightline.errors import InspectionError, OptionError
from sightline.line.german import TEXTS
from sightline.line.metrics import CONTENT_TYPE
from sightline.line.origin import Origins, origin_changes

_PAGE = Path(__file__).parent / "page"
_FILES = {
    "/": ("status.html", "text/html; charset=utf-8"),
    "/status.css": ("status.css", "text/css; charset=utf-8"),
    "/status.js": ("status.js", "text/javascript; charset=utf-8"),
}
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
_MOST_AT_ONCE = 16  # requests; a station serves a screen or two, and Prometheus
_TIMEOUT_S = 5.0
_MOST_BYTES = 4096  # of a change
_MOST_TAKEN = 1 << 16  # bytes of one that is refused
_JSON = "application/json"
_CLOSING_POLL_S = 0.1


class Shown(Protocol):
    """What a page can be asked for."""

    def status(self) -> Mapping[str, Any]: ...

    def overlay(self, part: int) -> bytes | None: ...

    def metrics(self) -> bytes: ...


class StatusServer:
    """Serves the page until it is closed."""

    def __init__(self, shown: Shown, host: str = "127.0.0.1", port: int = 0, *, origins: Origins | None = None) -> None:
        """Begin to serve.

        Args:
            port: 0 takes a free one; `url` says which.
            origins: what may be changed; None: nothing.

        Raises:
            OptionError: the port is taken.
        """
        try:
            self._server = _Server((host, port), _handler(shown, origins))
        except OSError as error:
            raise OptionError(f"port {port} of {host} cannot be used ({error.strerror}). Choose another.") from error
        self.url = f"http://{host}:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_CLOSING_POLL_S,), name="status page")
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(PooledServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__(address, handler, _MOST_AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no news."""


def _handler(shown: Shown, origins: Origins | None) -> type[BaseHTTPRequestHandler]:
    pages: dict[str, Callable[[], tuple[str, bytes]]] = {
        "/german.json": lambda: (_JSON, json.dumps(TEXTS).encode()),
        "/status.json": lambda: (_JSON, json.dumps(shown.status()).encode()),
        "/metrics": lambda: (CONTENT_TYPE, shown.metrics()),
    }

    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path in _FILES:
                name, kind = _FILES[path]
                self._send(HTTPStatus.OK, kind, (_PAGE / name).read_bytes())
            elif path in pages:
                self._send(HTTPStatus.OK, *pages[path]())
            elif path == "/ready":
                ready = bool(shown.status()["ready"])
                state = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                self._send(state, "text/plain", b"ready\n" if ready else b"not ready\n")
            elif (picture := _overlay(path, shown)) is not None:
                self._send(HTTPStatus.OK, "image/jpeg", picture)
            else:
                self._send(HTTPStatus.NOT_FOUND, "text/plain", b"there is no such page\n")

        def do_PUT(self) -> None:
            if self.path == "/origin" and origins is not None:
                state, words = _changed(self, origins)
            else:
                state, words = HTTPStatus.NOT_FOUND, "there is nothing to change here\n"
            self._send(state, _JSON if state is HTTPStatus.OK else "text/plain; charset=utf-8", words.encode())

        def _send(self, state: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(state)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Content-Security-Policy", _POLICY)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """The line's log is for the line."""

    return Handler


def _changed(request: BaseHTTPRequestHandler, origins: Origins) -> tuple[HTTPStatus, str]:
    """Do what a request asks for, and what to answer."""
    length = request.headers.get("Content-Length", "")
    length_bytes = int(length) if length.isascii() and length.isdigit() and len(length) < 10 else 0
    body = request.rfile.read(min(length_bytes, _MOST_TAKEN))  # an answer before all was sent would not arrive
    host = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    if not (_here(request.client_address[0]) and _here(host)):
        return HTTPStatus.FORBIDDEN, "lot and tool are changed at the station itself\n"
    if request.headers.get_content_type() != _JSON:  # which a page of another site may not send without being asked
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {_JSON}\n"
    if length_bytes > _MOST_BYTES:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {_MOST_BYTES} bytes\n"
    try:
        return HTTPStatus.OK, json.dumps(asdict(origins.change(**origin_changes(json.loads(body)))))
    except (ValueError, RecursionError, InspectionError) as error:
        return HTTPStatus.BAD_REQUEST, f"{error}\n"


def _here(host: str) -> bool:
    """Whether it is this machine; a name of elsewhere may lead here, so that only its own is taken."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _overlay(path: str, shown: Shown) -> bytes | None:
    folder, _, name = path.rpartition("/")
    number = name.removesuffix(".jpg")
    if folder != "/parts" or not (number.isascii() and number.isdigit()) or len(number) > 20:
        return None
    return shown.overlay(int(number))
