"""Long work on threads of its own: however much of it is asked for, stations and people find theirs free."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from anyio import CapacityLimiter, fail_after, to_thread

from sightline.errors import BusyError

_MOST_WAITING = 40  # requests, each with what it was sent
Args = TypeVarTuple("Args")
T = TypeVar("T")


class Aside:
    """At most so many at a time; the others wait without a thread, in the order in which they came."""

    def __init__(self, *, threads: int, wait_s: float = 30.0) -> None:
        self._wait_s = wait_s
        self._turns = CapacityLimiter(threads)

    async def run(self, what: str, function: Callable[[*Args], T], *args: *Args) -> T:
        """What the function returns or raises; `what` is told of where its turn does not come.

        Raises:
            BusyError: too many wait, or its turn did not come in time.
        """
        asking = object()
        busy = BusyError(f"{what}: others are at it. Try again shortly.")
        if self._turns.statistics().tasks_waiting >= _MOST_WAITING:
            raise busy
        try:
            with fail_after(self._wait_s):
                await self._turns.acquire_on_behalf_of(asking)
        except TimeoutError as error:
            raise busy from error
        try:
            # not among the 40 threads that routes share
            return await to_thread.run_sync(function, *args, limiter=CapacityLimiter(1))
        finally:
            self._turns.release_on_behalf_of(asking)
