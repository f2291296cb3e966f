"""The few newest pictures between a camera's own thread and the line's: bounded, numbered, and nothing lost unseen."""

import threading
import time
from collections import deque
from dataclasses import dataclass, replace

from sightline.devices.camera import Shot
from sightline.errors import DeviceLost, DeviceTimeout, FrameError
from sightline.records import Frame

CAPACITY = 4  # pictures that wait
THREAD_ENDED = "its thread ended by an error of the program; open it anew."  # a camera never just falls silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a camera says about a picture; None where it does not."""

    exposure_us: float | None = None
    gain_db: float | None = None
    temperature_c: float | None = None
    encoder: int | None = None
    part_id: int | None = None


UNSAID = Circumstances()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Refused:
    """A picture that came and cannot be used; it has a number like any other."""

    number: int
    error: FrameError


class FrameBuffer:
    """Where a device's thread lays pictures down and the line takes them up, oldest first.

    Any thread may call anything. Numbers count what the camera took, so that a gap is a loss.
    """

    def __init__(self, camera: str, capacity: int = CAPACITY) -> None:
        self.camera = camera
        self._waiting: deque[Shot | _Refused] = deque()
        self._capacity = capacity
        self._next_in = self._next_out = 0
        self._gone: str | None = None
        self._changed = threading.Condition()

    def put(self, picture: Frame | FrameError, *, lost: int = 0, said: Circumstances = UNSAID) -> int | None:
        """Add a picture; the oldest gives way where there is no room.

        Args:
            picture: it, or why it cannot be used.
            lost: frames that the driver lost just before it.
            said: what the camera says about it.

        Returns:
            its number; None after the end, when it is let go.
        """
        with self._changed:
            if self._gone is not None:
                return None
            self._next_in += lost
            number = self._next_in
            self._next_in += 1
            if len(self._waiting) == self._capacity:
                self._waiting.popleft()
            self._waiting.append(self._labelled(number, picture, said))
            self._changed.notify()
            return number

    def skip(self, count: int) -> None:
        """Frames that were taken and will not come."""
        with self._changed:
            self._next_in += count

    def take(self, timeout_s: float) -> Shot:
        """The oldest picture, as `Camera.grab` gives it."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._gone is not None, max(0.0, timeout_s))
            self.check()
            if not self._waiting:
                raise DeviceTimeout(self.camera, f"no picture came within {timeout_s:.3g} s. Check its trigger.")
            found = self._waiting.popleft()
            lost = found.number - self._next_out
            if isinstance(found, _Refused):  # what was lost before it is told with the next shot
                self._next_out += 1
                raise found.error
            self._next_out = found.number + 1
            return replace(found, lost=lost)

    def check(self) -> None:
        """Raise DeviceLost once the camera is lost or closed."""
        with self._changed:
            if self._gone is not None:
                raise DeviceLost(self.camera, self._gone)

    def lose(self, reason: str) -> None:
        """The camera is gone, for this reason; the first reason counts. What waits is not given out any more."""
        with self._changed:
            if self._gone is None:
                self._gone = reason
            self._waiting.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """As lost, by our own doing."""
        self.lose("is closed; open it anew.")

    @property
    def ended(self) -> bool:
        with self._changed:
            return self._gone is not None

    def _labelled(self, number: int, picture: Frame | FrameError, said: Circumstances) -> Shot | _Refused:
        if isinstance(picture, FrameError):
            return _Refused(number=number, error=picture)
        return Shot(
            frame=picture,
            camera=self.camera,
            number=number,
            monotonic_s=time.monotonic(),
            unix_s=time.time(),
            exposure_us=said.exposure_us,
            gain_db=said.gain_db,
            temperature_c=said.temperature_c,
            encoder=said.encoder,
            part_id=said.part_id,
        )
