"""What stations report, handed to all open pages at once: the database is asked once for all of them."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from sightline.errors import InspectionError
from sightline.service.plant import Plant
from sightline.store.inspections import Summary, newest, since

EVERY_S = 0.1  # that it is asked; a part is on the pages within 300 ms of its verdict
KEPT = 100  # of the last parts, for pages that open
_AT_ONCE = 200
_AWAY_S = 2.0  # until the next try when the database does not answer

Reader = Callable[[Sequence[Summary]], None]


class Feed:
    """News for pages. All of it runs in the event loop; a reader must not wait."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._readers: set[Reader] = set()
        self._last: deque[Summary] = deque(maxlen=KEPT)
        self._number: int | None = None
        self._task: asyncio.Task[None] | None = None
        self.away = False  # whether the database did not answer the last time

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._run(), name="live feed")

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def last(self) -> Sequence[Summary]:
        """The last parts, oldest first."""
        return tuple(self._last)

    def follow(self, reader: Reader) -> Callable[[], None]:
        """Hand new parts to a reader, in the order of their coming; returns what ends that."""
        self._readers.add(reader)
        return lambda: self._readers.discard(reader)

    async def _run(self) -> None:
        while True:
            try:
                found = await run_in_threadpool(self._ask)
                self.away = False
            except InspectionError:
                self.away = True
                await asyncio.sleep(_AWAY_S)
                continue
            if found:
                self._last.extend(found)
                for reader in tuple(self._readers):
                    reader(found)
            await asyncio.sleep(EVERY_S)

    def _ask(self) -> Sequence[Summary]:
        plant: Plant = self._app.state.plant
        with plant.database.reading() as session:
            if self._number is None:
                self._number = max(0, newest(session) - KEPT)
            found = since(session, self._number, limit=_AT_ONCE)
        if found:
            self._number = found[-1].number
        return found
