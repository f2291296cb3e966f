"""A camera that is opened anew whenever it is lost."""

import random
import threading
import time
from collections.abc import Callable

from sightline.devices.camera import Camera, Shot
from sightline.errors import DeviceError, DeviceLost, InspectionError
from sightline.supervision import survived

_PAUSE_S, _JITTER_S = 1.0, 0.5  # between two attempts; jitter keeps the cameras of a line from trying all at once
_LEAVING = 8  # lost connections that are being released at a time


class ReconnectingCamera:
    """Holds the open camera and looks after it in a thread of its own.

    While it is lost every call says so at once; it is tried again about once a second, for ever. The counters may be
    read at any time.
    """

    def __init__(self, name: str, opening: Callable[[], Camera], *, seed: int = 0) -> None:
        """Return at once; `opening` is called in the thread and may take seconds."""
        self.connections = 0
        self.failures = 0  # attempts that came to nothing
        self.fault: str | None = "it is not open yet."  # why it is not there; None: it is
        self._name = name
        self._opening = opening
        self._rng = random.Random(f"{seed} {name}")
        self._camera: Camera | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._leaving: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._run, name=f"reconnecting {name}", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        return self.fault is None

    def trigger(self) -> None:
        camera = self._current()
        try:
            camera.trigger()
        except DeviceLost as error:
            self._lost(camera, error)
            raise

    def grab(self, timeout_s: float) -> Shot:
        camera = self._current()
        try:
            return camera.grab(timeout_s)
        except DeviceLost as error:
            self._lost(camera, error)
            raise

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self.fault = "is closed; open it anew."
            self._changed.notify_all()
            camera = self._camera
        if camera:
            camera.close()
        self._thread.join()
        for thread in self._leaving:
            thread.join()

    def _current(self) -> Camera:
        with self._changed:
            if self._camera is None or self.fault is not None:
                raise DeviceLost(self._name, self.fault or "it is not open.")
            return self._camera

    def _lost(self, camera: Camera, error: DeviceLost) -> None:
        with self._changed:
            if self._camera is camera and not self._closed:
                self._camera = None
                self.fault = _reason(error)
                self._leave(camera)
                self._changed.notify_all()

    def _leave(self, camera: Camera) -> None:
        """Release a lost camera without waiting: some drivers take ten seconds to say good-bye to nobody."""
        self._leaving = [thread for thread in self._leaving if thread.is_alive()]
        leaving = threading.Thread(target=camera.close, name=f"leaving {self._name}", daemon=True)
        self._leaving.append(leaving)
        leaving.start()

    def _run(self) -> None:
        while not self._closed:
            tried_s = time.monotonic()
            if len([thread for thread in self._leaving if thread.is_alive()]) < _LEAVING:
                with survived(self._failed):
                    self._try()
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._camera is None)
                pause_s = tried_s + _PAUSE_S + self._rng.uniform(0, _JITTER_S) - time.monotonic()
                self._changed.wait_for(lambda: self._closed, max(0.0, pause_s))

    def _try(self) -> None:
        try:
            camera = self._opening()
        except InspectionError as error:  # a setting that the camera refuses may be right once it is the right camera
            self._failed(error)
            return
        with self._changed:
            if not self._closed:
                self._camera, self.fault = camera, None
                self.connections += 1
                return
        camera.close()

    def _failed(self, error: Exception) -> None:
        with self._changed:
            self.failures += 1
            if not self._closed:
                self.fault = _reason(error)


def _reason(error: Exception) -> str:
    """Its message without the device's name."""
    return str(error).removeprefix(f"{error.device}: ") if isinstance(error, DeviceError) else str(error)
