"""Compressed answers. What a page loads beside its text are some twenty files of the installation, which stay the same
as long as the server runs. Each is compressed once, as doing so for every new browser took a tenth of its first view.
"""

import re
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.console.gate import ASSETS

_FILES = re.compile(rf"({ASSETS}|/_nicegui/[\d.]+/(static|components|libraries|esm|resources))/")
_LEVEL = 5  # of what is compressed for each answer; 9 makes a page 1 % smaller and takes nearly twice the time
_MOST_BYTES = 16 << 20  # kept; all files of a console are 2 MB
_ASKED = ("range", "if-modified-since", "if-none-match", "if-range")  # what the server of files knows better


@dataclass(slots=True)
class _Answer:
    """A whole one, as it was sent."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    whole: bool = False

    def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.whole = not message.get("more_body", False)

    @property
    def is_anybodys(self) -> bool:
        """Whether it is there, all of it, and is the same for everybody."""
        return self.whole and self.status == 200 and all(name.lower() != b"set-cookie" for name, _ in self.headers)

    async def send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": self.body})


class Compression(GZipMiddleware):
    """Compresses what is worth it, and keeps what does not change."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, compresslevel=_LEVEL)
        self._best = GZipMiddleware(app)
        self._kept: dict[str, _Answer] = {}

    @property
    def kept_bytes(self) -> int:
        """Of files, compressed; never more than 16 MB."""
        return sum(len(answer.body) for answer in self._kept.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_whole_file(scope):
            await super().__call__(scope, receive, send)
            return
        kept = self._kept.get(scope["path"])
        if kept is None:
            await self._best(scope, receive, self._noting(scope["path"], send))
        else:
            await kept.send(send)

    def _noting(self, path: str, send: Send) -> Send:
        """Send on, and keep the file if it was there and there is room."""
        answer = _Answer()

        async def noted(message: Message) -> None:
            answer.take(message)
            if answer.is_anybodys and self.kept_bytes + len(answer.body) <= _MOST_BYTES:
                self._kept[path] = answer
            await send(message)

        return noted


def _is_whole_file(scope: Scope) -> bool:
    """Whether a file of the installation is asked for by somebody who has nothing of it yet and reads gzip."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"] or not _FILES.match(scope["path"]):
        return False
    headers = Headers(scope=scope)
    return "gzip" in headers.get("accept-encoding", "") and not any(name in headers for name in _ASKED)
