"""How large and how slow a request may be, before anything of it is looked at."""

import asyncio
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.service.problems import refusal

UNKNOWN_BYTES = 65_536  # of a body from somebody who is not known
SLOWEST_BYTES_PER_S = 50_000  # a body may take no longer than this and the time of a request


class Limits:
    """Refuses what is too large (413) or too slow (408, 503) for the application inside."""

    def __init__(
        self, app: ASGIApp, *, most_bytes: int, upload_bytes: int, uploads: Sequence[str], longest_s: float
    ) -> None:
        """
        Args:
            most_bytes: of a body, whether its length is declared or not.
            upload_bytes: of a body that is posted to one of `uploads`.
            uploads: paths of routes that write the body to the disk as it comes, after they have asked who may.
            longest_s: until the answer begins, a body's own time at `SLOWEST_BYTES_PER_S` not counted.
        """
        self._app = app
        self._most_bytes = most_bytes
        self._upload_bytes = upload_bytes
        self._uploads = [compile_path(path)[0] for path in uploads]
        self._longest_s = longest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most(scope)
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        if declared and not (declared.isascii() and declared.isdigit() and len(declared) < 16):
            await refusal(400, f"Content-Length {declared!r:.40}: is no number of bytes.")(scope, receive, send)
        elif int(declared or "0") > most:
            await refusal(413, _too_large(most))(scope, receive, send)
        else:
            empty = not int(declared or "0") and "transfer-encoding" not in headers
            await self._timed(scope, receive, send, most, whole=empty)

    async def _timed(self, scope: Scope, receive: Receive, send: Send, most: int, *, whole: bool) -> None:
        """
        Args:
            whole: whether all of the body is there already, as there is none.
        """
        loop = asyncio.get_running_loop()
        begun_s, received, started = loop.time(), 0, False

        async def counted() -> Message:
            nonlocal received, whole
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise HTTPException(413, _too_large(most))
            if not started and not whole:
                whole = not message.get("more_body", False)
                from_s = loop.time() if whole else begun_s + received / SLOWEST_BYTES_PER_S
                deadline.reschedule(from_s + self._longest_s)
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            deadline.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._longest_s) as deadline:
                await self._app(scope, counted, noted)
        except TimeoutError:
            if started or not deadline.expired():
                raise
            detail = f"took longer than {self._longest_s:g} s" if whole else "the body came too slowly"
            await refusal(503 if whole else 408, f"request: {detail}.")(scope, receive, send)

    def _most(self, scope: Scope) -> int:
        if scope.get("state", {}).get("caller") is None:
            return min(UNKNOWN_BYTES, self._most_bytes)
        is_upload = scope["method"] == "POST" and any(path.match(scope["path"]) for path in self._uploads)
        return self._upload_bytes if is_upload else self._most_bytes


def _too_large(most: int) -> str:
    return f"body: is larger than {most} bytes; send less, or log in where you have not."
