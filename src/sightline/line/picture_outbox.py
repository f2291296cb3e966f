"""Stored pictures to the plant server, each after its record: in order, after any outage, and never in the line's way.

What is to go is noted where the pictures lie (pictures.db), so that it outlives a restart. The disk's policy comes
first: a picture that gave way before it was delivered is counted, and not missed.
"""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sightline.errors import DeliveryError, DeliveryRefused, StoreError
from sightline.line.pictures import Outgoing, PictureFolder

_AT_ONCE = 100  # pictures looked at together


class PictureSink(Protocol):
    """Where pictures go."""

    def put(self, outcome: str, view: str, content: bytes) -> None:
        """Deliver the PNG of a view of this record; the same may come again. Returns when the receiver has it for good.

        Raises:
            DeliveryRefused: it will not be taken. DeliveryError: anything else; try later.
        """


class Skipped(StrEnum):
    """Why a picture was not delivered; the key of its counter."""

    REMOVED = "removed"  # by the disk's policy, before its turn
    REFUSED = "refused"  # by the server, as often as it was tried
    NO_RECORD = "no_record"  # a crash took the record that it belongs to


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePace:
    """How often it is tried."""

    poll_s: float = 1.0  # between looks for new pictures
    first_wait_s: float = 1.0  # after a failure; twice as long after each further one ...
    longest_wait_s: float = 60.0  # ... up to this, less a random half
    tries: int = 5  # of a picture that is refused
    try_again_s: float = 1.0  # between those
    most_refused: int = 100  # one after another; a server that refuses more refuses everything, and is waited for
    patience_s: float = 3600.0  # for the record of a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureDelivery:
    """How it stands."""

    waiting: int
    sent: int  # since it was opened
    skipped: dict[Skipped, int]  # likewise
    error: str  # of the last failure; empty after a success


class PictureOutbox:
    """Delivers in a thread of its own until it is closed."""

    def __init__(
        self,
        folder: PictureFolder,
        sink: PictureSink,
        has_record: Callable[[str], bool],
        pace: PicturePace | None = None,
        *,
        seed: int = 0,
    ) -> None:
        """`has_record` says of a record's id whether the server has it; raises StoreError where nobody can tell."""
        self._folder, self._sink, self._has_record, self._pace = folder, sink, has_record, pace or PicturePace()
        self._rng = random.Random(seed)
        self._sent = self._failures = self._tries = self._refused = 0
        self._skipped: Counter[Skipped] = Counter()
        self._unknown_s: dict[int, float] = {}  # pictures without a record, since when; of those looked at last
        self._error = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pictures to the plant", daemon=True)
        self._thread.start()

    @property
    def status(self) -> PictureDelivery:
        """Raises StoreError where the pictures' index cannot be read."""
        skipped = {why: self._skipped[why] for why in Skipped}
        skipped[Skipped.REMOVED] += self._folder.undelivered
        return PictureDelivery(waiting=self._folder.waiting(), sent=self._sent, skipped=skipped, error=self._error)

    def close(self) -> None:
        """End the thread after the picture that is on its way. May be called more than once."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                wait_s = self._deliver()
            except (DeliveryError, StoreError) as error:
                self._error = str(error)
                self._failures += 1
                doubled = math.ldexp(self._pace.first_wait_s, min(self._failures - 1, 30))
                wait_s = min(self._pace.longest_wait_s, doubled) * self._rng.uniform(0.5, 1)
            self._closing.wait(wait_s)

    def _deliver(self) -> float:
        """Send those whose turn it is; returns how long to wait before the next look."""
        done, after = 0, 0
        unknown: dict[int, float] = {}
        while rows := self._folder.outgoing(after, _AT_ONCE):
            after = rows[-1].number
            for row in rows:
                if self._closing.is_set():
                    return 0.0
                if row.path is not None and not self._has_record(row.outcome):
                    since_s = self._unknown_s.get(row.number, time.monotonic())
                    if time.monotonic() - since_s < self._pace.patience_s:
                        unknown[row.number] = since_s
                        continue
                    self._skip(row, Skipped.NO_RECORD)
                elif not self._send(row):
                    return self._pace.try_again_s
                done += 1
            if len(unknown) >= _AT_ONCE:  # their records are on the way, and so will those of all later ones be
                break
        self._unknown_s = unknown
        return 0.0 if done else self._pace.poll_s

    def _send(self, row: Outgoing) -> bool:
        """Whether this one is done with; False: it was refused, and is to be tried again."""
        try:
            content = None if row.path is None else row.path.read_bytes()
        except OSError:  # the disk's policy was quicker, or somebody removed it by hand
            content = None
        if content is None:
            self._skip(row, Skipped.REMOVED)
            return True
        try:
            self._sink.put(row.outcome, row.view, content)
        except DeliveryRefused as error:
            return self._note_refusal(row, str(error))
        self._folder.gone(row.number)
        self._sent += 1
        self._failures = self._tries = self._refused = 0
        self._error = ""
        return True

    def _note_refusal(self, row: Outgoing, reason: str) -> bool:
        self._error = reason
        self._tries += 1
        if self._tries < self._pace.tries:
            return False
        if self._refused >= self._pace.most_refused:
            raise DeliveryError(f"{reason}; so were {self._refused} pictures before it. Check the plant server.")
        self._refused += 1
        self._skip(row, Skipped.REFUSED)
        return True

    def _skip(self, row: Outgoing, why: Skipped) -> None:
        self._folder.gone(row.number)
        self._skipped[why] += 1
        self._tries = 0
