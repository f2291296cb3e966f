"""The states of OPC 40100-1 (machine vision, part 1), and how its methods and results are our signals.

Pure: methods of a client change it from one side, the station's reading and writing from the other; what is to be
published comes out. The server around it is opcua_machine_vision.py.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from sightline.devices.plc import HEARTBEATS, LARGEST_PART_ID, LONGEST_SERIAL, SAFE, Answer, Request
from sightline.errors import OptionError

KEPT_RESULTS = 100  # older ones cannot be had any more


class State(StrEnum):
    """Of the VisionStateMachine, OPC 40100-1 section 8.2."""

    PREOPERATIONAL = "Preoperational"
    HALTED = "Halted"
    ERROR = "Error"
    OPERATIONAL = "Operational"


class Automatic(StrEnum):
    """Of the AutomaticModeStateMachine, section 8.3; ContinuousExecution is never entered: a part has a number."""

    NONE = ""  # not operational
    INITIALIZED = "Initialized"
    READY = "Ready"
    SINGLE_EXECUTION = "SingleExecution"
    CONTINUOUS_EXECUTION = "ContinuousExecution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Of one part."""

    part_id: int
    verdict: str  # OK, NG or FAULT
    recipe: int
    error: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What happened at a step, to be told as events."""

    taken_id: int | None = None  # a job began
    result: Result | None = None
    recipe: int | None = None  # a recipe is prepared


class VisionSystem:
    """What the client asked for and the station said; one thread at a time uses it."""

    def __init__(self) -> None:
        self._answer = SAFE
        self._request = Request()
        self._halted = False
        self._last_id = 0
        self._reset_was_read = False
        self.results: dict[int, Result] = {}

    @property
    def state(self) -> State:
        if self._halted:
            return State.HALTED
        if self._answer.error and not self._answer.ready and not self._answer.valid:  # else it is the result's
            return State.ERROR
        return State.OPERATIONAL if self._request.enabled else State.PREOPERATIONAL

    @property
    def automatic(self) -> Automatic:
        if self.state is not State.OPERATIONAL:
            return Automatic.NONE
        if self._request.trigger or self._answer.busy or self._answer.taken:
            return Automatic.SINGLE_EXECUTION
        return Automatic.READY if self._answer.ready else Automatic.INITIALIZED

    def halt(self) -> None:
        self._halted = True
        self._request = replace(self._request, enabled=False, trigger=False)

    def reset(self) -> None:
        self._halted, self._reset_was_read = False, False
        self._request = replace(self._request, enabled=False, trigger=False, reset=True)

    def select_automatic(self) -> bool:
        """False where the state does not allow it."""
        allowed = self.state is State.PREOPERATIONAL
        if allowed:
            self._request = replace(self._request, enabled=True)
        return allowed

    def start_single_job(self, part_id: int, serial: str, challenge: bool) -> bool:
        """False where the state does not allow it.

        Raises:
            OptionError: part number or serial cannot be.
        """
        if not 0 < part_id <= LARGEST_PART_ID or part_id == self._last_id:
            raise OptionError(f"part {part_id} has a number that is not there or was the last part's.")
        if len(serial) > LONGEST_SERIAL or not serial.isascii() or not serial.isprintable():
            raise OptionError("the serial number is too long or not printable ASCII.")
        allowed = self.automatic is Automatic.READY
        if allowed:
            self._last_id = part_id
            self._request = replace(self._request, trigger=True, part_id=part_id, serial=serial, challenge=challenge)
        return allowed

    def stop(self) -> bool:
        """Take a job back that was not begun; False where there is none."""
        waiting = self._request.trigger
        self._request = replace(self._request, trigger=False)
        return waiting

    def prepare_recipe(self, recipe: int) -> bool:
        """Ask for a recipe; True where it is there already."""
        self._request = replace(self._request, recipe=recipe)
        return self._answer.recipe == recipe

    def read(self, connected: bool) -> Request:
        """What the client says; without a client nothing is enabled and the heartbeat stands still."""
        self._reset_was_read = self._request.reset
        if not connected:
            return replace(self._request, enabled=False, trigger=False)
        self._request = replace(self._request, heartbeat=(self._request.heartbeat + 1) % HEARTBEATS)
        return self._request

    def write(self, answer: Answer) -> Changes:
        """Hear the station."""
        before, self._answer = self._answer, answer
        taken_id = answer.taken_id if answer.taken and self._request.trigger else None
        if taken_id is not None and taken_id == self._request.part_id:
            self._request = replace(self._request, trigger=False)
        else:
            taken_id = None
        if self._reset_was_read:
            self._request = replace(self._request, reset=False)
        return Changes(
            taken_id=taken_id,
            result=self._new_result(answer),
            recipe=answer.recipe if answer.recipe not in (0, before.recipe) else None,
        )

    def _new_result(self, answer: Answer) -> Result | None:
        """The result, where it was not there before; keeping it acknowledges it."""
        if not answer.valid or answer.result_id == self._request.acknowledged_id:
            return None
        verdict = "OK" if answer.ok else "NG" if answer.ng else "FAULT"
        result = Result(part_id=answer.result_id, verdict=verdict, recipe=answer.recipe, error=answer.error)
        self.results.pop(answer.result_id, None)  # a number that came again is the newest
        self.results[answer.result_id] = result
        while len(self.results) > KEPT_RESULTS:
            del self.results[next(iter(self.results))]
        self._request = replace(self._request, acknowledged_id=answer.result_id)
        return result
