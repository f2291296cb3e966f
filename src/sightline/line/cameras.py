"""The cameras of a station and who takes their pictures: one whose settings a change of recipe leaves alone goes on."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field

from sightline.devices.camera import Camera, Shot
from sightline.devices.opening import CameraConfig, open_camera
from sightline.devices.reconnecting_camera import ReconnectingCamera
from sightline.errors import DeviceLost
from sightline.line.photographer import Photographer


@dataclass(slots=True, eq=False)
class _Later:
    """A camera that may not be opened yet, as the one before it may be the same device."""

    name: str
    config: CameraConfig
    seed: int
    camera: ReconnectingCamera | None = None
    closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Open it in the background, and again whenever it is lost."""
        with self._lock:
            if self.camera is None and not self.closed:
                self.camera = ReconnectingCamera(self.name, lambda: open_camera(self.name, self.config), seed=self.seed)

    def trigger(self) -> None:
        self._begun().trigger()

    def grab(self, timeout_s: float) -> Shot:
        return self._begun().grab(timeout_s)

    def close(self) -> None:
        with self._lock:
            self.closed = True
            camera = self.camera
        if camera is not None:
            camera.close()

    def _begun(self) -> Camera:
        if self.camera is None:
            raise DeviceLost(self.name, "is opened when its recipe is at work.")
        return self.camera


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Place:
    """A camera and its photographer."""

    camera: _Later
    photographer: Photographer


class Cameras:
    """Opens cameras and holds them until it is closed; recipes are loaded and put to work by several threads."""

    def __init__(self) -> None:
        self._places: list[_Place] = []  # at work, or of a recipe that is being loaded
        self._lock = threading.Lock()

    def lend(self, wanted: dict[str, CameraConfig]) -> dict[str, Photographer]:
        """Photographers for these views, by name: for a camera of the same settings, the one that is there.

        A camera that is not there yet is opened by `use`, which closes those that were lent and not used.
        """
        with self._lock:
            return {
                name: self._place(name, config, seed).photographer for seed, (name, config) in enumerate(wanted.items())
            }

    def use(self, lent: Collection[Photographer]) -> None:
        """From now on these are at work: all others are closed first, as two views may share a device.

        That may take seconds, as some drivers do to say good-bye. What is lent is opened in the background, and again
        whenever it is lost.
        """
        with self._lock:
            going = [place for place in self._places if place.photographer not in lent]
            self._places = [place for place in self._places if place.photographer in lent]
            for place in going:
                place.photographer.close()
            for place in self._places:
                place.camera.begin()

    def close(self) -> None:
        self.use(())

    def _place(self, name: str, config: CameraConfig, seed: int) -> _Place:
        for place in self._places:
            if place.camera.name == name and place.camera.config == config:
                return place
        camera = _Later(name, config, seed)
        self._places.append(_Place(camera=camera, photographer=Photographer(name, camera)))
        return self._places[-1]
