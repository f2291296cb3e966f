"""Records to the plant server by store-and-forward: in order, after any outage, each until it was confirmed.

What is on its way is in the station's records anyway; kept here is only how far the server has them (outbox.db). A
crash between the server's confirmation and that note sends a batch again, with the same ids, which the server knows.
"""

import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sightline.errors import DeliveryError, DeliveryRefused, StoreError
from sightline.line.backoff import backoff_s
from sightline.line.history import History, Recorded
from sightline.line.spool import refused
from sightline.supervision import survived

_SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS delivered (only INTEGER PRIMARY KEY CHECK (only = 1), sequence INTEGER, id TEXT);
    CREATE TABLE IF NOT EXISTS quarantine (sequence INTEGER PRIMARY KEY, id TEXT, unix_s REAL, reason TEXT);
"""


class Sink(Protocol):
    """Where records go."""

    def send(self, lines: Sequence[str]) -> None:
        """Deliver documents, in order; returns when the receiver has all of them for good.

        Raises:
            DeliveryRefused: one of them, at least, will never be taken. DeliveryError: anything else; try later.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much is sent at a time, and how often it is tried."""

    most_lines: int = 500
    most_bytes: int = 1_000_000  # of a batch; one line may be longer
    poll_s: float = 0.5  # between looks for new records
    first_wait_s: float = 1.0  # after a failure; twice as long after each further one ...
    longest_wait_s: float = 60.0  # ... up to this; a random half is taken off, so that stations do not come in step
    tries: int = 5  # of a record that is refused, before it is set aside
    try_again_s: float = 1.0  # between those
    most_set_aside: int = 100  # one after another; a server that refuses more refuses everything, and is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How the outbox stands."""

    delivered: int  # sequence number of the last record that the server has, or that was set aside
    backlog: int  # records not yet delivered
    sent: int  # since it was opened
    failures: int  # since the last success
    quarantined: int  # records set aside, in all
    error: str  # of the last failure; empty after a success


class Outbox:
    """Delivers in a thread of its own until it is closed."""

    def __init__(self, records: Path, state: Path, sink: Sink, pace: Pace | None = None, *, seed: int = 0) -> None:
        """
        Args:
            records: the spool's file. state: this outbox's own.

        Raises:
            StoreError: one of the files cannot be used.
        """
        self._pace = pace or Pace()
        self._sink = sink
        self._state = state
        self._rng = random.Random(seed)
        self._history = History(records)
        with self._told():
            self._connection = sqlite3.connect(state, timeout=5, isolation_level=None, check_same_thread=False)
            self._connection.executescript(_SCHEMA)
            self._quarantined = int(self._connection.execute("SELECT count(*) FROM quarantine").fetchone()[0])
        self._delivered = self._where_left()
        self._at_once = self._pace.most_lines
        self._sent = self._failures = self._tries = self._set_aside = 0
        self._error = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Delivery:
        """Raises StoreError where the records cannot be read."""
        return Delivery(
            delivered=self._delivered,
            backlog=max(0, self._history.last().sequence - self._delivered),
            sent=self._sent,
            failures=self._failures,
            quarantined=self._quarantined,
            error=self._error,
        )

    def has_delivered(self, record: str) -> bool:
        """Whether the server has the record of this id, or it was set aside. Raises StoreError."""
        sequence = self._history.sequence_of(record)
        return sequence is not None and sequence <= self._delivered

    def close(self) -> None:
        """End the thread after the batch that is on its way, and close the files. May be called more than once."""
        self._closing.set()
        self._thread.join()
        self._history.close()
        self._connection.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            wait_s = self._pace.longest_wait_s
            with survived(self._note):
                wait_s = self._deliver()
            self._closing.wait(wait_s)

    def _deliver(self) -> float:
        """Send one batch; returns how long to wait before the next."""
        try:
            batch = self._batch()
            if not batch:
                return self._pace.poll_s
            return self._send(batch)
        except (DeliveryError, StoreError) as error:
            self._note(error)
            pace = self._pace
            first_s, longest_s = pace.first_wait_s, pace.longest_wait_s
            return backoff_s(self._failures, first_s=first_s, longest_s=longest_s, rng=self._rng)

    def _note(self, error: Exception) -> None:
        self._error = str(error)
        self._failures += 1

    def _send(self, batch: Sequence[Recorded]) -> float:
        try:
            self._sink.send([row.document for row in batch])
        except DeliveryRefused as error:
            self._error = str(error)
            return self._narrow_down(batch, str(error))
        self._confirm(batch[-1])
        self._sent += len(batch)
        self._failures = self._set_aside = 0
        self._error = ""
        self._at_once = min(2 * self._at_once, self._pace.most_lines)
        return 0.0

    def _narrow_down(self, batch: Sequence[Recorded], reason: str) -> float:
        """Find the record that is refused by halving, and set it aside when it was tried alone often enough."""
        if len(batch) > 1:
            self._at_once = len(batch) // 2
            return 0.0
        self._tries += 1
        if self._tries < self._pace.tries:
            return self._pace.try_again_s
        if self._set_aside >= self._pace.most_set_aside:
            raise DeliveryError(f"{reason}; so were the {self._set_aside} records before it. Check the plant server.")
        self._quarantine(batch[0], reason)
        return 0.0

    def _quarantine(self, row: Recorded, reason: str) -> None:
        with self._told():
            self._connection.execute(
                "REPLACE INTO quarantine VALUES (?, ?, ?, ?)", (row.sequence, row.id, time.time(), reason)
            )
        self._confirm(row)
        self._quarantined += 1
        self._set_aside += 1

    def _batch(self) -> list[Recorded]:
        rows, size = self._history.after(self._delivered, self._at_once), 0
        for place, row in enumerate(rows):
            size += len(row.document) + 1
            if place and size > self._pace.most_bytes:
                return rows[:place]
        return rows

    def _confirm(self, row: Recorded) -> None:
        with self._told():
            self._connection.execute("REPLACE INTO delivered VALUES (1, ?, ?)", (row.sequence, row.id))
        self._delivered, self._tries = row.sequence, 0

    def _where_left(self) -> int:
        """The last record delivered; 0 where the records are not those that this outbox knew, and all are sent anew."""
        with self._told():
            row = self._connection.execute("SELECT sequence, id FROM delivered").fetchone()
        if row is None or self._history.last().sequence < row[0]:
            return 0
        there = self._history.after(row[0] - 1, 1)
        return 0 if there and there[0].sequence == row[0] and there[0].id != row[1] else int(row[0])

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise refused(self._state, error) from error
