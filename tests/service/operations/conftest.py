"""A database for each test, once SQLite and once PostgreSQL, and an application with one part's routes."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Engine
from tests.service.plants import plant_with
from tests.store.postgres import Postgres, programs

from sightline.errors import (
    AccessError,
    BusyError,
    ConflictError,
    InspectionError,
    NotFoundError,
    StoreAway,
)
from sightline.service.access import Caller
from sightline.service.job_task import Site
from sightline.service.jobs import Jobs
from sightline.service.outbound import Reach
from sightline.service.plant import Plant
from sightline.service.protocols.label_tasks import LabelStudio
from sightline.service.rights import RIGHTS, Role
from sightline.service.webhooks import Sender
from sightline.store.database import Database
from sightline.store.schema import Base


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def made_postgres(postgres: Postgres) -> str:
    address = postgres.database()
    _made(address)
    return address


@pytest.fixture(scope="session")
def made_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "plant.db"
    _made(f"sqlite:///{path}")
    return path


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


@pytest.fixture
def sqlite(made_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """SQLite alone, where the database makes no difference."""
    shutil.copy(made_sqlite, tmp_path / "plant.db")
    opened = Database(f"sqlite:///{tmp_path / 'plant.db'}")
    yield opened
    opened.close()


@contextmanager
def application(plant: Plant, *routers: APIRouter, role: Role = Role.ADMINISTRATOR) -> Iterator[httpx.Client]:
    """A client of these routes over a real connection, as somebody of this role."""
    app = FastAPI()
    app.state.plant = plant
    for router in routers:
        app.include_router(router)

    @app.middleware("http")
    async def known(request: Request, following: Callable[..., object]) -> object:
        request.state.caller = Caller(name="ada", rights=RIGHTS[role])
        return await following(request)  # type: ignore[misc]

    @app.exception_handler(InspectionError)
    async def told(_: Request, error: InspectionError) -> JSONResponse:
        statuses = {NotFoundError: 404, ConflictError: 409, BusyError: 429, AccessError: 403, StoreAway: 503}
        return JSONResponse({"detail": str(error)}, statuses.get(type(error), 422))

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def _made(url: str) -> None:
    database = Database(url)
    engine: Engine = database.engine
    Base.metadata.create_all(engine)
    database.close()


@pytest.fixture
def plant_of(tmp_path: Path) -> Callable[..., Plant]:
    """A plant with what a test names, and idle ones of the rest."""

    def build(
        database: Database,
        *,
        jobs: Jobs | None = None,
        sender: Sender | None = None,
        label_studio: LabelStudio | None = None,
    ) -> Plant:
        site = Site(database="", data=tmp_path, models=str(tmp_path), results=tmp_path)
        workers = jobs or Jobs(database, site)
        studio = label_studio or LabelStudio(
            judge=lambda *_: pytest.fail("not asked"),
            classes=lambda _: (),
            database=database,
            jobs=workers,
            reach=Reach(),
        )
        return plant_with(
            database=database, jobs=workers, sender=sender or Sender(database, Reach()), label_studio=studio
        )

    return build
