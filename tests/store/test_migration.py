"""The steps lead to the tables of schema.py, whoever takes them and however often."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from sightline.errors import StoreError
from sightline.store.database import Database
from sightline.store.schema import Base


def test_steps_and_schema_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_tables_come_up_as_the_schema_names_them(database: Database) -> None:
    found = inspect(database.engine)
    assert set(found.get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    for name, table in Base.metadata.tables.items():
        assert {index["name"] for index in found.get_indexes(name) if not index.get("duplicates_constraint")} == {
            index.name for index in table.indexes
        }, name


def test_a_newer_database_is_refused(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"version 9999.*newer Sightline"):
        database.upgrade()


def test_servers_that_upgrade_at_once_wait_for_each_other(empty_url: str) -> None:
    servers = [Database(empty_url) for _ in range(3)]
    start = threading.Barrier(len(servers), timeout=30)
    errors: list[StoreError] = []

    def upgrade(server: Database) -> None:
        start.wait()
        try:
            server.upgrade()
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=upgrade, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for server in servers:
        server.close()
    assert errors == []


def test_an_upgrade_that_fails_leaves_nothing(empty_url: str) -> None:
    server = Database(empty_url)
    with server.engine.begin() as connection:
        connection.execute(text("CREATE TABLE webhooks (id INTEGER)"))  # in the way of ours
    with pytest.raises(StoreError):
        server.upgrade()
    tables = inspect(server.engine).get_table_names()
    server.close()
    assert tables == ["webhooks"]
