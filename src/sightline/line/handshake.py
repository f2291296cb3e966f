"""What is said to the PLC, and when: a state machine without clock, thread or device of its own.

A station's loop reads the PLC, makes a step, does what the step's events ask for, and writes the step's answer:

    handshake, tracker = Handshake(HandshakeConfig(window_s=0.2)), Tracker(track)
    handshake.load(recipe.number)                                             # when its models are warm
    while running:
        asked_s = clock.now_s()
        request = read_or_none(plc)                                           # None: it, or the write before, failed
        for judged in judged_and_recorded():                                  # never one that is not on the disk
            handshake.offer(judged.sequence, judged.verdict, judged.fault)
        now_s = clock.now_s()
        moved = (request.encoder, now_s, asked_s) if counts(request) else None
        gate = tracker.step(*moved) if moved else CLOSED                      # no count: tracker.condemn()
        turn = handshake.step(request, now_s, asked_s=asked_s, fault=health(), gate_open=gate.open)
        for event in turn.events:
            if event.what in (What.TAKEN, What.MISSED, What.REFUSED):         # all, so that the gate knows of all
                tracker.enter(event.part.sequence, event.part.encoder, event.part.encoder_before)
            match event.what:
                case What.TAKEN: photograph(event.part)
                case What.SHOWN if event.signal is Signal.OK: tracker.release(event.part.sequence)
                case What.SHOWN | What.DROPPED | What.LATE_RESULT: note(event)
                case What.RECIPE_ASKED: prepare(event.recipe)                 # then `load` or `refuse_recipe`
                case What.RECIPE_CHANGED: use(event.recipe)                   # for all parts from now on
                case What.PLC_LOST: tracker.condemn()
                case What.RESET: forget_restarts()
        write(plc, turn.answer)
        clock.sleep(cycle_s)

Every part has one TAKEN, MISSED or REFUSED, then one SHOWN or DROPPED; one that was SHOWN has one ACKNOWLEDGED or
UNACKNOWLEDGED after it. The states and signals are drawn in docs/handshake.md.
"""

import math
from collections import Counter, deque
from dataclasses import dataclass

from sightline.devices.plc import HEARTBEATS, LARGEST_RECIPE, Answer, Request
from sightline.errors import OptionError
from sightline.line.events import Event, Part, Signal, Turn, What
from sightline.line.faults import Fault
from sightline.records import Verdict

MOST_WAITING = 256  # parts with a result to come or to be acknowledged; one beyond that gets none, which rejects it
REMEMBERED_IDS = 64  # of the parts last done; their numbers may not come again while the line runs


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeConfig:
    """How a station and its PLC deal with each other."""

    window_s: float  # from the trigger to the last moment a result may be shown; line/window.py computes it
    capacity: int = 1  # parts taken whose results are not acknowledged yet; more where several are before the gate
    plc_timeout_s: float = 2.0  # a heartbeat that stands still for longer means that the PLC is lost
    heartbeat_s: float = 0.5  # the station's own, at most; 0 with every step, for a PLC that watches `gate_open` by it
    most_gap_s: float = 0.05  # a trigger first seen after a longer silence may be of a part that has gone: missed
    acknowledge_timeout_s: float = 1.0  # a result shown for longer is overdue
    skip_unacknowledged: bool = False  # an overdue result: False stops the station until it is acknowledged or reset
    review_passes: bool = False  # REVIEW: False rejects
    beside: bool = True  # a recipe asked for is loaded while parts go on by the one before; False: not ready meanwhile

    def __post_init__(self) -> None:
        for name in ("window_s", "plc_timeout_s", "most_gap_s", "acknowledge_timeout_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise OptionError(f"{name} is {getattr(self, name)}; give a finite number of seconds above 0.")
        if not 0 <= self.heartbeat_s < self.plc_timeout_s:
            raise OptionError(f"heartbeat_s is {self.heartbeat_s}; give 0 or more, and less than plc_timeout_s.")
        if not 1 <= self.capacity <= MOST_WAITING:
            raise OptionError(f"capacity is {self.capacity}; give 1 to {MOST_WAITING} parts.")


@dataclass(slots=True, kw_only=True)
class _Loaded:
    """A recipe that could be in force."""

    recipe: int
    window_s: float
    until_s: float | None = None  # waits for a moment between two parts no longer than this


@dataclass(slots=True, kw_only=True, eq=False)
class _Case:
    """A part whose result is to come, or is to be acknowledged."""

    part: Part
    judged: bool  # False: it was missed or refused
    signal: Signal | None = None
    fault: Fault = Fault.NONE
    shown_s: float | None = None
    overdue: bool = False


class Handshake:
    """Takes parts and hands over their results, one at a time, in the order in which the parts were taken.

    One thread uses it. All that it knows of time is what `step` is told, which must not go back.
    """

    def __init__(self, config: HandshakeConfig) -> None:
        self.config = config
        self.counts: Counter[What] = Counter()
        self._window_s = config.window_s
        self._events: list[Event] = []
        self._waiting: deque[_Case] = deque()  # in the order taken; only the first one can be shown
        self._done: deque[int] = deque(maxlen=REMEMBERED_IDS)
        self._sequence = 0
        self._last: Request | None = None  # of the step before; None where that could not be read
        self._read_s = -math.inf  # asked for, at the step before
        self._encoder: int | None = None
        self._plc_alive = False  # until its heartbeat has changed
        self._plc_beat: int | None = None
        self._plc_beat_s = 0.0
        self._beat = 0
        self._beat_s = -math.inf
        self._enabled = False
        self._reset = True  # so that one that is up from the start is not a rise
        self._taken: Part | None = None  # whose trigger is still up
        self._taken_fault = Fault.NONE
        self._was_ready = False
        self._recipe = 0
        self._loading = 0  # asked for
        self._renewing = 0  # to be loaded again, as its files have changed
        self._loaded: _Loaded | None = None  # to be in force at the next moment in which no part is being judged
        self._refused = 0
        self._refusal = Fault.NONE
        self._hold = Fault.NONE
        self._fault = Fault.NONE

    @property
    def held(self) -> Fault:
        """Why the station waits for a reset; NONE where it does not."""
        return self._hold

    def in_flight(self) -> tuple[Part, ...]:
        """Parts taken that have no result yet, oldest first."""
        return tuple(case.part for case in self._waiting if case.judged and case.signal is None)

    def offer(self, sequence: int, verdict: Verdict, fault: Fault = Fault.NONE) -> None:
        """Give the result of a part; it is shown in its turn, by a later `step`.

        It must be durable before. A second result, one of a part that is done, and one after the deadline are
        reported as LATE_RESULT and applied to nothing. A PASS with a fault is a FAULT.
        """
        case = next((case for case in self._waiting if case.part.sequence == sequence), None)
        if case is None or case.signal is not None:
            self._report(Event(what=What.LATE_RESULT, sequence=sequence, verdict=verdict, fault=fault))
            return
        case.signal = self._signal_of(verdict, fault)
        case.fault = fault or (Fault.MODEL_FAILED if case.signal is Signal.FAULT else Fault.NONE)

    def load(self, recipe: int, window_s: float | None = None) -> None:
        """A recipe could be in force: its models are warm. RECIPE_CHANGED says when it is.

        That is as soon as no part is being judged. Where parts follow each other without such a moment it is after a
        window's time, and those that are being judged then are a FAULT: none is judged by the recipe before once the
        echo is there.
        """
        assert 0 < recipe <= LARGEST_RECIPE
        self._loaded = _Loaded(recipe=recipe, window_s=self.config.window_s if window_s is None else window_s)

    def refuse_recipe(self, recipe: int, fault: Fault = Fault.RECIPE_UNKNOWN) -> None:
        """The recipe asked for cannot be had; the station is not ready until another is asked for, or a reset.

        One that was to be renewed while it works goes on as it is.
        """
        self._loading, self._renewing, self._loaded = 0, 0, None
        if recipe == self._recipe:
            return
        self._recipe = 0
        self._refused, self._refusal = recipe, fault

    def renew(self, recipe: int) -> None:
        """The files of the recipe at work, or of the one that was refused, have changed: ask for it again."""
        self._renewing, self._refused = recipe, 0

    def hold(self, fault: Fault) -> None:
        """Take no part until the PLC resets; those in flight are finished."""
        self._hold = fault

    def step(
        self,
        request: Request | None,
        now_s: float,
        *,
        asked_s: float | None = None,
        fault: Fault = Fault.NONE,
        gate_open: bool = False,
    ) -> Turn:
        """One cycle of the station.

        Args:
            request: what the PLC says; None: it could not be read, or the answer before could not be written.
            now_s: of a monotonic clock, when it was read.
            asked_s: when that was asked for; what it says was so then at the earliest. None: it took no time.
            fault: of the station as a whole, while it lasts; it is not ready meanwhile.
            gate_open: what the tracker says; passed on unless the PLC is lost.
        """
        self._fault = fault
        self._count_beat(now_s)
        self._watch_plc(request, now_s)
        was_showing = self._shown() is not None
        self._change_recipe(request, now_s)
        if request is not None and self._plc_alive:
            self._notice(request)
            self._acknowledge(request, now_s)
            self._follow_trigger(request, now_s)
            self._ask_for_recipe(request)
        self._expire(now_s)
        if request is not None and self._plc_alive and not was_showing:  # `valid` falls between two results
            self._show(request, now_s)
        answer = self._answer(request, gate_open=gate_open)
        self._was_ready = answer.ready
        self._last = request
        if request is not None:
            self._read_s, self._encoder = now_s if asked_s is None else asked_s, request.encoder
        events, self._events = tuple(self._events), []
        return Turn(answer=answer, events=events)

    def _count_beat(self, now_s: float) -> None:
        if now_s - self._beat_s >= self.config.heartbeat_s:
            self._beat, self._beat_s = (self._beat + 1) % HEARTBEATS, now_s

    def _watch_plc(self, request: Request | None, now_s: float) -> None:
        if request is not None and request.heartbeat != self._plc_beat:
            first, self._plc_beat, self._plc_beat_s = self._plc_beat is None, request.heartbeat, now_s
            if not self._plc_alive and not first:
                self._plc_alive = True
                self._report(Event(what=What.PLC_BACK))
        elif self._plc_alive and now_s - self._plc_beat_s > self.config.plc_timeout_s:
            self._lose_plc()

    def _lose_plc(self) -> None:
        self._plc_alive = self._enabled = False
        self._report(Event(what=What.PLC_LOST, fault=Fault.PLC_LOST))
        while self._waiting:
            self._withdraw(self._waiting[0], Fault.DROPPED)
        self._done.clear()
        self._taken, self._taken_fault, self._reset = None, Fault.NONE, True

    def _notice(self, request: Request) -> None:
        if request.enabled != self._enabled:
            self._enabled = request.enabled
            self._report(Event(what=What.ENABLED if request.enabled else What.DISABLED))
            self._done.clear()  # a line that stands may number its parts anew
        if request.reset and not self._reset:
            self._hold, self._refused = Fault.NONE, 0
            if self._waiting and self._waiting[0].overdue:
                self._withdraw(self._waiting[0], Fault.UNACKNOWLEDGED)
            self._report(Event(what=What.RESET))
        self._reset = request.reset

    def _follow_trigger(self, request: Request, now_s: float) -> None:
        if not request.trigger:
            self._taken, self._taken_fault = None, Fault.NONE
        elif self._taken is None or self._taken.part_id != request.part_id:  # the latter: its fall was not seen
            self._take(request, now_s)

    def _take(self, request: Request, now_s: float) -> None:
        self._sequence += 1
        since_s = now_s if math.isinf(self._read_s) else self._read_s  # it rose after that, so doubt is on our side
        part = Part(
            sequence=self._sequence,
            part_id=request.part_id,
            serial=request.serial,
            challenge=request.challenge,
            recipe=self._recipe,
            encoder=request.encoder,
            encoder_before=self._encoder,
            since_s=since_s,
            deadline_s=since_s + self._window_s,
        )
        fault = self._objection(request, now_s)
        self._taken, self._taken_fault = part, fault
        if fault is Fault.NONE:
            self._report(Event(what=What.TAKEN, part=part))
            self._waiting.append(_Case(part=part, judged=True))
            return
        missed = fault is Fault.MISSED_TRIGGER
        self._report(Event(what=What.MISSED if missed else What.REFUSED, part=part, fault=fault))
        case = _Case(part=part, judged=False, signal=Signal.NG if missed else Signal.FAULT, fault=fault)
        if part.part_id == 0 or self._mixed_up(part.part_id) or len(self._waiting) >= MOST_WAITING:
            self._report(Event(what=What.DROPPED, part=part, signal=case.signal, fault=fault))
        else:
            self._waiting.append(case)

    def _objection(self, request: Request, now_s: float) -> Fault:
        """Why the part that triggers is not to be judged; NONE where it is."""
        if request.part_id == 0:
            return Fault.NO_PART_ID
        if request.part_id in self._done or any(case.part.part_id == request.part_id for case in self._waiting):
            return Fault.REPEATED_PART_ID
        timely = now_s - self._read_s <= self.config.most_gap_s
        ready = self._was_ready and self._may_take(request)  # both: what the PLC saw, and what is true by now
        return Fault.NONE if timely and ready else Fault.MISSED_TRIGGER

    def _mixed_up(self, part_id: int) -> bool:
        """Whether an earlier part of this number has yet to be shown: then nobody could tell which one is meant."""
        for case in tuple(self._waiting):
            if case.part.part_id != part_id:
                continue
            if case.shown_s is None:
                case.signal, case.fault = Signal.FAULT, Fault.REPEATED_PART_ID  # for both of them
                return True
            self._withdraw(case, Fault.REPEATED_PART_ID)
        return False

    def _judging(self) -> bool:
        return any(case.judged for case in self._waiting)

    def _may_take(self, request: Request) -> bool:
        return (
            request.enabled
            and self._recipe != 0
            and not self._changing(request)
            and self._trouble() is Fault.NONE
            and sum(case.judged for case in self._waiting) < self.config.capacity
            and len(self._waiting) < MOST_WAITING
        )

    def _changing(self, request: Request) -> bool:
        """Whether no part is taken because another recipe is asked for."""
        asked = self._loading or self._renewing
        return not self.config.beside and (bool(asked) or request.recipe not in (0, self._recipe))

    def _change_recipe(self, request: Request | None, now_s: float) -> None:
        loaded = self._loaded
        if loaded is None:
            return
        if request is not None and self._plc_alive and request.recipe not in (0, loaded.recipe):
            self._loaded, self._loading = None, 0
            self._report(Event(what=What.RECIPE_UNWANTED, recipe=loaded.recipe))
            return
        if loaded.until_s is None:
            loaded.until_s = now_s + self._window_s
        if now_s < loaded.until_s and any(case.judged and case.shown_s is None for case in self._waiting):
            return
        for case in self._waiting:
            if case.signal is None and loaded.recipe != self._recipe:  # renewed, its echo does not change
                case.signal, case.fault = Signal.FAULT, Fault.RECIPE_CHANGED
        self._recipe, self._window_s = loaded.recipe, loaded.window_s
        self._loaded, self._loading = None, 0
        if self._renewing != self._recipe:
            self._renewing = 0
        self._report(Event(what=What.RECIPE_CHANGED, recipe=loaded.recipe))

    def _ask_for_recipe(self, request: Request) -> None:
        asked = request.recipe
        if asked != self._refused:
            self._refused = 0
        if self._renewing and asked in (0, self._renewing):
            asked = self._renewing
        elif asked in (0, self._recipe, self._refused):
            return
        if self._loading:
            return
        if not self.config.beside:
            if self._judging():
                return
            self._recipe = 0
        self._loading, self._renewing = asked, 0
        self._report(Event(what=What.RECIPE_ASKED, recipe=asked))

    def _signal_of(self, verdict: Verdict, fault: Fault) -> Signal:
        if verdict is Verdict.PASS or (verdict is Verdict.REVIEW and self.config.review_passes):
            return Signal.OK if fault is Fault.NONE else Signal.FAULT
        return Signal.FAULT if verdict is Verdict.FAULT else Signal.NG

    def _shown(self) -> _Case | None:
        first = self._waiting[0] if self._waiting else None
        return first if first is not None and first.shown_s is not None else None

    def _acknowledge(self, request: Request, now_s: float) -> None:
        case = self._shown()
        if case is None or case.shown_s is None:
            return
        if request.acknowledged_id == case.part.part_id:
            self._report(Event(what=What.ACKNOWLEDGED, part=case.part))
            self._finish(case)
            return
        stale = self._last is None and now_s > case.part.deadline_s  # nobody read it in time: the link was down
        overdue = now_s - case.shown_s > self.config.acknowledge_timeout_s
        if stale or (overdue and self.config.skip_unacknowledged):
            self._withdraw(case, Fault.UNACKNOWLEDGED)
        elif overdue and not case.overdue:
            case.overdue = True
            self._report(Event(what=What.OVERDUE, part=case.part, fault=Fault.UNACKNOWLEDGED))

    def _expire(self, now_s: float) -> None:
        for case in self._waiting:
            open_ = case.signal is None or (case.signal is Signal.OK and case.shown_s is None)
            if open_ and not now_s <= case.part.deadline_s:
                case.signal, case.fault = Signal.NG, Fault.LATE
                self._report(Event(what=What.LATE, part=case.part, signal=Signal.NG, fault=Fault.LATE))

    def _show(self, request: Request, now_s: float) -> None:
        case = self._waiting[0] if self._waiting else None
        if case is None or case.signal is None or case.shown_s is not None:
            return
        if request.acknowledged_id == case.part.part_id:  # left from an earlier part of this number: it would hide this
            self._withdraw(case, Fault.REPEATED_PART_ID)
            return
        case.shown_s = now_s
        self._report(Event(what=What.SHOWN, part=case.part, signal=case.signal, fault=case.fault))

    def _withdraw(self, case: _Case, fault: Fault) -> None:
        """End a part without an acknowledgement."""
        if case.shown_s is None:
            self._report(Event(what=What.DROPPED, part=case.part, signal=Signal.FAULT, fault=fault))
        else:
            self._report(Event(what=What.UNACKNOWLEDGED, part=case.part, signal=case.signal, fault=fault))
        self._finish(case)

    def _finish(self, case: _Case) -> None:
        self._waiting.remove(case)
        self._done.append(case.part.part_id)

    def _trouble(self) -> Fault:
        """Why the station as a whole takes no part."""
        if not self._plc_alive:
            return Fault.PLC_LOST
        if self._hold:
            return self._hold
        if self._waiting and self._waiting[0].overdue:
            return Fault.UNACKNOWLEDGED
        if self._refused:
            return self._refusal
        return self._fault

    def _answer(self, request: Request | None, *, gate_open: bool) -> Answer:
        if not self._plc_alive:
            return Answer(heartbeat=self._beat, error=Fault.PLC_LOST)
        shown = self._shown()
        trouble = self._trouble() or (Fault.NONE if self._recipe or self._loading else Fault.NO_RECIPE)
        of_part = shown.fault if shown is not None and not shown.overdue else Fault.NONE
        return Answer(
            ready=request is not None and self._taken is None and self._may_take(request),
            taken=self._taken is not None,
            taken_id=self._taken.part_id if self._taken is not None else 0,
            busy=any(case.signal is None for case in self._waiting),
            valid=shown is not None,
            ok=shown is not None and shown.signal is Signal.OK,
            ng=shown is not None and shown.signal is Signal.NG,
            fault=shown is not None and shown.signal is Signal.FAULT,
            result_id=shown.part.part_id if shown is not None else 0,
            gate_open=gate_open,
            recipe=0 if request is not None and self._changing(request) else self._recipe,
            error=of_part or trouble or self._taken_fault,
            heartbeat=self._beat,
        )

    def _report(self, event: Event) -> None:
        self.counts[event.what] += 1
        self._events.append(event)
