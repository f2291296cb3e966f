"""Devices that stand in for real ones: what each kind of camera is fed with in the tests."""

import ctypes
import http.client
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from sightline.devices.aravis_camera import AravisCamera, GenicamConfig
from sightline.devices.camera import Camera, Trigger
from sightline.devices.folder_camera import FolderCamera, FolderConfig
from sightline.devices.http_camera import HttpCamera, HttpConfig
from sightline.devices.opencv_camera import OpencvCamera, OpencvConfig
from sightline.devices.reconnecting_camera import ReconnectingCamera
from sightline.devices.sim_camera import SimCamera, SimDevice
from sightline.records import Frame

WIDTH, HEIGHT = 64, 48
MONO8 = 0x01080001
PATIENCE_S = 20.0  # for what takes milliseconds on a machine that is not busy
LOOPBACK = "127.0.0.1"
PORT_S = 300.0  # that another process's tests may keep the port of GigE Vision


def picture(number: int) -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH, 3), another one for each number."""
    return np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def png(number: int) -> bytes:
    encoded, content = cv2.imencode(".png", picture(number)[..., ::-1])
    assert encoded
    return content.tobytes()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
    until_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until_s, f"{what} did not happen within {seconds} s"
        time.sleep(0.01)


def grab_on(camera: Camera) -> None:
    """Grab until an error comes; a camera that gives no error is one."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        camera.grab(PATIENCE_S)
    raise AssertionError(f"pictures came for {PATIENCE_S} s, and no error")


@dataclass(kw_only=True)
class Bench:
    """One kind of camera, and how it is made to see something, and to vanish."""

    connect: Callable[[], Camera]
    feed: Callable[[Camera], None]  # lets it take one picture
    vanish: Callable[[], None] | None = None  # None: it cannot, other than by being closed
    restore: Callable[[], None] = lambda: None  # puts something in its place that hears Aravis' farewell: 9 s otherwise


def sim_bench(trigger: Trigger) -> Bench:
    device = SimDevice(lambda number: Frame(pixels=picture(number)))

    def feed(camera: Camera) -> None:
        camera.trigger()
        if trigger is Trigger.HARDWARE:
            device.fire()

    return Bench(
        connect=lambda: SimCamera("bench", device, trigger=trigger, rate_hz=50), feed=feed, vanish=device.unplug
    )


def reconnecting_bench() -> Bench:
    """While it is unplugged it says so at every call, as others do once they are lost."""
    device = SimDevice(lambda number: Frame(pixels=picture(number)))

    def connect() -> Camera:
        camera = ReconnectingCamera("bench", lambda: SimCamera("bench", device))
        wait_until(lambda: camera.connected, "connecting")
        return camera

    return Bench(connect=connect, feed=lambda camera: camera.trigger(), vanish=device.unplug)


def folder_bench(folder: Path) -> Bench:
    folder.mkdir()
    written = iter(range(10_000))

    def feed(_camera: Camera) -> None:
        number = next(written)
        hidden = folder / ".partial"
        hidden.write_bytes(png(number))
        hidden.rename(folder / f"{number:05}.png")

    return Bench(
        connect=lambda: FolderCamera("bench", FolderConfig(path=folder)),
        feed=feed,
        vanish=lambda: void(folder.rename(folder.with_name("gone"))),
    )


def void(_result: object) -> None:
    """For a call whose result does not matter."""


def http_bench() -> Bench:
    def feed(camera: Camera) -> None:
        assert isinstance(camera, HttpCamera)
        assert post(camera.port, png(0))[0] == 202

    return Bench(connect=lambda: HttpCamera("bench", HttpConfig(port=0)), feed=feed)


def post(port: int, body: bytes, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def write_video(path: Path, frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50.0, (WIDTH, HEIGHT))
    for number in range(frames):
        writer.write(np.full((HEIGHT, WIDTH, 3), 40 + number % 200, np.uint8))
    writer.release()


def video_bench(path: Path) -> Bench:
    write_video(path, 20)
    config = OpencvConfig(source=str(path), trigger=Trigger.FREE, rate_hz=50)
    endless = replace(config, repeat=True)
    configs = iter([config])  # the first connection is the one that ends

    return Bench(
        connect=lambda: OpencvCamera("bench", next(configs, endless)),
        feed=lambda _camera: None,
        vanish=lambda: None,  # it ends by itself
    )


def aravis_missing() -> str | None:
    """Why there is nothing to test GenICam cameras with; None: there is."""
    try:
        ctypes.CDLL("libaravis-0.8.so.0")
    except OSError:
        return "Aravis is not installed (apt install libaravis-0.8-0)"
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.bind((LOOPBACK, 3956))
    except OSError:
        return "another GigE Vision camera already answers on 127.0.0.1:3956"
    finally:
        probe.close()
    return None


class FakeCamera:
    """The process of tests/devices/fake_camera.py, which can be pulled out and put back."""

    def __init__(self, pictures: Path) -> None:
        self.serial = f"BENCH{time.time_ns() % 10**6}"
        self._pictures = pictures
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Put it there, if it is not."""
        if self._process is not None:
            return
        script = str(Path(__file__).with_name("fake_camera.py"))
        command = [sys.executable, script, self.serial, str(self._pictures)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@pytest.fixture(scope="module")
def one_camera() -> Iterator[None]:
    """Its port is given by the standard: tests in another process, of a run beside too, wait for it."""
    with FileLock(Path(tempfile.gettempdir()) / "sightline-gige-camera.lock", timeout=PORT_S):
        yield


@pytest.fixture(scope="module")
def fake_process(one_camera: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeCamera]:
    reason = aravis_missing()
    if reason:
        pytest.skip(reason)
    stored: dict[str, Any] = {"size": np.array([WIDTH, HEIGHT]), str(MONO8): greys()}
    stored[str(0x02180014)] = np.stack([picture(0).reshape(-1)])  # RGB8
    stored[str(0x01080009)] = greys()  # BayerRG8
    stored[str(0x010C0047)] = stored[str(0x010C0006)] = np.resize(greys(), (1, WIDTH * HEIGHT * 3 // 2))  # 12 p, Packed
    stored[str(0x010A0046)] = np.resize(greys(), (1, WIDTH * HEIGHT * 5 // 4))  # Mono10p
    stored[str(0x01100011)] = bayer12().view(np.uint8).reshape(1, -1)  # BayerRG12
    path = tmp_path_factory.mktemp("fake") / "pictures.npz"
    np.savez(path, **stored)
    camera = FakeCamera(path)
    yield camera
    camera.kill()


@pytest.fixture
def fake_camera(fake_process: FakeCamera) -> FakeCamera:
    """A GigE Vision camera on loopback with pictures in several formats; it is there, whatever a test before did."""
    fake_process.start()
    return fake_process


def greys() -> NDArray[np.uint8]:
    """(3, HEIGHT * WIDTH): what the fake camera shows in turn."""
    return np.stack([picture(number)[..., 0].reshape(-1) for number in range(3)])


COLOUR12 = (3000, 2000, 1000)


def bayer12() -> NDArray[np.uint16]:
    """(HEIGHT, WIDTH), little endian: what a sensor with red first sees of a plain surface in COLOUR12."""
    red, green, blue = COLOUR12
    return np.tile(np.array([[red, green], [green, blue]], "<u2"), (HEIGHT // 2, WIDTH // 2))


@pytest.fixture(params=["sim", "sim, free", "sim, hardware", "reconnecting", "folder", "http", "video", "aravis"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Every kind of camera in turn."""
    kind: str = request.param
    if kind == "aravis":
        fake: FakeCamera = request.getfixturevalue("fake_camera")
        config = GenicamConfig(device=LOOPBACK)
        yield Bench(
            connect=lambda: AravisCamera("bench", config),
            feed=lambda camera: camera.trigger(),
            vanish=fake.kill,
            restore=fake.start,
        )
        return
    makers: dict[str, Callable[[], Bench]] = {
        "sim": lambda: sim_bench(Trigger.SOFTWARE),
        "sim, free": lambda: sim_bench(Trigger.FREE),
        "sim, hardware": lambda: sim_bench(Trigger.HARDWARE),
        "reconnecting": reconnecting_bench,
        "folder": lambda: folder_bench(tmp_path / "in"),
        "http": http_bench,
        "video": lambda: video_bench(tmp_path / "line.avi"),
    }
    yield makers[kind]()
