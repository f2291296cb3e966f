"""What the health and the administration of a plant are told from."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.assets.conftest import png
from tests.service.conftest import Opening, Server, started
from tests.store.lines import Teller

from sightline.service.rights import Role
from sightline.service.settings import Settings, StoreSettings
from sightline.store.ingest import ingest
from sightline.store.pictures import ViewOf

NOW_S = time.time()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    for found in started(Opening(folder=tmp_path_factory.mktemp("plant"))):
        lines = Teller(station="line-1").parts(40, unix_s=NOW_S - 3600)
        ingest(found.database, lines, now_s=NOW_S)
        view = ViewOf(inspection_id=json.loads(lines[0])["id"], view="top", overlay=False, station="line-1")
        found.app.state.plant.pictures.link(png(1), view, digest="", media_type="", now_s=NOW_S)
        yield found


def test_the_server_tells_whether_it_can_serve_and_how_quick_it_was(server: Server) -> None:
    client = server.program(Role.OPERATOR)
    client.get("/api/v1/account")
    state = client.get("/api/v1/health/server").json()
    assert (state["ready"], state["parts"]) == (True, {"database": "ok", "storage": "ok", "model": "ok"})
    assert state["requests"]["count"] >= 1
    assert 0 < state["requests"]["p50_ms"] <= state["requests"]["p99_ms"]
    assert state["judging"] == {"count": 0, "p50_ms": None, "p99_ms": None}


def test_cameras_and_scores_are_told_by_view(server: Server) -> None:
    client = server.program(Role.OPERATOR)
    (camera,) = client.get("/api/v1/health/cameras").json()
    assert (camera["station"], camera["view"], camera["pictures"]) == ("line-1", "top", 40)
    (course,) = client.get("/api/v1/health/drift?days=2").json()
    assert (course["view"], course["model"], course["good"]) == ("top", "", None)
    assert sum(point["counted"] for point in course["points"]) == 40
    assert all(point["low"] <= point["median"] <= point["high"] for point in course["points"])
    assert client.get("/api/v1/health/drift?station=none").json() == []


def test_storage_tells_what_lies_where_and_what_goes(server: Server) -> None:
    state = server.program(Role.OPERATOR).get("/api/v1/health/storage").json()
    (pile,) = state["piles"]
    assert (pile["tier"], pile["kept_as"], pile["pictures"], pile["size_bytes"]) == ("hot", "pass", 1, len(png(1)))
    assert pile["next_s"] == pytest.approx(NOW_S + 30 * 86_400)
    assert pile["due"] == 0
    assert [rule["remove_days"] for rule in state["rules"] if rule["kept_as"] == "pass"] == [30]
    assert 0 < state["free_bytes"] <= state["total_bytes"]


def test_a_station_tells_of_itself(server: Server) -> None:
    client = server.program(Role.STATION)
    told = {"state": "ready", "backlog": 3, "devices": [{"name": "PLC", "state": "connected"}]}
    assert client.put("/api/v1/ingest/status?station=line-2", json=told).status_code == 204
    stations = server.program(Role.OPERATOR).get("/api/v1/stations").json()
    assert [one["status"] for one in stations if one["name"] == "line-2"] == [told]
    assert client.put("/api/v1/ingest/status?station=line-2", json=[1]).status_code == 422
    assert client.put("/api/v1/ingest/status?station=line-2", json={"a": "x" * 70_000}).status_code == 413


def test_settings_are_told_without_their_secrets(server: Server) -> None:
    client, settings = server.program(Role.ADMINISTRATOR), server.app.state.settings
    store = StoreSettings(database="postgresql+psycopg://plant:herons@db/plant", pictures="s3://user:herons@x/y")
    server.app.state.settings = Settings(store=store)
    try:
        answer = client.get("/api/v1/settings")
    finally:
        server.app.state.settings = settings
    found = {(one["section"], one["key"]): one for one in answer.json()}
    assert found["store", "database"]["value"] == '"postgresql+psycopg://plant:***@db/plant"'
    assert (found["store", "database"]["changed"], found["server", "port"]["changed"]) == (True, False)
    assert "herons" not in answer.text


def test_changes_are_found_by_their_time(server: Server, tmp_path: Path) -> None:
    client = server.program(Role.ADMINISTRATOR)
    server.add(Role.OPERATOR, "bob")
    (row,) = client.get("/api/v1/audit?subject=user:bob").json()
    assert client.get("/api/v1/audit", params={"subject": "user:bob", "until_s": row["at_s"]}).json() == []
    assert client.get("/api/v1/audit", params={"subject": "user:bob", "since_s": row["at_s"]}).json() == [row]
