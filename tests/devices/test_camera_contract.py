"""What every camera promises, kept by each of them, the one behind a real GigE Vision stack included."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
from tests.devices.conftest import PATIENCE_S, Bench, grab_on, wait_until

from sightline.devices.camera import Camera
from sightline.errors import DeviceLost, DeviceTimeout

CYCLES = 20


@contextmanager
def connected(bench: Bench) -> Iterator[Camera]:
    camera = bench.connect()
    try:
        yield camera
    finally:
        camera.close()


def held() -> tuple[int, int]:
    """(threads of the system, open files) of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def test_pictures_come_in_order_and_belong_to_who_took_them(bench: Bench) -> None:
    with connected(bench) as camera:
        shots = []
        for _ in range(3):
            bench.feed(camera)
            shots.append(camera.grab(PATIENCE_S))
    assert [shot.camera for shot in shots] == ["bench"] * 3
    numbers = [shot.number for shot in shots]
    assert numbers == sorted(set(numbers))
    assert all(after.lost == after.number - before.number - 1 for before, after in pairwise(shots))
    assert all(before.monotonic_s <= after.monotonic_s for before, after in pairwise(shots))
    copies = [shot.frame.pixels.copy() for shot in shots]
    for shot in shots:
        assert shot.frame.pixels.flags.writeable
        assert not any(np.shares_memory(shot.frame.pixels, other.frame.pixels) for other in shots if other is not shot)
    assert all(np.array_equal(shot.frame.pixels, copy) for shot, copy in zip(shots, copies, strict=True))


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(bench: Bench) -> None:
    with connected(bench) as camera:
        fed = 0
        while fed < 4:  # as many as an HTTP camera takes
            bench.feed(camera)
            fed += 1
        shot = camera.grab(PATIENCE_S)
        assert shot.number == shot.lost
        assert shot.number < 50


def test_without_a_picture_the_wait_ends_in_time(bench: Bench, request: pytest.FixtureRequest) -> None:
    if request.node.callspec.params["bench"] in ("sim, free", "video"):
        pytest.skip("takes pictures by itself")
    with connected(bench) as camera:
        started_s = time.monotonic()
        with pytest.raises(DeviceTimeout, match=r"^bench: "):
            camera.grab(0.1)
        assert 0.05 < time.monotonic() - started_s < PATIENCE_S


def test_once_lost_every_call_says_so(bench: Bench) -> None:
    if bench.vanish is None:
        pytest.skip("cannot be lost")
    with connected(bench) as camera:
        bench.feed(camera)
        camera.grab(PATIENCE_S)
        bench.vanish()
        with pytest.raises(DeviceLost, match=r"^bench: "):
            grab_on(camera)
        for _ in range(2):
            with pytest.raises(DeviceLost, match=r"^bench: "):
                camera.grab(PATIENCE_S)
            with pytest.raises(DeviceLost, match=r"^bench: "):
                camera.trigger()
        bench.restore()


def test_closing_ends_a_wait_from_another_thread_and_may_be_repeated(bench: Bench) -> None:
    camera = bench.connect()
    with ThreadPoolExecutor(2) as pool:
        waiting = threading.Event()

        def wait() -> None:
            while True:
                waiting.set()
                camera.grab(PATIENCE_S)

        waiter = pool.submit(wait)
        assert waiting.wait(PATIENCE_S)
        pool.submit(camera.close).result(PATIENCE_S)
        assert isinstance(waiter.exception(PATIENCE_S), DeviceLost)
    camera.close()
    with pytest.raises(DeviceLost, match="closed"):
        camera.grab(0.0)


def test_nothing_is_left_behind(bench: Bench) -> None:
    def cycle() -> None:
        with connected(bench) as camera:
            bench.feed(camera)
            camera.grab(PATIENCE_S)

    cycle()  # libraries keep some threads and files from their first use on
    before = held()
    for _ in range(CYCLES):
        cycle()
    wait_until(lambda: held() <= before, f"being back at {before} threads and files, now {held()},")
