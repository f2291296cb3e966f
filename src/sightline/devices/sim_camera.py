"""A simulated camera: pictures of rendered parts, of a folder, or of what a simulated conveyor has in view."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.datasets.pictures import pictures_in
from sightline.devices.camera import Shot, Trigger
from sightline.devices.frame_buffer import FrameBuffer
from sightline.errors import DeviceLost, DeviceTimeout, FrameError, OptionError
from sightline.imaging.decode import read_frame
from sightline.records import Frame, Pixels
from sightline.synthesis.defects import DefectType
from sightline.synthesis.parts import PartConfig, render

MOST_PICTURES = 1000


class Fault(StrEnum):
    """What a camera may do to a picture."""

    FROZEN = "frozen"  # the same pixels as the picture before
    BLACK = "black"
    OVEREXPOSED = "overexposed"
    CAPPED = "capped"  # nearly black, and noise
    BLURRED = "blurred"
    WRONG_SIZE = "wrong size"  # half as wide
    WRONG_DEPTH = "wrong depth"  # 12 bits instead of 8, 8 instead of more
    HALF = "half"  # only a part of the picture arrives
    LOST = "lost"  # taken, and never arrives


@dataclass(frozen=True, slots=True, kw_only=True)
class SimConfig:
    """A simulated camera that renders its own parts, or shows the pictures of a folder in turn."""

    trigger: Trigger = Trigger.SOFTWARE
    rate_hz: float = 10.0  # for Trigger.FREE
    pictures: Path | None = None  # folder; None: rendered parts
    parts: int = 8  # parts rendered in advance and shown in turn
    bad_share: float = 0.0  # of them that have a defect
    size: int = 256  # px, of rendered parts
    faults: tuple[Fault, ...] = ()  # one of these befalls a picture
    fault_share: float = 0.0  # with this probability
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.rate_hz <= 1000:
            raise OptionError(f"rate_hz is {self.rate_hz}; give a number above 0, at most 1000.")
        if not 1 <= self.parts <= MOST_PICTURES:
            raise OptionError(f"parts is {self.parts}; give a number from 1 to {MOST_PICTURES}.")
        for name in ("bad_share", "fault_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} is {getattr(self, name)}; give a share from 0 to 1.")
        if self.fault_share and not self.faults:
            raise OptionError("fault_share is given, but no faults; name them.")


class SimDevice:
    """The camera as it stands beside the conveyor: what is before its lens, its cable, and what is wrong with it.

    It outlives connections, so that it can be unplugged and come back. Any thread may call anything.
    """

    def __init__(
        self,
        source: Callable[[int], Frame],
        *,
        faults: Sequence[Fault] = (),
        fault_share: float = 0.0,
        seed: int = 0,
    ) -> None:
        """`source` gives what is in view when a picture is taken, by the picture's number from 0; it must be quick."""
        self._source = source
        self._faults, self._fault_share = tuple(faults), fault_share
        self._rng = np.random.default_rng(seed)
        self._planned: list[Fault] = []
        self._taken = 0
        self._before: Frame | None = None
        self._stalled_until_s = 0.0
        self._connected: FrameBuffer | None = None
        self._plugged = True
        self._lock = threading.RLock()

    def show(self, frame: Frame) -> None:
        """Put this before the lens, and leave it there."""
        with self._lock:
            self._source = lambda _number: frame

    def fail(self, fault: Fault, pictures: int = 1) -> None:
        """Let this befall the next pictures, after what was planned before."""
        with self._lock:
            self._planned += [fault] * pictures

    def stall(self, seconds: float) -> None:
        """Hold back what is taken from now on, for so long."""
        with self._lock:
            self._stalled_until_s = time.monotonic() + seconds

    def unplug(self) -> None:
        """Whoever is connected loses it."""
        with self._lock:
            self._plugged = False
            if self._connected:
                self._connected.lose("it was unplugged. Check its power and its cable.")

    def plug_in(self) -> None:
        """It can be opened again."""
        with self._lock:
            self._plugged = True

    def connect(self, name: str) -> FrameBuffer:
        """Where its pictures go from now on; raises DeviceLost while it is unplugged."""
        with self._lock:
            if not self._plugged:
                raise DeviceLost(name, "it is not there. Check its power and its cable.")
            self._connected = FrameBuffer(name)
            return self._connected

    def fire(self) -> None:
        """Take a picture, as by the electric input; it goes to whoever is connected."""
        with self._lock:
            buffer = self._connected
            if buffer is None or buffer.ended:
                return
            frame = self._source(self._taken)
            self._taken += 1
            fault = self._next_fault()
            if fault is Fault.LOST:
                buffer.skip(1)
            elif fault is Fault.HALF:
                buffer.put(FrameError(f"{buffer.camera}: only a part of a picture came. Check cable and switch."))
            else:
                pixels, bit_depth = _spoilt(frame, fault, self._before, self._rng)
                self._before = Frame(pixels=pixels, bit_depth=bit_depth, source=buffer.camera)
                buffer.put(Frame(pixels=pixels.copy(), bit_depth=bit_depth, source=buffer.camera))

    @property
    def stalled_s(self) -> float:
        """For how much longer its pictures are held back."""
        with self._lock:
            return max(0.0, self._stalled_until_s - time.monotonic())

    def _next_fault(self) -> Fault | None:
        if self._planned:
            return self._planned.pop(0)
        if self._faults and self._rng.random() < self._fault_share:
            return self._faults[int(self._rng.integers(len(self._faults)))]
        return None


class SimCamera:
    """A connection to a simulated camera."""

    def __init__(
        self, name: str, device: SimDevice, *, trigger: Trigger = Trigger.SOFTWARE, rate_hz: float = 10.0
    ) -> None:
        """Raises DeviceLost while the device is unplugged."""
        self._device = device
        self._trigger = trigger
        self._buffer = device.connect(name)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        if trigger is Trigger.FREE:
            self._thread = threading.Thread(target=self._run, args=(1 / rate_hz,), name=f"camera {name}", daemon=True)
            self._thread.start()

    def trigger(self) -> None:
        self._buffer.check()
        if self._trigger is Trigger.SOFTWARE:
            self._device.fire()

    def grab(self, timeout_s: float) -> Shot:
        stalled_s = self._device.stalled_s
        if stalled_s:
            self._closing.wait(min(stalled_s, timeout_s))
            self._buffer.check()
        if stalled_s > timeout_s:
            raise DeviceTimeout(self._buffer.camera, f"no picture came within {timeout_s:.3g} s.")
        return self._buffer.take(timeout_s - stalled_s)

    def close(self) -> None:
        self._buffer.close()
        self._closing.set()
        if self._thread:
            self._thread.join()

    def _run(self, period_s: float) -> None:
        due_s = time.monotonic() + period_s
        while not self._closing.wait(max(0.0, due_s - time.monotonic())) and not self._buffer.ended:
            self._device.fire()
            due_s = max(due_s + period_s, time.monotonic())


def open_sim(name: str, config: SimConfig) -> SimCamera:
    """Render or read all of its pictures in advance, and open it; raises OptionError or FrameError where it cannot."""
    frames = _read(config.pictures) if config.pictures else rendered(config)
    device = SimDevice(
        lambda number: frames[number % len(frames)],
        faults=config.faults,
        fault_share=config.fault_share,
        seed=config.seed,
    )
    return SimCamera(name, device, trigger=config.trigger, rate_hz=config.rate_hz)


def rendered(config: SimConfig) -> list[Frame]:
    """The parts it shows, good ones and bad ones mixed; the same seed gives the same ones."""
    rng = np.random.default_rng(config.seed)
    look = PartConfig(size=config.size)
    bad = set(rng.permutation(config.parts)[: round(config.bad_share * config.parts)].tolist())
    kinds = list(DefectType)
    defects = [kinds[int(rng.integers(len(kinds)))] if place in bad else None for place in range(config.parts)]
    return [Frame(pixels=render(look, rng, defect=defect).pixels) for defect in defects]


def _read(folder: Path) -> list[Frame]:
    paths = pictures_in(folder)
    if not 1 <= len(paths) <= MOST_PICTURES:
        raise OptionError(f"{folder}: holds {len(paths)} pictures; a simulated camera shows 1 to {MOST_PICTURES}.")
    return [read_frame(path) for path in paths]


def _spoilt(frame: Frame, fault: Fault | None, before: Frame | None, rng: np.random.Generator) -> tuple[Pixels, int]:
    """(pixels, bit depth) as they come out of the camera."""
    pixels, bits = frame.pixels, frame.bit_depth
    if fault is Fault.FROZEN and before is not None:
        return before.pixels, before.bit_depth
    if fault is Fault.WRONG_SIZE:
        return pixels[:, : max(1, frame.width // 2)], bits
    if fault is Fault.WRONG_DEPTH and bits == 8:
        return np.asarray(pixels, np.uint16) << np.uint16(4), 12
    if fault is Fault.WRONG_DEPTH:
        return (pixels >> (bits - 8)).astype(np.uint8), 8
    return _exposed(frame, fault, rng), bits


def _exposed(frame: Frame, fault: Fault | None, rng: np.random.Generator) -> Pixels:
    pixels, white = frame.pixels, (1 << frame.bit_depth) - 1
    values: NDArray[np.floating]
    if fault is Fault.BLACK:
        values = np.zeros(pixels.shape)
    elif fault is Fault.OVEREXPOSED:
        values = pixels * 4.0 + white / 2
    elif fault is Fault.CAPPED:
        values = rng.normal(white * 0.01, white * 0.004, pixels.shape)
    elif fault is Fault.BLURRED:
        blurred = cv2.GaussianBlur(pixels, (0, 0), max(2.0, frame.width / 40))
        values = np.asarray(blurred, np.float64).reshape(pixels.shape)
    else:
        return pixels
    return cast(Pixels, np.clip(values, 0, white).astype(pixels.dtype))
