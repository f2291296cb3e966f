"""What a server is opened with: the settings reach what works by them, and every disk is watched."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.service.server import picture

from sightline.errors import FrameError
from sightline.service import disks
from sightline.service.app import create_app
from sightline.service.opening import open_plant
from sightline.service.settings import JobSettings, ServingSettings, Settings, StoreSettings
from sightline.store.retention import Kept

NOW_S = 1_790_000_000.0
FREE = {"store": 0.5, "pictures": 0.01, "nearline": 0.001}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    store = StoreSettings(
        folder=tmp_path / "store",
        pictures=f"file://{tmp_path / 'pictures'}",
        nearline=str(tmp_path / "nearline"),
        archive="memory://archive",
    )
    return Settings(store=store, jobs=JobSettings(workers=0, data=tmp_path / "data"))


@pytest.fixture
def client(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Of a server each of whose folders lies on a disk of its own, as far as there are names for it."""
    monkeypatch.setattr(disks, "_disk", lambda folder: hash(folder.name))
    app = create_app(settings, partial(open_plant, models={}), open_to_all=True)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize("megapixels", [0.003, 0.004])
def test_pictures_are_kept_that_are_as_large_as_those_that_are_judged(tmp_path: Path, megapixels: float) -> None:
    settings = Settings(
        store=StoreSettings(folder=tmp_path), serving=ServingSettings(apart=False, largest_megapixels=megapixels)
    )
    with open_plant(settings, {}) as plant:
        for kept in (plant.pictures, plant.jobs.site.kept_pictures(plant.database)):
            assert kept.max_megapixels == megapixels
        if megapixels * 1e6 >= 48 * 64:
            assert plant.pictures.keep(picture(60), kept=Kept.PASS, now_s=NOW_S)
            return
        with pytest.raises(FrameError):
            plant.pictures.keep(picture(60), kept=Kept.PASS, now_s=NOW_S)


def test_what_lies_on_one_disk_is_told_once(settings: Settings, tmp_path: Path) -> None:
    with open_plant(settings, {}) as plant:
        assert plant.disks == {"store": tmp_path / "store"}


def test_every_disk_is_watched_by_its_name(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    named = ["store", "pictures", "nearline", "models", "data"]
    assert list(client.app.state.plant.disks) == named  # type: ignore[attr-defined]
    page = client.get("/metrics").text
    assert [name for name in named if f'sightline_server_disk_free_ratio{{disk="{name}"}}' in page] == named

    def usage(folder: Path) -> object:
        return type("Usage", (), {"total": 1000, "free": 1000 * FREE[folder.name]})

    monkeypatch.setattr(shutil, "disk_usage", usage)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]["storage"]) == (503, "pictures: the disk is full")
    monkeypatch.setitem(FREE, "pictures", 0.5)
    assert client.get("/readyz").json()["parts"]["storage"] == "ok"
