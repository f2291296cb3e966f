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

from sqlalchemy import func, make_url, select, text
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


def file_of(url: str) -> Path:
    """Where the SQLite database of an address lies.

    Raises:
        OptionError: it is no SQLite file.
    """
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        raise OptionError("database: is no SQLite file; PostgreSQL is restored by pg_restore.")
    return Path(address.database)


def restore(source: Path, target: Path, *, replace: bool = False) -> None:
    """Make a database of a backup; the server must not run.

    Args:
        replace: what is at the target may go; it stays until the backup was read through and found sound.

    Raises:
        OptionError: the target exists, or is the backup itself. StoreError: the backup is damaged or of something
            else, somebody uses the target, or it cannot be written.
    """
    beside = [target.with_name(f"{target.name}-{what}") for what in ("wal", "shm")]
    if not replace and (taken := next((path for path in (target, *beside) if path.exists()), None)):
        raise OptionError(f"{taken}: exists already. Stop the server and move it away, or restore to another place.")
    if target.exists() and source.exists() and target.samefile(source):
        raise OptionError(f"{source}: is the database itself; give a backup.")
    _refuse_strange(source)
    _refuse_used(target)
    _copy(source, target)
    for path in beside:  # of the one before: they would be read into this one
        path.unlink(missing_ok=True)


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
    _refuse_missing(source)
    with replacing(target) as partial:
        with _told(source), closing(_opened(source)) as there, closing(sqlite3.connect(partial)) as copied:
            there.backup(copied)  # in one step: a writer would make one of many begin anew, for ever
            copied.execute("PRAGMA journal_mode = DELETE")  # one file, without others beside it
            (said,) = copied.execute("PRAGMA integrity_check(1)").fetchone()
        if said != "ok":
            raise StoreError(f"{source}: is damaged ({said}). Take an earlier backup.")


def _refuse_strange(source: Path) -> None:
    """Sound SQLite may be somebody else's."""
    _refuse_missing(source)
    with _told(source), closing(_opened(source)) as there:
        names = {row[0] for row in there.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"inspections", "audit", "facts"} <= names:
        raise StoreError(f"{source}: is no database of a plant. Give what `sightline serve backup` wrote.")


def _refuse_missing(source: Path) -> None:
    if not source.is_file():
        raise StoreError(f"{source}: is not there. Give the path of a database.")


def _refuse_used(target: Path) -> None:
    """A server that runs holds the file open, and would go on writing to what is no longer there."""
    if not target.is_file():
        return
    try:
        with closing(_opened(target)) as there:
            there.execute("PRAGMA journal_mode = DELETE").fetchone()  # only the last one who has it open can
    except sqlite3.OperationalError as error:
        raise StoreError(f"{target}: is in use ({error}). Stop the server first.") from error
    except sqlite3.DatabaseError:  # damaged: what it is replaced for
        return


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be copied ({error}). Check the file and the disk.") from error
