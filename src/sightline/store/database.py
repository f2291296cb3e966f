"""The plant's database: SQLite in one file, or PostgreSQL."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session

from sightline.errors import OptionError, StoreAway, StoreError
from sightline.store.schema import Base

BUSY_S = 10.0  # how long a transaction waits for another one's lock
_CONNECTIONS = 10  # at once; PostgreSQL allows 100 by default, for all servers together
_POSTGRESQL = {
    "connect_timeout": 5,  # s
    # a server that hangs in the middle of a transaction loses it, so that the others go on;
    # compiling a query takes longer than any of ours
    "options": f"-c jit=off -c lock_timeout={BUSY_S * 1e3:.0f} -c idle_in_transaction_session_timeout=60000",
}


class Database:
    """Where everything but pictures and model files is kept; threads may share it."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/NAME.

        Raises:
            OptionError: the address cannot be used.
        """
        self._engine = _engine(url)
        snapshot = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._reader = self._engine.execution_options(**snapshot)
        self._writer = self._engine.execution_options(writes=True)

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and changes nothing.

        Raises:
            StoreAway: the database cannot be reached; it may be later. StoreError: it cannot be read.
        """
        with _told(), Session(self._reader) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: all of it is durable when the block is left, or nothing of it where anything is raised.

        Raises:
            StoreAway: the database cannot be reached, or is busy. StoreError: it cannot be written.
        """
        with _told(), Session(self._writer) as session, session.begin():
            yield session

    def upgrade(self) -> None:
        """Make the tables, or bring older ones up to date; servers that do so at once wait for each other.

        Raises:
            StoreAway: the database cannot be reached. StoreError: it is of a newer Sightline, or cannot be changed.
        """
        from sightline.store.migration import upgrade

        with _told(), self._writer.begin() as connection:
            upgrade(connection)

    def close(self) -> None:
        """Close all connections; the database opens again when it is used."""
        self._engine.dispose()


def in_turn(connection: Connection, lock: int) -> None:
    """Wait until no other transaction is in its turn with this number; ours lasts until the end of our transaction.

    SQLite has one writer at a time in any case.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(lock)))


def upsert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`, in the database's own dialect."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _engine(url: str) -> Engine:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise OptionError(
            f"database {url!r:.80}: give sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME."
        ) from error
    if address.get_backend_name() not in ("sqlite", "postgresql"):
        raise OptionError(f"database {address.get_backend_name()}: is not supported; take sqlite or postgresql.")
    try:
        if address.get_backend_name() == "sqlite":
            engine = create_engine(address, connect_args={"timeout": BUSY_S})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        return create_engine(
            address,
            connect_args=_POSTGRESQL,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=BUSY_S,
            pool_pre_ping=True,
        )
    except (NoSuchModuleError, ImportError) as error:
        raise OptionError("database: its driver is missing. Run: pip install 'sightline[server]'") from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by us alone
    _log_ahead(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Have a write-ahead log. Others may do the same to a new file, and here SQLite does not wait by itself."""
    end = time.monotonic() + BUSY_S
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    """Begin at once as a writer what will write: SQLite refuses a reader that becomes one without waiting."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        what = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
        if error.connection_invalidated or type(error).__name__ == "OperationalError":
            raise StoreAway(f"database: does not answer ({what}). Check that it runs; it is tried again.") from error
        raise StoreError(f"database: refused ({what}).") from error
    except SQLAlchemyError as error:  # the pool's own timeout among them
        raise StoreAway(f"database: does not answer ({error}).") from error
