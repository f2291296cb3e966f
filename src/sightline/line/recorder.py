"""A thread that makes outcomes durable, so that the line's cycle never waits for the disk."""

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.errors import StoreError
from sightline.line.outcome import Outcome
from sightline.line.spool import Spool

MOST_WAITING = 1000  # outcomes; a line gives some tens a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What became of one outcome."""

    outcome: Outcome
    error: StoreError | None  # None: it is durable, and the part may be released


class Recorder:
    """Commits what is submitted, in order; what waits together shares a commit.

    One thread submits and asks; everything submitted comes back exactly once from `finished`.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._waiting: queue.Queue[Outcome | None] = queue.Queue()
        self._finished: queue.SimpleQueue[Recording] = queue.SimpleQueue()
        self._open = 0  # submitted and not yet asked for; bounds both queues
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._waiting.qsize()

    def submit(self, outcome: Outcome) -> None:
        """Have it recorded; returns at once.

        Raises:
            StoreError: MOST_WAITING wait already, so the disk does not keep up; this one will not be recorded.
        """
        if self._open >= MOST_WAITING:
            raise StoreError(f"{self._spool.path}: {MOST_WAITING} results wait for the disk. Check the disk.")
        self._open += 1
        self._waiting.put(outcome)

    def finished(self) -> list[Recording]:
        """What became of those submitted, in order; each is told once."""
        found = []
        while not self._finished.empty():
            found.append(self._finished.get())
        self._open -= len(found)
        return found

    def close(self) -> None:
        """Record what waits, then end the thread; the spool stays open. May be called more than once."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._batch()
            error = self._record(batch)
            for outcome in batch:
                self._finished.put(Recording(outcome=outcome, error=error))

    def _batch(self) -> tuple[list[Outcome], bool]:
        """All that wait, at least one, and whether more may come."""
        batch: list[Outcome] = []
        taken = self._waiting.get()
        while taken is not None:
            batch.append(taken)
            if self._waiting.empty():
                return batch, True
            taken = self._waiting.get()
        return batch, False

    def _record(self, batch: Sequence[Outcome]) -> StoreError | None:
        try:
            if batch:
                self._spool.record(batch)
        except StoreError as error:
            return error
        return None
