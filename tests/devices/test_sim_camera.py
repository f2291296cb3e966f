"""The simulated camera: what it shows, and every fault it can have."""

import time
from pathlib import Path

import numpy as np
import pytest
from tests.devices.conftest import HEIGHT, PATIENCE_S, WIDTH, picture, png, wait_until

from sightline.devices.camera import Shot, Trigger
from sightline.devices.reconnecting_camera import ReconnectingCamera
from sightline.devices.sim_camera import Fault, SimCamera, SimConfig, SimDevice, open_sim, rendered
from sightline.errors import DeviceLost, DeviceTimeout, FrameError, OptionError
from sightline.records import Frame


def frame(number: int) -> Frame:
    return Frame(pixels=picture(number))


def taken(camera: SimCamera) -> Shot:
    camera.trigger()
    return camera.grab(PATIENCE_S)


def with_fault(fault: Fault) -> tuple[Shot, Shot]:
    """A sound shot, and the next one with the fault."""
    device = SimDevice(frame)
    camera = SimCamera("top", device)
    sound = taken(camera)
    device.fail(fault)
    return sound, taken(camera)


def test_it_shows_what_is_in_view() -> None:
    device = SimDevice(frame)
    camera = SimCamera("top", device)
    assert np.array_equal(taken(camera).frame.pixels, picture(0))
    device.show(frame(7))
    assert all(np.array_equal(taken(camera).frame.pixels, picture(7)) for _ in range(2))


def test_a_frozen_camera_gives_the_same_pixels_again() -> None:
    sound, frozen = with_fault(Fault.FROZEN)
    assert np.array_equal(sound.frame.pixels, frozen.frame.pixels)
    assert not np.shares_memory(sound.frame.pixels, frozen.frame.pixels)
    assert frozen.number == 1


def test_faults_of_light_and_lens() -> None:
    assert not with_fault(Fault.BLACK)[1].frame.pixels.any()
    assert np.mean(with_fault(Fault.OVEREXPOSED)[1].frame.pixels == 255) > 0.7
    capped = with_fault(Fault.CAPPED)[1].frame.pixels
    assert 0 < capped.mean() < 10
    sharp, blurred = (shot.frame.pixels.astype(float) for shot in with_fault(Fault.BLURRED))
    assert blurred.std() < sharp.std() / 2


def test_faults_of_format() -> None:
    assert with_fault(Fault.WRONG_SIZE)[1].frame.pixels.shape == (HEIGHT, WIDTH // 2, 3)
    deep = with_fault(Fault.WRONG_DEPTH)[1].frame
    assert deep.pixels.dtype == np.uint16
    assert deep.bit_depth == 12
    device = SimDevice(lambda _number: deep)
    device.fail(Fault.WRONG_DEPTH)
    assert np.array_equal(taken(SimCamera("top", device)).frame.pixels, picture(1))


def test_a_lost_frame_leaves_out_a_number_and_half_a_one_is_an_error() -> None:
    device = SimDevice(frame)
    camera = SimCamera("top", device)
    device.fail(Fault.LOST, 2)
    for _ in range(2):
        camera.trigger()
    with pytest.raises(DeviceTimeout):
        camera.grab(0.0)
    shot = taken(camera)
    assert (shot.number, shot.lost) == (2, 2)
    device.fail(Fault.HALF)
    with pytest.raises(FrameError, match="only a part"):
        taken(camera)
    after = taken(camera)
    assert (after.number, after.lost) == (4, 0)


def test_a_stall_holds_pictures_back() -> None:
    device = SimDevice(frame)
    camera = SimCamera("top", device)
    device.stall(0.4)
    camera.trigger()
    with pytest.raises(DeviceTimeout):
        camera.grab(0.05)
    assert camera.grab(PATIENCE_S).number == 0


def test_the_same_seed_gives_the_same_faults() -> None:
    def pixels(seed: int) -> list[bytes]:
        device = SimDevice(frame, faults=[Fault.BLACK, Fault.CAPPED], fault_share=0.5, seed=seed)
        camera = SimCamera("top", device)
        return [taken(camera).frame.pixels.tobytes() for _ in range(12)]

    assert pixels(1) == pixels(1) != pixels(2)


def test_it_renders_its_own_parts_or_shows_a_folder(tmp_path: Path) -> None:
    config = SimConfig(parts=2, bad_share=0.5, size=64)
    first, again = rendered(config), rendered(config)
    assert [part.pixels.tobytes() for part in first] == [part.pixels.tobytes() for part in again]
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    camera = open_sim("top", SimConfig(pictures=tmp_path, trigger=Trigger.FREE, rate_hz=100))
    assert np.array_equal(camera.grab(PATIENCE_S).frame.pixels, picture(0))
    camera.close()
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="holds 0 pictures"):
        open_sim("top", SimConfig(pictures=tmp_path / "empty"))


def test_unplugged_a_hundred_times_it_comes_back_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.devices.reconnecting_camera._PAUSE_S", 0.01)
    monkeypatch.setattr("sightline.devices.reconnecting_camera._JITTER_S", 0.005)
    device = SimDevice(frame)
    camera = ReconnectingCamera("top", lambda: SimCamera("top", device))
    for cycle in range(100):
        wait_until(lambda: camera.connected, "connecting")
        camera.trigger()
        assert camera.grab(PATIENCE_S).number == 0
        assert camera.connections == cycle + 1
        device.unplug()
        with pytest.raises(DeviceLost, match=r"^top: it was unplugged"):
            camera.grab(PATIENCE_S)
        device.plug_in()
    camera.close()
    assert not camera.connected


def test_attempts_are_at_most_one_a_second_and_counted() -> None:
    device = SimDevice(frame)
    device.unplug()
    started_s = time.monotonic()
    camera = ReconnectingCamera("top", lambda: SimCamera("top", device))
    wait_until(lambda: camera.failures >= 2, "a second attempt")
    assert camera.failures - 1 <= time.monotonic() - started_s
    assert camera.fault == "it is not there. Check its power and its cable."
    with pytest.raises(DeviceLost, match=r"^top: it is not there"):
        camera.trigger()
    camera.close()


def test_it_is_opened_again_after_what_no_driver_should_raise() -> None:
    trouble = iter([OSError(101, "Network is unreachable")])
    device = SimDevice(frame)

    def opening() -> SimCamera:
        if error := next(trouble, None):
            raise error
        return SimCamera("top", device)

    camera = ReconnectingCamera("top", opening)
    wait_until(lambda: "unreachable" in str(camera.fault), "the first attempt")
    wait_until(lambda: camera.connected, "the second attempt")
    assert (camera.failures, camera.connections) == (1, 1)
    camera.close()
