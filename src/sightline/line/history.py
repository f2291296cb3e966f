"""What the station recorded, read beside the process that writes it; and the proof that nothing was altered."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sightline.line.outcome import Kind, digest
from sightline.line.spool import End, end, refused
from sightline.records import Verdict

_COLUMNS = ("sequence", "id", "part_id", "serial", "kind", "verdict")  # of `parts`, as in the document


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One part's record."""

    sequence: int
    id: str
    part_id: int
    serial: str
    kind: Kind
    verdict: Verdict
    document: str  # one line of JSON with everything, docs/store-and-forward.md


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many parts of one kind came to one end on one day."""

    day: str  # in UTC, 2026-01-31
    recipe: int
    kind: Kind
    verdict: Verdict
    cause: str  # of a FAULT, else empty
    late: bool
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A place where the records are not what was written."""

    sequence: int
    what: str


class History:
    """The station's records, open for reading; never makes the writer wait. Threads may share it.

    Every method raises StoreError where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._told():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, check_same_thread=False
            )

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def newest(self, most: int = 100) -> list[Recorded]:
        """The last parts, newest first."""
        return self._read("ORDER BY sequence DESC LIMIT ?", most)

    def after(self, sequence: int, most: int) -> list[Recorded]:
        """The parts that come next after this one, oldest first."""
        return self._read("WHERE sequence > ? ORDER BY sequence LIMIT ?", sequence, most)

    def of_serial(self, serial: str, most: int = 100) -> list[Recorded]:
        """Every time this part was looked at, newest first."""
        found = "WHERE serial = ? AND serial <> '' ORDER BY sequence DESC LIMIT ?"
        return self._read(found, serial, most)

    def counts(self, since: str = "") -> list[Count]:
        """By day, from `since` on ("2026-01-31"; empty: all). Takes as long after a year as after a day's parts."""
        with self._told():
            rows = self._connection.execute(
                "SELECT day, recipe, kind, verdict, cause, late, parts FROM counts WHERE day >= ?", (since,)
            ).fetchall()
        return [
            Count(
                day=day, recipe=recipe, kind=Kind(kind), verdict=Verdict(verdict), cause=cause, late=late, parts=parts
            )
            for day, recipe, kind, verdict, cause, late, parts in rows
        ]

    def last(self) -> End:
        """The newest record's end of the chain."""
        with self._told():
            return end(self._connection, "last")

    def sequence_of(self, record: str) -> int | None:
        """The place of the record of this id; 0 where it was pruned; None: there is none yet."""
        with self._told():
            row = self._connection.execute("SELECT sequence FROM parts WHERE id = ?", (record,)).fetchone()
            if row is not None:
                return int(row[0])
            pruned = end(self._connection, "pruned")
        return 0 if pruned.id is not None and record <= pruned.id else None

    def _read(self, which: str, *values: object) -> list[Recorded]:
        with self._told():
            rows = self._connection.execute(
                f"SELECT {', '.join(_COLUMNS)}, document FROM parts {which}", values
            ).fetchall()
        return [
            Recorded(
                sequence=sequence,
                id=id_,
                part_id=part_id,
                serial=serial,
                kind=Kind(kind),
                verdict=Verdict(verdict),
                document=line,
            )
            for sequence, id_, part_id, serial, kind, verdict, line in rows
        ]

    @contextmanager
    def _told(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise refused(self._path, error) from error


def verify(path: Path) -> Damage | None:
    """The first place where the records were changed, taken out or put in; None: there is none.

    Finds every change but one by somebody who computes all later digests anew. Against that too, compare the last
    digest with one that the plant server was sent: it is in the document that came after.

    Raises:
        StoreError: the file cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")  # one moment's state, while the station goes on writing
            rows = connection.execute(f"SELECT document, {', '.join(_COLUMNS)} FROM parts ORDER BY sequence")
            return _damage_in(rows, end(connection, "pruned"), end(connection, "last"))
    except sqlite3.Error as error:
        raise refused(path, error) from error


def verify_lines(lines: Iterable[str], before: End | None = None) -> Damage | None:
    """As `verify`, for documents that were sent or exported, one in each line, in order.

    Args:
        before: the record before the first; None: what the first says of it is taken on trust.
    """
    for line in lines:
        found = _next(line.rstrip("\n"), before)
        if isinstance(found, Damage):
            return found
        before = found
    return None


def _damage_in(rows: Iterable[tuple[str, *tuple[object, ...]]], before: End, last: End) -> Damage | None:
    for line, *columns in rows:
        found = _next(line, before)
        if isinstance(found, Damage):
            return found
        if [json.loads(line).get(key) for key in _COLUMNS] != columns:
            return Damage(sequence=found.sequence, what="its columns and its document differ")
        before = found
    if before.sequence < last.sequence:
        return Damage(sequence=before.sequence + 1, what="the record is missing")
    if before.digest != last.digest:
        return Damage(sequence=before.sequence, what="the last record was changed")
    return None


def _next(line: str, before: End | None) -> End | Damage:
    """The end of the chain with this document on it, or what is wrong with it."""
    wanted = before.sequence + 1 if before else 0
    try:
        content = json.loads(line)
        sequence, previous, id_ = int(content["sequence"]), content["previous"], str(content["id"])
        digest_ = digest(line)
    except (ValueError, TypeError, KeyError):  # UnicodeEncodeError is a ValueError
        return Damage(sequence=wanted, what="it is no record any more")
    if before and sequence != wanted:
        return Damage(sequence=wanted, what="the record is missing")
    if before and previous != before.digest:
        return Damage(sequence=sequence, what="it, or the record before it, was changed")
    return End(sequence=sequence, digest=digest_, id=id_)
