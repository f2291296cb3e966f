"""A part between its trigger and its record: what its views have said so far, and what the PLC was told of it."""

from dataclasses import dataclass, field, replace

from sightline.line.events import Part, Signal
from sightline.line.faults import Fault
from sightline.line.fusion import Fused
from sightline.line.origin import Origin
from sightline.line.outcome import Kind, Outcome, ViewOutcome, opinion_of
from sightline.line.setup import Setup
from sightline.line.view import Seen
from sightline.records import Frame, Inspection, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How the handshake ended for a part."""

    signal: Signal | None  # None: the PLC was told nothing, which rejects it
    fault: Fault


@dataclass(slots=True, kw_only=True, eq=False)
class Case:
    """A part in hand; one thread uses it."""

    part: Part
    setup: Setup | None  # that it is judged by; None: no recipe was at work, and it was passed over
    outcome_id: str  # of its record
    kind: Kind
    chance: float  # drawn from [0, 1), for what is kept and audited by chance
    unix_s: float  # wall clock at its trigger
    due_s: float  # when its views must be in, so that the record and the gate still have time
    origin: Origin = field(default_factory=Origin)  # at its trigger
    waiting: set[str] = field(default_factory=set)  # views that have not said all
    shadows_waiting: set[str] = field(default_factory=set)  # views whose second model has not said anything
    outcomes: dict[str, ViewOutcome] = field(default_factory=dict)
    frames: dict[str, Frame] = field(default_factory=dict)
    inspections: dict[str, Inspection] = field(default_factory=dict)
    shadows: dict[str, Inspection] = field(default_factory=dict)
    fused: Fused | None = None  # what it came to; None: its views are not in yet
    late: bool = False  # what it came to is that it was too late
    judged_s: float = 0.0  # when that was
    told: Told | None = None  # None: its result is still to be told
    recorded_s: float | None = None  # when the verdict was durable; None: it is not yet

    def hear(self, seen: Seen) -> None:
        """Take note of what a view has found."""
        if seen.frame is not None:
            self.frames[seen.view] = seen.frame
        if seen.inspection is not None:
            self.inspections[seen.view] = seen.inspection
        if seen.shadow is not None:
            self.shadows[seen.view] = seen.shadow
        if seen.shadow_ended:
            self.shadows_waiting.discard(seen.view)
        if seen.outcome is not None and seen.view in self.waiting:
            self.outcomes[seen.view] = seen.outcome
            self.waiting.remove(seen.view)

    def judge(self, now_s: float) -> None:
        """Come to a verdict: its views are in, or its time is up, and a view that has not said all is a FAULT.

        A view that could not be judged decides, and says why; a part that is late is rejected.
        """
        assert self.setup is not None, "a part was taken"
        self.late = any(view in self.frames for view in self.waiting)
        self._complete()
        self.shadows_waiting &= self.inspections.keys()
        self.judged_s = now_s
        unjudged = next((one for one in self.outcomes.values() if one.cause is not None), None)
        if self.late:
            self.fused = Fused(verdict=Verdict.REJECT, view="", score=None)
        elif unjudged is not None:
            cause, reason = unjudged.cause, unjudged.reason
            self.fused = Fused(verdict=Verdict.FAULT, view=unjudged.view, score=None, cause=cause, reason=reason)
        else:
            self.fused = self.setup.fuse(self.inspections)
        if self.kind is Kind.PRODUCTION and self.fused.verdict is Verdict.PASS and self.chance < self.setup.audit_share:
            self.kind = Kind.AUDIT

    def pass_over(self, fault: Fault, now_s: float) -> None:
        """Reject it without looking at it."""
        self.fused = Fused(verdict=Verdict.FAULT, view="", score=None, cause=fault.name.lower(), reason=fault.cause)
        self.judged_s = now_s

    @property
    def missed_challenge(self) -> bool:
        """It is known to be bad, and its verdict alone would let it pass."""
        if self.fused is None or self.kind is not Kind.CHALLENGE:
            return False
        in_doubt = self.setup is not None and self.setup.review_passes and self.fused.verdict is Verdict.REVIEW
        return in_doubt or self.fused.verdict is Verdict.PASS

    @property
    def offered_fault(self) -> Fault:
        """What the PLC is to be told why the part cannot pass; NONE where its verdict alone decides."""
        assert self.fused is not None, "it was judged"
        if self.late:
            return Fault.LATE
        if self.missed_challenge:
            return Fault.CHALLENGE_MISSED
        if self.fused.cause is None:
            return Fault.NONE
        return Fault.__members__.get(self.fused.cause.upper(), Fault.UNFIT)

    def outcome(self) -> Outcome:
        """What is recorded of it: as its views have it, and when the PLC was told otherwise, as that was told."""
        assert self.fused is not None, "it was judged"
        part, dealt = self.part, self._dealt_with(self.fused)
        return Outcome(
            id=self.outcome_id,
            part_id=part.part_id,
            product="" if self.setup is None else self.setup.product,
            recipe=part.recipe,
            unix_s=self.unix_s,
            serial=part.serial,
            lot=self.origin.lot,
            tool=self.origin.tool,
            kind=self.kind,
            verdict=dealt.verdict,
            score=dealt.score,
            cause=dealt.cause,
            reason=dealt.reason,
            judged=self.fused.verdict if self.inspections and not self.late else None,
            told=None if self.told is None else self.told.signal,
            late=self.late or self._told_late,
            encoder=part.encoder,
            durations_ms=self._durations_ms(),
            views=tuple(self._with_shadow(one) for one in self.outcomes.values()),
        )

    def _dealt_with(self, fused: Fused) -> Fused:
        told = self.told
        if told is None or fused.verdict is Verdict.FAULT or told.signal is Signal.OK:
            return fused
        if self._told_late:
            return Fused(verdict=Verdict.REJECT, view=fused.view, score=fused.score)
        if told.signal is Signal.NG:
            return fused
        fault = told.fault
        return Fused(verdict=Verdict.FAULT, view=fused.view, score=None, cause=fault.name.lower(), reason=fault.cause)

    def _with_shadow(self, outcome: ViewOutcome) -> ViewOutcome:
        shadow = self.shadows.get(outcome.view)
        return outcome if shadow is None else replace(outcome, shadow=opinion_of(shadow))

    def _durations_ms(self) -> dict[str, float]:
        durations = {"total": (self.judged_s - self.part.since_s) * 1e3}
        for view, inspection in self.inspections.items():
            if inspection.timings is not None:
                durations[f"graph {view}"] = inspection.timings.graph_ms
        return durations

    @property
    def _told_late(self) -> bool:
        return self.told is not None and self.told.signal is Signal.NG and self.told.fault is Fault.LATE

    def _complete(self) -> None:
        for view in sorted(self.waiting):
            seen = "judged" if view in self.frames else "seen"
            reason = f"{view}: the part was not {seen} in time."
            cause = (Fault.LATE if view in self.frames else Fault.VIEW_MISSING).name.lower()
            self.outcomes[view] = ViewOutcome(view=view, verdict=Verdict.FAULT, cause=cause, reason=reason)
        self.waiting.clear()
