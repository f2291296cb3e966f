"""What a part looked most like, over HTTP: by the model that judged it, and where that cannot be known, why."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from tests.browser.plant import outcome
from tests.service.conftest import Opening, Server, started

from sightline.bundle import EXEMPLARS_HASH, Bundle, load, save, save_changed
from sightline.datasets.opening import open_dataset
from sightline.imaging.decode import decode
from sightline.imaging.writing import png, write_png
from sightline.inspector import Inspector
from sightline.line.outcome import FIRST, Ids, content, document
from sightline.records import Pixels
from sightline.service.rights import Role
from sightline.store import models
from sightline.store.ingest import ingest
from sightline.store.pictures import ViewOf
from sightline.training import TrainConfig, train

NOW_S = 1_790_000_000.0


def part(seed: int, *, spoilt: bool = False) -> Pixels:
    rng = np.random.default_rng(seed)
    pixels = np.asarray((120 + rng.normal(0, 6, (64, 64))).clip(0, 255), np.uint8)
    if spoilt:
        pixels[24:40, 24:40] = 250
    return pixels


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("cap")
    for seed in range(8):
        (folder / "good").mkdir(exist_ok=True)
        write_png(folder / "good" / f"{seed}.png", part(seed))
    return train(open_dataset(folder / "good"), folder / "cap.sight", TrainConfig(size=(64, 64), bank=60)).bundle


@pytest.fixture(scope="module")
def server(model: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from started(Opening(folder=tmp_path_factory.mktemp("plant")))


def known(server: Server, model: Bundle, name: str) -> None:
    models.add(
        server.database, server.app.state.plant.models, model.path, models.Upload(name=name, author="ada"), now_s=NOW_S
    )


def reported(server: Server, model: Bundle, station: str, *, picture: bool = True) -> str:
    """A rejected part of a station's own, and its id."""
    pixels = part(40, spoilt=True)
    found = outcome(Inspector(model).inspect(pixels), Ids().new(), 1, NOW_S, "dent")
    ingest(server.database, [document(content(found), 1, FIRST, station)], now_s=NOW_S, station=station, clock_s=NOW_S)
    if picture:
        view = ViewOf(inspection_id=found.id, view="top", overlay=False, station=station)
        server.app.state.plant.pictures.link(png(pixels), view, digest="", media_type="", now_s=NOW_S)
    return found.id


def without_album(model: Bundle, path: Path) -> Bundle:
    config = {key: value for key, value in model.manifest.provenance.config.items() if key != EXEMPLARS_HASH}
    provenance = replace(model.manifest.provenance, config=config)
    save(path, model.graph, replace(model.manifest, provenance=provenance), model.window)
    return load(path)


def asked(server: Server, id_: str, view: str = "top") -> dict[str, object]:
    reply = server.person("vera").get(f"/api/v1/inspections/{id_}/views/{quote(view)}/nearest")
    assert reply.status_code == 200, reply.text
    found: dict[str, object] = reply.json()
    return found


@pytest.fixture(scope="module", autouse=True)
def vera(server: Server) -> None:
    server.add(Role.OPERATOR, "vera")


def test_a_view_is_explained_by_the_model_that_judged_it(server: Server, model: Bundle, tmp_path: Path) -> None:
    known(server, model, "cap")
    other = replace(model.manifest, thresholds=replace(model.manifest.thresholds, reject=9e9))
    save_changed(tmp_path / "later.sight", model, other)
    known(server, load(tmp_path / "later.sight"), "cap")  # a newer version, by which it would pass
    said = asked(server, reported(server, model, "press-1"))
    assert (said["model"], said["version"], said["reason"]) == ("cap", 1, "")
    regions = said["regions"]
    assert isinstance(regions, list)
    first = regions[0]
    assert first["source"] in {f"{seed}.png" for seed in range(8)}
    assert first["distance"] > 0
    shown = [decode(base64.b64decode(first[which]["jpeg"])).pixels for which in ("part", "good")]
    assert shown[0].max() > 240  # the spot
    assert shown[1].max() < 200
    place = first["part"]["place"]
    assert shown[0][place["y"] : place["y"] + place["height"], place["x"] : place["x"] + place["width"]].mean() > 200


def test_what_cannot_be_told_is_said_in_one_line(server: Server, model: Bundle, tmp_path: Path) -> None:
    old = without_album(model, tmp_path / "old.sight")
    unknown = reported(server, old, "press-2")
    assert asked(server, unknown)["reason"] == "the model that judged it is not among the models here."
    known(server, old, "old")
    said = asked(server, unknown)
    assert (said["regions"], said["model"]) == ([], "old")
    assert said["reason"] == "this model does not keep its good pictures; train again."
    bare = reported(server, model, "press-3", picture=False)
    assert asked(server, bare)["reason"] == "there is no picture of this view, or it has not come yet."


def test_views_and_parts_that_are_not_there_are_not_found(server: Server, model: Bundle) -> None:
    client = server.person("vera")
    there = reported(server, model, "press-4")
    assert client.get(f"/api/v1/inspections/{there}/views/left/nearest").status_code == 404
    assert client.get(f"/api/v1/inspections/{Ids().new()}/views/top/nearest").status_code == 404


def test_a_picture_that_is_tried_is_explained_where_it_is_asked_for(server: Server, model: Bundle) -> None:
    known(server, model, "cap")
    client = server.person("vera")
    path, picture = "/api/v1/models/cap/versions/1/inspect", png(part(41, spoilt=True))
    assert client.post(path, content=picture).json()["nearest"] is None
    said = client.post(f"{path}?nearest=true", content=picture).json()
    assert said["nearest"]["reason"] == ""
    assert [one["region"] for one in said["nearest"]["regions"]] == [one["box"] for one in said["defects"]][:3]
