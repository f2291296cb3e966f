"""A database for each test, once SQLite and once PostgreSQL."""

import shutil
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


@pytest.fixture(scope="session")
def made_postgres(postgres: Postgres) -> str:
    """The address of a database with all tables, which tests copy."""
    return _made(postgres.database())


@pytest.fixture(scope="session")
def made_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "plant.db"
    _made(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'plant.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    address = server.database()
    yield address
    server.drop(address)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with all tables, and nothing in them."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("made_sqlite"), tmp_path / "plant.db")
        yield f"sqlite:///{tmp_path / 'plant.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    address = server.database(request.getfixturevalue("made_postgres"))
    yield address
    server.drop(address)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


def _made(url: str) -> str:
    database = Database(url)
    database.upgrade()
    database.close()
    return url
