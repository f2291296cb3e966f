"""Why a station waits for a reset, in a file: nothing but the reset ends that, no crash and no cut of the power."""

import json
import logging
from pathlib import Path

from sightline.files import write_bytes
from sightline.line.faults import Fault

LOG = logging.getLogger("sightline.line")
_HOLD = "hold"
_FAULTS = {int(fault): fault for fault in Fault}


class KeptHold:
    """The hold of the station that has this file. One thread uses it."""

    def __init__(self, path: Path) -> None:
        """A file that cannot be used was there for a hold: the station waits, as for a challenge part."""
        self._path = path
        self.now = _stored(path)  # NONE: the station does not wait

    def keep(self, fault: Fault) -> None:
        """The station waits because of this from now on; NONE: it was reset. Durable when this returns.

        Raises:
            StoreError: it cannot be written; said once, the same is not tried again.
        """
        if fault is self.now:
            return
        self.now = fault
        write_bytes(self._path, json.dumps({_HOLD: fault}).encode())


def _stored(path: Path) -> Fault:
    try:
        return _FAULTS[json.loads(path.read_bytes())[_HOLD]]
    except FileNotFoundError:
        return Fault.NONE
    except (OSError, ValueError, KeyError, TypeError) as error:
        LOG.warning("%s: cannot be used (%s); the station waits for a reset", path, error)
        return Fault.CHALLENGE_MISSED
