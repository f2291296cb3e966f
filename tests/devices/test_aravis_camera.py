"""GenICam cameras against a real GigE Vision stack: Aravis' fake camera, with pictures of our own."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from tests.devices.conftest import (
    COLOUR12,
    HEIGHT,
    LOOPBACK,
    PATIENCE_S,
    WIDTH,
    FakeCamera,
    grab_on,
    greys,
    picture,
    wait_until,
)

from sightline.devices.aravis_camera import AravisCamera, Edge, GenicamConfig
from sightline.devices.aravis_camera import _Arrivals as Arrivals
from sightline.devices.aravis_library import Aravis
from sightline.devices.camera import Trigger
from sightline.devices.reconnecting_camera import ReconnectingCamera
from sightline.errors import DeviceError, DeviceLost, FrameError, OptionError
from sightline.imaging.raw import PixelFormat


@contextmanager
def opened(config: GenicamConfig) -> Iterator[AravisCamera]:
    camera = AravisCamera("top", config)
    try:
        yield camera
    finally:
        camera.close()


def test_a_software_trigger_gives_one_picture_with_its_settings(fake_camera: FakeCamera) -> None:
    with opened(GenicamConfig(device=LOOPBACK, exposure_us=5000, gain_db=2)) as camera:
        shots = []
        for _ in range(3):
            camera.trigger()
            shots.append(camera.grab(PATIENCE_S))
    assert [(shot.number, shot.lost) for shot in shots] == [(0, 0), (1, 0), (2, 0)]
    assert {(shot.exposure_us, shot.gain_db) for shot in shots} == {(5000.0, 2.0)}
    assert shots[-1].temperature_c == pytest.approx(41.5)
    shown = {shot.frame.pixels.tobytes() for shot in shots}
    assert shown == {grey.tobytes() for grey in greys()}


@pytest.mark.parametrize(
    ("pixel_format", "channels", "bit_depth"),
    [
        (PixelFormat.RGB8, 3, 8),
        (PixelFormat.BAYER_RG8, 3, 8),
        (PixelFormat.MONO10P, 1, 10),
        (PixelFormat.MONO12P, 1, 12),
        (PixelFormat.MONO12PACKED, 1, 12),
    ],
)
def test_pixel_formats_come_out_as_frames(
    fake_camera: FakeCamera, pixel_format: PixelFormat, channels: int, bit_depth: int
) -> None:
    with opened(GenicamConfig(device=LOOPBACK, pixel_format=pixel_format)) as camera:
        camera.trigger()
        frame = camera.grab(PATIENCE_S).frame
    assert (frame.pixels.shape, frame.bit_depth) == ((HEIGHT, WIDTH, channels), bit_depth)
    if pixel_format is PixelFormat.RGB8:
        assert np.array_equal(frame.pixels, picture(0))


def test_twelve_bits_in_colour_keep_their_depth_and_their_colours(fake_camera: FakeCamera) -> None:
    with opened(GenicamConfig(device=LOOPBACK, pixel_format=PixelFormat.BAYER_RG12)) as camera:
        camera.trigger()
        frame = camera.grab(PATIENCE_S).frame
    assert (frame.pixels.shape, frame.bit_depth) == ((HEIGHT, WIDTH, 3), 12)
    assert frame.pixels.dtype == np.uint16
    assert np.array_equal(frame.pixels[2:-2, 2:-2], np.broadcast_to(COLOUR12, (HEIGHT - 4, WIDTH - 4, 3)))


class ChunkyAravis(Aravis):
    """The library as it is with a camera that sends chunk data, which Aravis' fake camera cannot; the rest is real."""

    PARSER = 0xC0FFEE
    offered: tuple[str, ...] = ("ExposureTime", "EncoderValue")
    values: Mapping[str, float] = MappingProxyType({"ChunkExposureTime": 4321.5, "ChunkEncoderValue": -77})

    def call(self, name: str, *arguments: object) -> Any:
        result: object = None
        match name, *arguments:
            case "arv_camera_are_chunks_available", _:
                result = 1
            case "arv_device_is_enumeration_entry_available", _, "ChunkSelector", chunk:
                result = chunk in self.offered
            case "arv_camera_set_chunks", _, chosen:
                assert chosen == ",".join(self.offered), "what the camera does not offer is not asked for"
            case "arv_camera_create_chunk_parser", _:
                assert self.offered
                result = self.PARSER
            case "arv_buffer_has_chunks", _:
                result = bool(self.values)
            case (("arv_chunk_parser_get_float_value" | "arv_chunk_parser_get_integer_value"), self.PARSER, _, chunk):
                if chunk not in self.values:
                    raise DeviceError(self.camera, f"no {chunk}.")
                result = self.values[str(chunk)]
            case "g_object_unref", self.PARSER:
                pass  # nothing of it is real
            case _:
                result = super().call(name, *arguments)
        return result


@pytest.mark.parametrize(
    ("offered", "values", "expected"),
    [
        pytest.param(("ExposureTime", "EncoderValue"), ChunkyAravis.values, (4321.5, 2.0, -77), id="with each picture"),
        pytest.param(("ExposureTime", "EncoderValue"), {}, (5000.0, 2.0, None), id="this picture has none"),
        pytest.param((), {}, (5000.0, 2.0, None), id="none that are of use"),
    ],
)
def test_what_comes_with_a_picture_goes_before_what_was_set(
    fake_camera: FakeCamera,
    monkeypatch: pytest.MonkeyPatch,
    offered: tuple[str, ...],
    values: dict[str, float],
    expected: tuple[float, float, int | None],
) -> None:
    monkeypatch.setattr(ChunkyAravis, "offered", offered)
    monkeypatch.setattr(ChunkyAravis, "values", values)
    monkeypatch.setattr("sightline.devices.aravis_camera.Aravis", ChunkyAravis)
    with opened(GenicamConfig(device=LOOPBACK, exposure_us=5000, gain_db=2)) as camera:
        camera.trigger()
        shot = camera.grab(PATIENCE_S)
    assert (shot.exposure_us, shot.gain_db, shot.encoder) == expected


def test_running_freely_it_keeps_the_newest_and_counts_the_rest(fake_camera: FakeCamera) -> None:
    with opened(GenicamConfig(device=LOOPBACK, trigger=Trigger.FREE, rate_hz=100)) as camera:
        first = camera.grab(PATIENCE_S)
        time.sleep(0.5)  # what nobody takes meanwhile is dropped
        shots = [first, *(camera.grab(PATIENCE_S) for _ in range(6))]
    assert sum(shot.lost for shot in shots[1:]) > 0
    assert shots[-1].number == sum(shot.lost + 1 for shot in shots) - 1


def test_settings_that_the_camera_refuses_are_named(fake_camera: FakeCamera) -> None:
    with pytest.raises(DeviceError, match=r"no trigger source 'Line7'"):
        AravisCamera("top", GenicamConfig(device=LOOPBACK, trigger=Trigger.HARDWARE, line="Line7"))
    with opened(GenicamConfig(device=LOOPBACK, trigger=Trigger.HARDWARE, line="Line0", edge=Edge.RISING)):
        pass
    with pytest.raises(DeviceError, match=r"PixelFormat|not found"):
        AravisCamera("top", GenicamConfig(device=LOOPBACK, pixel_format=PixelFormat.BAYER_BG12P))
    with pytest.raises(OptionError, match="exposure_us is -1"):
        GenicamConfig(exposure_us=-1)


def test_a_camera_has_one_master(fake_camera: FakeCamera) -> None:
    with opened(GenicamConfig(device=LOOPBACK)), pytest.raises(DeviceError, match="another program"):
        AravisCamera("second", GenicamConfig(device=LOOPBACK))


def test_its_loss_is_seen_and_it_comes_back(fake_camera: FakeCamera) -> None:
    camera = ReconnectingCamera("top", lambda: AravisCamera("top", GenicamConfig(device=LOOPBACK)))
    try:
        wait_until(lambda: camera.connected, "connecting")
        camera.trigger()
        camera.grab(PATIENCE_S)
        fake_camera.kill()
        gone_s = time.monotonic()
        with pytest.raises(DeviceLost):
            camera.grab(PATIENCE_S)
        assert time.monotonic() - gone_s < 5  # 1.8 s on a machine that is not busy; Aravis alone takes 5 and more
        fake_camera.start()
        back_s = time.monotonic()
        wait_until(lambda: camera.connected, "connecting again", 30)
        assert time.monotonic() - back_s < 10
        camera.trigger()
        assert camera.grab(PATIENCE_S).number == 0
        assert camera.connections == 2
    finally:
        camera.close()


def test_a_picture_with_lost_packets_is_refused(fake_camera: FakeCamera) -> None:
    fake_camera.kill()  # its place is taken by one that loses a fifth of its packets
    command = ["arv-fake-gv-camera-0.8", "-i", LOOPBACK, "-s", "LOSSY", "-r", "200"]
    try:
        lossy = subprocess.Popen(command)
    except FileNotFoundError:
        pytest.skip("no arv-fake-gv-camera-0.8 (apt install aravis-tools)")
    try:
        camera = ReconnectingCamera(
            "top", lambda: AravisCamera("top", GenicamConfig(device=LOOPBACK, trigger=Trigger.FREE, rate_hz=30))
        )
        wait_until(lambda: camera.connected, "connecting")
        with pytest.raises(FrameError, match="only a part of a picture came"):
            grab_on(camera)
        camera.close()
    finally:
        lossy.kill()
        lossy.wait()


def test_lost_frames_are_counted_once_from_ids_and_statistics() -> None:
    arrivals = Arrivals()
    assert arrivals.lost(65534, 0) == 0
    assert arrivals.lost(65535, 1) == 1  # the stream knows first
    assert arrivals.lost(2, 1) == 0  # and the id, over its end, says the same: 1 is missing
    assert arrivals.lost(5, 1) == 2
    unnumbered = Arrivals()
    assert [unnumbered.lost(0, missed) for missed in (0, 0, 3)] == [0, 0, 3]


def test_a_camera_that_no_network_leads_to_is_released_and_opened_again(
    fake_camera: FakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sightline.devices.aravis_camera._address", lambda *_: "255.255.255.255")
        with pytest.raises(DeviceLost, match=r"^top: no network leads to 255\.255\.255\.255"):
            AravisCamera("top", GenicamConfig(device=LOOPBACK))
    with opened(GenicamConfig(device=LOOPBACK)) as camera:  # nobody else controls it
        camera.trigger()
        assert camera.grab(PATIENCE_S).number == 0
