"""A picture in any wrapping gives the same inspection; what is wrong is said in one line."""

import base64
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.service.server import PATIENCE_S, application, picture, plant_in, running, sight, wait_for

from sightline.imaging.decode import decode
from sightline.service import serving as module
from sightline.service.answer import answered
from sightline.service.plant import Plant
from sightline.service.rights import Right

GOOD, BAD = picture(60), picture(200)
BASE64 = base64.b64encode(BAD).decode()
TYPE = "multipart/form-data; boundary=b; charset=undefined"
FORM = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n' + BAD + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param({"content": BAD, "headers": {"Content-Type": "image/png"}}, id="raw"),
        pytest.param({"content": BAD}, id="raw without a type"),
        pytest.param({"files": {"file": ("a.png", BAD)}}, id="form"),
        pytest.param({"json": {"image": BASE64}}, id="base64"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/inspect", "/api/v1/models/cap/inspect"])
def test_one_picture(client: httpx.Client, path: str, sent: dict[str, object]) -> None:
    reply = client.post(path, **sent)  # type: ignore[arg-type]
    assert reply.status_code == 200, reply.text
    said = reply.json()
    assert (said["verdict"], said["score"], said["threshold"], said["model"]) == ("REJECT", 200, 100, "cap")
    assert [defect["box"] for defect in said["defects"]] == [{"x": 8, "y": 16, "width": 8, "height": 8}]
    assert said["confidence"] > 0.9
    assert said["timings"]["total_ms"] > 0
    assert said["overlay"] is None


def test_overlay_and_map_where_they_are_asked_for(client: httpx.Client) -> None:
    said = client.post("/api/v1/inspect?overlay=true&map=true", content=BAD).json()
    assert decode(base64.b64decode(said["overlay"])).width >= 400
    values = np.frombuffer(base64.b64decode(said["map"]["values"]), "<f4")
    assert values.reshape(said["map"]["height"], said["map"]["width"]).max() == 200


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(
            {"files": [("files", ("a.png", GOOD)), ("files", ("b.png", b"no picture")), ("files", ("c.png", BAD))]},
            id="form",
        ),
        pytest.param(
            {"json": {"images": [base64.b64encode(one).decode() for one in (GOOD, b"no picture", BAD)]}}, id="base64"
        ),
    ],
)
def test_a_batch_goes_on_behind_a_picture_that_cannot_be_judged(client: httpx.Client, sent: dict[str, object]) -> None:
    reply = client.post("/api/v1/inspect/batch", **sent)  # type: ignore[arg-type]
    inspections = reply.json()["inspections"]
    assert [one["verdict"] for one in inspections] == ["PASS", "FAULT", "REJECT"]
    assert "is not a PNG, JPEG" in inspections[1]["fault"]


@pytest.mark.parametrize(
    ("path", "sent", "status", "said"),
    [
        ("/api/v1/models/lid/inspect", {"content": BAD}, 404, "there is cap"),
        ("/api/v1/inspect", {"content": b""}, 400, "it is empty"),
        ("/api/v1/inspect", {"content": b"abc"}, 400, "is not a PNG"),
        ("/api/v1/inspect", {"json": {"image": "%%%"}}, 400, "not base64"),
        ("/api/v1/inspect", {"json": [1]}, 400, "not a JSON object"),
        ("/api/v1/inspect", {"files": [("a", ("a", BAD)), ("b", ("b", BAD))]}, 400, "/inspect/batch"),
        ("/api/v1/inspect", {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "not a form"),
        ("/api/v1/inspect", {"content": FORM, "headers": {"Content-Type": TYPE}}, 400, "its charset is none"),
        ("/api/v1/inspect?product=lid", {"content": BAD}, 400, "not trained on several products"),
        ("/api/v1/inspect?min_confidence=2", {"content": BAD}, 422, "less than or equal"),
        ("/api/v1/inspect?colour=red", {"content": BAD}, 422, "Extra inputs"),
        ("/api/v1/inspect/batch", {"json": {"images": []}}, 400, "1 to 64"),
        ("/api/v1/inspect", {"content": b"\xff\xd8" + bytes(65 << 20)}, 413, "send less at once"),
    ],
)
def test_what_is_wrong_is_said(
    client: httpx.Client, path: str, sent: dict[str, object], status: int, said: str
) -> None:
    reply = client.post(path, **sent)  # type: ignore[arg-type]
    assert (reply.status_code, said in reply.text) == (status, True), reply.text


def test_what_is_too_long_is_told_in_the_words_of_each_protocol(client: httpx.Client) -> None:
    reply = client.post("/2020-11-20/projects/cap/models/1/detect", content=b"\xff\xd8" + bytes(65 << 20))
    assert (reply.status_code, reply.headers["x-amzn-errortype"]) == (413, "ValidationException")


def test_without_the_right_nothing_is_judged(cap_plant: Plant) -> None:
    judged = cap_plant.serving.figures().judged
    with running(application(cap_plant, frozenset({Right.VIEW}))) as url:
        for path in ("/api/v1/inspect", "/v1/visualInspection:predict", "/v2/models/cap/infer", "/images"):
            assert httpx.post(url + path, content=BAD).status_code == 403
    assert cap_plant.serving.figures().judged == judged


def test_a_full_queue_is_429_and_says_when_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def slow(*given: object) -> object:
        let_go.wait(PATIENCE_S)
        return answered(*given)  # type: ignore[arg-type]

    with plant_in(tmp_path, queue=1) as plant, running(application(plant)) as url:
        plant.serving.load("cap", sight(tmp_path / "cap.sight"))
        monkeypatch.setattr(module, "answered", slow)
        verdicts: list[str] = []
        asking = [threading.Thread(target=lambda: verdicts.append(_verdict(url)), daemon=True) for _ in range(3)]
        try:
            for count, thread in enumerate(asking, start=1):
                thread.start()
                wait_for(lambda count=count: _busy(plant) == count)  # type: ignore[misc]
            refused = httpx.post(url + "/2020-11-20/projects/cap/models/1/detect", content=BAD)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "1"
            assert refused.headers["x-amzn-errortype"] == "ThrottlingException"
        finally:
            let_go.set()
        for thread in asking:
            thread.join(PATIENCE_S)
        assert verdicts == ["REJECT"] * 3


def _verdict(url: str) -> str:
    return str(httpx.post(f"{url}/api/v1/inspect", content=BAD, timeout=PATIENCE_S).json()["verdict"])


def _busy(plant: Plant) -> int:
    figures = plant.serving.figures()
    return figures.running + figures.waiting
