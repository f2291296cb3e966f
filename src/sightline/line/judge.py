"""A view's model in a process of its own, watched: what dies or hangs is replaced, and what it had is a FAULT."""

import atexit
import multiprocessing
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess

from sightline.errors import OptionError
from sightline.line.messages import Job, Judged, receive_judged, send_job
from sightline.line.restarts import RestartBudget
from sightline.line.worker import READY, Work, work
from sightline.records import Frame
from sightline.supervision import survived

_POLL_S = 0.05  # how soon a death between two jobs is seen
MOST_WAITING = 4  # frames; more than that would be late anyhow
_FAREWELL_S = 1.0  # for a worker whose connection was closed
_WORKER = "sightline.line.worker"

Answer = Callable[[str, Judged], None]


class JudgeState(StrEnum):
    LOADING = "loading"
    READY = "ready"
    RESTARTING = "restarting"
    HELD = "held"  # the restart budget is spent, or the model cannot be loaded: a person must look
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a worker may take, and how often it may be replaced."""

    load_s: float = 60.0  # to load the models and warm up
    judge_s: float = 2.0  # for one frame; then it counts as stuck, and is killed
    restarts: int = 5
    within_s: float = 60.0


@dataclass(slots=True, kw_only=True)
class Counts:
    """Since the judge began."""

    judged: int = 0
    faults: int = 0  # submitted, and not judged
    restarts: int = 0
    refused: int = 0  # not even accepted


class Judge:
    """Judges the frames of one view one after another, in the order given; a resource, to be closed.

    What is accepted is answered exactly once, through `answer`, from this judge's thread: as a fault where the worker
    died or hung. What comes while no worker is ready is refused, as nobody knows when there will be one.
    """

    def __init__(self, view: str, task: Work, answer: Answer, patience: Patience | None = None) -> None:
        """Begin to load; `state` says when it is ready.

        Args:
            answer: called with the view and the answer; must not block.
        """
        self.view, self.counts = view, Counts()
        self.reason = ""  # why it is held
        self.state = JudgeState.LOADING
        self.pid: int | None = None  # of the worker; None while there is none
        self._task, self._answer, self._patience = task, answer, patience or Patience()
        self._budget = RestartBudget(restarts=self._patience.restarts, within_s=self._patience.within_s)
        self._jobs: queue.Queue[Job] = queue.Queue(MOST_WAITING)
        self._worker: _Worker | None = None
        self._in_hand: Job | None = None  # taken from those, and not answered yet
        self._lock = threading.Lock()  # of the limit
        self._limit: tuple[BaseProcess, float] | None = None  # what is killed when the clock passes this
        self._released = False
        self._ending, self._ended = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=target, name=f"{name} {view}", daemon=True)
            for name, target in (("judge", self._run), ("watchdog", self._watch))
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, number: int, frame: Frame, motion_px: float | None = None) -> bool:
        """Whether the frame will be judged; never waits.

        Args:
            motion_px: how far this part moved while exposed; None: as the task says.
        """
        accepted = self.state is JudgeState.READY and not self._ending.is_set()
        if accepted:
            try:
                self._jobs.put_nowait(Job(number=number, frame=frame, motion_px=motion_px))
            except queue.Full:
                accepted = False
        if not accepted:
            self.counts.refused += 1
        return accepted

    def release(self) -> None:
        """Leave a hold: start workers again, with the whole restart budget."""
        self._released = True

    def close(self, drain_s: float = 5.0) -> None:
        """Judge what is waiting, for as long, then end the process; never raises."""
        self._ending.set()
        self._threads[0].join(drain_s)
        if self._threads[0].is_alive():
            self._set_limit(self._limit[0] if self._limit else None, 0.0)
            self._threads[0].join()
        self._ended.set()
        self._threads[1].join()

    def _run(self) -> None:
        while not (self._ending.is_set() and (self._worker is None or self._jobs.empty())):
            with survived(self._recover):
                self._turn()
        with survived():
            self._finish()

    def _turn(self) -> None:
        if self._worker is None:
            self._worker = self._replacement()
            return
        try:
            job = self._in_hand = self._jobs.get(timeout=_POLL_S)
        except queue.Empty:
            if not self._worker.process.is_alive():
                self._bury("the worker died between two frames")
            return
        judged = self._judged(self._worker, job)
        if judged is None:
            self._fault(job, "the worker died or hung on this frame")
            self._bury("the worker died on a frame")
            return
        self._answer(self.view, judged)
        self._in_hand = None
        self.counts.judged += judged.inspection is not None
        self.counts.faults += judged.inspection is None

    def _recover(self, error: Exception) -> None:
        """From what nobody expected: as where the worker died."""
        reason = f"its worker failed ({error})"
        try:
            if self._in_hand is not None:
                self._fault(self._in_hand, reason)
        finally:
            self._bury(reason)

    def _finish(self) -> None:
        self.state, self.pid = JudgeState.CLOSED, None
        self._fault_waiting("the station ends")
        if self._worker is not None:
            self._worker.end()

    def _replacement(self) -> "_Worker | None":
        """A worker that is ready; None where it is not to be had yet.

        Raises:
            OSError: this machine starts no process now; counts as one that died.
        """
        if self.state is JudgeState.HELD:
            if not self._released:
                self._ending.wait(_POLL_S)
                return None
            self._budget.renew()
        self._released = False
        if self.state is not JudgeState.LOADING and not self._budget.spend(time.monotonic()):
            often = f"{self._budget.restarts} times within {self._budget.within_s:g} s"
            self._hold(f"{self.view}: workers died {often}, at last: {self.reason}.")
            return None
        try:
            worker = _started(self.view, self._task, self._patience.load_s, self._ending)
        except OptionError as error:
            self._hold(str(error))
            return None
        except EOFError:  # which a second try may get over
            self.state, self.reason = JudgeState.RESTARTING, "the worker died while it was loading"
            return None
        self.counts.restarts += self.state is not JudgeState.LOADING
        self.state, self.pid = JudgeState.READY, worker.process.pid
        return worker

    def _hold(self, reason: str) -> None:
        self.reason, self.state = reason, JudgeState.HELD

    def _bury(self, reason: str) -> None:
        """What waits would wait for seconds: it is a fault now."""
        self.state, self.pid, self.reason = JudgeState.RESTARTING, None, reason
        worker, self._worker = self._worker, None
        self._fault_waiting(reason)
        if worker is not None:
            worker.end()

    def _fault_waiting(self, reason: str) -> None:
        while True:
            try:
                self._fault(self._jobs.get_nowait(), reason)
            except queue.Empty:
                return

    def _fault(self, job: Job, reason: str) -> None:
        self._in_hand = None
        self.counts.faults += 1
        self._answer(self.view, Judged(number=job.number, inspection=None, fault=f"{self.view}: {reason}."))

    def _judged(self, worker: "_Worker", job: Job) -> Judged | None:
        """None where the worker is no more."""
        with self._watched(worker.process):
            try:
                send_job(worker.connection, job)
                return receive_judged(worker.connection)
            except (EOFError, OSError):
                return None

    @contextmanager
    def _watched(self, process: BaseProcess) -> Iterator[None]:
        """A worker that stops in the middle of a message would be waited for without end; the watchdog kills it."""
        self._set_limit(process, time.monotonic() + self._patience.judge_s)
        try:
            yield
        finally:
            self._set_limit(None, 0.0)

    def _set_limit(self, process: BaseProcess | None, at_s: float) -> None:
        with self._lock:
            self._limit = None if process is None else (process, at_s)

    def _watch(self) -> None:
        while not self._ended.wait(_POLL_S):
            with self._lock:
                if self._limit is not None and time.monotonic() >= self._limit[1]:
                    self._limit[0].kill()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Worker:
    """A process that is ready, and the station's end of its connection."""

    process: BaseProcess
    connection: Connection

    def end(self) -> None:
        """Returns when it is no more."""
        atexit.unregister(self.process.kill)
        self.connection.close()  # what judges ends by itself then
        self.process.join(_FAREWELL_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


def _started(view: str, task: Work, load_s: float, ending: threading.Event) -> _Worker:
    """A worker that has said it is ready.

    Raises:
        OptionError: the model cannot be used, or is not loaded in time. EOFError: the process died. OSError: it could
        not be started.
    """
    # a server that has imported what a worker needs forks one in a tenth of the time; there is none on Windows
    if sys.platform == "win32":
        context: SpawnContext | ForkServerContext = multiprocessing.get_context("spawn")
    else:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_WORKER])
    ours, theirs = context.Pipe()
    with theirs:
        process = context.Process(target=work, args=(theirs, task), name=f"worker {view}", daemon=True)
        try:
            process.start()
        except BaseException:  # no memory, or too many processes or files
            ours.close()
            raise
    # it ignores the polite signal, for which multiprocessing would wait without end when a station dies unclosed
    atexit.register(process.kill)
    worker = _Worker(process=process, connection=ours)
    until = time.monotonic() + load_s
    try:
        while not ours.poll(_POLL_S):
            if ending.is_set() or time.monotonic() > until:
                raise OptionError(f"{task.model}: is not loaded within {load_s:g} s. Take a smaller model.")
        said = ours.recv_bytes()
        if said != READY:
            raise OptionError(said.decode())
    except BaseException:
        worker.end()
        raise
    return worker
