"""A thread that makes outcomes durable, so that the line's cycle never waits for the disk."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from sightline.errors import StoreError
from sightline.line.checkpoints import Checkpoints
from sightline.line.outcome import Outcome
from sightline.line.spool import Spool

MOST_WAITING = 1000  # outcomes; a line gives some tens a second, so that a disk with more to do does not keep up
RETRY_S = 1.0  # between two tries of what the disk refused
_LINGER_S = 0.1  # of what is complete: nobody waits for it, and it shares the commit of what somebody waits for
_AT_ONCE = 500  # outcomes of a commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What became of an outcome that was held."""

    outcome: Outcome
    error: StoreError | None  # None: it is durable, and the part may be released


@dataclass(slots=True, kw_only=True, eq=False)
class _Entry:
    outcome: Outcome
    complete: bool
    told: bool = False  # that the disk refused it


class Recorder:
    """Commits what it is given, in order; what waits together shares a commit.

    Nothing given is ever let go: what the disk refuses is tried until it is there. One thread gives and asks; a bound
    on what waits is that thread's affair, which sees `failing` at once and has no more parts judged.
    """

    def __init__(self, spool: Spool, *, retry_s: float = RETRY_S) -> None:
        self._spool, self._retry_s = spool, retry_s
        self._entries: dict[str, _Entry] = {}  # by id, in the order given
        self._finished: list[Recording] = []
        self._changed = threading.Condition()  # guards all below and the two above
        self._hurry = self._closing = False
        self._error = ""
        self._checkpoints = Checkpoints(spool.path)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._entries)

    @property
    def failing(self) -> str:
        """Why nothing more should be judged for now; empty where all is well."""
        if self._error or len(self._entries) < MOST_WAITING:
            return self._error
        return f"{self._spool.path}: {len(self._entries)} results wait for the disk. Check the disk."

    def hold(self, outcome: Outcome) -> None:
        """Make it durable now; `finished` tells when it is. Returns at once."""
        self._take(_Entry(outcome=outcome, complete=False))

    def complete(self, outcome: Outcome) -> None:
        """Make a record of it, in place of what was held of its id. Returns at once."""
        self._take(_Entry(outcome=outcome, complete=True))

    def finished(self) -> list[Recording]:
        """What became of those held: told once when durable, and once before that where the disk refused it.

        One that was completed meanwhile may not be told of.
        """
        with self._changed:
            found, self._finished = self._finished, []
        return found

    def close(self) -> int:
        """Record what waits, then end the thread; the spool stays open. May be called more than once.

        Returns how many the disk did not take, which are lost.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._checkpoints.close()
        return len(self._entries)

    def _take(self, entry: _Entry) -> None:
        with self._changed:
            self._entries[entry.outcome.id] = entry
            self._hurry |= not entry.complete
            self._changed.notify_all()

    def _run(self) -> None:
        while batch := self._batch():
            error = self._record(batch)
            with self._changed:
                self._settle(batch, error)
                if error is not None:
                    if self._closing:
                        return
                    self._changed.wait_for(lambda: self._closing, self._retry_s)

    def _batch(self) -> list[_Entry]:
        """What is to be committed together; nothing where no more comes."""
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._closing)
            self._changed.wait_for(lambda: self._hurry or self._closing, _LINGER_S)
            self._hurry = len(self._entries) > _AT_ONCE
            return list(islice(self._entries.values(), _AT_ONCE))

    def _record(self, batch: Sequence[_Entry]) -> StoreError | None:
        try:
            self._spool.record(
                [entry.outcome for entry in batch if entry.complete],
                [entry.outcome for entry in batch if not entry.complete],
            )
        except StoreError as error:
            return error
        return None

    def _settle(self, batch: Sequence[_Entry], error: StoreError | None) -> None:
        self._error = "" if error is None else str(error)
        for entry in batch:
            if not (entry.complete or entry.told):
                self._finished.append(Recording(outcome=entry.outcome, error=error))
            entry.told = error is not None
            if error is None and self._entries.get(entry.outcome.id) is entry:  # it may have been completed meanwhile
                del self._entries[entry.outcome.id]
