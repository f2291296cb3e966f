"""Requests as Label Studio 1.23 sends them, and what it takes back; `make test-clients` runs the real one."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from tests.line.deadline import until
from tests.service.operations.conftest import application
from tests.service.operations.outbound_server import Got, answer, serving

from sightline.datasets.boxed import open_boxed
from sightline.datasets.formats.brush import read_brush
from sightline.errors import OptionError
from sightline.records import Box, Defect, Inspection, Verdict
from sightline.service.job_task import Site
from sightline.service.jobs import Jobs
from sightline.service.outbound import Reach, networks_of
from sightline.service.plant import Plant
from sightline.service.protocols.label_config import read_interface, regions
from sightline.service.protocols.label_studio import router
from sightline.service.protocols.label_tasks import LabelStudio
from sightline.service.rights import Role
from sightline.store import jobs as queue
from sightline.store.database import Database

CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image"><Label value="Scratch"/><Label value="dent"/></RectangleLabels>
<BrushLabels name="brush" toName="image"><Label value="scratch"/></BrushLabels>
<Choices name="choice" toName="image"><Choice value="good"/><Choice value="defect"/></Choices></View>"""
TOKEN = "0123456789abcdef-the-token"
PICTURE = cv2.imencode(".png", np.full((40, 80, 3), 90, np.uint8))[1].tobytes()
FOUND = Inspection(
    source="",
    verdict=Verdict.REJECT,
    score=3.0,
    threshold=2.0,
    review_threshold=None,
    p_value=0.02,
    model_id="abc",
    width=80,
    height=40,
    defects=(Defect(box=Box(x=8, y=4, width=16, height=10), area_px=160, peak=3.0, label="scratch", confidence=0.9),),
    segments=np.pad(np.ones((10, 16), np.uint8), ((4, 26), (8, 56))),
)
RESULT = {
    "id": "x1",
    "type": "rectanglelabels",
    "from_name": "label",
    "to_name": "image",
    "original_width": 80,
    "original_height": 40,
    "value": {"x": 10.0, "y": 10.0, "width": 20.0, "height": 25.0, "rotation": 0, "rectanglelabels": ["Scratch"]},
}


def project(config: str = CONFIG) -> dict[str, Any]:
    return {"id": 7, "title": "caps", "label_config": config}


def event(action: str, task: int, image: str, result: list[object] | None = None) -> dict[str, Any]:
    annotation = {"id": 1, "result": [RESULT] if result is None else result}
    return {"action": action, "task": {"id": task, "data": {"image": image}}, "annotation": annotation} | {
        "project": project()
    }


@pytest.fixture
def studio(sqlite: Database, tmp_path: Path) -> LabelStudio:
    for name in ("data", "uploads"):
        (tmp_path / name).mkdir()
    (tmp_path / "uploads" / "1").mkdir()
    (tmp_path / "uploads" / "1" / "0a1b2c3d-a.png").write_bytes(PICTURE)
    (tmp_path / "secret.png").write_bytes(PICTURE)
    site = Site(database="", data=tmp_path / "data", models=str(tmp_path), results=tmp_path)

    def judge(model: str, picture: bytes) -> Inspection:
        assert (model, picture) == ("cap", PICTURE)
        return FOUND

    return LabelStudio(
        judge=judge,
        classes=lambda _: ("good", "scratch"),
        database=sqlite,
        jobs=Jobs(sqlite, site),
        reach=Reach(),
        uploads=tmp_path / "uploads",
        train_every=2,
    )


@pytest.fixture
def client(studio: LabelStudio, sqlite: Database, plant_of: Callable[..., Plant]) -> Iterator[httpx.Client]:
    with application(plant_of(sqlite, label_studio=studio), router) as opened:
        yield opened


def predicted(client: httpx.Client, *images: str) -> list[dict[str, Any]]:
    tasks = [{"id": number, "data": {"image": image}, "annotations": []} for number, image in enumerate(images)]
    body = {"tasks": tasks, "project": "7.1795245390", "label_config": CONFIG}
    answer = client.post("/label-studio/cap/predict", json=body | {"params": {"login": None, "password": None}})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_it_is_up_and_takes_the_interface_and_forgets_the_token(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert client.get("/label-studio/cap/health").json()["status"] == "UP"
    body = {"project": "7.1795245390", "schema": CONFIG, "hostname": "http://localhost:8080", "access_token": TOKEN}
    answer = client.post("/label-studio/cap/setup", json=body | {"extra_params": None})
    assert answer.json() == {"model_version": "cap"}
    assert client.post("/label-studio/cap/setup", json=body | {"schema": "<View"}).status_code == 422
    assert TOKEN not in caplog.text


def test_findings_become_regions_of_every_tag(client: httpx.Client) -> None:
    (result,) = predicted(client, "/data/upload/1/0a1b2c3d-a.png")
    assert (result["model_version"], result["score"]) == ("abc", 0.98)
    box, brush, choice = result["result"]
    assert (box["type"], box["from_name"], box["to_name"]) == ("rectanglelabels", "label", "image")
    assert box["value"] == {
        "x": 10.0, "y": 10.0, "width": 20.0, "height": 25.0, "rotation": 0, "rectanglelabels": ["Scratch"],
    }  # fmt: skip
    assert (box["original_width"], box["original_height"], box["score"]) == (80, 40, 0.9)
    assert brush["value"]["brushlabels"] == ["scratch"]
    mask = read_brush(bytes(brush["value"]["rle"]), 40, 80)
    assert (mask == (FOUND.segments == 1)).all()
    assert choice["value"] == {"choices": ["defect"]}


def test_a_good_part_has_no_region_and_the_choice_good() -> None:
    good = replace(FOUND, verdict=Verdict.PASS, defects=(), segments=None)
    (choice,) = regions(good, read_interface(CONFIG), ())
    assert choice["value"] == {"choices": ["good"]}


@pytest.mark.parametrize(
    ("choices", "shown"),
    [(("good", "dent"), ["dent"]), (("OK", "dent"), ["dent"]), (("good", "dent", "crack"), []), (("good",), [])],
)
def test_what_has_no_name_is_the_only_kind_of_defect_that_there_is(choices: tuple[str, ...], shown: list[str]) -> None:
    unnamed = replace(FOUND, defects=(replace(FOUND.defects[0], label="anomaly"),), segments=None)
    said = "".join(f'<Choice value="{one}"/>' for one in choices)
    config = f'<View><Image name="image" value="$image"/><Choices name="c" toName="image">{said}</Choices></View>'
    assert [one["value"]["choices"] for one in regions(unnamed, read_interface(config), ())] == [[x] for x in shown]


def test_a_map_is_a_brush_where_it_reaches_the_threshold() -> None:
    values = np.zeros((4, 8), np.float32)
    values[0, 0] = 3.0
    found = replace(FOUND, segments=None, map=values)
    brush = next(one for one in regions(found, read_interface(CONFIG), ()) if one["type"] == "brushlabels")
    mask = read_brush(bytes(brush["value"]["rle"]), 40, 80)
    assert mask[0, 0]
    assert not mask[20:].any()


@pytest.mark.parametrize(
    "address",
    [
        *("/data/upload/../secret.png", "/data/upload/%2e%2e/secret.png", "/data/upload//etc/passwd"),
        *("/data/local-files/?d=secret.png", "http://169.254.169.254/latest/", "file:///etc/passwd", "s3://b/k"),
    ],
)
def test_a_picture_out_of_reach_gets_no_prediction(client: httpx.Client, address: str) -> None:
    bad, good = predicted(client, address, "/data/upload/1/0a1b2c3d-a.png")
    assert set(bad) == {"model_version", "error"}, "an empty result would say that there is no defect"
    assert good["result"] != []


def test_a_picture_that_cannot_be_judged_gets_an_error_and_no_prediction(
    studio: LabelStudio, sqlite: Database, plant_of: Callable[..., Plant]
) -> None:
    fault = replace(FOUND, verdict=Verdict.FAULT, defects=(), segments=None, fault="the model gave no score")
    failing = replace(studio, judge=lambda *_: fault)
    with application(plant_of(sqlite, label_studio=failing), router) as client:
        (result,) = predicted(client, "/data/upload/1/0a1b2c3d-a.png")
    assert result == {"model_version": "cap", "error": "the model gave no score"}


def test_many_predictions_at_once_hold_up_nobody_else(
    studio: LabelStudio, sqlite: Database, plant_of: Callable[..., Plant]
) -> None:
    judging, let_go = list[int](), threading.Event()

    def slow(*_: object) -> Inspection:
        judging.append(1)
        let_go.wait(60)
        return FOUND

    with (
        application(plant_of(sqlite, label_studio=replace(studio, judge=slow)), router) as client,
        ThreadPoolExecutor(41) as askers,  # one more than the threads that routes share
    ):
        asked = [askers.submit(predicted, client, "/data/upload/1/0a1b2c3d-a.png") for _ in range(41)]
        try:
            until(lambda: len(judging) == 4)
            assert client.get("/label-studio/cap/health").json()["status"] == "UP"
        finally:
            let_go.set()
        assert all(one.result()[0]["result"] for one in asked)


def test_pictures_elsewhere_are_fetched_where_the_settings_allow(
    studio: LabelStudio, sqlite: Database, plant_of: Callable[..., Plant]
) -> None:
    def picture(handler: BaseHTTPRequestHandler, got: Got) -> None:
        answer(handler, 200, PICTURE)

    near = replace(studio, reach=Reach(networks=networks_of(["127.0.0.0/8"])))
    with serving(picture) as peer, application(plant_of(sqlite, label_studio=near), router) as client:
        (result,) = predicted(client, f"{peer.url}/a.png")
        assert result["result"] != []
        assert "authorization" not in peer.got[0].headers


def test_annotations_are_kept_and_train_in_the_background(
    client: httpx.Client, studio: LabelStudio, sqlite: Database
) -> None:
    image = "/data/upload/1/0a1b2c3d-a.png"

    def send(body: dict[str, Any]) -> str | None:
        answer = client.post("/label-studio/cap/webhook", json=body)
        assert answer.status_code == 201, answer.text
        job: str | None = answer.json()["job"]
        return job

    assert send(event("ANNOTATION_CREATED", 1, image)) is None
    assert send(event("ANNOTATION_UPDATED", 1, image)) is None
    job_id = send(event("ANNOTATION_CREATED", 2, image, []))
    assert job_id is not None
    with sqlite.reading() as session:
        job = queue.job(session, job_id)
    assert (job.kind, job.params["data"]) == ("train", "label-studio/7")
    assert job.params["method"] == "segmenter"
    assert send({"action": "START_TRAINING", "project": project()}) is None, "one is waiting already"
    kept = open_boxed(studio.jobs.site.data / "label-studio" / "7")
    assert kept.names == ("Scratch",)
    send({**event("ANNOTATIONS_DELETED", 1, image), "annotations": [{"id": 1}]})
    assert not (studio.jobs.site.data / "label-studio" / "7" / "1.json").exists()
    send({"action": "PROJECT_DELETED", "project": project()})
    assert not (studio.jobs.site.data / "label-studio" / "7").exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "ANNOTATION_CREATED", "project": {"id": "../../x", "label_config": CONFIG}},
        {"action": "ANNOTATION_CREATED", "project": project(), "task": {"id": "../x"}, "annotation": {}},
        {"action": "ANNOTATION_CREATED", "project": project(), "task": {"id": 1, "data": {}}, "annotation": {}},
        {"action": "START_TRAINING", "project": {"id": 99}},
        {"action": "START_TRAINING", "project": {"id": 99, "label_config": CONFIG}},
    ],
)
def test_what_label_studio_would_not_send_is_refused(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post("/label-studio/cap/webhook", json=body).status_code == 422


def test_a_caller_without_the_right_starts_no_training(
    studio: LabelStudio, sqlite: Database, plant_of: Callable[..., Plant]
) -> None:
    with application(plant_of(sqlite, label_studio=studio), router, role=Role.OPERATOR) as client:
        assert client.post("/label-studio/cap/webhook", json={"action": "START_TRAINING"}).status_code == 403


@pytest.mark.parametrize(
    "text",
    [
        *("", "<View/>", "no xml", "<View>" * 10, "x" * 1_000_001),
        '<!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><View><Image name="i" value="$i"/>&b;</View>',
    ],
)
def test_an_interface_without_a_picture_or_with_entities_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="label_config"):
        read_interface(text)


def test_comments_in_an_interface_are_fine() -> None:
    found = read_interface('<View><!-- a "comment" --><Image name="i" value="$photo"/></View>')
    assert (found.image, found.method, json.dumps(found.controls)) == ("photo", "classifier", "[]")
