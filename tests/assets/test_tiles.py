"""Large pictures in tiles, and maps on the scale of a model."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response
from tests.assets.test_routes import served
from tests.service.plants import plant_with
from tests.service.server import picture, sight

from sightline.errors import InspectionError
from sightline.imaging.heat import heat_levels, heat_scale
from sightline.records import Frame
from sightline.service.access import Caller
from sightline.service.problems import answer_to
from sightline.service.rights import RIGHTS, Right, Role
from sightline.service.routes import maps, pictures
from sightline.service.serving import Serving
from sightline.service.tiles import SIDE, Tiles, pyramid
from sightline.store.database import Database
from sightline.store.pictures import Pictures
from sightline.store.retention import Kept, Retention, Tier
from sightline.store.shelf import Shelf, digest_of

WIDTH, HEIGHT = 5472, 3648  # 20 megapixels
SOON_S = 1.0  # for a tile of a picture that is decoded already; measured: 10 ms


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    """Calls as somebody who may do everything, or as `X-Role` says; the model `cap` has the threshold 100."""
    kept = Pictures(database, {Tier.HOT: Shelf(str(tmp_path / "shelf"))}, Retention())
    app = FastAPI()
    with Serving(workers=1) as serving:
        serving.load("cap", sight(tmp_path / "cap.sight"))
        app.state.plant = plant_with(database=database, pictures=kept, tiles=Tiles(kept), serving=serving)
        for module in (pictures, maps):
            app.include_router(module.router)

        @app.exception_handler(InspectionError)
        def refuse(_: Request, error: InspectionError) -> Response:
            return answer_to(error)

        @app.middleware("http")
        async def recognise(request: Request, call_next):  # type: ignore[no-untyped-def]
            role = request.headers.get("X-Role")
            rights = RIGHTS[Role(role)] if role else frozenset(Right)
            request.state.caller = Caller(name="ada", rights=rights)
            return await call_next(request)

        with served(app) as address, httpx.Client(base_url=f"{address}/api/v1", timeout=60) as client:
            client.app = app  # type: ignore[attr-defined]
            yield client


def stored(client: httpx.Client, content: bytes) -> str:
    """Its digest."""
    kept: Pictures = client.app.state.plant.pictures  # type: ignore[attr-defined]
    return kept.keep(content, kept=Kept.PASS, now_s=0.0, digest=digest_of(content), media_type="")


def pixels_of(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    found = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


def test_a_picture_of_20_megapixels_is_decoded_once_and_then_each_tile_comes_soon(client: httpx.Client) -> None:
    ramp = np.linspace(0, 255, WIDTH, dtype=np.uint8)
    large = np.broadcast_to(ramp, (HEIGHT, WIDTH))
    digest = stored(client, cv2.imencode(".jpg", large)[1].tobytes())
    assert client.get(f"/pictures/{digest}/tiles").json() == {
        **{"width": WIDTH, "height": HEIGHT, "side": SIDE, "levels": 5}
    }
    start_s = time.perf_counter()
    places = [(0, 0, 0), (0, 10, 7), (1, 3, 2), (2, 1, 1), (4, 0, 0)]
    found = [client.get(f"/pictures/{digest}/tiles/{level}/{x}/{y}") for level, x, y in places]
    assert time.perf_counter() - start_s < SOON_S * len(places)
    assert [pixels_of(one).shape[:2] for one in found] == [(512, 512), (64, 352), (512, 512), (400, 512), (228, 342)]
    assert all("immutable" in one.headers["cache-control"] for one in found)
    assert max(len(one.content) for one in found) < 200_000
    assert float(pixels_of(found[1]).mean()) == pytest.approx(float(ramp[5120:].mean()), abs=2)
    assert client.app.state.plant.tiles.decoded == 1  # type: ignore[attr-defined]
    for path in (f"{digest}/tiles/5/0/0", f"{digest}/tiles/0/11/0", f"{'0' * 64}/tiles/0/0/0"):
        assert client.get(f"/pictures/{path}").status_code == 404
    assert client.get(f"/pictures/{digest}/tiles/0/0/0", headers={"X-Role": "station"}).status_code == 403
    assert client.get(f"/pictures/{digest}/tiles/0/-1/0").status_code == 422


def test_pictures_leave_the_memory_when_others_come(client: httpx.Client) -> None:
    tiles = Tiles(client.app.state.plant.pictures, most_bytes=5_000)  # type: ignore[attr-defined]
    one, other = (stored(client, picture(value)) for value in (60, 70))
    for digest in (one, other, other, one):
        tiles.pyramid(digest)
    assert tiles.decoded == 3, "each takes 3,072 bytes, so that one stays"


@pytest.mark.parametrize(("dtype", "bit_depth"), [(np.uint8, 8), (np.uint16, 12), (np.uint16, 16)])
def test_a_pixel_of_a_level_is_the_mean_of_four_below_whatever_the_depth(
    dtype: type[np.uint8 | np.uint16], bit_depth: int
) -> None:
    eight = np.arange(601 * 3).reshape(3, 601, 1) % 200
    pixels: Any = (eight << (bit_depth - 8)).astype(dtype)
    made = pyramid(Frame(pixels=pixels, bit_depth=bit_depth, source=""))
    assert [level.shape for level in made.levels] == [(3, 601, 1), (2, 301, 1)]
    assert made.levels[1][0, 5, 0] == pytest.approx(float(eight[:2, 10:12].mean()), abs=1)
    assert made.levels[1][1, 300, 0] == eight[2, 600, 0], "at the edges the last row and column count twice"


def test_a_map_is_on_the_scale_of_its_model(client: httpx.Client) -> None:
    digest = stored(client, picture(200))
    answer = client.get(f"/pictures/{digest}/map?model=cap")
    values, told = pixels_of(answer), json.loads(answer.headers["Sightline-Map"])
    assert answer.headers["content-type"] == "image/png"
    assert told | {"model_id": ""} == {
        **{"model": "cap", "version": 1, "model_id": "", "verdict": "REJECT", "score": 200, "named": None},
        **{"start": 60, "threshold": 100, "full": 160},
    }
    assert (values.max(), values.min()) == (255, 0)
    again = client.get(f"/pictures/{digest}/map?model=cap", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert client.get(f"/pictures/{digest}/map?model=lid").status_code == 404
    assert client.get(f"/pictures/{'0' * 64}/map?model=cap").status_code == 404
    assert client.get(f"/pictures/{digest}/map").status_code == 422
    assert client.get(f"/pictures/{digest}/map?model=cap", headers={"X-Role": "station"}).status_code == 403


def test_what_reaches_the_threshold_is_in_the_upper_half() -> None:
    scale = heat_scale(100.0)
    values = np.array([[0, 60, 99.99, 100], [160, 1e9, np.nan, np.inf]], np.float32)
    assert heat_levels(values, scale).tolist() == [[0, 0, 127, 128], [255, 255, 255, 255]]
