"""Two servers on one PostgreSQL: stations and people may come to either, and jobs are run by whichever has time."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.line.deadline import until
from tests.service.server import picture
from tests.service.test_dataset_work import archive
from tests.service.test_serve import running
from tests.store.lines import Teller
from tests.store.postgres import Postgres

from sightline.errors import OptionError
from sightline.service.opening import open_plant
from sightline.service.rights import Role
from sightline.service.settings import JobSettings, ServingSettings, Settings, StoreSettings
from sightline.service.sharing import MARK, check_shared
from sightline.store import keys
from sightline.store.database import Database
from sightline.store.keys import Wanted

STATIONS = 12
LINES = "application/x-ndjson"


@pytest.fixture
def address(postgres: Postgres) -> Iterator[str]:
    made = postgres.database()
    yield made
    postgres.drop(made)


def settings_in(folder: Path, address: str, *, workers: int) -> Path:
    path = folder / f"{workers}.toml"
    path.write_text(
        f'[store]\nfolder = "{folder / "plant"}"\ndatabase = "{address}"\n'
        f"[jobs]\nworkers = {workers}\n[serving]\napart = false\nworkers = 1\n"
    )
    return path


def key(address: str, role: Role) -> dict[str, str]:
    with closing(Database(address)) as database:
        made = keys.make(database, Wanted(name=role, role=role), by="test", now_s=0.0)[1]
    return {"Authorization": f"Bearer {made}"}


@pytest.fixture
def servers(address: str, tmp_path: Path) -> Iterator[list[httpx.Client]]:
    """The first runs no jobs."""
    with ExitStack() as opened:
        paths = [settings_in(tmp_path, address, workers=workers) for workers in (0, 1)]
        urls = [opened.enter_context(running(str(path))).url for path in paths]
        yield [opened.enter_context(httpx.Client(base_url=url, timeout=120)) for url in urls]


def test_stations_report_to_both_and_a_job_finds_what_was_sent_to_the_other(
    servers: list[httpx.Client], address: str
) -> None:
    first, second = servers
    station, engineer = key(address, Role.STATION), key(address, Role.QUALITY_ENGINEER)
    answers: list[int] = []

    def tell(together: threading.Barrier, name: str) -> None:
        together.wait()
        told = first.put("/api/v1/ingest/status", params={"station": name}, json={}, headers=station)
        answers.append(told.status_code)

    for number in range(STATIONS):
        name, together = f"line-{number}", threading.Barrier(2)
        other = threading.Thread(target=tell, args=(together, name))
        other.start()
        body = "\n".join(Teller(station=name).parts(3))
        together.wait()
        answers.append(
            second.post("/api/v1/ingest", content=body, headers=station | {"Content-Type": LINES}).status_code
        )
        other.join()
    assert sorted(answers) == [200] * STATIONS + [204] * STATIONS
    seen = first.get("/api/v1/stations", headers=engineer).json()
    assert [one["last_sequence"] for one in seen] == [3] * STATIONS

    def done(job: str) -> dict[str, Any]:
        def ended() -> dict[str, Any]:
            found: dict[str, Any] = first.get(f"/api/v1/jobs/{job}", headers=engineer).json()
            return found if found["state"] in ("done", "failed") else {}

        until(lambda: bool(ended()), 240)
        assert ended()["state"] == "done", ended()
        return ended()

    sent = archive(train__good__a=picture(60), test__dent__b=picture(200))
    begun = first.post("/api/v1/datasets/cap/imports", content=sent, headers=engineer).json()["job"]
    assert done(begun)["result"] == {"dataset": "cap", "version": 1, "pictures": 2}
    order = {"kind": "check", "params": {"dataset": "cap", "version": 1}}
    checked = first.post("/api/v1/jobs", json=order, headers=engineer).json()["id"]
    done(checked)
    for server in servers:
        assert server.get(f"/api/v1/jobs/{checked}/files/check.json", headers=engineer).json()["pictures"] == 2
    for server, expected in zip(servers, (200, 409), strict=True):
        assert (
            server.post("/2020-11-20/projects", json={"ProjectName": "lid"}, headers=engineer).status_code == expected
        )


def test_a_server_with_a_folder_of_its_own_does_not_start(address: str, tmp_path: Path) -> None:
    def settings(folder: Path, data: Path | None = None) -> Settings:
        return Settings(
            store=StoreSettings(folder=folder, database=address),
            jobs=JobSettings(workers=0, data=data),
            serving=ServingSettings(apart=False, workers=1),
        )

    for folder in ("plant", "plant"):
        with open_plant(settings(tmp_path / folder), {}):
            plant = (tmp_path / folder / MARK).read_text().strip()
    with (
        pytest.raises(OptionError, match="is not the folder of this database's other servers") as refused,
        open_plant(settings(tmp_path / "other"), {}),
    ):
        pytest.fail("it has started")
    assert plant in str(refused.value), "what to do about it"
    assert "\n" not in str(refused.value)
    with (
        pytest.raises(OptionError, match="data: is not the folder"),
        open_plant(settings(tmp_path / "plant", tmp_path / "data"), {}),
    ):
        pytest.fail("it has started")
    (tmp_path / "other" / MARK).write_text("somebody else's\n")
    with (
        pytest.raises(OptionError, match="is of another plant"),
        open_plant(settings(tmp_path / "other"), {}),
    ):
        pytest.fail("it has started")


def test_one_file_as_the_database_has_one_server_and_asks_nothing(sqlite: Database, tmp_path: Path) -> None:
    check_shared(sqlite, [tmp_path])
    assert not (tmp_path / MARK).exists()
