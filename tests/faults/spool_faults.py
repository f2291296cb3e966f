"""Write records while disks fail and processes die, and see what is left: promises 15 and 16.

    python tests/faults/spool_faults.py calls FOLDER SHIM STEP     the n-th system call fails, n = 1, 1 + STEP, ...
    python tests/faults/spool_faults.py kills FOLDER TIMES         kill -9 at a random moment
    python tests/faults/spool_faults.py full FOLDER                write until the disk is full

Each prints one JSON document. Writers are forked, which is quick, so this file imports little and runs by itself.
"""

import ctypes
import itertools
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sightline.errors import StoreError
from sightline.line.history import History, verify
from sightline.line.outcome import Outcome
from sightline.line.spool import Spool, integrity
from sightline.records import Verdict

Acknowledge = Callable[[str], None]
BATCH, TRIES = 3, 3
MANNERS = {1: "no space", 2: "i/o error", 3: "short write", 4: "killed", 5: "no space from there on"}


def batch(spool: Spool) -> list[Outcome]:
    return [
        Outcome(id=spool.ids.new(), part_id=1, product="disc", recipe=1, verdict=Verdict.PASS, unix_s=1.8e9, score=0.5)
        for _ in range(BATCH)
    ]


def write(path: Path, acknowledge: Acknowledge, batches: int) -> None:
    """Record batches; tries a refused one again as a station may, and gives up when the disk stays bad."""
    try:
        spool = Spool(path, station="s")
        for _ in range(batches):
            outcomes = batch(spool)
            for attempt in range(TRIES):
                try:
                    spool.record(outcomes)
                    break
                except StoreError:
                    if attempt == TRIES - 1:
                        raise
            for outcome in outcomes:
                acknowledge(outcome.id)
        spool.close()
    except StoreError as error:
        print(error, file=sys.stderr)


def forked(work: Callable[[Acknowledge], None], patience_s: float | None = None) -> list[str]:
    """Do the work in a child, killed after `patience_s`; what it acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        pipe_out = os.fdopen(writing, "w", encoding="ascii")
        work(lambda text: print(text, file=pipe_out, flush=True))
        os._exit(0)
    os.close(writing)
    if patience_s is not None:
        time.sleep(patience_s)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, encoding="ascii") as pipe:
        acknowledged = [line.strip() for line in pipe if line.endswith("\n")]
    os.waitpid(child, 0)
    return acknowledged


def left(path: Path, acknowledged: list[str]) -> dict[str, object]:
    """What is wrong with the file, and how many records are there that were not acknowledged."""
    if not path.exists():
        return {"lost": len(acknowledged), "more": 0, "damage": None, "integrity": "ok"}
    Spool(path, station="s").close()  # as a station does after a crash
    history = History(path)
    present = [row.id for row in history.after(0, 10**9)]
    counted = sum(count.parts for count in history.counts())
    history.close()
    found = verify(path)
    return {
        "lost": len(set(acknowledged) - set(present)),
        "more": len(set(present) - set(acknowledged)),
        "damage": None if found is None and counted == len(present) else str(found or "counts differ"),
        "integrity": integrity(path),
    }


def calls(folder: Path, shim: Path, step: int) -> dict[str, object]:
    """In each manner, let the n-th call fail for n = 1 .. the end; what was found bad, and how much was tried.

    The shim is failing_calls.c, compiled and loaded before libc (LD_PRELOAD).
    """
    library = ctypes.CDLL(str(shim))
    bad: list[object] = []
    tried = refused = 0
    for manner, name in MANNERS.items():
        for number in itertools.count(1, step):
            here = folder / f"{manner}-{number}"
            here.mkdir()

            def work(acknowledge: Acknowledge, here: Path = here, manner: int = manner, number: int = number) -> None:
                library.arm(str(here).encode(), ctypes.c_long(number), manner)
                write(here / "records.db", acknowledge, 4)
                acknowledge(f"calls {library.calls_seen()}")

            told = forked(work)
            acknowledged = [line for line in told if not line.startswith("calls")]
            found = left(here / "records.db", acknowledged)
            tried += 1
            refused += len(acknowledged) < 4 * BATCH
            if found["lost"] or found["damage"] or found["integrity"] != "ok" or int(str(found["more"])) > BATCH:
                bad.append([name, number, found])
            shutil.rmtree(here)
            if told and told[-1].startswith("calls") and int(told[-1].split()[1]) < number:
                break  # there were no more calls to fail
    return {"tried": tried, "cut short": refused, "bad": bad}


def kills(folder: Path, times: int) -> dict[str, object]:
    """Kill the writer of one file again and again."""
    path, rng = folder / "records.db", random.Random(0)
    acknowledged: list[str] = []
    for _ in range(times):
        acknowledged += forked(lambda acknowledge: write(path, acknowledge, 10**6), rng.uniform(0.005, 0.06))
    return {"acknowledged": len(acknowledged), "kills": times, **left(path, acknowledged)}


def full(folder: Path) -> dict[str, object]:
    """Fill the disk; then free some and go on."""
    path = folder / "records.db"
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(folder).free // 2))
    acknowledged = forked(lambda acknowledge: write(path, acknowledge, 10**6))
    before = len(acknowledged)
    ballast.unlink()
    acknowledged += forked(lambda acknowledge: write(path, acknowledge, 10))
    return {"before": before, "after": len(acknowledged) - before, **left(path, acknowledged)}


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "calls":
        report = calls(folder, Path(sys.argv[3]), step=int(sys.argv[4]))
    elif what == "kills":
        report = kills(folder, int(sys.argv[3]))
    else:
        report = full(folder)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
