"""A part between its trigger and its record: what its views have said so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sightline.line.events import Part
from sightline.line.faults import Fault
from sightline.line.fusion import Fuse, Fused
from sightline.line.outcome import Kind, ViewOutcome
from sightline.line.view import Seen
from sightline.records import Frame, Inspection, Verdict


@dataclass(slots=True, kw_only=True, eq=False)
class Case:
    """A part in hand; one thread uses it."""

    part: Part
    outcome_id: str  # of its record
    kind: Kind
    lot: float  # drawn from [0, 1), for what is kept and audited by chance
    unix_s: float  # wall clock at its trigger
    due_s: float  # when its views must be in, so that the record and the gate still have time
    waiting: set[str]  # views that have not said all
    outcomes: dict[str, ViewOutcome] = field(default_factory=dict)
    frames: dict[str, Frame] = field(default_factory=dict)
    inspections: dict[str, Inspection] = field(default_factory=dict)
    shadows: dict[str, Inspection] = field(default_factory=dict)

    def hear(self, seen: Seen) -> None:
        """Take note of what a view has found."""
        if seen.frame is not None:
            self.frames[seen.view] = seen.frame
        if seen.inspection is not None:
            self.inspections[seen.view] = seen.inspection
        if seen.shadow is not None:
            self.shadows[seen.view] = seen.shadow
        if seen.outcome is not None and seen.view in self.waiting:
            self.outcomes[seen.view] = seen.outcome
            self.waiting.remove(seen.view)

    def complete(self) -> Mapping[str, ViewOutcome]:
        """What every view has said; a view that has not is a FAULT."""
        for view in sorted(self.waiting):
            seen = "judged" if view in self.frames else "seen"
            reason = f"{view}: the part was not {seen} in time."
            cause = (Fault.LATE if view in self.frames else Fault.VIEW_MISSING).name.lower()
            self.outcomes[view] = ViewOutcome(view=view, verdict=Verdict.FAULT, cause=cause, reason=reason)
        self.waiting.clear()
        return self.outcomes

    def fused(self, fuse: Fuse) -> Fused:
        """What the part comes to, when it is complete; a view that could not be judged decides, and says why."""
        for view, outcome in self.outcomes.items():
            if outcome.cause is not None:
                return Fused(verdict=Verdict.FAULT, view=view, score=None, cause=outcome.cause, reason=outcome.reason)
        return fuse(self.inspections)
