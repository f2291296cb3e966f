"""Copies of the plant's database, and whether it is sound.

SQLite is copied while it is in use; what cannot be read through soundly never gets the name of a backup. PostgreSQL has
tools of its own for this.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from sightline.errors import OptionError, StoreError
from sightline.files import replacing
from sightline.store.database import Database
from sightline.store.schema import Base, Inspection, Tally

_ROWS = 1_000  # in memory at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a table holds."""

    rows: int
    digest: str  # SHA-256 of all rows in the order of their keys, the same on SQLite and PostgreSQL


def back_up(database: Database, target: Path) -> None:
    """Copy a SQLite database, which may be in use, into one file; a file there is replaced when the copy is sound.

    Raises:
        OptionError: it is no SQLite file. StoreError: it cannot be copied, or is damaged.
    """
    if not database.is_sqlite:
        raise OptionError("database: PostgreSQL is backed up by pg_dump --format=custom --file=FILE NAME.")
    source = database.engine.url.database
    if not source:
        raise OptionError("database: is in memory only; there is nothing to back up.")
    _copy(Path(source), target)


def restore(source: Path, target: Path) -> None:
    """Make a database of a backup, in a file that does not exist; the server must not run.

    Raises:
        OptionError: the target exists. StoreError: the backup is damaged, or the target cannot be written.
    """
    for path in (target, target.with_name(f"{target.name}-wal")):
        if path.exists():
            raise OptionError(f"{path}: exists already. Stop the server and move it away, or restore to another place.")
    _copy(source, target)


def complaints(database: Database) -> list[str]:
    """What is wrong with a database; nothing, if it is sound. Reads all of it; PostgreSQL sees to its own files."""
    with database.reading() as session:
        found = _damage(session) if database.is_sqlite else []
        counted = session.scalar(select(func.sum(Tally.parts))) or 0
        there = session.scalar(select(func.count()).select_from(Inspection)) or 0
        if counted != there:
            found.append(f"tallies: count {counted} parts, but there are {there} inspections")
        return found


def holdings(database: Database) -> dict[str, Holding]:
    """What each table holds as of one moment, to compare a copy with. Reads everything."""
    with database.reading() as session:
        return {table: _holding(session, table) for table in sorted(Base.metadata.tables)}


def _holding(session: Session, name: str) -> Holding:
    table = Base.metadata.tables[name]
    rows = session.execute(select(table).order_by(*table.primary_key), execution_options={"yield_per": _ROWS})
    summed, count = hashlib.sha256(), 0
    for row in rows:
        summed.update(json.dumps(list(row), sort_keys=True).encode("ascii") + b"\n")
        count += 1
    return Holding(rows=count, digest=summed.hexdigest())


def _damage(session: Session) -> list[str]:
    said = [str(row[0]) for row in session.execute(text("PRAGMA integrity_check(20)"))]
    orphans = [f"{row[0]}: a row names one of {row[2]} that is not there" for row in _foreign(session)]
    return [*(line for line in said if line != "ok"), *orphans]


def _foreign(session: Session) -> list[tuple[str, int, str]]:
    return [(row[0], row[1], row[2]) for row in session.execute(text("PRAGMA foreign_key_check")).fetchmany(20)]


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise StoreError(f"{source}: is not there. Give the path of a database.")
    with replacing(target) as partial:
        with _told(source), closing(_opened(source)) as there, closing(sqlite3.connect(partial)) as copied:
            there.backup(copied)  # in one step: a writer would make one of many begin anew, for ever
            copied.execute("PRAGMA journal_mode = DELETE")  # one file, without others beside it
            (said,) = copied.execute("PRAGMA integrity_check(1)").fetchone()
        if said != "ok":
            raise StoreError(f"{source}: is damaged ({said}). Take an earlier backup.")


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be copied ({error}). Check the file and the disk.") from error
