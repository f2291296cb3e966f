"""USB cameras, RTSP streams and video files, through OpenCV."""

import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from sightline.devices.camera import Shot, Trigger
from sightline.devices.frame_buffer import THREAD_ENDED, FrameBuffer
from sightline.errors import DeviceLost, FrameError, OptionError
from sightline.imaging.opencv import silence
from sightline.records import Frame, Pixels

_OPENING_MS, _PATIENCE_MS = 5000, 1500  # without a picture of a stream before it counts as lost
_MANUAL_EXPOSURE = 1  # V4L2_EXPOSURE_MANUAL
_LEAVE_S = 15.0  # how long a driver may hang in a read before it is left to itself


@dataclass(frozen=True, slots=True, kw_only=True)
class OpencvConfig:
    """A USB camera by its number, an RTSP stream by its address, or a video file."""

    source: int | str  # 0; "rtsp://user:password@camera/stream"; "line.avi"
    trigger: Trigger = Trigger.SOFTWARE  # of the stream, only the picture after each trigger is kept; FREE: all are
    width: int | None = None  # px, asked of a USB camera
    height: int | None = None
    rate_hz: float | None = None  # asked of a USB camera; of a file, how fast it is shown; None: as it says
    exposure: float | None = None  # of a USB camera, in its driver's unit, V4L2: 0.1 ms; automatic where None
    gain: float | None = None  # of a USB camera, in its driver's unit
    repeat: bool = False  # a file begins again at its end instead of being lost
    grey: bool = False  # one channel: for grey cameras, whose driver gives three alike

    def __post_init__(self) -> None:
        if self.trigger is Trigger.HARDWARE:
            raise OptionError("trigger is hardware, which OpenCV does not offer; take free or software.")
        if self.rate_hz is not None and not 0 < self.rate_hz <= 1000:
            raise OptionError(f"rate_hz is {self.rate_hz}; give a number above 0, at most 1000.")
        if isinstance(self.source, str) and "://" in self.source and not self.source.startswith("rtsp://"):
            raise OptionError(f"source is {_shown(self.source)}; of network streams only rtsp:// can be used.")

    @property
    def is_file(self) -> bool:
        return isinstance(self.source, str) and not self.source.startswith("rtsp://")


class OpencvCamera:
    """A stream of pictures that is open; a thread of its own reads it, so that what is grabbed is never old."""

    def __init__(self, name: str, config: OpencvConfig) -> None:
        """Raises DeviceLost if it cannot be opened."""
        self._name = name
        self._config = config
        self._buffer = FrameBuffer(name)
        self._triggers = 0
        self._closing = threading.Event()
        silence()
        self._capture = _opened(name, config)
        self._thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)
        self._thread.start()

    def trigger(self) -> None:
        self._buffer.check()
        self._triggers += 1

    def grab(self, timeout_s: float) -> Shot:
        return self._buffer.take(timeout_s)

    def close(self) -> None:
        """May take as long as the driver waits for a picture, 1.5 s for a stream."""
        self._buffer.close()
        self._closing.set()
        self._thread.join(_LEAVE_S)

    def _run(self) -> None:
        try:
            self._read()
        except (cv2.error, FrameError) as error:
            self._buffer.lose(f"its pictures cannot be read ({' '.join(str(error).split())}).")
        finally:
            self._buffer.lose(THREAD_ENDED)
            self._capture.release()

    def _read(self) -> None:
        period_s = self._period_s()
        due_s = time.monotonic()
        free, served = self._config.trigger is Trigger.FREE, 0
        while not self._buffer.ended:
            wanted = self._triggers
            came, picture = self._capture.read()  # begun after the trigger, so that it does not show what was before
            if not came and self._config.is_file and self._config.repeat:
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                came, picture = self._capture.read()
            if not came:
                end = "the video has ended." if self._config.is_file else "no picture comes any more. Check its cable."
                self._buffer.lose(end)
            elif free or wanted > served:  # that of the newest trigger; those before it have none
                lost, served = max(0, wanted - served - 1), wanted
                self._buffer.put(Frame(pixels=self._pixels(picture), source=self._name), lost=0 if free else lost)
            due_s = max(due_s + period_s, time.monotonic())
            if period_s:
                self._closing.wait(due_s - time.monotonic())

    def _period_s(self) -> float:
        """Between two pictures of a file; devices and streams have their own."""
        if not self._config.is_file:
            return 0.0
        return 1 / (self._config.rate_hz or self._capture.get(cv2.CAP_PROP_FPS) or 25.0)

    def _pixels(self, picture: np.ndarray) -> Pixels:
        if picture.ndim == 2 or self._config.grey:
            grey = picture if picture.ndim == 2 else picture[:, :, 1]
            return cast(Pixels, grey[:, :, None].copy())
        return cast(Pixels, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))


def _opened(name: str, config: OpencvConfig) -> cv2.VideoCapture:
    shown = _shown(config.source)
    if isinstance(config.source, int):
        capture = cv2.VideoCapture(config.source, cv2.CAP_V4L2)
        _set_up(capture, config)
    else:
        if config.is_file and not Path(config.source).is_file():
            raise DeviceLost(name, f"there is no file {shown}.")
        patience = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPENING_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _PATIENCE_MS]
        capture = cv2.VideoCapture(config.source, cv2.CAP_FFMPEG, patience)
    if not capture.isOpened():
        capture.release()
        raise DeviceLost(name, f"{shown} cannot be opened. Check that it is there, and who else has it open.")
    return capture


def _set_up(capture: cv2.VideoCapture, config: OpencvConfig) -> None:
    """As far as the driver obeys, of which it says nothing reliable."""
    if config.exposure is not None:
        capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE)
        capture.set(cv2.CAP_PROP_AUTO_WB, 0)
    wishes = {
        cv2.CAP_PROP_FRAME_WIDTH: config.width,
        cv2.CAP_PROP_FRAME_HEIGHT: config.height,
        cv2.CAP_PROP_FPS: config.rate_hz,
        cv2.CAP_PROP_EXPOSURE: config.exposure,
        cv2.CAP_PROP_GAIN: config.gain,
    }
    for wish, value in wishes.items():
        if value is not None:
            capture.set(wish, value)


def _shown(source: int | str) -> str:
    """The source without user and password."""
    return f"camera {source}" if isinstance(source, int) else re.sub(r"//[^/]*@", "//", source)
