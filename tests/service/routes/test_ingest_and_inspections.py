"""Reports over the wire, and what is asked of them."""

import csv
import io
import json
import shutil
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from tests.service.plants import plant_with
from tests.store.lines import Teller

from sightline.errors import AccessError, InspectionError, NotFoundError, StoreAway
from sightline.service.access import Caller
from sightline.service.rights import Right
from sightline.service.routes import ingest, inspections, stations
from sightline.store.database import Database
from sightline.store.reported import read

STATUS = {AccessError: 403, NotFoundError: 404, StoreAway: 503}
NDJSON = {"Content-Type": "application/x-ndjson"}


class Server:
    """The routes on a real socket, on a database of their own, and who calls."""

    def __init__(self) -> None:
        self.caller = Caller(name="tester", rights=frozenset(Right))
        self.app = FastAPI()

        @self.app.middleware("http")
        async def identify(request: Request, rest: Callable[[Request], Awaitable[Response]]) -> Response:
            request.state.caller = self.caller
            return await rest(request)

        @self.app.exception_handler(InspectionError)
        async def told(_: Request, error: InspectionError) -> JSONResponse:
            return JSONResponse({"detail": str(error)}, STATUS.get(type(error), 422))

        for part in (ingest, inspections, stations):
            self.app.include_router(part.router)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._uvicorn = uvicorn.Server(uvicorn.Config(self.app, log_config=None, timeout_graceful_shutdown=2))
        self._thread = threading.Thread(target=self._uvicorn.run, args=([self._socket],), daemon=True)
        self._thread.start()
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self._socket.getsockname()[1]}", timeout=60, trust_env=False
        )

    def report(self, lines: list[str], **headers: str) -> tuple[int, dict[str, object]]:
        body = "".join(f"{line}\n" for line in lines)
        answer = self.client.post("/api/v1/ingest", content=body, headers=NDJSON | headers)
        return answer.status_code, answer.json()

    def close(self) -> None:
        self.client.close()
        self._uvicorn.should_exit = True
        self._thread.join(60)
        self._socket.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, and nothing in them."""
    path = tmp_path_factory.mktemp("empty") / "plant.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    return path


@pytest.fixture
def server(running: Server, empty: Path, tmp_path: Path) -> Iterator[Server]:
    shutil.copy(empty, tmp_path / "plant.db")
    database = Database(f"sqlite:///{tmp_path / 'plant.db'}")
    running.app.state.plant = plant_with(database=database)
    running.caller = Caller(name="tester", rights=frozenset(Right))
    yield running
    database.close()


def test_a_batch_is_confirmed_by_its_last_id_each_time(server: Server) -> None:
    lines = Teller().parts(30)
    through = json.loads(lines[-1])["id"]
    assert server.report(lines) == (200, {"through": through})
    assert server.report(lines) == (200, {"through": through})
    assert server.report(lines, **{"X-Sightline-Clock": str(time.time() + 100)})[0] == 200
    (station,) = server.client.get("/api/v1/stations").json()
    assert (station["name"], station["last_sequence"]) == ("line-1", 30)
    assert station["clock_ahead_s"] == pytest.approx(100, abs=30)


def test_a_wrong_record_is_named(server: Server) -> None:
    lines = Teller().parts(3)
    bad = json.loads(lines[1])["id"]
    lines[1] = lines[1].replace('"PASS"', '"GOOD"')
    status, said = server.report(lines)
    assert status == 422
    assert bad in str(said["detail"])
    assert server.client.get("/api/v1/inspections").json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", NDJSON, 422),
        (b"\xff\xfe", NDJSON, 422),
        (b"{}", {"Content-Type": "application/json"}, 415),
        (b"x" * (ingest.MOST_BYTES + 1), NDJSON, 413),
        (b"{}", NDJSON | {"X-Sightline-Clock": "nan"}, 422),
        (b"{}", NDJSON | {"X-Sightline-Clock": "noon"}, 422),
    ],
)
def test_what_is_no_batch_is_refused(server: Server, content: bytes, headers: dict[str, str], status: int) -> None:
    assert server.client.post("/api/v1/ingest", content=content, headers=headers).status_code == status


def test_a_stations_key_reports_for_it_alone(server: Server) -> None:
    server.caller = Caller(name="key", rights=frozenset({Right.REPORT}), station="line-2")
    assert server.report(Teller(station="line-1").parts(1))[0] == 403
    assert server.report(Teller(station="line-2").parts(1))[0] == 200
    assert server.client.get("/api/v1/inspections").status_code == 403
    server.caller = Caller(name="viewer", rights=frozenset({Right.VIEW}))
    assert server.report(Teller(station="line-2").parts(1))[0] == 403


def test_the_example_of_the_document_is_a_record() -> None:
    assert read(ingest.EXAMPLE.rstrip("\n"), 1).station == "line-1"


def test_a_database_that_is_away_says_later(server: Server) -> None:
    server.app.state.plant = plant_with(database=Database("sqlite:////nowhere/plant.db"))
    assert server.report(Teller().parts(1))[0] == 503
    assert server.client.get("/api/v1/inspections").status_code == 503
    assert server.client.get("/api/v1/inspections/export").status_code == 503


def test_lists_are_walked_by_next(server: Server) -> None:
    server.report(Teller().parts(25))
    found: list[int] = []
    asked: dict[str, str | int] = {"limit": 10, "kind": "production"}
    while True:
        answer = server.client.get("/api/v1/inspections", params=asked).json()
        found += [item["sequence"] for item in answer["items"]]
        if answer["next"] is None:
            break
        asked["before"] = answer["next"]
    assert found == list(range(25, 0, -1))


def test_one_history_news_names_and_counts(server: Server) -> None:
    server.report(Teller().parts(25))
    (rejected,) = server.client.get("/api/v1/inspections", params={"serial": "S20"}).json()["items"]
    detail = server.client.get(f"/api/v1/inspections/{rejected['id']}").json()
    assert detail["inspection"] == rejected
    assert [defect["label"] for defect in detail["defects"]] == ["dent"]
    assert detail["document"]["sequence"] == 20
    assert server.client.get("/api/v1/inspections/history", params={"serial": "S20"}).json() == [rejected]
    news = server.client.get("/api/v1/inspections/since", params={"number": 23}).json()
    assert ([item["number"] for item in news["items"]], news["newest"]) == ([24, 25], 25)
    assert server.client.get("/api/v1/inspections/names").json() == {"products": ["disc"], "labels": ["dent"]}
    asked = {"since_s": 0, "until_s": 3e9, "hours": 168}
    counted = server.client.get("/api/v1/inspections/counts", params=asked).json()
    assert {count["verdict"]: count["parts"] for count in counted} == {"PASS": 23, "REJECT": 2}


def test_the_parts_beside_one_are_those_of_the_same_list(server: Server) -> None:
    server.report(Teller().parts(25))
    (middle,) = server.client.get("/api/v1/inspections", params={"serial": "S15"}).json()["items"]
    path = f"/api/v1/inspections/{middle['id']}/neighbours"

    def serials(**asked: str) -> list[str | None]:
        found = server.client.get(path, params=asked).json()
        shown = [server.client.get(f"/api/v1/inspections/{id_}").json() if id_ else None for id_ in found.values()]
        return [one and one["inspection"]["serial"] for one in shown]

    assert serials() == ["S14", "S16"]
    assert serials(verdict="REJECT") == ["S10", "S20"]
    assert serials(station="line-9") == [None, None]
    assert server.client.get(path.replace(middle["id"][:8], "0" * 8)).status_code == 404


def test_breaks_are_told(server: Server) -> None:
    server.report(Teller().parts(2))
    server.report(Teller(sequence=9).parts(1))
    (gap,) = server.client.get("/api/v1/stations/breaks", params={"station": "line-1"}).json()
    assert (gap["before"], gap["sequence"], gap["what"]) == (2, 10, "missing")


def test_an_export_is_a_file(server: Server) -> None:
    server.report(Teller().parts(25))
    answer = server.client.get("/api/v1/inspections/export", params={"format": "csv", "verdict": "REJECT"})
    assert [row["sequence"] for row in csv.DictReader(io.StringIO(answer.text, newline=""))] == ["20", "10"]
    assert answer.headers["content-disposition"] == 'attachment; filename="inspections.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/inspections?serial=%00",
        "/api/v1/inspections?before=x",
        "/api/v1/inspections?since_s=nan",
        "/api/v1/inspections?until_s=1e400",
        "/api/v1/inspections?limit=501",
        "/api/v1/inspections/since?number=9223372036854775808",
        "/api/v1/inspections/counts?since_s=5&until_s=4",
        "/api/v1/inspections/x",
        "/api/v1/inspections/export?format=xlsx",
        "/api/v1/stations/breaks?station=%00",
    ],
)
def test_nonsense_is_refused(server: Server, path: str) -> None:
    assert server.client.get(path).status_code == 422
