"""`store=true`: a part that a program had judged is in the lists with its picture, or the program gets an error."""

import hashlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.service.server import PATIENCE_S, application, picture, plant_in, running, sight

from sightline.service.plant import Plant
from sightline.service.rights import RIGHTS, Role
from sightline.store.inspections import Filter, page
from sightline.store.pictures import Pictures
from sightline.store.retention import Retention, Tier
from sightline.store.schema import Break
from sightline.store.shelf import Shelf
from sightline.store.stations import standings
from sightline.store.tallies import counts

GOOD, BAD = picture(60), picture(200)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    with plant_in(tmp_path) as plant:
        plant.serving.load("cap", sight(tmp_path / "cap.sight"))
        plant.pictures = Pictures(plant.database, {Tier.HOT: Shelf(str(tmp_path / "pictures"))}, Retention())
        yield plant


@pytest.fixture
def client(plant: Plant) -> Iterator[httpx.Client]:
    with (
        running(application(plant, RIGHTS[Role.STATION])) as url,
        httpx.Client(base_url=f"{url}/api/v1/models/cap/", timeout=PATIENCE_S) as client,
    ):
        yield client


def kept(plant: Plant) -> Any:
    with plant.database.reading() as session:
        return page(session, Filter()).items


def test_it_is_not_kept_unless_that_is_asked_for(client: httpx.Client, plant: Plant) -> None:
    assert client.post("inspect", content=GOOD).json()["stored"] is None
    assert kept(plant) == ()


def test_a_part_is_in_the_lists_and_figures_with_its_picture(client: httpx.Client, plant: Plant) -> None:
    answers = [
        client.post("inspect", content=content, params={"store": True, "serial": serial}).json()
        for content, serial in ((GOOD, "S1"), (BAD, "S2"), (GOOD, ""))
    ]
    found = kept(plant)[::-1]
    assert [one.id for one in found] == [answer["stored"] for answer in answers]
    assert [(one.verdict, one.serial, one.product) for one in found] == [
        ("PASS", "S1", "cap"),
        ("REJECT", "S2", "cap"),
        ("PASS", "", "cap"),
    ]
    assert found[1].label == "anomaly"
    assert found[1].views[0].picture == hashlib.sha256(BAD).hexdigest()
    assert plant.pictures.read(hashlib.sha256(BAD).hexdigest()) == BAD
    with plant.database.reading() as session:
        assert session.query(Break).count() == 0, "the chain joins"
        sums = counts(session, since_s=time.time() - 3600, until_s=time.time() + 3600)
        (station,) = standings(session)
    assert {one.verdict: one.parts for one in sums} == {"PASS": 2, "REJECT": 1}
    assert station.name == "tester (API)"


def test_each_picture_of_a_batch_is_kept_but_one_that_is_no_picture(client: httpx.Client, plant: Plant) -> None:
    files = [("files", (f"{number}.png", content)) for number, content in enumerate((GOOD, b"none", BAD))]
    answers = client.post("inspect/batch", files=files, params={"store": True}).json()["inspections"]
    assert [answer["verdict"] for answer in answers] == ["PASS", "FAULT", "REJECT"]
    assert answers[1]["stored"] is None
    assert {one.id for one in kept(plant)} == {answers[0]["stored"], answers[2]["stored"]}
    assert client.post("inspect/batch", files=files, params={"store": True, "serial": "S"}).status_code == 400


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.QUALITY_ENGINEER, Role.ADMINISTRATOR])
def test_who_may_not_report_parts_keeps_none(role: Role, plant: Plant) -> None:
    with running(application(plant, RIGHTS[role])) as url:
        answer = httpx.post(f"{url}/api/v1/inspect", content=GOOD, params={"store": True}, timeout=PATIENCE_S)
    assert answer.status_code == 403
    assert "key of the role station" in answer.json()["detail"]
    assert kept(plant) == ()


def test_a_verdict_is_not_told_where_it_could_not_be_kept(client: httpx.Client, plant: Plant, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "pictures")
    (tmp_path / "pictures").write_bytes(b"a file where the folder should be")
    answer = client.post("inspect", content=GOOD, params={"store": True})
    assert answer.status_code >= 500
    assert "verdict" not in answer.json()
