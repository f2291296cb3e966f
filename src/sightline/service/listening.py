"""The application on a port: bounded, told apart from its log, and stopped without losing what is in hand."""

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sightline.errors import OptionError, StoreError
from sightline.service.settings import ServerSettings

MOST_HEAD_BYTES = 65_536
HEAD_S = 20.0  # until the head of a request is there
_KEEP_S = 30  # that an idle connection is kept
_FORESEEN = "Exception in ASGI application"  # problems.py has logged it, with an id


class BoundedHttp(HttpToolsProtocol):
    """Closes connections whose requests have heads that are too long or come too slowly."""

    _head_bytes = 0
    _in_head = True
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head and self._timer is None:
            self._begin_head()
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The head of a request may have {MOST_HEAD_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def _begin_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_S, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self.transport.close()


class Server(uvicorn.Server):
    """Says when it takes requests, and where."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets:
            host, port = sockets[0].getsockname()[:2]
            self._ready(f"{'https' if self.config.is_ssl else 'http'}://{f'[{host}]' if ':' in host else host}:{port}")


def serve(app: ASGIApp, settings: ServerSettings, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C, then end what is in hand, for `drain_s` at most.

    Args:
        ready: is told the address once requests are taken.

    Raises:
        OptionError: the port, the address or the certificate cannot be used. StoreError: the start failed.
    """
    config = _config(app, settings)
    server = Server(config, ready)
    with _listening(settings) as listener, _stopping_well(), _quiet():
        server.run(sockets=[listener])
    if not server.started:
        raise StoreError("server: could not start; the log says why.")


def _config(app: ASGIApp, settings: ServerSettings) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=BoundedHttp,
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        limit_concurrency=settings.most_connections,
        timeout_keep_alive=_KEEP_S,
        timeout_graceful_shutdown=settings.drain_s,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.private_key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise OptionError(
            f"{settings.certificate}: cannot be used with {settings.private_key} ({error}). Give both as PEM."
        ) from error
    return config


@contextmanager
def _listening(settings: ServerSettings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise OptionError(
            f"{settings.host}:{settings.port}: cannot be listened at ({error}). Take another port or host."
        ) from error
    with listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it
        yield listener


@contextmanager
def _stopping_well() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more when it has drained, which would end us as if killed."""
    former = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what was logged already."""

    def news(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(_FORESEEN)

    log = logging.getLogger("uvicorn.error")
    log.addFilter(news)
    try:
        yield
    finally:
        log.removeFilter(news)
