"""The station: one loop that reads the PLC, follows the parts, and answers; whatever can block runs elsewhere.

The order within a cycle is the safety case. What views have said becomes a verdict, the verdict becomes a record, and
only what is durable is offered to the handshake; the handshake alone decides what the PLC is told, the tracker alone
when the gate is open, and both fall back to rejecting.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sightline.devices.clock import MonotonicClock
from sightline.devices.plc import SAFE, Answer, Plc, Request
from sightline.errors import DeviceError, OptionError, StoreError
from sightline.line.board import Board
from sightline.line.case import Case
from sightline.line.events import Event, Part, Signal, What
from sightline.line.faults import Fault
from sightline.line.fusion import Fuse, Fused
from sightline.line.handshake import Handshake, HandshakeConfig
from sightline.line.images import ImageWriter, Picture
from sightline.line.metrics import Metrics
from sightline.line.outcome import Kind, Outcome
from sightline.line.pictures import Worth
from sightline.line.recorder import Recorder
from sightline.line.spool import Spool
from sightline.line.tracking import CLOSED, Gate, RunningTime, Track, Tracker
from sightline.line.view import Seen, View
from sightline.records import Verdict

LOG = logging.getLogger("sightline.line")
_RETRY_S = 1.0  # between two tries to record what the disk refused
_MOST_UNRECORDED = 1_000  # outcomes kept for that
_FAULTS = {int(fault): fault for fault in Fault}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setup:
    """A recipe at work."""

    product: str
    recipe: int
    views: tuple[View, ...]
    fuse: Fuse
    window_s: float  # from the trigger to the last moment at which the PLC can be told
    reserve_s: float = 0.03  # of it, for the record and the loop
    audit_share: float = 0.0  # of passed parts, that people look at as well
    challenge_serials: frozenset[str] = frozenset()  # of parts known to be bad
    stop_on_missed_challenge: bool = True

    def close(self) -> None:
        for view in self.views:
            view.close()


Load = Callable[[int, Callable[[Seen], None], Setup | None], Setup]


@dataclass(frozen=True, slots=True, kw_only=True)
class StationConfig:
    """What does not change with the recipe."""

    name: str
    handshake: HandshakeConfig
    track: Track | None = None  # None: the PLC brings parts and results together itself
    by_time: bool = False  # there is no encoder: `track` is in milliseconds
    cycle_s: float = 0.002
    seed: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class _Loading:
    """A recipe being loaded, and what came of it."""

    recipe: int
    thread: threading.Thread
    setup: Setup | None = None
    error: str = ""


class Station:
    """Runs a line until it is told to stop. One thread runs `run`; `stop` and the status may come from others."""

    def __init__(
        self,
        config: StationConfig,
        plc: Plc,
        load: Load,
        spool: Spool,
        images: ImageWriter,
        metrics: Metrics,
    ) -> None:
        """`load` gives a recipe at work, from its number, what hears its views, and the recipe at work until now.

        It runs on a thread of its own, may take its time, and raises OptionError where there is no such recipe, or it
        cannot be had. What it does not take over from the former recipe is closed by it; where it raises, all of it
        is closed after it.
        """
        self.config, self.metrics = config, metrics
        self.board = Board(config.name)
        self._plc, self._load, self._spool, self._images = plc, load, spool, images
        self._clock = MonotonicClock()
        self._recorder = Recorder(spool)
        self._handshake = Handshake(config.handshake)
        self._tracker = None if config.track is None else Tracker(config.track)
        self._time = RunningTime()
        self._position: int | None = None  # of the conveyor, at the last reading; None where it is not known
        self._setup: Setup | None = None
        self._loading: _Loading | None = None
        self._cases: dict[int, Case] = {}  # by the part's sequence, until it is offered
        self._recording: dict[str, Case] = {}  # by the record's id, until that is durable
        self._unrecorded: list[Outcome] = []
        self._retry_s = 0.0
        self._news: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self._woken, self._stopping = threading.Event(), threading.Event()
        self._random = random.Random(config.seed)

    def stop(self) -> None:
        """Take no more parts, finish those in hand, and end `run`."""
        self._stopping.set()
        self._woken.set()

    @property
    def views(self) -> tuple[View, ...]:
        """Of the recipe at work; none while one is being loaded."""
        setup = self._setup
        return () if setup is None else setup.views

    def queues(self) -> dict[str, int]:
        """What waits, by queue."""
        return {"parts": len(self._cases), "records": self._recorder.waiting, "images": self._images.waiting}

    def run(self, recipe: int, *, drain_s: float = 5.0, alive: Callable[[], None] | None = None) -> None:
        """Work until `stop`; then for as long as parts are in hand, but no longer than `drain_s`.

        Args:
            recipe: to begin with; 0 waits for the PLC to ask for one.
            alive: called in every cycle, for a watchdog.

        Raises:
            OptionError, DeviceError: the recipe to begin with cannot be had; the station did not start.
        """
        if recipe:
            self._install(recipe, self._load(recipe, self._hear_of, None))
        until_s: float | None = None
        while until_s is None or (self._in_hand() and self._clock.now_s() < until_s):
            if self._stopping.is_set() and until_s is None:
                until_s = self._clock.now_s() + drain_s
            self.cycle()
            if alive is not None:
                alive()
            self._woken.wait(self.config.cycle_s)
            self._woken.clear()
        self.close()

    def cycle(self) -> None:
        """Read, think, answer."""
        request = self._read()
        now_s = self._clock.now_s()
        self._hear()
        self._settle(now_s)
        self._offer(now_s)
        self._finish_loading()
        gate = self._gate(request, now_s)
        trouble = self._trouble(request)
        turn = self._handshake.step(request, now_s, fault=trouble, gate_open=gate.open)
        for event in turn.events:
            self._react(event, now_s)
        self._write(turn.answer)
        self._tell(turn.answer, trouble)

    def close(self) -> None:
        """Tell the PLC the safe state, make durable what is not yet, and release everything."""
        self._write(SAFE)
        self._plc.close()
        if self._loading is not None:
            self._loading.thread.join()
            self._finish_loading()
        if self._setup is not None:
            self._setup.close()
        self._recorder.close()
        self._settle_unrecorded(force=True)
        self._images.close()

    def _in_hand(self) -> bool:
        return bool(self._cases or self._recording)

    # --- devices

    def _read(self) -> Request | None:
        try:
            return self._plc.read()
        except DeviceError as error:
            self.board.plc = str(error)
            return None

    def _write(self, answer: Answer) -> None:
        try:
            self._plc.write(answer)
        except DeviceError as error:
            self.board.plc = str(error)
        else:
            self.board.plc = "connected"

    def _gate(self, request: Request | None, now_s: float) -> Gate:
        if self._tracker is None or request is None:
            return CLOSED
        if self.config.by_time:
            self._position = self._time.position(now_s, running=request.enabled)
        else:
            self._position = request.encoder
        return CLOSED if self._position is None else self._tracker.step(self._position)

    # --- what views say

    def _hear_of(self, seen: Seen) -> None:
        """From the views' threads."""
        self._news.put(seen)
        self._woken.set()

    def _hear(self) -> None:
        while not self._news.empty():
            seen = self._news.get()
            case = self._cases.get(seen.number)
            if case is not None:
                case.hear(seen)
            elif seen.outcome is not None:
                self.board.count("late_views")

    def _settle(self, now_s: float) -> None:
        """Give a verdict to the parts whose views are all in, or whose time is up, and have it recorded."""
        for sequence, case in list(self._cases.items()):
            if case.waiting and now_s < case.due_s:
                continue
            del self._cases[sequence]
            late = any(view in case.frames for view in case.waiting)
            assert self._setup is not None, "a part was taken"
            case.complete()
            fused = Fused(verdict=Verdict.REJECT, view="", score=None) if late else case.fused(self._setup.fuse)
            self._record(self._outcome(case, fused, now_s, late=late), case)
        self._settle_unrecorded()

    def _outcome(self, case: Case, fused: Fused, now_s: float, *, late: bool) -> Outcome:
        part = case.part
        kind = case.kind
        if kind is Kind.PRODUCTION and fused.verdict is Verdict.PASS and self._setup is not None:
            kind = Kind.AUDIT if case.lot < self._setup.audit_share else kind
        durations = {"total": (now_s - part.since_s) * 1e3}
        for view, inspection in case.inspections.items():
            if inspection.timings is not None:
                durations[f"graph {view}"] = inspection.timings.graph_ms
        return Outcome(
            id=case.outcome_id,
            part_id=part.part_id,
            product=self._setup.product if self._setup is not None else "",
            recipe=part.recipe,
            verdict=fused.verdict,
            unix_s=case.unix_s,
            serial=part.serial,
            kind=kind,
            score=fused.score,
            cause=fused.cause,
            reason=fused.reason,
            late=late,
            encoder=part.encoder,
            durations_ms=durations,
            views=tuple(case.outcomes.values()),
        )

    # --- records

    def _record(self, outcome: Outcome, case: Case | None) -> None:
        if case is not None:
            self._recording[outcome.id] = case
        try:
            self._recorder.submit(outcome)
        except StoreError as error:
            self._not_recorded(outcome, error)

    def _offer(self, now_s: float) -> None:
        for recording in self._recorder.finished():
            outcome = recording.outcome
            if recording.error is not None:
                self._not_recorded(outcome, recording.error)
                continue
            case = self._recording.pop(outcome.id, None)
            if case is not None:
                self._durable(outcome, case, now_s)

    def _durable(self, outcome: Outcome, case: Case, now_s: float) -> None:
        missed = outcome.kind is Kind.CHALLENGE and outcome.verdict is Verdict.PASS
        fault = _fault_of(outcome)
        if missed:
            fault = Fault.CHALLENGE_MISSED
            self.board.alarm(f"The challenge part {outcome.serial or outcome.part_id} was not found. {fault.cure}")
            if self._setup is not None and self._setup.stop_on_missed_challenge:
                self._handshake.hold(fault)
        self._handshake.offer(case.part.sequence, outcome.verdict, fault)
        self._woken.set()
        latency_s = now_s - case.part.since_s
        if outcome.cause is not None:
            LOG.warning("part %d cannot be judged, %s: %s", outcome.part_id, outcome.cause, outcome.reason)
        self.metrics.decided(
            outcome.verdict, kind=outcome.kind, latency_s=latency_s, cause=outcome.cause, late=outcome.late
        )
        self.board.decided(outcome, case, latency_s)
        self._keep(outcome, case)

    def _not_recorded(self, outcome: Outcome, error: StoreError) -> None:
        """The part is rejected now; its record is tried until the disk takes it, and no part is taken before."""
        LOG.error("%s", error)
        case = self._recording.pop(outcome.id, None)
        if case is not None:
            self._handshake.offer(case.part.sequence, Verdict.FAULT, Fault.NOT_RECORDED)
            self.metrics.decided(
                Verdict.FAULT, kind=outcome.kind, latency_s=0.0, cause=Fault.NOT_RECORDED.name.lower(), late=False
            )
        if len(self._unrecorded) < _MOST_UNRECORDED:
            self._unrecorded.append(outcome)
        self.board.alarm(f"Results cannot be written: {error}")

    def _settle_unrecorded(self, *, force: bool = False) -> None:
        now_s = self._clock.now_s()
        if not self._unrecorded or (now_s < self._retry_s and not force):
            return
        self._retry_s = now_s + _RETRY_S
        try:
            self._spool.record(self._unrecorded)
        except StoreError as error:
            LOG.error("%s", error)
            return
        self._unrecorded = []
        self.board.quiet("Results cannot be written")

    def _keep(self, outcome: Outcome, case: Case) -> None:
        plain = outcome.verdict is Verdict.PASS and outcome.kind is Kind.PRODUCTION
        for view, frame in case.frames.items():
            picture = Picture(
                outcome=outcome.id,
                view=view,
                worth=Worth.PLAIN if plain else Worth.FLAGGED,
                unix_s=outcome.unix_s,
                frame=frame,
            )
            self._images.put(picture, case.lot)

    # --- what happened

    def _react(self, event: Event, now_s: float) -> None:
        part = event.part
        match event.what:
            case What.TAKEN:
                assert part is not None
                self._take(part, now_s)
            case What.MISSED | What.REFUSED:
                assert part is not None
                self._pass_over(part, event.fault)
            case What.SHOWN:
                if part is not None and event.signal is Signal.OK and self._tracker is not None:
                    self._tracker.release(part.sequence)
            case What.LATE:
                self.board.count("late")
                LOG.warning("part %s: no result by its deadline; it is rejected", part.part_id if part else "?")
            case What.RECIPE_ASKED:
                self._begin_loading(event.recipe or 0)
            case What.PLC_LOST:
                self.metrics.lost_plc()
                LOG.error("the PLC is lost; nothing passes")
                if self._tracker is not None:
                    self._tracker.condemn()
            case What.RESET:
                self._reset()
            case _:
                LOG.debug("%s", event)

    def _take(self, part: Part, now_s: float) -> None:
        setup = self._setup
        assert setup is not None, "a part is taken by a recipe that is loaded"
        self._enter(part)
        self.metrics.triggered()
        self.board.count("triggers")
        challenge = part.challenge or part.serial in setup.challenge_serials
        self._cases[part.sequence] = Case(
            part=part,
            outcome_id=self._spool.ids.new(),
            kind=Kind.CHALLENGE if challenge else Kind.PRODUCTION,
            lot=self._random.random(),
            unix_s=time.time() - (now_s - part.since_s),
            due_s=part.deadline_s - setup.reserve_s,
            waiting={view.name for view in setup.views},
        )
        for view in setup.views:
            view.look(part.sequence, part.since_s)

    def _pass_over(self, part: Part, fault: Fault) -> None:
        """A part that is rejected without being looked at."""
        self._enter(part)
        self.metrics.triggered()
        self.metrics.missed()
        self.board.count("triggers")
        self.board.count("missed")
        self._record(
            Outcome(
                id=self._spool.ids.new(),
                part_id=part.part_id,
                product=self._setup.product if self._setup is not None else "",
                recipe=part.recipe,
                verdict=Verdict.FAULT,
                unix_s=time.time(),
                serial=part.serial,
                cause=fault.name.lower(),
                reason=fault.cause,
                encoder=part.encoder,
            ),
            None,
        )

    def _enter(self, part: Part) -> None:
        if self._tracker is not None and self._position is not None:
            self._tracker.enter(part.sequence, self._position, None if self.config.by_time else part.encoder_before)

    def _reset(self) -> None:
        self.board.quiet()
        for view in self.views:
            view.judge.release()

    # --- recipes

    def _begin_loading(self, recipe: int) -> None:
        assert self._loading is None, "the handshake asks for one after another"
        former = self._setup

        def work() -> None:
            try:
                loading.setup = self._load(recipe, self._hear_of, former)
            except (OptionError, DeviceError) as error:
                loading.error = str(error)
            if loading.setup is None and former is not None:
                former.close()  # again, where the loader had come that far
            self._woken.set()

        loading = _Loading(recipe=recipe, thread=threading.Thread(target=work, name=f"recipe {recipe}", daemon=True))
        self._loading, self._setup = loading, None
        loading.thread.start()

    def _finish_loading(self) -> None:
        loading = self._loading
        if loading is None or loading.thread.is_alive():
            return
        self._loading = None
        if loading.setup is None:
            LOG.error("recipe %d: %s", loading.recipe, loading.error or "could not be loaded")
            self.board.alarm(f"Recipe {loading.recipe} cannot be loaded: {loading.error}")
            self._handshake.refuse_recipe(loading.recipe, Fault.RECIPE_FAILED)
            return
        self._install(loading.recipe, loading.setup)

    def _install(self, recipe: int, setup: Setup) -> None:
        LOG.info("recipe %d, %s, is at work", recipe, setup.product)
        self._setup = setup
        self._handshake.load(recipe, setup.window_s)

    # --- state

    def _trouble(self, request: Request | None) -> Fault:
        if self._stopping.is_set():
            return Fault.STOPPING
        if self._loading is not None:
            return Fault.STARTING
        if self._unrecorded:
            return Fault.STORE_FAILED
        if self._tracker is not None and not self.config.by_time and request is not None and request.encoder is None:
            return Fault.ENCODER_LOST
        return max((view.fault() for view in self.views), default=Fault.NONE)

    def _tell(self, answer: Answer, trouble: Fault) -> None:
        setup = self._setup
        said = _FAULTS[answer.error]
        self.board.now(answer, said if said.of_the_station else trouble, setup.product if setup else "", answer.recipe)


def _fault_of(outcome: Outcome) -> Fault:
    """What the PLC is told of a part that could not be judged."""
    if outcome.late:
        return Fault.LATE
    if outcome.cause is None:
        return Fault.NONE
    return Fault.__members__.get(outcome.cause.upper(), Fault.UNFIT)
