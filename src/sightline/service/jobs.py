"""The workers that run jobs, each job in a process of its own, so that what it does to itself harms nobody else.

What becomes of a job when something ends before it does:
- it was cancelled: SIGTERM to its processes, SIGKILL after GRACE_S;
- its process was killed, say for memory: it begins again, MOST_ATTEMPTS times in all, and has then failed;
- its process failed: it has failed, and says why;
- the server was stopped: it waits, and begins again with the next start; that was no attempt;
- the server died: the process ends at once, and the job begins again LEASE_S later, on any server.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import IO, Any, Self

from sightline.errors import StoreError
from sightline.service.job_kinds import KINDS
from sightline.service.job_task import SCRATCH, Kind, Site, checked
from sightline.store import jobs as queue
from sightline.store.database import Database
from sightline.store.jobs import Claim

GRACE_S = 5.0
KEPT_DAYS = 90.0  # jobs that ended, with what they left
_TIDY_EVERY_S = 3600.0
_LONGEST_EVENT = 1 << 20  # bytes of one line of a job's process
_LOG_WAITING = 200  # lines on their way to the database; a job that says more loses the oldest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the workers look."""

    idle_s: float = 1.0  # between looks at the queue
    beat_s: float = 1.0  # between signs of life of a running job


PROGRAM = (sys.executable, "-m", "sightline.service.job_process")


class Jobs:
    """The workers of one server; `start` and `close` frame its life."""

    def __init__(
        self,
        database: Database,
        site: Site,
        *,
        workers: int = 1,
        kinds: Mapping[str, Kind] = KINDS,
        program: Sequence[str] = PROGRAM,  # which knows the same kinds
        nice: int = 10,  # below the server, which answers people and stations meanwhile
        pace: Pace = Pace(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.site = site
        self.kinds = kinds
        self.watching: set[object] = set()  # who looks on
        self._program, self._nice = program, nice
        self._database, self._pace, self._clock = database, pace, clock
        self._closing, self._wake = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(f"{socket.gethostname()}:{os.getpid()}:{number}",), daemon=True)
            for number in range(workers)
        ]

    def start(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def close(self) -> None:
        """Stop; what runs is ended and waits for the next start."""
        self._closing.set()
        self._wake.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def submit(self, kind: str, params: Mapping[str, Any], *, author: str, now_s: float) -> str:
        """Check and queue a job, and return its id.

        Raises:
            OptionError: the kind or a parameter cannot be. BusyError: too many are waiting.
        """
        checked(self.kinds, kind, params)
        with self._database.writing() as session:
            job_id = queue.submit(session, kind=kind, params=params, author=author, now_s=now_s)
        self._wake.set()
        return job_id

    def _work(self, name: str) -> None:
        tidy_at = 0.0
        while not self._closing.is_set():
            self._wake.clear()
            try:
                if time.monotonic() >= tidy_at:
                    self._tidy()
                    tidy_at = time.monotonic() + _TIDY_EVERY_S
                with self._database.writing() as session:
                    held = queue.claim(session, worker=name, now_s=self._clock())
            except StoreError:  # it is tried again
                held = None
            if held is None:
                self._wake.wait(self._pace.idle_s)
            else:
                self._run(held)

    def _run(self, held: Claim) -> None:
        folder = self.site.folder_of(held.id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            running = _Running(self._program, held, self.site, self._nice)
        except OSError as error:
            self._end(held, "failed", f"{folder}: cannot be written ({error.strerror or error}). Check the disk.")
            return
        with running:
            state = self._watch(held, running)
        if state == "lost":
            return
        if self._closing.is_set() and running.outcome is None:
            self._insist(lambda: self._put_back(held, "the server was stopped", counts=False))
        elif state == "stop":
            self._end(held, "cancelled", "")
        elif running.outcome is not None and "done" in running.outcome:
            self._end(held, "done", "", running.outcome["done"])
        elif running.outcome is not None:
            self._end(held, "failed", str(running.outcome["failed"]))
        elif running.status is not None and running.status < 0:
            killed = f"its process was ended by {signal.Signals(-running.status).name}"
            self._insist(lambda: self._put_back(held, killed, counts=True))
        else:
            self._end(held, "failed", f"its process ended with status {running.status}; see the log.")

    def _watch(self, held: Claim, running: "_Running") -> str:
        """Until it has ended: on; it was cancelled: stop; it is somebody else's: lost."""
        state = "on"
        while running.is_alive(self._pace.beat_s) and state == "on" and not self._closing.is_set():
            state = self._beat(held, running)
        running.end()
        if state != "lost":
            self._insist(lambda: self._log(held, running))
        return state

    def _beat(self, held: Claim, running: "_Running") -> str:
        try:
            with self._database.writing() as session:
                now_s, texts = self._clock(), running.texts()
                queue.add_lines(session, held, texts, now_s=now_s)
                progress, message = running.progress
                return queue.beat(session, held, progress=progress, message=message, now_s=now_s)
        except StoreError:  # it goes on; the database is told with the next beat
            return "on"

    def _log(self, held: Claim, running: "_Running") -> None:
        with self._database.writing() as session:
            queue.add_lines(session, held, running.texts(), now_s=self._clock())

    def _put_back(self, held: Claim, why: str, *, counts: bool) -> None:
        with self._database.writing() as session:
            queue.put_back(session, held, why=why, counts=counts, now_s=self._clock())

    def _end(self, held: Claim, state: queue.State, message: str, result: Mapping[str, Any] | None = None) -> None:
        def write() -> None:
            with self._database.writing() as session:
                queue.end(session, held, state=state, message=message, result=result, now_s=self._clock())

        folder = self.site.folder_of(held.id)
        for path in folder.glob(f"{SCRATCH}*") if state == "done" else (folder,):
            shutil.rmtree(path, ignore_errors=True)
        self._insist(write)

    def _insist(self, write: Callable[[], None]) -> None:
        """Until the database takes it, or the server is stopped: then the job is taken up as after a crash."""
        while True:
            try:
                write()
                return
            except StoreError:
                if self._closing.wait(self._pace.idle_s):
                    return

    def _tidy(self) -> None:
        with self._database.writing() as session:
            gone = queue.forget(session, ended_before_s=self._clock() - KEPT_DAYS * 86_400)
        for job_id in gone:
            shutil.rmtree(self.site.folder_of(job_id), ignore_errors=True)
        with self._database.reading() as session:  # of those that ended while they waited, or with their server
            left = [
                path for path in self.site.results.glob(f"*/{SCRATCH}*") if queue.is_over(session, path.parent.name)
            ]
        for path in left:
            shutil.rmtree(path, ignore_errors=True)


class _Running:
    """A job's process and what it has said; it and all that it started end with the block."""

    def __init__(self, program: Sequence[str], held: Claim, site: Site, nice: int) -> None:
        self.outcome: Mapping[str, Any] | None = None  # its last word; None: it has said none
        self.progress: tuple[float, str] = (0.0, "")
        self._said: deque[str] = deque(maxlen=_LOG_WAITING)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(program, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        assert self._process.stdin is not None, "it is a pipe, as the other two"
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._listen, args=(self._process.stdout, self._hear), daemon=True),
            threading.Thread(target=self._listen, args=(self._process.stderr, self._said.append), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        order = {"kind": held.kind, "params": held.params, "author": held.author, "nice": nice}
        order |= {"site": asdict(site), "folder": site.folder_of(held.id)}
        with suppress(BrokenPipeError):  # it died; its status says so
            # in the pipe: its arguments anybody on the machine can read
            self._process.stdin.write(json.dumps(order, default=str).encode() + b"\n")
            self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def status(self) -> int | None:
        """With which it ended; negative: the signal."""
        return self._process.poll()

    def is_alive(self, wait_s: float) -> bool:
        """Whether it is after at most this time."""
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return True
        return False

    def texts(self) -> list[str]:
        """Lines of the log that were not fetched yet."""
        return [self._said.popleft() for _ in range(len(self._said))]

    def end(self) -> None:
        """See that it is over: ask, then kill; what it started is killed with it."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            if self.is_alive(GRACE_S):
                self._signal(signal.SIGKILL)
        self._process.wait()
        self._signal(signal.SIGKILL)  # the group outlives its leader while anything of it runs
        for reader in self._readers:
            reader.join(GRACE_S)  # what it started outside its group may hold a pipe
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _hear(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:  # cut short
            return
        if "progress" in event:
            stage, done, total = event["progress"]
            self.progress = (done / total if total else 0.0, f"{stage}: {done} of {total}")
        elif "say" in event:
            self._said.append(str(event["say"]))
        else:
            self.outcome = event

    @staticmethod
    def _listen(stream: IO[bytes], take: Callable[[str], None]) -> None:
        for raw in iter(lambda: stream.readline(_LONGEST_EVENT), b""):
            if text := raw.decode("utf-8", "replace").rstrip():
                take(text)
