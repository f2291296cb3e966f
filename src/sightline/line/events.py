"""What happens to a part between its trigger and its result, as values."""

from dataclasses import dataclass
from enum import StrEnum

from sightline.devices.plc import Answer
from sightline.line.faults import Fault
from sightline.records import Verdict


class Signal(StrEnum):
    """What the PLC is told about a part; only OK lets it pass."""

    OK = "ok"
    NG = "ng"
    FAULT = "fault"


class What(StrEnum):
    """What happened in a step; each is counted in `Handshake.counts`."""

    TAKEN = "taken"  # the part is to be judged
    MISSED = "missed"  # triggered while the station was not ready: NG, without being looked at
    REFUSED = "refused"  # its number cannot be: FAULT, without being looked at
    LATE = "late"  # not shown by its deadline: NG, whatever comes
    SHOWN = "shown"  # `signal` is what the PLC is told with this answer: the part's end
    DROPPED = "dropped"  # the PLC is told nothing, which rejects it: the part's other end
    ACKNOWLEDGED = "acknowledged"
    OVERDUE = "overdue"  # shown for too long, and still is
    UNACKNOWLEDGED = "unacknowledged"  # taken back without an acknowledgement
    LATE_RESULT = "late_result"  # offered for a part that has its result or is no longer there; applied to nothing
    RECIPE_ASKED = "recipe_asked"  # load `recipe`; parts are still taken by the one before, if that is how it changes
    RECIPE_CHANGED = "recipe_changed"  # `recipe` is in force: parts from now on are its, and its echo says so
    RECIPE_UNWANTED = "recipe_unwanted"  # `recipe` was loaded, and another is asked for by now
    PLC_LOST = "plc_lost"
    PLC_BACK = "plc_back"
    ENABLED = "enabled"
    DISABLED = "disabled"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part as it was announced."""

    sequence: int  # counts announced parts from 1 and never repeats, as `part_id` may; results are offered for it
    part_id: int
    serial: str
    challenge: bool
    recipe: int
    encoder: int | None  # when the trigger was seen; None: there is no encoder
    encoder_before: int | None  # at the reading before; the trigger rose in between
    since_s: float  # when the trigger was last seen down, of the clock that `step` is given
    deadline_s: float  # the last moment at which its result may be shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; fields that do not apply are None."""

    what: What
    part: Part | None = None
    signal: Signal | None = None
    fault: Fault = Fault.NONE
    recipe: int | None = None
    sequence: int | None = None  # of LATE_RESULT, with the verdict that was offered
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one step comes to."""

    answer: Answer  # to be written now
    events: tuple[Event, ...]  # in the order in which they happened, since the step before
