"""What is on its way in and out lies on the plant's own disk, does not outlive its request, and finds a full disk."""

import errno
import os
import tempfile
import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.assets.conftest import png
from tests.service.conftest import Opening, Server, started
from tests.service.server import sight, wait_for

from sightline.errors import StoreError, StoreFull
from sightline.service import uploads
from sightline.service.rights import Role
from sightline.service.settings import ServerSettings
from sightline.store.scratch import clear, scratch

NOW_S = 1_790_000_000.0
MODELS, DATASETS = "/api/v1/models", "/api/v1/datasets"


@pytest.fixture
def engineer(server: Server) -> TestClient:
    return server.person(server.add(Role.QUALITY_ENGINEER))


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def exported(client: TestClient) -> tuple[int, str]:
    """The status and kind of the answer to an export of two pictures."""
    items = [
        {
            "picture": client.post(f"{DATASETS}/pictures", content=png(seed)).json()["digest"],
            "name": f"{seed}.png",
            "label": "good",
        }
        for seed in (1, 2)
    ]
    client.post(f"{DATASETS}/cap/versions", json={"items": items})
    answer = client.get(f"{DATASETS}/cap/versions/1/export?format=coco&lossy=true")
    return answer.status_code, answer.headers["content-type"]


def test_nothing_is_left_of_what_came_and_went(server: Server, engineer: TestClient, tmp_path: Path) -> None:
    folder = server.app.state.plant.scratch
    assert folder == tmp_path / "scratch"
    brought = sight(tmp_path / "cap.sight").read_bytes()
    assert engineer.post(f"{MODELS}/cap/versions", content=brought).status_code == 201
    assert engineer.post(f"{MODELS}/cap/versions", content=b"none").status_code == 422
    assert engineer.post(f"{MODELS}/cap/versions/1/thresholds", json={"reject": 120, "reason": "r"}).status_code == 201
    assert exported(engineer) == (200, "application/zip")
    assert list(folder.iterdir()) == []


def test_the_systems_folder_for_temporary_files_is_not_needed(
    engineer: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    brought = sight(tmp_path / "cap.sight").read_bytes()
    assert engineer.post(f"{MODELS}/cap/versions", content=brought).status_code == 201
    assert engineer.post(f"{DATASETS}/cap/imports", content=b"PK").status_code == 202
    assert engineer.post(f"{MODELS}/cap/versions/1/thresholds", json={"reject": 120, "reason": "r"}).status_code == 201
    assert exported(engineer) == (200, "application/zip")


def test_a_full_disk_is_told_as_one(engineer: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_append", full)
    answer = engineer.post(f"{MODELS}/cap/versions", content=b"x")
    assert (answer.status_code, answer.json()["title"]) == (507, "Insufficient Storage")
    assert "disk is full. Free some space" in answer.json()["detail"]


def test_an_export_that_took_too_long_ends_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, reads = threading.Event(), list[str]()
    for server in started(Opening(folder=tmp_path, server=ServerSettings(longest_request_s=1.5))):
        pictures, engineer = server.app.state.plant.pictures, server.person(server.add(Role.QUALITY_ENGINEER))

        def slow(digest: str) -> bytes:
            reads.append(digest)
            assert release.wait(60)
            return png(1)

        monkeypatch.setattr(pictures, "read", slow)
        assert exported(engineer)[0] == 503
        assert len(list((tmp_path / "scratch").iterdir())) == 1
        release.set()
        wait_for(lambda: list((tmp_path / "scratch").iterdir()) == [])
        assert len(reads) == 1, "the second one is not asked for any more"


def test_what_a_killed_server_left_goes_and_what_another_writes_stays(tmp_path: Path) -> None:
    old, written, new = (tmp_path / name for name in ("old", "written", "new"))
    for folder in (old, written, new):
        folder.mkdir()
        (folder / "upload.zip").touch()
    for path in (old, old / "upload.zip", written):
        os.utime(path, (NOW_S - 90_000, NOW_S - 90_000))
    for path in (written / "upload.zip", new):
        os.utime(path, (NOW_S, NOW_S))
    clear(tmp_path, NOW_S)
    assert sorted(tmp_path.iterdir()) == [new, written]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"), scratch(tmp_path / "file"):
        pytest.fail("there is none")
    with pytest.raises(StoreFull, match="Free some space"), scratch(tmp_path / "made"):
        full()
    assert list((tmp_path / "made").iterdir()) == []
