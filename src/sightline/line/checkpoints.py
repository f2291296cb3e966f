"""What keeps commits of the records quick: their write-ahead log is large from the start, and is emptied beside them.

A log that grows has its file system write down where it lies, and wait for all other files that are being written; on
a busy disk that takes a tenth of a second. One that is written over takes a fraction of a millisecond. So the log is
grown once, before there are parts, and a thread of its own carries it over into the file ("checkpoint"), for which a
commit would else have to wait. Nothing depends on it: where it fails, commits are as safe as ever, and slower.
"""

import shutil
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

LOG_PAGES = 2000  # of 4 KB: what some 30 parts a second come to between two checkpoints
EVERY_S = 5.0
_PAGE_BYTES = 4096
_TRIES = 3  # a commit during a checkpoint leaves a little for the next one, and the log starts anew only when empty
_FREE = 10  # times the log must be free on the disk, else it grows as it is needed


class Checkpoints:
    """A thread beside the one that commits, with a connection of its own; to be closed before the records are."""

    def __init__(self, path: Path, *, every_s: float = EVERY_S) -> None:
        self._path, self._every_s = path, every_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """May be called more than once."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        with suppress(sqlite3.Error, OSError):  # a commit meets the same disk, and tells of it
            grow_log(self._path)
        while not self._ending.wait(self._every_s):
            with suppress(sqlite3.Error):
                checkpoint(self._path)


def grow_log(path: Path) -> None:
    """Make the log of these records LOG_PAGES long, unless it is or the disk has little room.

    Raises:
        sqlite3.Error: the disk refuses; the records are as they were.
    """
    log, wanted = path.with_name(f"{path.name}-wal"), LOG_PAGES * _PAGE_BYTES
    if (log.exists() and log.stat().st_size >= wanted) or shutil.disk_usage(path.parent).free < _FREE * wanted:
        return
    with closing(_open(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("PRAGMA cache_size = 10")  # more than that is written to the log before it is committed
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE filler (bytes BLOB)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(?))", (wanted,))
        connection.execute("ROLLBACK")
        connection.execute(f"PRAGMA user_version = {version}")  # a commit, with which all of the log is on the disk


def checkpoint(path: Path) -> bool:
    """Carry the log over into the file without holding up a commit; whether all of it was.

    Raises:
        sqlite3.Error: the disk refuses; nothing is lost, as the log stays.
    """
    with closing(_open(path)) as connection:
        for _ in range(_TRIES):
            _, pages, carried = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages == carried:
                return True
    return False


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
