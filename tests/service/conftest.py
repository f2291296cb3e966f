"""A plant server in this process, on a database of its own, with somebody of each role."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient
from tests.service.server import PATIENCE_S, application, plant_in, running, sight

from sightline.service.app import create_app
from sightline.service.opening import open_plant
from sightline.service.plant import Plant
from sightline.service.rights import Right, Role
from sightline.service.settings import AccessSettings, ServerSettings, Settings, StoreSettings
from sightline.store import keys, passwords, users
from sightline.store.database import Database
from sightline.store.keys import Wanted

PASSWORD = "seven quiet herons"
NOW_S = 1_790_000_000.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """The application, which has started, and its database."""

    app: FastAPI
    settings: Settings

    @property
    def database(self) -> Database:
        found: Database = self.app.state.plant.database
        return found

    def client(self, headers: Mapping[str, str] | None = None, base_url: str = "http://localhost") -> TestClient:
        """Somebody with a browser of their own, who was not there before."""
        given = None if headers is None else dict(headers)
        return TestClient(self.app, base_url=base_url, headers=given, raise_server_exceptions=False)

    def add(self, role: Role, name: str | None = None) -> str:
        """An account; its name is the role's unless another is given."""
        users.add(self.database, name=name or role, role=role, password=PASSWORD, by="test", now_s=NOW_S)
        return name or role

    def person(self, name: str) -> TestClient:
        """Somebody who logged in, and whose browser sends the CSRF token with every request."""
        client = self.client()
        answer = client.post("/api/v1/login", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def key(self, role: Role, *scopes: Right, expires_s: float | None = None) -> str:
        wanted = Wanted(name=f"key of {role}", role=role, scopes=scopes, expires_s=expires_s)
        return keys.make(self.database, wanted, by="test", now_s=0.0)[1]

    def program(self, role: Role, *scopes: Right) -> TestClient:
        """Somebody with a key."""
        return self.client({"Authorization": f"Bearer {self.key(role, *scopes)}"})


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Settings of a server that a test changes before it starts."""

    folder: Path
    server: ServerSettings = field(default_factory=ServerSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    open_to_all: bool = False

    @property
    def settings(self) -> Settings:
        return Settings(server=self.server, access=self.access, store=StoreSettings(folder=self.folder))


def started(opening: Opening) -> Iterator[Server]:
    """The server from its start to its end."""
    app = create_app(opening.settings, partial(open_plant, models={}), open_to_all=opening.open_to_all)
    with TestClient(app, base_url="http://localhost"):
        yield Server(app=app, settings=opening.settings)


@pytest.fixture(autouse=True, scope="module")
def cheap_passwords() -> Iterator[None]:
    """Their true cost is seen in tests/store/test_passwords.py; here there are many."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    nobodys = hasher.hash("nobody has this")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", lambda: hasher)
        patch.setattr(passwords, "_nobodys", lambda: nobodys)
        yield


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    """May be overridden by a test's own fixture of this name."""
    return Opening(folder=tmp_path)


@pytest.fixture
def server(opening: Opening) -> Iterator[Server]:
    yield from started(opening)


def as_header(text: str) -> str:
    """As X-Signature and X-Witness have it."""
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def cap_plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """With one model, `cap`, whose threshold is 100."""
    folder = tmp_path_factory.mktemp("plant")
    with plant_in(folder) as plant:
        plant.serving.load("cap", sight(folder / "cap.sight"))
        yield plant


@pytest.fixture(scope="module")
def client(cap_plant: Plant) -> Iterator[httpx.Client]:
    with running(application(cap_plant)) as url, httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        yield client
