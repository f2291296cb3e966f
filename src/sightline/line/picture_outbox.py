"""Stored pictures to the plant server, each after its record: in order, after any outage, and never in the line's way.

What is to go is noted where the pictures lie (pictures.db), so that it outlives a restart. The disk's policy comes
first: a picture that gave way before it was delivered is counted, and not missed.
"""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Protocol

from sightline.errors import DeliveryError, StoreError
from sightline.line.backoff import backoff_s
from sightline.line.pictures import Outgoing, PictureFolder
from sightline.supervision import survived

_AT_ONCE = 128  # pictures looked at together


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The PNG of a view of a record."""

    outcome: str  # id of the record
    view: str
    content: bytes = field(repr=False)


class PictureSink(Protocol):
    """Where pictures go."""

    @property
    def at_once(self) -> int:
        """How many it takes together now, at least one."""
        ...

    def send(self, pictures: Sequence[Picture]) -> list[str]:
        """Deliver pictures, at least one; the same may come again.

        Returns:
            For the first one, and as many after it as there is something to say of: empty, where the receiver has it
            for good, or why it will not take it. The others are to be sent again.

        Raises:
            DeliveryError: it has none of them, or nobody knows; try later.
        """


class Skipped(StrEnum):
    """Why a picture was not delivered; the key of its counter."""

    REMOVED = "removed"  # by the disk's policy, before its turn
    REFUSED = "refused"  # by the server, as often as it was tried
    NO_RECORD = "no_record"  # a crash took the record that it belongs to


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePace:
    """How much is sent at a time, and how often it is tried."""

    most_bytes: int = 8_000_000  # together; one picture may be larger
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


@dataclass(slots=True)
class _Refusals:
    """Of one picture."""

    tries: int = 0
    again_s: float = 0.0  # of time.monotonic(): not before


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
        self._sent = self._failures = self._refused = 0
        self._at_once = _AT_ONCE  # less after failures: where the network is poor, little is to be sent again
        self._refusals: dict[int, _Refusals] = {}  # of pictures that are to be tried again, most_refused and a few
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
        """End the thread after the pictures that are on their way. May be called more than once."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            wait_s = self._pace.longest_wait_s
            with survived(self._note):
                wait_s = self._turn()
            self._closing.wait(wait_s)

    def _turn(self) -> float:
        """Look once; returns how long to wait before the next look."""
        try:
            return self._deliver()
        except (DeliveryError, StoreError) as error:
            self._note(error)
            pace = self._pace
            first_s, longest_s = pace.first_wait_s, pace.longest_wait_s
            return backoff_s(self._failures, first_s=first_s, longest_s=longest_s, rng=self._rng)

    def _note(self, error: Exception) -> None:
        self._error = str(error)
        self._failures += 1

    def _deliver(self) -> float:
        """Send those whose turn it is; how long to wait then."""
        done, after = 0, 0
        unknown: dict[int, float] = {}
        while rows := self._folder.outgoing(after, _AT_ONCE):
            after = rows[-1].number
            has_record = cache(self._has_record)  # once for all pictures of a part, so that they go together
            ready = deque(row for row in rows if self._is_due(row, has_record, unknown))
            while ready:
                if self._closing.is_set():
                    return 0.0
                done += self._send(ready)
            if len(unknown) >= _AT_ONCE:  # their records are on the way, and so will those of all later ones be
                break
            if len(self._refusals) >= self._pace.most_refused:  # none of the later ones is due
                break
        self._unknown_s = unknown
        return 0.0 if done else min(self._pace.poll_s, self._pace.try_again_s)

    def _is_due(self, row: Outgoing, has_record: Callable[[str], bool], unknown: dict[int, float]) -> bool:
        """Whether it is to be sent now; where it is for its record that it waits, that is noted."""
        refusals = self._refusals.get(row.number)
        if refusals is None and len(self._refusals) >= self._pace.most_refused:
            return False  # so that those become no more
        if refusals is not None and time.monotonic() < refusals.again_s:
            return False
        if row.path is None or has_record(row.outcome):
            return True
        since_s = self._unknown_s.get(row.number, time.monotonic())
        if time.monotonic() - since_s < self._pace.patience_s:
            unknown[row.number] = since_s
        else:
            self._skip(row, Skipped.NO_RECORD)
        return False

    def _send(self, ready: deque[Outgoing]) -> int:
        """Send the first of those together; how many of all are done with."""
        before = len(ready)
        batch = self._taken(ready)
        if not batch:
            return before - len(ready)
        try:
            said = self._sink.send([picture for _, picture in batch])
        except DeliveryError:
            self._at_once = max(1, len(batch) // 2)
            raise
        self._at_once = min(2 * self._at_once, _AT_ONCE)
        ready.extendleft(row for row, _ in reversed(batch[len(said) :]))
        told = [(row, why) for (row, _), why in zip(batch, said, strict=False)]
        for row, why in told:
            if not why:
                self._folder.gone(row.number)
                self._sent += 1
                self._refusals.pop(row.number, None)
                self._failures = self._refused = 0
        refused = [(row, why) for row, why in told if why]
        self._error = refused[-1][1] if refused else ""
        for row, why in refused:
            self._note_refusal(row, why)
        return before - len(ready)

    def _taken(self, ready: deque[Outgoing]) -> list[tuple[Outgoing, Picture]]:
        """What may go together, from the front; what is not there any more is skipped."""
        found: list[tuple[Outgoing, Picture]] = []
        most, left = min(self._at_once, self._sink.at_once), self._pace.most_bytes
        while ready and len(found) < most:
            row = ready[0]
            try:
                left -= 0 if row.path is None else row.path.stat().st_size
                if found and left < 0:
                    break
                content = None if row.path is None else row.path.read_bytes()
            except OSError:  # the disk's policy was quicker, or somebody removed it by hand
                content = None
            ready.popleft()
            if content is None:
                self._skip(row, Skipped.REMOVED)
            else:
                found.append((row, Picture(outcome=row.outcome, view=row.view, content=content)))
        return found

    def _note_refusal(self, row: Outgoing, reason: str) -> None:
        refusals = self._refusals.setdefault(row.number, _Refusals())
        refusals.tries += 1
        refusals.again_s = time.monotonic() + self._pace.try_again_s
        if refusals.tries < self._pace.tries:
            return
        if self._refused >= self._pace.most_refused:
            raise DeliveryError(f"{reason}; so were {self._refused} pictures before it. Check the plant server.")
        self._refused += 1
        self._skip(row, Skipped.REFUSED)

    def _skip(self, row: Outgoing, why: Skipped) -> None:
        self._folder.gone(row.number)
        self._skipped[why] += 1
        self._refusals.pop(row.number, None)
