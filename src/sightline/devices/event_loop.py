"""An event loop in a thread of its own, for libraries that know no other way."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

from sightline.errors import DeviceLost, DeviceTimeout

Outcome = TypeVar("Outcome")


class EventLoop:
    """Runs coroutines for threads that wait for them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Outcome], timeout_s: float) -> Outcome:
        """What the coroutine returns or raises.

        Raises:
            DeviceTimeout: it took longer, and is cancelled, or a step of it took longer than that may.
            DeviceLost: the loop was closed meanwhile.
        """
        if self._loop.is_closed():
            coroutine.close()
            raise DeviceLost(self._name, "the connection is closed.")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout_s)
        except NoAnswer as error:  # the coroutine's own are of the same class
            told = f"within {timeout_s:g} s" if future.cancel() else "in time"
            raise DeviceTimeout(self._name, f"no answer {told}.") from error
        except CancelledError as error:
            raise DeviceLost(self._name, "the connection was closed meanwhile.") from error

    def later(self, work: Callable[[], object]) -> None:
        """Have the loop's thread do this, and do not wait for it; nothing where the loop was closed."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(work)

    def close(self, timeout_s: float) -> None:
        """Cancel what still runs, and end the thread; once."""
        if self._loop.is_closed():
            return
        with suppress(DeviceTimeout, DeviceLost):  # what cannot be cancelled ends with the loop
            self.run(_cancel_others(), timeout_s)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(3):  # sockets that were closed are so a turn later, and what waits for that one more
        await asyncio.sleep(0)
