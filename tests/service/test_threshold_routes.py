"""Thresholds of models, trials of candidates, and data sets that grow picture by picture."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.service.conftest import NOW_S, Server
from tests.service.server import picture, sight

from sightline.service.rights import Role
from sightline.store import models

CAP = "/api/v1/models/cap/versions"


@pytest.fixture
def engineer(server: Server, tmp_path: Path) -> TestClient:
    """Somebody who may, on a plant with the model cap, whose threshold is 100."""
    plant = server.app.state.plant
    upload = models.Upload(name="cap", author="test")
    models.add(plant.database, plant.models, sight(tmp_path / "cap.sight"), upload, now_s=NOW_S)
    return server.person(server.add(Role.QUALITY_ENGINEER))


def test_another_threshold_is_another_version_that_scores_the_same(engineer: TestClient) -> None:
    before = engineer.get(f"{CAP}/1/scores").json()
    assert (before["reject"], before["calibration"][0], before["reviewed"]) == (100.0, 40.0, [])
    made = engineer.post(f"{CAP}/1/thresholds", json={"reject": 60.1, "reason": "stricter"}).json()
    assert (made["version"], made["status"], "stricter" in made["note"]) == (2, "candidate", True)
    first, second = (engineer.get(f"{CAP}/{version}").json() for version in (1, 2))
    assert first["graph"] == second["graph"]
    assert first["digest"] != second["digest"]
    manifest = engineer.get(f"{CAP}/2/manifest").json()
    assert manifest["thresholds"]["reject"] == pytest.approx(60.1, abs=1e-5)
    assert "9 of the 20" in manifest["thresholds"]["promise"]
    assert engineer.get(f"{CAP}/1/scores").json() == before


@pytest.mark.parametrize(
    ("wish", "review", "told"),
    [
        pytest.param({"reject": 95}, 60.0, "60 <= score < 95, as before; 10 of the 20 lie in it", id="kept"),
        pytest.param({"reject": 50}, 50.0, "50 <= score < 50, as before; 0 of the 20 lie in it", id="capped"),
        pytest.param(
            {"reject": 95, "review": 70}, 70.0, "70 <= score < 95, set by hand; 5 of the 20 lie in it", id="moved"
        ),
        pytest.param({"reject": 95, "review": 95}, None, "", id="taken away"),
        pytest.param({"max_overkill": 0.1}, 60.0, "as before; 9 of the 20 lie in it", id="by a share"),
    ],
)
def test_a_review_band_stays_unless_told_otherwise(
    server: Server, engineer: TestClient, wish: dict[str, float], review: float | None, told: str
) -> None:
    engineer.post(f"{CAP}/1/thresholds", json={"reject": 100, "review": 60, "reason": "people look"})
    assert engineer.post(f"{CAP}/2/thresholds", json={**wish, "reason": "moved"}).status_code == 201
    assert engineer.get(f"{CAP}/3/scores").json()["review"] == review
    limits = engineer.get(f"{CAP}/3/manifest").json()["thresholds"]
    bands = [limits[name].partition("; REVIEW band: ")[2] for name in ("rule", "promise")]
    assert "; ".join(bands).removeprefix("REVIEW if ").strip("; ").endswith(told)
    admin = server.person(server.add(Role.ADMINISTRATOR))
    noted = admin.get("/api/v1/audit", params={"subject": "model:cap/3"}).json()[0]
    assert noted["before"] == {"version": 2, "reject": 100.0, "review": 60.0}
    after = {name: noted["after"][name] for name in ("reject", "review", "reason")}
    assert after == {"reject": limits["reject"], "review": review, "reason": "moved"}


@pytest.mark.parametrize(
    "wish",
    [{}, {"reject": 50, "max_overkill": 0.1}, {"max_overkill": 0.1, "review": 40}, {"reject": 50, "review": 60}],
)
def test_a_wish_that_cannot_be_is_refused(engineer: TestClient, wish: dict[str, float]) -> None:
    assert engineer.post(f"{CAP}/1/thresholds", json={"reason": "x", **wish}).status_code in (400, 422)
    assert engineer.get(f"{CAP}/2").status_code == 404


def test_a_candidate_is_tried_before_it_judges(engineer: TestClient) -> None:
    engineer.post(f"{CAP}/1/thresholds", json={"max_overkill": 0.1, "reason": "by its good scores"})
    for version, verdict in ((1, "PASS"), (2, "REJECT")):
        reply = engineer.post(f"{CAP}/{version}/inspect", content=picture(90))
        assert (reply.json()["verdict"], reply.json()["version"]) == (verdict, version)
    assert engineer.post("/api/v1/models/cap/inspect", content=picture(90)).status_code == 404


def test_a_data_set_grows_and_shrinks_by_versions(engineer: TestClient) -> None:
    stored = [engineer.post("/api/v1/pictures", content=picture(100 + n)).json()["digest"] for n in range(3)]
    items = [{"picture": digest, "name": f"{n}.png", "label": "good"} for n, digest in enumerate(stored)]
    path = "/api/v1/datasets/ring/versions"
    first = engineer.post(f"{path}/from-newest", json={"add": items}).json()
    again = engineer.post(f"{path}/from-newest", json={"add": items[:1]}).json()
    assert (first["version"], first["items"], again["version"]) == (1, 3, 1)
    second = engineer.post(f"{path}/from-newest", json={"remove": stored[:1]}).json()
    assert (second["version"], second["items"]) == (2, 2)
    assert engineer.get(f"{path}/1/oddities").json() == []
    assert engineer.post(f"{path}/from-newest", json={"remove": stored}).status_code in (400, 422)
