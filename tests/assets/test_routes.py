"""What a plant's assets look like from outside."""

import asyncio
import io
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from starlette.responses import JSONResponse, Response
from tests.assets.conftest import inspected, png
from tests.assets.test_models import RECIPE
from tests.service.plants import plant_with
from tests.test_bundle import packed

from sightline.errors import AccessError, ConflictError, InspectionError, NotFoundError
from sightline.service.access import Caller
from sightline.service.hosting import Hosting
from sightline.service.rights import RIGHTS, Right, Role
from sightline.service.routes import dataset_work, datasets, escapes, labels, models, pictures, recipes, reviews
from sightline.service.serving import Serving
from sightline.service.settings import Settings
from sightline.service.thumbnails import Thumbnails
from sightline.service.uploads import raw
from sightline.store.database import Database
from sightline.store.models import ModelFiles
from sightline.store.pictures import Pictures
from sightline.store.retention import Retention, Tier
from sightline.store.shelf import Shelf, digest_of

STATUS: dict[type[InspectionError], int] = {NotFoundError: 404, ConflictError: 409, AccessError: 403}
BIG = png(5, 600, 900)


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    """Calls as somebody who may do everything, or as `X-Role` says."""
    shelves = Shelf(str(tmp_path / "shelf"))
    kept = Pictures(database, {Tier.HOT: shelves}, Retention())
    files = ModelFiles(Shelf(str(tmp_path / "models")), tmp_path / "cache")
    app = FastAPI()
    app.state.settings = Settings()
    serving = Serving(workers=1)
    app.state.plant = plant_with(
        database=database,
        scratch=tmp_path / "scratch",
        pictures=kept,
        thumbnails=Thumbnails(kept),
        models=files,
        hosting=Hosting(database, files, serving),
    )
    for module in (pictures, dataset_work, datasets, models, recipes, reviews, labels, escapes):
        app.include_router(module.router)

    @app.exception_handler(InspectionError)
    def refuse(_: Request, error: InspectionError) -> Response:
        return JSONResponse({"detail": str(error)}, STATUS.get(type(error), 422))

    @app.middleware("http")
    async def recognise(request: Request, call_next):  # type: ignore[no-untyped-def]
        role = request.headers.get("X-Role")
        rights = RIGHTS[Role(role)] if role else frozenset(Right)
        request.state.caller = Caller(name="ada", rights=rights, station=request.headers.get("X-Station", ""))
        return await call_next(request)

    with serving, served(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The address of the application, while it runs."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)


def test_a_station_s_picture_comes_in_and_is_shown(client: httpx.Client, database: Database) -> None:
    name = inspected(database, 1)
    path, digest = f"/api/v1/inspections/{name}/views/top/picture", digest_of(BIG)
    sent = {"X-Role": "station", "X-Station": "line-1", "X-Sightline-Digest": digest, "Content-Type": "image/png"}
    for _ in range(2):
        assert client.put(path, content=BIG, headers=sent).json() == {"digest": digest}
    assert client.put(path, content=BIG, headers=sent | {"X-Station": "line-2"}).status_code == 403
    assert client.put(path, content=BIG[:-9], headers=sent).status_code == 422
    assert client.put(path, content=png(1), headers=sent | {"X-Sightline-Digest": digest_of(png(1))}).status_code == 409
    assert client.put(path.replace(name, "none"), content=BIG, headers=sent).status_code == 404
    overlay = client.put(
        path.replace("picture", "overlay"), content=png(2), headers=sent | {"X-Sightline-Digest": digest_of(png(2))}
    )
    assert overlay.status_code == 200
    whole = client.get(f"/api/v1/pictures/{digest}")
    assert (whole.content, whole.headers["content-type"]) == (BIG, "image/png")
    assert "immutable" in whole.headers["cache-control"]
    assert client.get(f"/api/v1/pictures/{digest}", headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    thumb = client.get(f"/api/v1/pictures/{digest}?size=thumb")
    pixels = cv2.imdecode(np.frombuffer(thumb.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape == (171, 256, 3)
    assert client.get(f"/api/v1/pictures/{digest}?size=huge").status_code == 422
    assert client.get(f"/api/v1/pictures/{'0' * 64}").status_code == 404
    assert client.get("/api/v1/pictures/..%2F..%2Fetc%2Fpasswd").status_code in (404, 422)
    assert client.get(f"/api/v1/pictures/{digest}", headers={"X-Role": "station"}).status_code == 403


def test_a_body_that_is_too_long_is_not_read_to_its_end() -> None:
    sent = 0

    async def receive() -> dict[str, object]:
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": bytes(6), "more_body": True}

    for headers, most in (([], 3), ([(b"content-length", b"11")], 1)):
        sent = 0
        with pytest.raises(HTTPException, match="413"):
            asyncio.run(raw(10)(Request({"type": "http", "headers": headers}, receive)))
        assert sent < most + 1


def test_a_model_is_brought_promoted_and_rolled_back(client: httpx.Client) -> None:
    made = client.post("/api/v1/models/cap/versions?note=lamp", content=packed())
    assert (made.status_code, made.json()["version"]) == (201, 1)
    assert client.post("/api/v1/models/cap/versions", content=b"\x80\x04evil").status_code == 422
    why = {"reason": "first"}
    assert client.post("/api/v1/models/cap/versions/1/promote", json=why).json()["status"] == "current"
    assert client.get("/api/v1/models/cap/current").json()["version"] == 1
    assert client.get("/api/v1/models/cap/versions/1/file").content == packed()
    assert client.post("/api/v1/models/cap/roll-back", json=why).status_code == 409
    assert client.get("/api/v1/models/cap/history").json()[0]["reason"] == "first"
    figures = client.patch("/api/v1/models/cap/versions/1/figures", json={"figures": {"auroc": 0.99}})
    assert figures.json()["figures"] == {"auroc": 0.99}
    operator = {"X-Role": "operator"}
    assert client.post("/api/v1/models/cap/versions/1/promote", json=why, headers=operator).status_code == 403
    assert len(client.get("/api/v1/models", headers=operator).json()) == 1


def test_a_recipe_is_saved_released_and_fetched_by_a_station(client: httpx.Client) -> None:
    saved = client.post("/api/v1/recipes/cap/versions", json={"text": RECIPE})
    assert (saved.status_code, saved.json()["released"]) == (201, False)
    station = {"X-Role": "station"}
    assert client.get("/api/v1/recipes/cap/released", headers=station).status_code == 404
    client.post("/api/v1/recipes/cap/versions/1/release", json={"reason": "tried"})
    got = client.get("/api/v1/recipes/cap/released", headers=station)
    assert (got.text, got.headers["X-Sightline-Version"]) == (RECIPE, "1")
    again = client.get("/api/v1/recipes/cap/released", headers=station | {"If-None-Match": got.headers["etag"]})
    assert again.status_code == 304
    wrong = client.post("/api/v1/recipes/cap/versions", json={"text": "product = 1"})
    assert (wrong.status_code, "line 1: product" in wrong.json()["detail"]) == (422, True)
    assert client.get("/api/v1/recipes/cap/versions/1/compared-with/1").json() == {"diff": ""}


def test_pictures_become_a_data_set_and_go_out_again(client: httpx.Client) -> None:
    new: list[dict[str, str]] = []
    for place in ("good/a.png", "scratch/b.png"):
        sent = client.post("/api/v1/datasets/pictures", content=png(len(place)))
        assert sent.status_code == 201, sent.text
        digest = sent.json()["digest"]
        new.append({"picture": digest, "name": place, "label": place.split("/")[0]})
    made = client.post("/api/v1/datasets/cap/versions", json={"items": new, "product": "cap"})
    assert (made.status_code, made.json()["items"]) == (201, 2)
    assert [one["label"] for one in client.get("/api/v1/datasets/cap/versions/1").json()["tally"]] == [
        "good",
        "scratch",
    ]
    items = client.get("/api/v1/datasets/cap/versions/1/items?limit=1").json()
    assert [(one["place"], one["name"]) for one in items] == [(0, "good/a.png")]
    second = client.post(
        "/api/v1/datasets/cap/versions", json={"items": [{"picture": items[0]["picture"], "name": "a"}]}
    )
    assert second.json()["version"] == 2
    assert client.get("/api/v1/datasets/cap/versions/1/compared-with/2").json()["counts"]["removed"] == 1
    out = client.get("/api/v1/datasets/cap/versions/1/export?format=classes")
    with zipfile.ZipFile(io.BytesIO(out.content)) as archive:
        assert archive.read("good/a.png") == png(len("good/a.png"))
    assert client.get("/api/v1/datasets/cap/versions/1/export?format=none").status_code == 422


def test_a_part_is_claimed_decided_and_undone(client: httpx.Client, database: Database) -> None:
    name = inspected(database, 1, verdict="REVIEW", score=0.98, at_s=time.time())
    (entry,) = client.get("/api/v1/review-queue").json()
    assert (entry["inspection_id"], entry["reasons"]) == (name, ["undecided", "doubt"])
    assert client.get("/api/v1/review-queue/counts").json()["undecided"] == 1
    claimed = client.post("/api/v1/review-queue/claims", json={"inspection_ids": [name]})
    assert claimed.json()["inspection_ids"] == [name]
    said = {"verdict": "REJECT", "label": "scratch", "seconds": 3.5}
    assert client.post(f"/api/v1/inspections/{name}/reviews", json=said).status_code == 201
    assert client.get("/api/v1/review-queue").json() == []
    told = client.get(f"/api/v1/inspections/{name}/reviews").json()
    assert (told["outcome"]["state"], told["outcome"]["label"]) == ("settled", "scratch")
    assert len(client.get("/api/v1/reviews?reviewer=ada").json()) == 1
    assert client.post(f"/api/v1/inspections/{name}/reviews/undo").json() is None
    assert client.post("/api/v1/review-queue/claims/release", json={"inspection_ids": []}).json() == {"released": 0}
    assert client.post(f"/api/v1/inspections/{name}/reviews", json={"verdict": "FAULT"}).status_code == 422
    escape = client.post("/api/v1/escapes", json={"inspection_id": name, "label": "crack"})
    assert (escape.status_code, escape.json()["serial"]) == (201, "S1")
    assert len(client.get("/api/v1/escapes?product=cap").json()) == 1


def test_pictures_are_labelled_and_held(client: httpx.Client) -> None:
    digest = digest_of(BIG)
    client.put(f"/api/v1/pictures/{digest}", content=BIG)
    drawn = {"label": "scratch", "geometry": {"box": [1, 2, 30, 40]}}
    made = client.post(f"/api/v1/pictures/{digest}/labels", json=drawn).json()
    assert (made["kind"], len(client.get(f"/api/v1/pictures/{digest}/labels").json())) == ("box", 1)
    assert client.delete(f"/api/v1/labels/{made['id']}").json()["removed_s"] is not None
    assert client.post(f"/api/v1/labels/{made['id']}/restore").json()["removed_s"] is None
    assert client.post(f"/api/v1/pictures/{digest}/labels", json={"label": "a\u0000b"}).status_code == 422
    hold = client.post("/api/v1/holds", json={"product": "cap", "reason": "recall"}).json()
    assert client.delete(f"/api/v1/holds/{hold['id']}").json()["lifted_s"] is not None
    assert client.get(f"/api/v1/pictures/{digest}/record").json()["kept_as"] == "reviewed"
