"""The station's records: one SQLite file in which a verdict is before the PLC may pass the part.

A commit returns when the disk has it (write-ahead log, synchronous FULL). A verdict is held until it is known what the
PLC was told; then it becomes a record, one line of JSON that holds the digest of the record before, so that none can be
changed or taken out unseen. What a crash left held becomes a record at the next start. line/history.py reads them.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightline.errors import StoreError
from sightline.line.outcome import FIRST, Ids, Outcome, canonical, content, digest, document

BUSY_S = 5.0  # how long a commit waits for another process that has the file
LOG_MOST_PAGES = 8000  # of the write-ahead log, after which a commit empties it where nobody else does (checkpoints.py)
PRUNED_AT_ONCE = 500  # rows; a commit never waits longer than for their removal
_MIGRATIONS = (  # from schema n to n + 1; each may run again after it was interrupted
    """
    CREATE TABLE IF NOT EXISTS parts (
        sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, day TEXT NOT NULL, part_id INTEGER NOT NULL,
        serial TEXT NOT NULL, kind TEXT NOT NULL, verdict TEXT NOT NULL, document TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS parts_by_serial ON parts (serial) WHERE serial <> '';
    CREATE TABLE IF NOT EXISTS counts (
        day TEXT, recipe INTEGER, kind TEXT, verdict TEXT, cause TEXT, late INTEGER, parts INTEGER NOT NULL,
        PRIMARY KEY (day, recipe, kind, verdict, cause, late)
    ) WITHOUT ROWID;
    -- the two ends of the chain: the last record, and the last one that was pruned
    CREATE TABLE IF NOT EXISTS ends (
        name TEXT PRIMARY KEY, sequence INTEGER NOT NULL, digest TEXT NOT NULL, id TEXT
    ) WITHOUT ROWID;
    """,
    "CREATE TABLE IF NOT EXISTS held (id TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;",
)
SCHEMA = len(_MIGRATIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of the chain of records."""

    sequence: int = 0
    digest: str = FIRST
    id: str | None = None  # the latest until then; None: there is no record yet


class Spool:
    """The station's records, open for writing. One process writes; threads may share it.

    After a StoreError nothing of the failed call counts as recorded, and the same outcomes may be given again.
    """

    def __init__(self, path: Path, *, station: str) -> None:
        """Open or make the file, and bring an older one up to date.

        Raises:
            StoreError: it cannot be written, is damaged, or is of a newer version.
        """
        self.path = path
        self._station = station
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._last = End()
        with self._lock:
            self._reopen()
        self._adopt()
        self.ids = Ids(self._last.id)

    def record(self, outcomes: Sequence[Outcome], held: Sequence[Outcome] = ()) -> None:
        """Make these durable in one commit; those whose id is recorded already are left out.

        Args:
            outcomes: that are complete, and become records in this order.
            held: of which it is not known yet what the PLC is told; each is to be given again, complete.

        Raises:
            StoreError: none of them counts as recorded: disk full, failing, or gone.
        """
        self._commit([content(outcome) for outcome in outcomes], [content(outcome) for outcome in held])

    def _adopt(self) -> None:
        """What a crash left held becomes records: what the PLC was told of it is not known."""
        with self._lock, self._committing() as connection:
            left = [json.loads(row[0]) for row in connection.execute("SELECT content FROM held ORDER BY id")]
        if left:
            self._commit(left, [])

    def _commit(self, complete: Sequence[Mapping[str, Any]], held: Sequence[Mapping[str, Any]]) -> None:
        with self._lock:
            with self._committing() as connection:
                last = self._last
                for recorded in held:
                    connection.execute(
                        "INSERT OR IGNORE INTO held SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM parts WHERE id = ?1)",
                        (recorded["id"], canonical(recorded)),
                    )
                for recorded in complete:
                    last = self._insert(connection, recorded, last)
                    connection.execute("DELETE FROM held WHERE id = ?", (recorded["id"],))
                _set_end(connection, "last", last)
            self._last = last

    def prune(self, *, through: int, before: datetime) -> int:
        """Remove the oldest records, PRUNED_AT_ONCE at most; the counts stay. Returns how many went.

        Args:
            through: sequence number of the last record that may go, say the last one the plant server has.
            before: the day of this moment, in UTC, and all later ones stay.
        """
        day = before.astimezone(UTC).date().isoformat()
        with self._lock, self._committing() as connection:
            oldest = connection.execute(
                "SELECT sequence, id, day, document FROM parts WHERE sequence <= ? ORDER BY sequence LIMIT ?",
                (through, PRUNED_AT_ONCE),
            ).fetchall()
            kept = next((place for place, row in enumerate(oldest) if row[2] >= day), len(oldest))
            if kept:
                sequence, id_, _, line = oldest[kept - 1]
                connection.execute("DELETE FROM parts WHERE sequence <= ?", (sequence,))
                _set_end(connection, "pruned", End(sequence=sequence, digest=digest(line), id=id_))
            return kept

    def close(self) -> None:
        """Never raises; may be called more than once. A later `record` raises StoreError."""
        with self._lock:
            self._close()
            self._closed = True

    def _insert(self, connection: sqlite3.Connection, recorded: Mapping[str, Any], last: End) -> End:
        sequence = last.sequence + 1
        line = document(recorded, sequence, last.digest, self._station)
        day = datetime.fromtimestamp(recorded["unix_s"], UTC).date().isoformat()
        id_, verdict = recorded["id"], recorded["verdict"]
        inserted = connection.execute(
            "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (sequence, id_, day, recorded["part_id"], recorded["serial"], recorded["kind"], verdict, line),
        )
        if not inserted.rowcount:
            return last
        connection.execute(
            "INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET parts = parts + 1",
            (day, recorded["recipe"], recorded["kind"], verdict, recorded["cause"] or "", recorded["late"]),
        )
        return End(sequence=sequence, digest=digest(line), id=max(id_, last.id or ""))

    @contextmanager
    def _committing(self) -> Iterator[sqlite3.Connection]:
        """A transaction; where it fails the file is opened anew, as what SQLite then thinks of it cannot be trusted."""
        if self._closed:
            raise StoreError(f"{self.path}: is closed.")
        if self._connection is None:
            self._reopen()
        connection = self._connection
        assert connection is not None
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._close()
            raise refused(self.path, error) from error
        except (ValueError, OverflowError) as error:  # an outcome that cannot be written down; its thread must go on
            self._close()
            raise StoreError(f"{self.path}: a result cannot be recorded ({error}). Report this as a fault.") from error
        except BaseException:
            self._close()  # rolls back
            raise

    def _reopen(self) -> None:
        try:
            self._connection = _opened(self.path)
            self._last = end(self._connection, "last")
        except sqlite3.Error as error:
            self._close()
            raise refused(self.path, error) from error

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def end(connection: sqlite3.Connection, name: str) -> End:
    """The end of the chain that is called so: "last" or "pruned"."""
    row = connection.execute("SELECT sequence, digest, id FROM ends WHERE name = ?", (name,)).fetchone()
    return End(sequence=row[0], digest=row[1], id=row[2]) if row else End()


def _set_end(connection: sqlite3.Connection, name: str, new: End) -> None:
    connection.execute("REPLACE INTO ends VALUES (?, ?, ?, ?)", (name, new.sequence, new.digest, new.id))


def refused(path: Path, error: sqlite3.Error) -> StoreError:
    """What SQLite says, as ours, with the cure."""
    code = getattr(error, "sqlite_errorname", "")
    cures = {
        "SQLITE_FULL": "The disk is full: free some space.",
        "SQLITE_CANTOPEN": "Its folder does not exist or may not be written: make it, or change its permissions.",
        "SQLITE_READONLY": "It may not be written: change its permissions, or the disk is read-only.",
        "SQLITE_CORRUPT": "It is damaged: move it away for inspection and start with a new one.",
        "SQLITE_NOTADB": "It is no record of a station: give another path.",
        "SQLITE_BUSY": "Another process has it: run one station per file.",
    }
    known = next((cure for name, cure in cures.items() if code.startswith(name)), "Check the disk.")
    return StoreError(f"{path}: cannot be used ({error}). {known}")


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _migrate(path, connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_MOST_PAGES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path}: its disk cannot hold a write-ahead log ({mode}). Use a local disk.")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA:
        raise StoreError(f"{path}: is of schema {version}, this version knows {SCHEMA}. Install a newer Sightline.")
    for number in range(version, SCHEMA):
        connection.executescript(f"BEGIN; {_MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")


def integrity(path: Path) -> str:
    """What SQLite's own check says: "ok", or its first complaint. Reads the whole file."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        raise refused(path, error) from error
