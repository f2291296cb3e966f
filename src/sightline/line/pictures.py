"""The pictures of parts on disk: which are kept, for how long, and what gives way when the disk fills up.

A picture is a PNG named by its content. An index beside the files (pictures.db) says which part and view it shows; it
is written first, so that no file is left that nobody knows of.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sightline.errors import StoreError
from sightline.files import write_bytes
from sightline.line.spool import refused

INDEX = "pictures.db"
REMOVED_AT_ONCE = 100  # pictures, so that new ones are not kept waiting
_SCHEMA = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS pictures (
        outcome TEXT NOT NULL, view TEXT NOT NULL, worth TEXT NOT NULL, unix_s REAL NOT NULL, name TEXT NOT NULL,
        bytes INTEGER NOT NULL, PRIMARY KEY (outcome, view)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS pictures_by_age ON pictures (worth, unix_s);
    CREATE INDEX IF NOT EXISTS pictures_by_name ON pictures (name);
    CREATE TABLE IF NOT EXISTS outgoing (  -- to the plant server, in the order in which they were written
        number INTEGER PRIMARY KEY, outcome TEXT NOT NULL, view TEXT NOT NULL, UNIQUE (outcome, view)
    );
"""


class Worth(StrEnum):
    """How dear a picture is; the plain ones give way first."""

    PLAIN = "plain"  # of a part that passed
    FLAGGED = "flagged"  # of a part rejected, in doubt, not judged, audited, or of a challenge


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPicture:
    """A picture that is on disk."""

    outcome: str  # id of the part's record
    view: str
    worth: Worth
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A picture that the plant server is to have."""

    number: int  # ascends in the order in which they were written
    outcome: str
    view: str
    path: Path | None  # None: it was removed meanwhile


class PictureFolder:
    """A folder of pictures with its index; one process writes, threads may share it.

    Every method raises StoreError where the folder cannot be used.
    """

    def __init__(self, folder: Path, *, delivered: bool = False) -> None:
        """`delivered`: what is added from now on goes to the plant server too, and is noted as `outgoing`."""
        self.folder, self._delivered = folder, delivered
        self.undelivered = 0  # removed before the plant server had them, since it was opened
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made ({error.strerror}). Choose another folder.") from error
        with self._told():
            self._connection = sqlite3.connect(folder / INDEX, timeout=5, isolation_level=None, check_same_thread=False)
            self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def add(self, outcome: str, view: str, worth: Worth, unix_s: float, name: str, content: bytes) -> Path:
        """Write one picture, whole or not at all; what is there already is not written again.

        Args:
            outcome, view: the part's record and what shows it; after a StoreError the same may be added again.
            name: by the content, unique to it.
        """
        path = self._path(name)
        with self._told():
            self._connection.execute(
                "REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?)", (outcome, view, worth, unix_s, name, len(content))
            )
        if not _is_there(path):
            with suppress(OSError):  # what is wrong with it is told when the picture is written
                path.parent.mkdir(exist_ok=True)
            write_bytes(path, content)
        if self._delivered:
            with self._told():
                self._connection.execute(
                    "INSERT OR IGNORE INTO outgoing (outcome, view) VALUES (?, ?)", (outcome, view)
                )
        return path

    def outgoing(self, after: int, most: int) -> list[Outgoing]:
        """The next pictures to be delivered after this number, oldest first."""
        with self._told():
            rows = self._connection.execute(
                "SELECT number, outcome, view, name FROM outgoing LEFT JOIN pictures USING (outcome, view) "
                "WHERE number > ? ORDER BY number LIMIT ?",
                (after, most),
            ).fetchall()
        return [
            Outgoing(number=number, outcome=outcome, view=view, path=None if name is None else self._path(name))
            for number, outcome, view, name in rows
        ]

    def waiting(self) -> int:
        """How many are to be delivered."""
        with self._told():
            return int(self._connection.execute("SELECT count(*) FROM outgoing").fetchone()[0])

    def gone(self, number: int) -> None:
        """This one was delivered, or never will be."""
        with self._told():
            self._connection.execute("DELETE FROM outgoing WHERE number = ?", (number,))

    def of(self, outcome: str) -> list[StoredPicture]:
        """The pictures of one part that are on disk."""
        with self._told():
            rows = self._connection.execute(
                "SELECT view, worth, name FROM pictures WHERE outcome = ? ORDER BY view", (outcome,)
            ).fetchall()
        found = (
            StoredPicture(outcome=outcome, view=view, worth=Worth(worth), path=self._path(name))
            for view, worth, name in rows
        )
        return [picture for picture in found if _is_there(picture.path)]

    def size_bytes(self) -> int:
        """Of all pictures together, those shared by several parts counted for each."""
        with self._told():
            return int(self._connection.execute("SELECT coalesce(sum(bytes), 0) FROM pictures").fetchone()[0])

    def remove_oldest(self, worth: Worth, before_unix_s: float) -> int:
        """Remove the oldest of this worth, REMOVED_AT_ONCE at most; returns how many went."""
        with self._told():
            rows = self._connection.execute(
                "SELECT outcome, view, name FROM pictures WHERE worth = ? AND unix_s < ? ORDER BY unix_s LIMIT ?",
                (worth, before_unix_s, REMOVED_AT_ONCE),
            ).fetchall()
            for outcome, view, name in rows:
                others = self._connection.execute(
                    "SELECT 1 FROM pictures WHERE name = ? AND NOT (outcome = ? AND view = ?)", (name, outcome, view)
                ).fetchone()
                if not others:
                    self._unlink(name)
                for table in ("pictures", "outgoing"):
                    which = f"DELETE FROM {table} WHERE outcome = ? AND view = ?"
                    went = self._connection.execute(which, (outcome, view)).rowcount
                self.undelivered += went
            return len(rows)

    def _unlink(self, name: str) -> None:
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self._path(name)}: cannot be removed ({error.strerror}). Check the disk.") from error

    def _path(self, name: str) -> Path:
        return self.folder / name[:2] / f"{name}.png"

    @contextmanager
    def _told(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise refused(self.folder / INDEX, error) from error


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # of a disk that fails, or a folder that may not be searched
        raise StoreError(f"{path}: cannot be looked at ({error.strerror}). Check the disk.") from error
