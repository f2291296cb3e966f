"""Pictures that are pushed over HTTP: `POST /` with the file as its body, and `Part-Id` where the sender knows it."""

import hmac
import json
import socket
import threading
import time
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from sightline.devices.camera import Shot
from sightline.devices.frame_buffer import Circumstances, FrameBuffer
from sightline.devices.plc import LARGEST_PART_ID
from sightline.devices.pooled_server import PooledServer
from sightline.errors import DeviceError, FrameError, OptionError
from sightline.imaging.decode import decode

_CONNECTIONS = 8
_LONGEST_S = 10.0  # that a connection may take from its first byte to our answer
_LEAST_TOKEN = 16  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """Where pictures are taken in, and from whom."""

    host: str = "127.0.0.1"  # an address of this machine
    port: int = 8780  # 0: any that is free
    token_file: Path | None = None  # its first line is what senders give as `Authorization: Bearer`
    max_megabytes: float = 50.0  # of a file
    max_megapixels: float = 50.0

    def __post_init__(self) -> None:
        try:
            local = ip_address(self.host).is_loopback
        except ValueError as error:
            raise OptionError(f"host is {self.host!r}; give an IP address of this machine.") from error
        if not local and self.token_file is None:
            raise OptionError(f"host is {self.host}, which others can reach; give a token_file.")
        if not 0 <= self.port <= 65535:
            raise OptionError(f"port is {self.port}; give a number from 0 to 65535.")
        if not 0 < self.max_megabytes <= 2000:
            raise OptionError(f"max_megabytes is {self.max_megabytes}; give a number above 0, at most 2000.")


class HttpCamera:
    """A small HTTP server that is listening."""

    def __init__(self, name: str, config: HttpConfig) -> None:
        """Raises OptionError if the token cannot be read, DeviceError if the address cannot be used."""
        self._buffer = FrameBuffer(name)
        intake = _Intake(buffer=self._buffer, config=config, token=_token(config), decoding=threading.Lock())
        try:
            self._server = _Server((config.host, config.port), partial(_Handler, intake))
        except OSError as error:
            address = f"{config.host}:{config.port}"
            raise DeviceError(name, f"cannot listen at {address} ({error.strerror}). Give another port.") from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name=f"camera {name}", daemon=True
        )
        self._thread.start()
        self._closing = threading.Lock()

    def trigger(self) -> None:
        self._buffer.check()

    def grab(self, timeout_s: float) -> Shot:
        return self._buffer.take(timeout_s)

    def close(self) -> None:
        self._buffer.close()
        with self._closing:
            if self._thread.is_alive():
                self._server.shutdown()
                self._thread.join()
                self._server.hang_up()
                self._server.server_close()  # waits for its threads, which find their connections cut


@dataclass(frozen=True, slots=True, kw_only=True)
class _Intake:
    """What every request needs."""

    buffer: FrameBuffer
    config: HttpConfig
    token: str | None
    decoding: threading.Lock  # one picture at a time: a burst must not take the models' processor time


class _Server(PooledServer):
    """With few connections, each for a short while."""

    daemon_threads = False  # so that server_close waits for them
    request_queue_size = _CONNECTIONS

    def __init__(self, address: tuple[str, int], handler: Any) -> None:
        self._open: dict[socket.socket, float] = {}  # connection -> until when
        self._lock = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler, _CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            free = len(self._open) < _CONNECTIONS
            if free:
                self._open[request] = time.monotonic() + _LONGEST_S
        if free:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off whoever takes too long, also byte by byte."""
        now = time.monotonic()
        with self._lock:
            late = [connection for connection, until_s in self._open.items() if until_s < now]
        for connection in late:
            _cut(connection)

    def hang_up(self) -> None:
        """Cut all connections."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            _cut(connection)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._lock:
            self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that went away is nothing to print a traceback about."""


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "sightline", ""

    def __init__(self, intake: _Intake, request: Any, client_address: Any, server: Any) -> None:
        self._intake = intake
        super().__init__(request, client_address, server)

    def do_POST(self) -> None:
        status, message = self._refusal() or self._received()
        document = {"number": int(message)} if status is HTTPStatus.ACCEPTED else {"error": message}
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Nothing: what came is in the records."""

    def _refusal(self) -> tuple[HTTPStatus, str] | None:
        """What is wrong before the picture is read; None: nothing."""
        intake = self._intake
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if intake.token is not None and not hmac.compare_digest(given.encode(), intake.token.encode()):
            return HTTPStatus.UNAUTHORIZED, "give the token as `Authorization: Bearer`"
        if self.path != "/":
            return HTTPStatus.NOT_FOUND, "pictures are taken at /"
        if self._length is None:
            return HTTPStatus.LENGTH_REQUIRED, "give Content-Length, the picture's size in bytes"
        if self._length > intake.config.max_megabytes * 1e6:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {intake.config.max_megabytes:g} MB are taken"
        if "Part-Id" in self.headers and not 0 < (self._number("Part-Id") or 0) <= LARGEST_PART_ID:
            return HTTPStatus.BAD_REQUEST, f"give the PLC's number of the part as Part-Id, 1 to {LARGEST_PART_ID}"
        return None

    @property
    def _length(self) -> int | None:
        return self._number("Content-Length")

    def _number(self, header: str) -> int | None:
        text = self.headers.get(header, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else None

    def _received(self) -> tuple[HTTPStatus, str]:
        """(status, the picture's number or what is wrong)."""
        length = self._length or 0
        data = self.rfile.read(length)
        return self._taken(data) if len(data) == length else (HTTPStatus.BAD_REQUEST, "the picture is cut short")

    def _taken(self, data: bytes) -> tuple[HTTPStatus, str]:
        intake, refused = self._intake, None
        with intake.decoding:
            try:
                name = intake.buffer.camera
                frame = decode(data, source=name, max_megapixels=intake.config.max_megapixels)
                number = intake.buffer.put(frame, said=Circumstances(part_id=self._number("Part-Id")))
            except FrameError as error:
                refused, number = error, intake.buffer.put(error)  # the line must know: a part waits for this picture
        if refused is not None:
            return HTTPStatus.BAD_REQUEST, str(refused)
        if number is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, "the station ends"
        return HTTPStatus.ACCEPTED, str(number)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return


def _token(config: HttpConfig) -> str | None:
    if config.token_file is None:
        return None
    try:
        token = config.token_file.read_text("utf-8").split("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{config.token_file}: the token cannot be read. Check the file.") from error
    if len(token) < _LEAST_TOKEN:
        raise OptionError(f"{config.token_file}: the token has {len(token)} characters; take {_LEAST_TOKEN} or more.")
    return token
