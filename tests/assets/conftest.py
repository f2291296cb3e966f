"""A plant's database, once SQLite and once PostgreSQL, and its pictures."""

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from sqlalchemy import select
from tests.store.postgres import Postgres, programs

from sightline.store import webhooks
from sightline.store.database import Database
from sightline.store.pictures import Pictures
from sightline.store.retention import Retention, Tier
from sightline.store.schema import Delivery, Frame, Inspection, Station
from sightline.store.shelf import Shelf

NOW_S = 1_790_000_000.0
DAY_S = 86_400.0


@pytest.fixture(scope="session")
def assets_postgres() -> Iterator[tuple[Postgres, str]]:
    """A server, and the address of a database with all tables that is copied for each test."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = Postgres()
    try:
        made = server.database()
        _upgraded(made)
        yield server, made
    finally:
        server.close()


@pytest.fixture(scope="session")
def assets_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables that is copied for each test."""
    path = tmp_path_factory.mktemp("assets") / "plant.db"
    _upgraded(f"sqlite:///{path}")
    return path


def _upgraded(url: str) -> None:
    database = Database(url)
    database.upgrade()
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("assets_sqlite"), tmp_path / "plant.db")
        database = Database(f"sqlite:///{tmp_path / 'plant.db'}")
        yield database
        database.close()
        return
    server, made = request.getfixturevalue("assets_postgres")
    address = server.database(made)
    database = Database(address)
    yield database
    database.close()
    server.drop(address)


@pytest.fixture
def pictures(database: Database, tmp_path: Path) -> Pictures:
    """Pictures in three folders, kept by the default rules."""
    shelves = {tier: Shelf(str(tmp_path / tier)) for tier in (Tier.HOT, Tier.NEARLINE, Tier.ARCHIVE)}
    return Pictures(database, shelves, Retention())


def wanted(database: Database, event: str) -> None:
    """Somebody who wants to know of an event."""
    with database.writing() as session:
        webhooks.add(session, url="http://mes", events=(event,), secret="k", author="ada", now_s=NOW_S)


def news(database: Database) -> list[dict[str, object]]:
    """What is on its way to those."""
    with database.reading() as session:
        return [json.loads(body)["data"] for body in session.scalars(select(Delivery.body).order_by(Delivery.id))]


def png(seed: int = 0, height: int = 24, width: int = 32) -> bytes:
    """A picture that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    made, content = cv2.imencode(".png", pixels)
    assert made
    return content.tobytes()


def inspected(
    database: Database,
    number: int,
    *,
    verdict: str = "PASS",
    score: float = 0.2,
    kind: str = "production",
    label: str = "",
    product: str = "cap",
    views: tuple[str, ...] = ("top",),
    at_s: float = NOW_S,
) -> str:
    """An inspection of station line-1, whose views have the threshold 1; its id."""
    name = str(uuid.UUID(int=number))
    with database.writing() as session:
        station = session.query(Station).filter_by(name="line-1").one_or_none()
        if station is None:
            station = Station(name="line-1", first_seen_s=at_s, last_seen_s=at_s)
            session.add(station)
            session.flush()
        session.add(
            Inspection(
                id=name,
                number=number,
                station_id=station.id,
                sequence=number,
                serial=f"S{number}",
                product=product,
                recipe=1,
                kind=kind,
                verdict=verdict,
                score=score,
                label=label,
                at_s=at_s,
                station_clock_s=at_s,
                received_s=at_s,
                document="{}",
            )
        )
        session.flush()
        for view in views:
            session.add(Frame(inspection_id=name, view=view, verdict=verdict, score=score, threshold=1.0))
    return name
