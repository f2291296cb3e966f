"""One camera position at work: from the trigger to what its model says, on threads of its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from sightline.line.faults import Fault
from sightline.line.fitness import Cause, FitnessCheck
from sightline.line.judge import MOST_WAITING, Judge, JudgeState
from sightline.line.judge import Patience as JudgePatience
from sightline.line.messages import Judged
from sightline.line.outcome import ViewOutcome
from sightline.line.photographer import Patience, Photographer, Taken
from sightline.line.worker import MOST_DEBLURRED_PX, Work
from sightline.records import Box, Defect, Frame, Inspection, Verdict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What came of one view of a part; the last news of a view has an outcome."""

    view: str
    number: int  # the part's
    frame: Frame | None = None  # the region that is judged
    outcome: ViewOutcome | None = None
    inspection: Inspection | None = None
    shadow: Inspection | None = None  # what the model in shadow found
    shadow_ended: bool = False  # it has found that, or will find nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPlan:
    """How a view works."""

    name: str
    work: Work
    patience: Patience
    judging: JudgePatience
    region: Box | None = None  # of the camera's picture, px; None: all of it
    mm_per_px: float | None = None  # None: areas are told in pixels alone
    shadow: Work | None = None  # of a second model that judges the same frames and decides nothing
    px_per_count_s: float | None = None  # of movement while exposed, by the encoder's speed; None: `work.motion` holds


class View:
    """A camera and a model; `tell` hears of every part asked for, from other threads, and must not block.

    A model in shadow has a process of its own, so that it can neither delay nor take along the one that decides.
    """

    def __init__(
        self, plan: ViewPlan, photographer: Photographer, fitness: FitnessCheck | None, tell: Callable[[Seen], None]
    ) -> None:
        """
        Args:
            photographer: may be another view's too, and stays open.
            fitness: looks at whole pictures, and is the view's from now on; None: every picture is fit.
        """
        self.plan, self.name, self.photographer = plan, plan.name, photographer
        self._fitness, self._tell = fitness, tell
        self.judge = Judge(plan.name, plan.work, self._judged, plan.judging)
        named = f"{plan.name} in shadow"
        self.shadow = None if plan.shadow is None else Judge(named, plan.shadow, self._shadowed, plan.judging)

    def look(self, number: int, part_id: int, since_s: float, counts_s: float | None = None) -> None:
        """Take and judge the picture of this part, which was announced then; never waits.

        Args:
            number: the part's within the station.
            part_id: the PLC's number of it.
            counts_s: the encoder's speed, where movement is undone; None: it is as the recipe says.
        """
        scale = self.plan.px_per_count_s
        motion_px = None if counts_s is None or scale is None else abs(counts_s) * scale
        report = partial(self._taken, motion_px)
        self.photographer.take(number, since_s, self.plan.patience, report, part_id=part_id)

    def pass_over(self, since_s: float) -> None:
        """A part announced then is not looked at: a camera that the station does not trigger has its picture."""
        if self.plan.patience.delay_s is None:
            self.photographer.pass_over(since_s)

    @property
    def off(self) -> bool:
        """One picture after another is not as at the set-up; until `release`."""
        return self._fitness is not None and self._fitness.off

    def release(self) -> None:
        """Leave a hold: a person has looked."""
        if self._fitness is not None:
            self._fitness.forgive()
        for judge in self._judges():
            judge.release()

    def fault(self) -> Fault:
        """Why the view cannot work now; NONE where it can."""
        state = self.judge.state
        if state is JudgeState.HELD:
            return Fault.RESTARTS_EXCEEDED
        if state is JudgeState.LOADING:
            return Fault.STARTING
        if state is JudgeState.RESTARTING:
            return Fault.WORKER_LOST
        return Fault.NONE if self.photographer.connected else Fault.CAMERA_LOST

    def close(self) -> None:
        for judge in self._judges():
            judge.close()

    def _judges(self) -> list[Judge]:
        return [self.judge] if self.shadow is None else [self.judge, self.shadow]

    def _taken(self, motion_px: float | None, taken: Taken) -> None:
        if taken.shot is None:
            self._fail(taken.number, Fault.VIEW_MISSING.name.lower(), str(taken.fault))
            return
        frame = region_of(taken.shot.frame, self.plan.region)
        if frame is None:
            self._fail(
                taken.number, Fault.BAD_FRAME.name.lower(), f"{self.name}: the picture is smaller than its region."
            )
            return
        self._tell(Seen(view=self.name, number=taken.number, frame=frame))
        unfit = () if self._fitness is None else self._fitness.check(taken.shot.frame).unfit
        if unfit:
            reasons = "; ".join(one.reason for one in unfit)
            self._fail(taken.number, unfit[0].cause, f"{self.name}: {reasons}.")
        elif motion_px is not None and not motion_px <= MOST_DEBLURRED_PX:
            reason = f"{self.name}: moved by {motion_px:.1f} px while exposed, by the encoder; no more than "
            self._fail(taken.number, Cause.MOTION, f"{reason}{MOST_DEBLURRED_PX:g} px can be undone.")
        elif not self.judge.submit(taken.number, frame, motion_px):
            self._fail(taken.number, *self._refusal())
        elif self.shadow is not None and not self.shadow.submit(taken.number, frame, motion_px):
            self._tell(Seen(view=self.name, number=taken.number, shadow_ended=True))

    def _refusal(self) -> tuple[str, str]:
        """Cause and reason of a frame that was not accepted."""
        if self.judge.state is JudgeState.READY:
            return Fault.OVERLOADED.name.lower(), f"{self.name}: {MOST_WAITING} pictures wait for the model already."
        return Fault.WORKER_DIED.name.lower(), f"{self.name}: no worker is ready."

    def _judged(self, _: str, judged: Judged) -> None:
        inspection = judged.inspection
        if inspection is None:
            self._fail(judged.number, Fault.WORKER_DIED.name.lower(), str(judged.fault))
            return
        faulty = inspection.verdict is Verdict.FAULT
        outcome = ViewOutcome(
            view=self.name,
            verdict=inspection.verdict,
            score=inspection.score,
            threshold=inspection.threshold,
            model_id=inspection.model_id,
            defects=self._sized(inspection.defects),
            cause=Fault.MODEL_FAILED.name.lower() if faulty else None,
            reason=inspection.fault,
        )
        self._tell(Seen(view=self.name, number=judged.number, outcome=outcome, inspection=inspection))

    def _shadowed(self, _: str, judged: Judged) -> None:
        self._tell(Seen(view=self.name, number=judged.number, shadow=judged.inspection, shadow_ended=True))

    def _sized(self, defects: tuple[Defect, ...]) -> tuple[Defect, ...]:
        scale = self.plan.mm_per_px
        if scale is None:
            return defects
        return tuple(replace(defect, area_mm2=defect.area_px * scale * scale) for defect in defects)

    def _fail(self, number: int, cause: str, reason: str) -> None:
        outcome = ViewOutcome(view=self.name, verdict=Verdict.FAULT, cause=cause, reason=reason)
        self._tell(Seen(view=self.name, number=number, outcome=outcome))


def region_of(frame: Frame, box: Box | None) -> Frame | None:
    """What of a camera's picture is judged; None where the picture is smaller than the region."""
    if box is None:
        return frame
    if box.x + box.width > frame.width or box.y + box.height > frame.height:
        return None
    rows, columns = slice(box.y, box.y + box.height), slice(box.x, box.x + box.width)
    depth = None if frame.depth is None else frame.depth[rows, columns].copy()
    return replace(frame, pixels=frame.pixels[rows, columns].copy(), depth=depth)
