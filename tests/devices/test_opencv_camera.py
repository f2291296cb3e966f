"""Video files and RTSP streams, as a USB camera is read too."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.devices.conftest import HEIGHT, PATIENCE_S, WIDTH, grab_on, write_video

from sightline.devices.camera import Trigger
from sightline.devices.opencv_camera import OpencvCamera, OpencvConfig
from sightline.errors import DeviceLost, DeviceTimeout, OptionError

SYSTEM_PYTHON = Path("/usr/bin/python3")  # which sees Debian's gi


@pytest.fixture
def stream() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """(address, process) of a real RTSP server."""
    if not SYSTEM_PYTHON.exists():
        pytest.skip("no system Python to run the RTSP server with")
    script = str(Path(__file__).with_name("rtsp_server.py"))
    server = subprocess.Popen(
        [str(SYSTEM_PYTHON), script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    with server.stdout:
        address = server.stdout.readline().strip()
        if not address:
            server.wait()
            pytest.skip("no RTSP server here (apt install python3-gi gir1.2-gst-rtsp-server-1.0)")
        yield address, server
        server.kill()
        server.wait()


def test_a_stream_is_read_and_its_loss_seen(stream: tuple[str, subprocess.Popen[str]]) -> None:
    address, server = stream
    camera = OpencvCamera("top", OpencvConfig(source=address, trigger=Trigger.FREE))
    try:
        shots = [camera.grab(PATIENCE_S) for _ in range(3)]
        assert {shot.frame.pixels.shape for shot in shots} == {(HEIGHT, WIDTH, 3)}
        server.kill()
        with pytest.raises(DeviceLost, match="no picture comes any more"):
            grab_on(camera)
    finally:
        camera.close()


def test_a_file_is_shown_at_its_rate_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "line.avi"
    write_video(path, 6)
    camera = OpencvCamera("top", OpencvConfig(source=str(path), trigger=Trigger.FREE, rate_hz=20, grey=True))
    try:
        shots = [camera.grab(PATIENCE_S) for _ in range(5)]
        assert shots[0].frame.pixels.shape == (HEIGHT, WIDTH, 1)
        assert shots[-1].monotonic_s - shots[0].monotonic_s > 0.1
        with pytest.raises(DeviceLost, match="the video has ended"):
            grab_on(camera)
    finally:
        camera.close()


def test_by_software_only_the_picture_after_the_trigger_comes(tmp_path: Path) -> None:
    path = tmp_path / "line.avi"
    write_video(path, 50)
    config = OpencvConfig(source=str(path), rate_hz=20, repeat=True)
    camera = OpencvCamera("top", config)
    try:
        with pytest.raises(DeviceTimeout):
            camera.grab(0.2)
        triggered_s = time.monotonic()
        camera.trigger()
        shot = camera.grab(PATIENCE_S)
        assert (shot.number, shot.lost) == (0, 0)
        assert shot.monotonic_s > triggered_s
        with pytest.raises(DeviceTimeout):
            camera.grab(0.2)
    finally:
        camera.close()


def test_triggers_that_come_together_have_one_picture_and_the_earlier_ones_are_counted_as_lost(tmp_path: Path) -> None:
    path = tmp_path / "line.avi"
    write_video(path, 50)
    camera = OpencvCamera("top", OpencvConfig(source=str(path), rate_hz=1, repeat=True))
    try:
        camera.trigger()
        camera.grab(PATIENCE_S)  # the next one is read a second later
        for _ in range(3):
            camera.trigger()
        shot = camera.grab(PATIENCE_S)
        assert (shot.number, shot.lost) == (3, 2)
    finally:
        camera.close()


def test_what_cannot_be_opened_is_told_without_its_password() -> None:
    with pytest.raises(DeviceLost, match=r"^top: there is no file nowhere\.avi") as missing:
        OpencvCamera("top", OpencvConfig(source="nowhere.avi"))
    assert missing.value.device == "top"
    with pytest.raises(DeviceLost, match=r"rtsp://127\.0\.0\.1:1/line cannot be opened") as refused:
        OpencvCamera("top", OpencvConfig(source="rtsp://me:secret@127.0.0.1:1/line"))
    assert "secret" not in str(refused.value)
    with pytest.raises(OptionError, match=r"only rtsp://") as unsafe:
        OpencvConfig(source="https://me:secret@camera/line")
    assert "secret" not in str(unsafe.value)
