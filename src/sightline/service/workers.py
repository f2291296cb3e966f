"""Threads that judge, behind a queue that has a bound.

Pictures that come together are judged together: each worker takes the next one as soon as it is free, with one core,
and a picture that comes alone gets all cores. One graph run over several pictures was measured and left out: on a CPU
a batch of 8 spends as much time on each picture as a batch of 1 does (benchmarks/serving.py).

A worker that is stuck is left behind and replaced, up to MOST_LEFT at a time; one that failed is replaced at once.
"""

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sightline.errors import BusyError, InspectionError

MOST_LEFT = 8  # stuck threads, each with a picture; beyond that none is replaced
BUCKETS_MS = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What may wait and how long work may take."""

    workers: int  # 1 or more
    queue: int = 64  # pictures that wait
    queue_bytes: int = 256 << 20  # that they take
    hang_s: float = 30.0  # a worker that is at one picture for longer is stuck

    def __post_init__(self) -> None:
        assert self.workers >= 1, "somebody has to judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How it went since the start; counts but for `waiting` and `running`."""

    waiting: int
    running: int
    judged: int
    refused: int  # as there was no room
    late: int  # given up by whoever asked, before they were begun
    stuck: int  # workers left behind
    failed: int  # workers that died of an error
    together: tuple[int, ...]  # [n - 1]: pictures that were begun as the n-th of those being judged at once
    latency_ms: tuple[tuple[float, int], ...]  # (bound, how many took at most so long); asked to answered
    latency_sum_ms: float


@dataclass(slots=True, kw_only=True, eq=False)
class _Task(Generic[Made]):
    work: Callable[[bool], Made]
    fault: Callable[[str], Made]
    stuck: Callable[[], None]
    size: int
    asked_s: float
    future: Future[Made] = field(default_factory=Future)


@dataclass(slots=True, kw_only=True, eq=False)
class _Seat:
    task: _Task[object] | None = None
    since_s: float = 0.0
    left: bool = False


class Workers(Generic[Made]):
    """Threads with a queue in front of them; close it when done."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._changed = threading.Condition()
        self._waiting: deque[_Task[Made]] = deque()
        self._bytes = 0
        self._seats: list[_Seat] = []
        self._left = 0
        self._closed = False
        self._counts = dict.fromkeys(("judged", "refused", "late", "stuck", "failed"), 0)
        self._together = [0] * load.workers
        self._latencies = [0] * (len(BUCKETS_MS) + 1)
        self._latency_sum_ms = 0.0
        with self._changed:
            for _ in range(load.workers):
                self._hire()

    def submit(
        self, work: Callable[[bool], Made], *, size: int, fault: Callable[[str], Made], stuck: Callable[[], None]
    ) -> Future[Made]:
        """Have something done by the next worker that is free.

        Args:
            work: is told whether it is alone, so that it may take all cores.
            size: bytes that it holds while it waits.
            fault: what stands in for the result, by a reason, when the work fails in a way that is not foreseen.
            stuck: is called when the work is given up as stuck.

        Raises:
            BusyError: no room, or all workers are stuck.
        """
        self.relieve()
        task = _Task(work=work, fault=fault, stuck=stuck, size=size, asked_s=time.monotonic())
        with self._changed:
            full = len(self._waiting) >= self._load.queue or self._bytes + size > self._load.queue_bytes
            if full or self._closed or not self._seats:
                self._counts["refused"] += 1
                raise BusyError(f"{len(self._waiting)} pictures wait already. Send it again in a second.")
            self._waiting.append(task)
            self._bytes += size
            self._changed.notify()
        return task.future

    def give_up(self, future: Future[Made]) -> bool:
        """Whether it had not been begun; it never will be."""
        if not future.cancel():
            self.relieve()
            return False
        with self._changed:
            self._counts["late"] += 1
        return True

    def relieve(self) -> None:
        """Replace the workers that are stuck."""
        before, given_up = time.monotonic() - self._load.hang_s, []
        with self._changed:
            for seat in [seat for seat in self._seats if seat.task is not None and seat.since_s < before]:
                assert seat.task is not None
                given_up.append(seat.task)
                seat.left = True
                self._seats.remove(seat)
                self._left += 1
                self._counts["stuck"] += 1
                if self._left <= MOST_LEFT:
                    self._hire()
        for task in given_up:
            task.stuck()

    def figures(self) -> Figures:
        with self._changed:
            sums = [sum(self._latencies[: place + 1]) for place in range(len(self._latencies))]
            return Figures(
                waiting=len(self._waiting),
                running=sum(seat.task is not None for seat in self._seats),
                together=tuple(self._together),
                latency_ms=tuple(zip((*BUCKETS_MS, float("inf")), sums, strict=True)),
                latency_sum_ms=self._latency_sum_ms,
                **self._counts,
            )

    def close(self) -> None:
        """End the workers; what waits is cancelled, what is being done is not waited for longer than 5 s."""
        with self._changed:
            self._closed = True
            for task in self._waiting:
                task.future.cancel()
            self._waiting.clear()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._seats, timeout=5)

    def _hire(self) -> None:
        """With the lock held. Daemons: a thread that is stuck in a model must not keep the process from ending."""
        seat = _Seat()
        self._seats.append(seat)
        threading.Thread(target=self._sit, args=(seat,), name="judge", daemon=True).start()

    def _sit(self, seat: _Seat) -> None:
        try:
            while (begun := self._next(seat)) is not None:
                self._do(seat, *begun)
        finally:
            with self._changed:
                if seat.left:
                    self._left -= 1
                else:
                    self._seats.remove(seat)
                    if not self._closed:  # it died of an error
                        self._counts["failed"] += 1
                        self._hire()
                self._changed.notify_all()

    def _next(self, seat: _Seat) -> tuple[_Task[Made], bool] | None:
        with self._changed:
            while not (self._closed or seat.left):
                while self._waiting:
                    task = self._waiting.popleft()
                    self._bytes -= task.size
                    if task.future.set_running_or_notify_cancel():
                        seat.task, seat.since_s = task, time.monotonic()  # type: ignore[assignment]  # its kind is lost
                        begun = sum(other.task is not None for other in self._seats)
                        self._together[begun - 1] += 1
                        return task, self._load.workers == 1 or (begun == 1 and not self._waiting)
                self._changed.wait()
        return None

    def _do(self, seat: _Seat, task: _Task[Made], alone: bool) -> None:
        try:
            made = task.work(alone)
        except InspectionError as error:
            self._rise(seat, task)
            task.future.set_exception(error)
        except BaseException as error:
            self._rise(seat, task)
            task.future.set_result(task.fault(f"judging failed ({type(error).__name__}). See the server's log."))
            raise
        else:
            self._rise(seat, task)
            task.future.set_result(made)

    def _rise(self, seat: _Seat, task: _Task[Made]) -> None:
        """Before whoever asked is told: the next picture may come at once, and is alone then."""
        took_ms = (time.monotonic() - task.asked_s) * 1e3
        with self._changed:
            seat.task = None
            self._counts["judged"] += 1
            self._latencies[bisect_left(BUCKETS_MS, took_ms)] += 1
            self._latency_sum_ms += took_ms
