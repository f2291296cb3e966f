"""The cameras of a station: one whose settings a change of recipe leaves alone stays connected."""

from dataclasses import dataclass

from sightline.devices.camera import Camera, Shot
from sightline.devices.opening import CameraConfig, open_camera
from sightline.devices.reconnecting_camera import ReconnectingCamera


@dataclass(frozen=True, slots=True, eq=False)
class _Lent:
    """A camera that its borrower cannot close; whoever waits for a picture does so for a moment at a time."""

    camera: Camera

    def trigger(self) -> None:
        self.camera.trigger()

    def grab(self, timeout_s: float) -> Shot:
        return self.camera.grab(timeout_s)

    def close(self) -> None:
        """The borrower is done."""


class Cameras:
    """Opens cameras and holds them until it is closed; one thread uses it at a time."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[CameraConfig, ReconnectingCamera]] = {}

    def lend(self, wanted: dict[str, CameraConfig]) -> dict[str, Camera]:
        """The cameras of these views, by name; all others are closed first, as two views may share a device's name.

        They are opened in the background, and again whenever one is lost. Nobody may use those lent before.
        """
        for name, (config, camera) in list(self._open.items()):
            if wanted.get(name) != config:
                camera.close()
                del self._open[name]
        for seed, (name, config) in enumerate(wanted.items()):
            if name not in self._open:
                self._open[name] = config, _opened(name, config, seed)
        return {name: _Lent(self._open[name][1]) for name in wanted}

    def close(self) -> None:
        self.lend({})


def _opened(name: str, config: CameraConfig, seed: int) -> ReconnectingCamera:
    return ReconnectingCamera(name, lambda: open_camera(name, config), seed=seed)
