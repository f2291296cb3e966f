"""A backup has the same counts and digests, and nothing that is damaged is called one (promise 20)."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.store.lines import Teller

from sightline.errors import OptionError, StoreError
from sightline.store.backup import back_up, complaints, holdings, restore
from sightline.store.database import Database
from sightline.store.ingest import ingest
from sightline.store.schema import Base

NOW_S = 1.8e9 + 1000


@pytest.fixture
def plant(tmp_path: Path, made_sqlite: Path) -> Database:
    path = tmp_path / "plant.db"
    path.write_bytes(made_sqlite.read_bytes())
    database = Database(f"sqlite:///{path}")
    ingest(database, Teller().parts(200), now_s=NOW_S)
    return database


def test_restored_it_holds_the_same(plant: Database, tmp_path: Path) -> None:
    """While somebody reads and writes it, and after the restored one was opened and upgraded."""
    before = holdings(plant)
    with plant.reading() as session:
        session.execute(text("SELECT count(*) FROM inspections"))
        back_up(plant, tmp_path / "copy.db")
    ingest(plant, Teller(station="line-2").parts(5), now_s=NOW_S)
    plant.close()
    restore(tmp_path / "copy.db", tmp_path / "restored.db")
    restored = Database(f"sqlite:///{tmp_path / 'restored.db'}")
    assert complaints(restored) == []
    assert holdings(restored) == before
    restored.upgrade()
    assert holdings(restored) == before
    assert ingest(restored, Teller(station="line-3").parts(5), now_s=NOW_S).stored == 5
    restored.close()
    assert set(before) == set(Base.metadata.tables)
    assert before["inspections"].rows == 200
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]


def test_the_same_rows_have_the_same_digest_in_both_databases(plant: Database, database: Database) -> None:
    ingest(database, Teller().parts(200), now_s=NOW_S)
    there = holdings(database)
    assert there["tallies"] == holdings(plant)["tallies"]
    assert there["stations"].rows == 1
    assert complaints(database) == []
    plant.close()


def test_a_newer_backup_takes_the_place_of_an_older_one(plant: Database, tmp_path: Path) -> None:
    back_up(plant, tmp_path / "copy.db")
    ingest(plant, Teller(station="line-2").parts(5), now_s=NOW_S)
    back_up(plant, tmp_path / "copy.db")
    copy = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    assert holdings(copy)["inspections"].rows == 205
    copy.close()
    plant.close()


def test_a_damaged_database_is_not_copied_and_the_older_backup_stays(plant: Database, tmp_path: Path) -> None:
    back_up(plant, tmp_path / "copy.db")
    older = (tmp_path / "copy.db").read_bytes()
    plant.close()
    content = bytearray((tmp_path / "plant.db").read_bytes())
    content[8192:65536] = b"\x55" * (65536 - 8192)
    (tmp_path / "plant.db").write_bytes(content)
    with pytest.raises(StoreError):
        back_up(plant, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_bytes() == older
    assert not list(tmp_path.glob(".*"))


def test_nothing_is_restored_over_a_database(plant: Database, tmp_path: Path) -> None:
    back_up(plant, tmp_path / "copy.db")
    plant.close()
    with pytest.raises(OptionError, match="exists already"):
        restore(tmp_path / "copy.db", tmp_path / "plant.db")
    with pytest.raises(StoreError, match="is not there"):
        restore(tmp_path / "none.db", tmp_path / "new.db")
    (tmp_path / "text.db").write_text("no database" * 1000)
    with pytest.raises(StoreError, match="cannot be copied"):
        restore(tmp_path / "text.db", tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_a_backup_takes_the_place_of_a_database_that_nobody_uses(plant: Database, tmp_path: Path) -> None:
    back_up(plant, tmp_path / "copy.db")
    before = holdings(plant)
    ingest(plant, Teller(station="line-3").parts(5), now_s=NOW_S)
    with pytest.raises(StoreError, match="in use"):
        restore(tmp_path / "copy.db", tmp_path / "plant.db", replace=True)
    plant.close()
    restore(tmp_path / "copy.db", tmp_path / "plant.db", replace=True)
    assert holdings(plant) == before
    plant.close()


def test_only_a_sound_backup_of_a_plant_replaces_anything(plant: Database, tmp_path: Path) -> None:
    plant.close()
    there = (tmp_path / "plant.db").read_bytes()
    (tmp_path / "text.db").write_text("no database" * 1000)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE songs (name)")
    for source, told in (
        ("text.db", "cannot be copied"),
        ("other.db", "no database of a plant"),
        ("none.db", "not there"),
    ):
        with pytest.raises(StoreError, match=told):
            restore(tmp_path / source, tmp_path / "plant.db", replace=True)
    with pytest.raises(OptionError, match="database itself"):
        restore(tmp_path / "plant.db", tmp_path / "plant.db", replace=True)
    assert (tmp_path / "plant.db").read_bytes() == there


def test_a_damaged_database_is_replaced(plant: Database, tmp_path: Path) -> None:
    back_up(plant, tmp_path / "copy.db")
    before = holdings(plant)
    plant.close()
    (tmp_path / "plant.db").write_bytes(b"\x55" * 65536)
    restore(tmp_path / "copy.db", tmp_path / "plant.db", replace=True)
    assert holdings(plant) == before
    plant.close()


def test_a_lost_row_is_found(plant: Database) -> None:
    connection = plant.engine.raw_connection()
    connection.cursor().execute("PRAGMA foreign_keys = OFF")
    connection.cursor().execute("DELETE FROM inspections WHERE number = 10")
    connection.close()
    found = complaints(plant)
    plant.close()
    assert "tallies: count 200 parts, but there are 199 inspections" in found
    assert any("frames" in line for line in found)


def test_postgresql_has_its_own_tools() -> None:
    server = Database("postgresql+psycopg://nobody@127.0.0.1:1/plant")
    with pytest.raises(OptionError, match="pg_dump"):
        back_up(server, Path("copy.db"))
    with pytest.raises(OptionError, match="in memory only"):
        back_up(Database("sqlite://"), Path("copy.db"))
