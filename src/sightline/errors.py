"""What can go wrong, by what the caller would do about it.

    InspectionError
      OptionError     an option or a recipe cannot work      -> refuse to start
      DatasetError    the data set cannot be used like this  -> refuse to start
      BundleError     the .sight file cannot be trusted      -> refuse to start
      FrameError      this picture cannot be judged          -> FAULT, never PASS
      StoreError      the result is not on disk              -> stop
        StoreAway       the database cannot be reached       -> try again later
        StoreFull       the disk is full                     -> 507, somebody has to free some space
      NotFoundError   what was asked for does not exist      -> 404
      ConflictError   it is not in a state for that          -> 409
      BusyError       there is no room now                   -> 429, try again later
      AccessError     the caller may not do that             -> 401 or 403
      DeviceError     a camera or a PLC; has `.device`       -> FAULT, and the station is not ready
        DeviceTimeout   no answer in time                    -> try again, then as lost
        DeviceLost      the connection is gone               -> safe state, connect again
      DeliveryError   the plant server has not got it        -> try again later
        DeliveryRefused  it will not take this, ever         -> set it aside after some tries

A message says what, what was found, and the cure, in one line; where a file is concerned, it begins with its path.
"""


class InspectionError(Exception):
    """Root of everything Sightline raises on purpose; its text is fit to be shown to a user."""


class OptionError(InspectionError):
    """An option, or a combination of options, cannot work."""


class DatasetError(InspectionError):
    """A data set cannot be read, or does not hold what the task needs."""


class BundleError(InspectionError):
    """A `.sight` file is damaged, was altered, or is of a version or kind that cannot be used."""


class FrameError(InspectionError):
    """A picture cannot be decoded or does not fit the model; on the line the part is a FAULT."""


class StoreError(InspectionError):
    """A result could not be written: disk full, no permission, or the folder is gone."""


class StoreAway(StoreError):
    """The database cannot be reached or is busy; what was asked was not done and may be asked again."""


class StoreFull(StoreError):
    """There is no room on the disk, or the quota is used up; somebody has to free some space."""


class NotFoundError(InspectionError):
    """What was asked for does not exist."""


class ConflictError(InspectionError):
    """What was asked does not go with how things are: the name is taken, the model is not loaded, the job has ended."""


class BusyError(InspectionError):
    """There is no room for more work now; the caller should try again shortly."""

    def __init__(self, message: str, *, retry_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_s = retry_s  # after which it is worth it


class AccessError(InspectionError):
    """The caller is not known (401), or may not do what was asked (403)."""

    def __init__(self, message: str, *, known: bool = True) -> None:
        super().__init__(message)
        self.known = known  # whether we know who asks


class DeviceError(InspectionError):
    """A camera or a PLC does not do what it is asked to; its message begins with the device's name."""

    def __init__(self, device: str, message: str) -> None:
        super().__init__(f"{device}: {message}")
        self.device = device


class DeviceTimeout(DeviceError):
    """The device did not answer in time; it may the next time."""


class DeviceLost(DeviceError):
    """The connection is gone; what was open must be closed and opened anew."""


class DeliveryError(InspectionError):
    """The plant server cannot be reached, or did not confirm; it may later."""


class DeliveryRefused(DeliveryError):
    """The plant server says that what was sent is wrong; sending it again will not help."""
