"""What every camera is to the line: something that can be triggered and gives frames, each with its circumstances."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sightline.records import Frame


class Trigger(StrEnum):
    """What makes a camera take a picture."""

    SOFTWARE = "software"  # `Camera.trigger`
    HARDWARE = "hardware"  # an electric input of the camera
    FREE = "free"  # the camera by itself, at its own rate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """One picture as a camera took it.

    Which part it shows few senders know: elsewhere the station joins shots and parts.
    """

    frame: Frame  # its pixels are this record's own, copied out of the driver's buffer
    camera: str  # the camera's name in the recipe
    number: int  # from 0 in each connection; one is left out for each frame that was lost
    monotonic_s: float  # time.monotonic() when it arrived; what deadlines are counted from where nothing else is known
    unix_s: float  # wall clock at the same moment, for records alone
    lost: int = 0  # frames lost since the shot before, as far as the camera or its driver can tell
    exposure_us: float | None = None  # what follows: None where the camera does not say
    gain_db: float | None = None
    temperature_c: float | None = None
    encoder: int | None = None  # count of an encoder wired to the camera, when it was exposed
    part_id: int | None = None  # the PLC's number of the part that it shows, 1 to LARGEST_PART_ID


class Camera(Protocol):
    """A camera that is open. One thread uses it at a time; `close` may come from another, and more than once."""

    def trigger(self) -> None:
        """Take a picture now; does nothing unless the camera is triggered by software. Raises DeviceLost."""

    def grab(self, timeout_s: float) -> Shot:
        """The next picture, oldest first.

        At most a few wait in the driver; where more come the oldest are dropped and counted in `Shot.lost`.

        Raises:
            DeviceTimeout: none came in time. DeviceLost: the camera is gone, and every later call says so at once.
            FrameError: a picture came that cannot be decoded, or only a part of it did.
        """

    def close(self) -> None:
        """Release the device and all its threads, files and sockets; never raises. A waiting `grab` ends at once."""
