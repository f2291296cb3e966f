"""Watched folders, with writers of both kinds: in place, and under another name first."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.devices.conftest import PATIENCE_S, grab_on, picture, png

from sightline.devices import folder_camera
from sightline.devices.folder_camera import FolderCamera, FolderConfig
from sightline.errors import DeviceLost, DeviceTimeout, FrameError, OptionError


@contextmanager
def watching(config: FolderConfig) -> Iterator[FolderCamera]:
    camera = FolderCamera("top", config)
    try:
        yield camera
    finally:
        camera.close()


def test_a_file_written_in_place_is_taken_once_it_is_whole(tmp_path: Path) -> None:
    content = png(1)
    with watching(FolderConfig(path=tmp_path, settle_s=10)) as camera:
        with (tmp_path / "1.png").open("wb") as file:
            file.write(content[:500])
            file.flush()
            with pytest.raises(DeviceTimeout):
                camera.grab(0.3)
            file.write(content[500:])
        shot = camera.grab(5)  # at once, not after the time to settle
        assert np.array_equal(shot.frame.pixels, picture(1))
        with pytest.raises(DeviceTimeout):  # and only once
            camera.grab(0.2)


def test_a_format_without_an_end_waits_until_it_rests(tmp_path: Path) -> None:
    encoded, content = cv2.imencode(".bmp", picture(1))
    assert encoded
    with watching(FolderConfig(path=tmp_path, settle_s=0.4)) as camera:
        started_s = time.monotonic()
        (tmp_path / "1.bmp").write_bytes(content.tobytes())
        camera.grab(PATIENCE_S)
        assert time.monotonic() - started_s > 0.35


def test_what_is_no_picture_is_an_error_of_its_own_and_the_next_one_comes(tmp_path: Path) -> None:
    with watching(FolderConfig(path=tmp_path, settle_s=0.2)) as camera:
        (tmp_path / "1.png").write_bytes(png(1)[:500])
        os.utime(tmp_path / "1.png", (1, 1))  # older than the next, however coarse the file system's clock is
        (tmp_path / "2.png").write_bytes(png(2))
        (tmp_path / "3.png.tmp").write_bytes(png(3))
        (tmp_path / "notes.txt").write_text("not a picture")
        with pytest.raises(FrameError, match=r"1\.png"):
            camera.grab(PATIENCE_S)
        shot = camera.grab(PATIENCE_S)
        assert (shot.number, shot.lost) == (1, 0)
        assert np.array_equal(shot.frame.pixels, picture(2))


@pytest.mark.parametrize("backlog", [False, True])
def test_what_lies_there_at_the_beginning_is_taken_only_if_asked_for(tmp_path: Path, backlog: bool) -> None:
    for number, age in ((1, 10), (2, 30), (3, 20)):
        (tmp_path / f"{number}.png").write_bytes(png(number))
        os.utime(tmp_path / f"{number}.png", (time.time() - age,) * 2)
    with watching(FolderConfig(path=tmp_path, backlog=backlog)) as camera:
        if backlog:
            names = [Path(camera.grab(PATIENCE_S).frame.source).name for _ in range(3)]
            assert names == ["2.png", "3.png", "1.png"]
        with pytest.raises(DeviceTimeout):
            camera.grab(0.2)


def test_taken_pictures_are_moved_and_none_replaces_another(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "done").mkdir()
    with watching(FolderConfig(path=tmp_path / "in", done=tmp_path / "done")) as camera:
        for number in range(2):
            (tmp_path / "in" / "same.png").write_bytes(png(number))
            assert np.array_equal(camera.grab(PATIENCE_S).frame.pixels, picture(number))
            until_s = time.monotonic() + PATIENCE_S
            while any((tmp_path / "in").iterdir()):
                assert time.monotonic() < until_s
                time.sleep(0.01)
    assert len(list((tmp_path / "done").iterdir())) == 2


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceLost, match=r"^top: .*nowhere cannot be read"):
        FolderCamera("top", FolderConfig(path=tmp_path / "nowhere"))
    with pytest.raises(DeviceLost, match="Make it first"):
        FolderCamera("top", FolderConfig(path=tmp_path, done=tmp_path / "done"))
    with pytest.raises(OptionError, match="watched folder itself"):
        FolderConfig(path=tmp_path, done=tmp_path)
    monkeypatch.setattr(folder_camera, "MOST_FILES", 2)
    with watching(FolderConfig(path=tmp_path)) as camera:
        for number in range(3):
            (tmp_path / f"{number}.png").write_bytes(png(number))
        with pytest.raises(DeviceLost, match="more than 2 pictures"):
            grab_on(camera)
