"""What every PLC is to the line: signals that are read, and signals that are written, each all together.

The table of signals is the same for every protocol; docs/line.md shows it to integrators. How a part is taken and its
result handed over with them is line/handshake.py's business. An adapter only carries them, unaltered and undivided: a
PLC never sees the verdict of one part beside the number of another.
"""

from dataclasses import dataclass
from typing import Protocol

LONGEST_SERIAL = 32  # ASCII characters
LARGEST_PART_ID = 2**32 - 1
LARGEST_RECIPE = 2**16 - 1
HEARTBEATS = 2**16  # a heartbeat counts up and begins anew at 0 here


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the PLC says."""

    enabled: bool = False  # the line runs and wants its parts judged
    trigger: bool = False  # rises when a part is in view, and stays up until it is taken
    part_id: int = 0  # of the part in view; 1 to LARGEST_PART_ID, 0: none. Read only where the trigger is up
    serial: str = ""  # of the part in view, at most LONGEST_SERIAL printable ASCII characters; empty: not known
    challenge: bool = False  # the part in view is known to be bad and only tests the station
    encoder: int | None = None  # count of the conveyor, signed 32 bits, wraps around; None: there is no encoder
    acknowledged_id: int = 0  # of the part whose result the PLC has taken; 0: none yet
    recipe: int = 0  # number of the recipe asked for; 0: none
    reset: bool = False  # rises to leave a hold after a fault
    heartbeat: int = 0  # changes while the PLC lives, 0 to HEARTBEATS - 1

    def __post_init__(self) -> None:
        assert 0 <= self.part_id <= LARGEST_PART_ID
        assert 0 <= self.acknowledged_id <= LARGEST_PART_ID
        assert 0 <= self.recipe <= LARGEST_RECIPE
        assert 0 <= self.heartbeat < HEARTBEATS
        assert self.encoder is None or -(2**31) <= self.encoder < 2**31
        assert len(self.serial) <= LONGEST_SERIAL
        assert self.serial.isascii() and self.serial.isprintable()  # noqa: PT018 - that is one thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the station says. The one without arguments is the safe state: nothing is OK, nothing is valid."""

    ready: bool = False  # a part may be triggered
    taken: bool = False  # follows the trigger: up when the part `taken_id` is taken, down when the trigger is
    taken_id: int = 0
    busy: bool = False  # a part is being looked at
    valid: bool = False  # the result below is that of the part `result_id`
    ok: bool = False  # exactly one of ok, ng and fault is up while `valid` is, none otherwise
    ng: bool = False
    fault: bool = False  # could not be judged; is to be rejected like ng
    result_id: int = 0
    gate_open: bool = False  # where the station tracks the parts: what is at the gate now may pass
    recipe: int = 0  # number of the recipe that every part taken from now on is judged by; 0: none
    error: int = 0  # of the station or of the result, line/faults.py; 0: none
    heartbeat: int = 0  # changes while the station lives, 0 to HEARTBEATS - 1

    def __post_init__(self) -> None:
        assert self.ok + self.ng + self.fault == self.valid, "one of ok, ng, fault where valid, none elsewhere"
        assert bool(self.result_id) == self.valid, "a result has a part"


SAFE = Answer()


class Plc(Protocol):
    """A PLC that is connected. One thread uses it; `close` may come from another, and more than once."""

    def read(self) -> Request:
        """What the PLC says now, not older than one exchange; of one moment as far as the protocol allows.

        Raises:
            DeviceTimeout: no answer in time. DeviceLost: the connection is gone, and every later call says so at once.
        """

    def write(self, answer: Answer) -> None:
        """Say this to the PLC; returns when it is there. What is already there need not be sent again.

        Where a protocol cannot write all at once, what makes a result valid is written last and taken back first.

        Raises:
            DeviceTimeout, DeviceLost: as `read`; the PLC may or may not have got it.
        """

    def close(self) -> None:
        """Write the safe state if that still can be, and release the connection and all threads; never raises."""
