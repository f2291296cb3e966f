"""A database for each test, once SQLite and once PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.postgres import Postgres, programs

from sightline.store.database import Database


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'plant.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    address = server.database()
    yield address
    server.drop(address)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """With all tables, and empty."""
    opened = Database(url)
    opened.upgrade()
    yield opened
    opened.close()
