"""The database is away, or the server is killed in the middle: nothing acknowledged is lost, and it goes on."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from tests.store.lines import Teller
from tests.store.postgres import Postgres

from sightline.errors import OptionError, StoreAway
from sightline.store import database as databases
from sightline.store.backup import complaints
from sightline.store.database import Database
from sightline.store.ingest import ingest
from sightline.store.schema import Inspection, Tally

ROOT = Path(__file__).resolve().parents[2]
NOW_S = 1.8e9 + 1000


def killed_after(url: str, station: str, batches: int) -> list[str]:
    """Ids that a process confirmed before it was killed, somewhere in the batch after."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.reporter", url, station],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    assert process.stdout is not None
    with process:
        confirmed = [process.stdout.readline().strip() for _ in range(batches)]
        process.kill()
        confirmed += process.stdout.read().split()
    watchdog.cancel()
    watchdog.join()
    return confirmed


def test_killed_in_the_middle_nothing_confirmed_is_lost(url: str, database: Database) -> None:
    confirmed = killed_after(url, "line-1", 5)
    assert len(confirmed) >= 5
    with database.reading() as session:
        there = set(session.scalars(select(Inspection.id)))
        assert set(confirmed) <= there
        assert len(there) % 20 == 0, "a batch is there whole or not at all"
        assert session.scalar(select(func.max(Inspection.number))) == len(there)
        assert session.scalar(select(func.sum(Tally.parts))) == len(there)
    assert complaints(database) == []
    assert ingest(database, Teller(station="after").parts(5), now_s=NOW_S).stored == 5


def test_a_server_that_stops_is_told_and_comes_back(postgres: Postgres, made_postgres: str) -> None:
    address = postgres.database(made_postgres)
    database, lines = Database(address), Teller().parts(5)
    ingest(database, lines, now_s=NOW_S)
    postgres.stop()
    try:
        with pytest.raises(StoreAway, match="Check that it runs"):
            ingest(database, lines, now_s=NOW_S)
        with pytest.raises(StoreAway), database.reading() as session:
            session.execute(text("SELECT 1"))
    finally:
        postgres.start()
    assert ingest(database, lines, now_s=NOW_S).known == 5
    database.close()
    postgres.drop(address)


def test_a_busy_database_is_away_for_now(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "BUSY_S", 0.2)
    monkeypatch.setitem(databases._POSTGRESQL, "options", "-c lock_timeout=200")
    database, lines = Database(url), Teller().parts(2)
    other = Database(url)
    with other.writing() as session:
        session.execute(text("UPDATE stations SET line = 'a'"))
        if not database.is_sqlite:
            session.execute(text("LOCK TABLE inspections"))
        with pytest.raises(StoreAway):
            ingest(database, lines, now_s=NOW_S)
    assert ingest(database, lines, now_s=NOW_S).stored == 2
    database.close()
    other.close()


def test_what_is_raised_in_a_transaction_undoes_it(database: Database) -> None:
    def begin_and_give_up() -> None:
        with database.writing() as session:
            session.execute(text("INSERT INTO facts VALUES ('a', 'b')"))
            raise OptionError("x")

    with pytest.raises(OptionError):
        begin_and_give_up()
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM facts")).scalar() == 0
