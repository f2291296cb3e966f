"""What holds for every request, whatever it asks for: its host and origin, the headers of its answer, its count."""

import ipaddress
import re
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.service.metrics import ServerMetrics
from sightline.service.problems import refusal
from sightline.service.recognition import SAFE

_POLICY = (
    *("default-src 'self'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data: blob:"),
    *("connect-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"),
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=()",
}
_STRICT = "max-age=31536000"  # a year of TLS only, from the first visit by TLS on
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


class Edge:
    """The outermost layer of the application inside."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str] | None, metrics: ServerMetrics) -> None:
        """
        Args:
            hosts: names by which the server may be called, in lower case, beside addresses and names without a dot;
                None: any, as a platform in front gives it names of its own.
        """
        self._app = app
        self._hosts = hosts
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        start_s = time.perf_counter()
        status = 500

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(message, tls=scope["scheme"] in ("https", "wss"))
            await send(message)

        try:
            with self._metrics.in_flight():
                await (self._refusal(scope) or self._app)(scope, receive, dressed)
        finally:
            self._metrics.answered(scope, status, time.perf_counter() - start_s)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if found is None or not self._is_ours(found["name"].lower()):
            told = f"host {', '.join(hosts)!r:.100}: is not this server's name. Add it to hosts in [server]."
            return refusal(400, told)
        origin = headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        if changes and origin is not None and urlsplit(origin).netloc.lower() != hosts[0].lower():
            return refusal(403, f"origin {origin!r:.100}: another site's page may change nothing here.")
        return None

    def _is_ours(self, name: str) -> bool:
        """No name that somebody else could have pointed here (DNS rebinding): such a name has a dot."""
        return self._hosts is None or name in self._hosts or "." not in name or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _dress(message: Message, *, tls: bool) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")
    if tls:
        headers["Strict-Transport-Security"] = _STRICT
