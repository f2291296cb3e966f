"""What a route depends on to be given a raw body: as bytes, or as a file."""

from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from sightline.service import body
from sightline.store.scratch import scratch

_FLUSH_BYTES = 4 << 20


def raw(most_bytes: int) -> Callable[[Request], Coroutine[None, None, bytes]]:
    """A dependency: the whole body; 413 where it is longer."""

    async def read(request: Request) -> bytes:
        return await body.body_of(request, most_bytes)

    return read


def in_a_file(most_bytes: int, suffix: str) -> Callable[[Request], AsyncIterator[Path]]:
    """A dependency: the body as a file, which is gone after the request; 413 where it is longer, 507 on a full disk."""

    async def read(request: Request) -> AsyncIterator[Path]:
        with scratch(request.app.state.plant.scratch) as folder:
            path = folder / f"upload{suffix}"
            path.touch()
            waiting = bytearray()
            async for chunk in body.chunks(request, most_bytes):
                waiting += chunk
                if len(waiting) >= _FLUSH_BYTES:
                    await run_in_threadpool(_append, path, bytes(waiting))
                    waiting.clear()
            await run_in_threadpool(_append, path, bytes(waiting))
            yield path

    return read


def body_of(media_type: str, description: str) -> dict[str, Any]:
    """The `openapi_extra` of a route whose body is not JSON."""
    schema = {"type": "string", "format": "binary", "description": description}
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
