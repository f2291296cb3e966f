"""Work on pictures in processes of their own: what crashes there ends one request, and the server goes on.

A process does one thing at a time, so it is known what ended it; another takes its place, so often within a minute and
no oftener. It may be killed for memory before the server is. What it is sent and sends back is pickled by
multiprocessing: both ends are this program.
"""

import atexit
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Protocol, Self, TypeVar

from sightline.errors import BusyError, FrameError, InspectionError
from sightline.line.restarts import RestartBudget

LOG = logging.getLogger(__name__)
RESTARTS, WITHIN_S = 10, 60.0  # processes that may end by themselves, before nobody is given a new one for a while
_FAREWELL_S = 1.0  # for a process whose connection was closed
_DISPENSABLE = "500"  # of 1000; the server has 0
_OOM = Path("/proc/self/oom_score_adj")
P = ParamSpec("P")
T = TypeVar("T")


class Runner(Protocol):
    """Who does the work: `here`, or `Apart.run`. Raises what the function raises of InspectionError."""

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...


def here(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """In this process: for one model on one machine, and for tests."""
    return function(*args, **kwargs)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Child:
    """A process, and our end of its connection."""

    process: BaseProcess
    connection: Connection

    def asked(self, call: tuple[Any, ...]) -> Any:
        """What it answers; raises EOFError or OSError where it ended."""
        self.connection.send(call)
        return self.connection.recv()

    def ended(self) -> str:
        """How it ended; it has, or is made to."""
        atexit.unregister(self.process.kill)
        self.connection.close()
        self.process.join(_FAREWELL_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        status = self.process.exitcode or 0
        self.process.close()
        return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"


class Apart:
    """As many processes as are needed at once; threads may share it. Close it when done."""

    def __init__(self, *, restarts: int = RESTARTS, within_s: float = WITHIN_S) -> None:
        self._lock = threading.Lock()
        self._free: list[_Child] = []
        self._busy: dict[int, _Child] = {}  # by the thread that waits for it
        self._owed = 0  # processes that ended by themselves, and were not replaced yet
        self._budget = RestartBudget(restarts=restarts, within_s=within_s)
        self._closed = False
        self.ended = 0  # processes that ended by themselves, since the start

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
            busy = list(self._busy.values())
        for child in busy:
            child.process.kill()  # whoever waits for it is told
        for child in free:
            child.ended()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Have a function of a module called with these arguments, all of which can be pickled.

        Raises:
            BusyError: too many processes ended of late. FrameError: the process ended.
            InspectionError: whatever the function raises of it.
        """
        child = self._taken()
        try:
            said = child.asked((function, args, kwargs))
        except (EOFError, OSError) as error:
            raise FrameError(self._lost(child)) from error
        except BaseException:  # an answer may still be on its way
            self._lost(child)
            raise
        self._put_back(child)
        if isinstance(said, InspectionError):
            raise said
        made: T = said
        return made

    def kill(self, thread: int) -> None:
        """End what a thread waits for, as it takes too long; the thread is told by FrameError."""
        with self._lock:
            child = self._busy.get(thread)
            if child is not None:
                child.process.kill()

    def _taken(self) -> _Child:
        with self._lock:
            if self._closed:
                raise BusyError("the server is about to end. Send it again in a second.")
            if self._free:
                child = self._free.pop()
                self._busy[threading.get_ident()] = child
                return child
            if self._owed and not self._budget.spend(time.monotonic()):
                raise BusyError(
                    f"{self._budget.restarts} processes that worked on pictures ended within "
                    f"{self._budget.within_s:g} s. Look at the log for why, and send it again in a minute."
                )
            self._owed = max(0, self._owed - 1)
        child = _started()
        with self._lock:
            self._busy[threading.get_ident()] = child
        return child

    def _put_back(self, child: _Child) -> None:
        with self._lock:
            del self._busy[threading.get_ident()]
            if not self._closed:
                self._free.append(child)
                return
        child.ended()

    def _lost(self, child: _Child) -> str:
        with self._lock:
            del self._busy[threading.get_ident()]
            self._owed += 1
            self.ended += 1
        told = f"the picture is not judged: the process that worked on it ended {child.ended()}."
        LOG.error("%s", told)
        return told


def _started() -> _Child:
    # a server that has imported what a process needs forks one in a tenth of the time; there is none on Windows
    if sys.platform == "win32":
        context: SpawnContext | ForkServerContext = multiprocessing.get_context("spawn")
    else:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["sightline.service.judging"])
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,), name="apart", daemon=True)
    process.start()
    # it ignores the polite signal, for which multiprocessing would wait without end when a server dies unclosed
    atexit.register(process.kill)
    theirs.close()
    return _Child(process=process, connection=ours)


def work(connection: Connection) -> None:
    """Call what is asked for until the server closes the connection, or is no more."""
    for name in (signal.SIGINT, signal.SIGTERM):  # the server drains first, then closes the connection
        signal.signal(name, signal.SIG_IGN)
    with suppress(OSError):  # where there is no such file, or it may not be written
        _OOM.write_text(_DISPENSABLE)
    try:
        while True:
            function, args, kwargs = connection.recv()
            try:
                said = function(*args, **kwargs)
            except InspectionError as error:
                said = error
            connection.send(said)
    except (EOFError, ConnectionError):
        os._exit(0)  # at once: nobody waits for what threads of the runtime still do
