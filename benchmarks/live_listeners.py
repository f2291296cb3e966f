"""Browsers on other machines, as far as the server knows of them: the live page's connection and pictures, undrawn.

They speak NiceGUI's protocol: the page over HTTP, then Socket.IO over a web socket, each message acknowledged.
"""

import asyncio
import json
import re
import threading
import time
import uuid
from collections import deque
from typing import Any

import aiohttp
import socketio

START_S = 60.0
_KEPT = 10_000  # parts
_ACK_S = 3.0  # as the page does
_PICTURES_S = 3.0  # a second at most, as the page loads them
_QUERY = re.compile(r"query: (\{.*?\}),$", re.MULTILINE)
_PAIR = re.compile(r"""["']?(\w+)["']?:\s*["']?([^"',}]*)""")  # of an object in JavaScript
_NAME = re.compile(r'"name":\s*"([^"]+)"')
_PICTURE = re.compile(r'"picture":\s*"([0-9a-f]{64})"')


class Listeners:
    """So many of them, on an event loop in a thread of their own; to be closed."""

    def __init__(self, url: str, count: int, name: str, password: str) -> None:
        """Returns when all have the page and its connection.

        Raises:
            RuntimeError: one could not be opened. TimeoutError: not in time.
        """
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="listeners", daemon=True)
        self._thread.start()
        self.all = [_Listener(url, name, password) for _ in range(count)]
        self._run(self._open(), START_S)

    def take(self, sent_s: dict[str, float]) -> list[float]:
        """Since the last time: how long each part took to each of them, ms."""
        took = []
        for one in self.all:
            while one.seen:
                serial, at_s = one.seen.popleft()
                if serial in sent_s:
                    took.append(1e3 * (at_s - sent_s[serial]))
        return took

    def close(self) -> None:
        self._run(self._close(), START_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        for one in self.all:
            await one.open()

    async def _close(self) -> None:
        for one in self.all:
            await one.close()

    def _run(self, work: Any, timeout_s: float) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)


class _Listener:
    """One page."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.seen: deque[tuple[str, float]] = deque(maxlen=_KEPT)  # serial number and wall clock
        self._url, self._login = url, {"name": name, "password": password}
        self._known: deque[str] = deque(maxlen=500)
        self._wanted: deque[str] = deque(maxlen=16)  # pictures
        self._next = 0  # message
        self._client = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        cookies = aiohttp.CookieJar(unsafe=True)  # else it keeps none of an address that is not a name
        self._http = aiohttp.ClientSession(self._url, cookie_jar=cookies)
        async with self._http.post("/api/v1/login", json=self._login) as answer:
            answer.raise_for_status()
        async with self._http.get("/") as answer:
            answer.raise_for_status()
            if answer.url.path != "/":
                raise RuntimeError(f"the live page sent us on to {answer.url.path}: the login does not hold")
            found = _QUERY.search(await answer.text())
        if found is None:
            raise RuntimeError("the page has no connection that is known here: NiceGUI's protocol has changed")
        query = {key: {"True": "true"}.get(value, value) for key, value in _PAIR.findall(found[1])}
        self._client, self._next = query["client_id"], int(query["next_message_id"])
        tab = str(uuid.uuid4())
        query |= {"document_id": str(uuid.uuid4()), "tab_id": tab, "old_tab_id": tab}
        self._socket = socketio.AsyncClient(http_session=self._http, reconnection=False)
        self._socket.on("*", self._heard)
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        await self._socket.connect(
            f"{self._url}?{asked}", socketio_path="/_nicegui_ws/socket.io", transports=["websocket"]
        )
        if query.get("implicit_handshake") != "true":
            await self._socket.emit("handshake", query)
        self._tasks = [asyncio.create_task(work()) for work in (self._acknowledge, self._load)]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.disconnect()
        await self._http.close()

    async def _heard(self, _event: str, *said: Any) -> None:
        now_s = time.time()
        for message in said:
            number = message.get("_id") if isinstance(message, dict) else None
            if number is None or number < self._next:
                continue
            self._next = number + 1
            text = message.get("code") or json.dumps(message)
            for serial in _NAME.findall(text):
                if serial not in self._known:
                    self._known.append(serial)
                    self.seen.append((serial, now_s))
            self._wanted.extend(_PICTURE.findall(text))

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(_ACK_S)
            await self._socket.emit("ack", {"client_id": self._client, "next_message_id": self._next})

    async def _load(self) -> None:
        while True:
            await asyncio.sleep(1 / _PICTURES_S)
            if self._wanted:
                async with self._http.get(
                    f"/api/v1/pictures/{self._wanted.popleft()}", params={"size": "thumb"}
                ) as one:
                    await one.read()
