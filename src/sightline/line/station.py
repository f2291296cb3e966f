"""The station: one loop that reads the PLC, follows the parts, and answers; whatever can block runs elsewhere.

The order within a cycle is the safety case. What views have said becomes a verdict, the verdict becomes durable, and
only what is durable is offered to the handshake; the handshake alone decides what the PLC is told, the tracker alone
when the gate is open, and both fall back to rejecting.
"""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.devices.clock import MonotonicClock
from sightline.devices.plc import LARGEST_PART_ID, SAFE, Answer, Plc, Request
from sightline.errors import DeviceError, StoreError
from sightline.line.board import Board
from sightline.line.casebook import Casebook, Offer
from sightline.line.changeover import Changeover, Refused
from sightline.line.events import Event, Part, Signal, What
from sightline.line.faults import Fault
from sightline.line.handshake import Handshake, HandshakeConfig
from sightline.line.hold import KeptHold
from sightline.line.images import ImageWriter
from sightline.line.metrics import Metrics
from sightline.line.setup import Load
from sightline.line.spool import Spool
from sightline.line.tracking import CLOSED, Gate, RunningTime, Speedometer, Standstill, Track, Tracker
from sightline.line.view import Seen, View

LOG = logging.getLogger("sightline.line")
_FAULTS = {int(fault): fault for fault in Fault}
LONGEST_CYCLE_S = 0.02  # on a busy machine, an exchange with the PLC included
_MOST_UNSEEN = 100  # parts; after a larger step the PLC has begun its numbers anew
DRAIN_S = 5.0  # that a station told to stop waits at most for the results of parts in hand ...
CLEAR_S = 15.0  # ... and for good parts to pass the gate; less than deploy/sightline-line.service has for all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class StationConfig:
    """What does not change with the recipe."""

    name: str
    handshake: HandshakeConfig
    track: Track | None = None  # None: the PLC brings parts and results together itself
    by_time: bool = False  # there is no encoder: `track` is in milliseconds
    cycle_s: float = 0.002
    longest_cycle_s: float = LONGEST_CYCLE_S  # from the count being asked for to the gate being told, as `track` allows
    hold_file: Path | None = None  # that a hold outlasts the process in; None: it does not
    seed: int = 0


class Station:
    """Runs a line until it is told to stop.

    One thread runs `run`; `stop`, `renew` and the status may come from others.
    """

    def __init__(
        self,
        config: StationConfig,
        plc: Plc,
        load: Load,
        spool: Spool,
        images: ImageWriter,
        metrics: Metrics,
    ) -> None:
        """`load` makes a recipe ready for work, from its number and what hears its views.

        It runs on a thread of its own, may take its time, and raises OptionError where there is no such recipe, or it
        cannot be had. The recipe before goes on meanwhile, unless the handshake says that one has to go first.
        """
        self.config, self.metrics = config, metrics
        self.board = Board(config.name)
        self._plc, self._images = plc, images
        self._clock = MonotonicClock()
        self._cases = Casebook(spool, images, self.board, metrics, seed=config.seed)
        self._handshake = Handshake(config.handshake)
        self._tracker = None if config.track is None else Tracker(config.track)
        self._time = RunningTime()
        self._standstill = None if config.track is None or config.by_time else Standstill(config.track.stands_s)
        self._stands = False  # the encoder's count, though the line runs
        self._speed = Speedometer()
        self._position: int | None = None  # of the conveyor, at the last reading; None where it is not known
        self._before: int | None = None  # likewise at the reading before
        self._heard = True  # the PLC has the last answer
        self._news: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self._woken, self._renewing = threading.Event(), threading.Event()
        self._stopping, self._ending = threading.Event(), threading.Event()
        self._number = 0  # of the recipe at work, or that is to be
        self._last: Part | None = None  # announced
        self._recipes = Changeover(load, self._hear_of, self._woken.set, beside=config.handshake.beside)
        self._hold = None if config.hold_file is None else KeptHold(config.hold_file)
        if self._hold is not None and self._hold.now:
            self._handshake.hold(self._hold.now)
            self.board.alarm(f"{self._hold.now.cause} {self._hold.now.cure}")

    def stop(self) -> None:
        """Take no more parts, finish those in hand, let the good ones pass the gate, and end `run`."""
        self._stopping.set()
        self._woken.set()

    def end(self) -> None:
        """As `stop`, but at once: what has not passed the gate is rejected."""
        self._ending.set()
        self.stop()

    def renew(self) -> None:
        """Read the recipe at work and its models again, and go over to them without missing a part.

        Where they cannot be had an alarm says so, and the station goes on as before.
        """
        self._renewing.set()
        self._woken.set()

    @property
    def views(self) -> tuple[View, ...]:
        """Of the recipe at work; none while there is none."""
        setup = self._recipes.setup
        return () if setup is None else setup.views

    def queues(self) -> dict[str, int]:
        """What waits, by queue."""
        return {"parts": self._cases.open, "records": self._cases.waiting, "images": self._images.waiting}

    def run(
        self,
        recipe: int,
        *,
        drain_s: float = DRAIN_S,
        clear_s: float = CLEAR_S,
        alive: Callable[[], None] | None = None,
    ) -> None:
        """Work until `stop`; then for as long as parts are in hand or good ones on their way to the gate.

        Args:
            recipe: to begin with; 0 waits for the PLC to ask for one.
            drain_s: the longest time for those in hand; a PLC may not acknowledge.
            clear_s: the longest time for those on their way; the conveyor may stand.
            alive: called in every cycle, for a watchdog.

        Raises:
            OptionError, DeviceError: the recipe to begin with cannot be had; the station did not start.
        """
        self._number = recipe
        if recipe:
            self._handshake.load(recipe, self._recipes.begin(recipe).window_s)
        stopped_s: float | None = None  # when it was told to
        while stopped_s is None or self._finishes(stopped_s + drain_s, stopped_s + clear_s):
            if self._stopping.is_set() and stopped_s is None:
                stopped_s = self._clock.now_s()
            self.cycle()
            if alive is not None:
                alive()
            self._woken.wait(self.config.cycle_s)
            self._woken.clear()
        self.close()

    def _finishes(self, drained_s: float, cleared_s: float) -> bool:
        """Whether parts are in hand, or good ones on their way, and it is not that late yet."""
        now_s = self._clock.now_s()
        on_the_way = 0 if self._tracker is None else self._tracker.passing
        more = (self._cases.open and now_s < drained_s) or (on_the_way and now_s < cleared_s)
        if more and not self._ending.is_set():
            return True
        if on_the_way:
            LOG.warning("%d good parts are still before the gate, which rejects them", on_the_way)
        return False

    def cycle(self) -> None:
        """Read, think, answer."""
        asked_s = self._clock.now_s()
        request = self._read()
        now_s = self._clock.now_s()
        while not self._news.empty():
            self._cases.hear(self._news.get())
        for offer in self._cases.settle(now_s):
            self._offer(offer)
        self._follow_recipes()
        self._speed.note(now_s, None if request is None else request.encoder)
        gate = self._gate(request, now_s, asked_s)
        trouble = self._trouble(request)
        turn = self._handshake.step(request, now_s, asked_s=asked_s, fault=trouble, gate_open=gate.open)
        for event in turn.events:
            self._react(event, now_s)
        self._keep_hold()  # before the PLC hears of it, or of the reset
        self._write(self._timely(turn.answer, asked_s))
        self._tell(turn.answer, trouble)

    def close(self) -> None:
        """Tell the PLC the safe state, record what is in hand, and release everything; may be called more than once."""
        self._write(SAFE)
        self._plc.close()
        self._recipes.close()
        self._cases.close(self._clock.now_s())
        self._images.close()

    # --- devices

    def _read(self) -> Request | None:
        """None also where the answer before could not be written: a PLC that hears nothing cannot be dealt with."""
        try:
            request = self._plc.read()
        except DeviceError as error:
            self.board.plc = str(error)
            return None
        return request if self._heard else None

    def _write(self, answer: Answer) -> None:
        self._heard = False
        try:
            self._plc.write(answer)
        except DeviceError as error:
            self.board.plc = str(error)
        else:
            self._heard = True
            self.board.plc = "connected"

    def _timely(self, answer: Answer, asked_s: float) -> Answer:
        """Where the cycle took long the parts have moved on since the count was asked for, and the gate stays shut.

        The PLC may have shut it meanwhile, as the heartbeat stood still; what was true then is not to open it again.
        """
        if answer.gate_open and self._clock.now_s() - asked_s > self.config.longest_cycle_s:
            return replace(answer, gate_open=False)
        return answer

    def _gate(self, request: Request | None, now_s: float, asked_s: float) -> Gate:
        if self._tracker is None or request is None:
            return CLOSED
        self._before, self._position = self._position, self._place(request, now_s)
        if self._position is None:  # parts move on uncounted
            self._tracker.condemn()
            return CLOSED
        gate = self._tracker.step(self._position, now_s, asked_s)
        if self._stands or 1000 * self._time.doubt_s > self._tracker.track.before:
            self._tracker.condemn()
            return CLOSED
        return gate

    def _place(self, request: Request, now_s: float) -> int | None:
        """Where the conveyor is; None where that is not known."""
        if self._standstill is None:
            return self._time.position(now_s, running=request.enabled)
        count = request.encoder
        self._stands = count is not None and self._standstill.lasts(now_s, count, running=request.enabled)
        return count

    # --- parts

    def _hear_of(self, seen: Seen) -> None:
        """From the views' threads."""
        self._news.put(seen)
        self._woken.set()

    def _offer(self, offer: Offer) -> None:
        case, fault = offer.case, offer.fault
        if fault is Fault.CHALLENGE_MISSED:
            self.board.alarm(f"The challenge part {case.part.serial or case.part.part_id} was not found. {fault.cure}")
            if case.setup is not None and case.setup.stop_on_missed_challenge:
                self._handshake.hold(fault)
        self._handshake.offer(case.part.sequence, offer.verdict, fault)

    def _react(self, event: Event, now_s: float) -> None:
        part = event.part
        match event.what:
            case What.TAKEN | What.MISSED | What.REFUSED:
                assert part is not None
                self._begin(part, event, now_s)
            case What.SHOWN | What.DROPPED:
                assert part is not None
                shown = event.what is What.SHOWN
                self._cases.told(part.sequence, event.signal if shown else None, event.fault)
                if shown and event.signal is Signal.OK and self._tracker is not None:
                    self._tracker.release(part.sequence)
            case What.LATE:
                self.board.count("late")
                LOG.warning("part %s: no result by its deadline; it is rejected", part.part_id if part else "?")
            case What.PLC_LOST:
                self.metrics.lost_plc()
                LOG.error("the PLC is lost; nothing passes")
                if self._tracker is not None:
                    self._tracker.condemn()
            case What.RESET:
                self.board.quiet()
                for view in self.views:
                    view.release()
            case _:
                self._react_to_recipe(event)

    def _begin(self, part: Part, event: Event, now_s: float) -> None:
        """A part was announced: every one is tracked, counted and recorded, also one that is not looked at."""
        if self._tracker is not None and self._position is not None:
            self._tracker.enter(
                part.sequence, self._position, self._before if self.config.by_time else part.encoder_before
            )
        self.metrics.triggered()
        self.board.count("triggers")
        setup = self._recipes.setup
        self._pass_over_unseen(part)
        if event.what is What.TAKEN:
            assert setup is not None, "a part is taken by a recipe that is loaded"
            self._cases.take(part, setup, now_s, self._speed.counts_s)
            return
        self.metrics.missed()
        self.board.count("missed")
        self._cases.pass_over(part, event.fault, setup, now_s)

    def _pass_over_unseen(self, part: Part) -> None:
        """What the PLC has numbered since the last trigger that was seen, and gave up: cameras have its pictures."""
        last, self._last = self._last, part
        if last is None:
            return
        unseen = (part.part_id - last.part_id) % LARGEST_PART_ID - 1
        if not 0 < unseen <= _MOST_UNSEEN:
            return
        self.metrics.unseen(unseen)
        LOG.warning("%d triggers were not seen before part %d; the PLC has rejected those parts", unseen, part.part_id)
        for number in range(1, unseen + 1):
            since_s = last.since_s + (part.since_s - last.since_s) * number / (unseen + 1)  # as parts follow each other
            for view in self.views:
                view.pass_over(since_s)

    # --- recipes

    def _react_to_recipe(self, event: Event) -> None:
        match event.what:
            case What.RECIPE_ASKED if not self._stopping.is_set():  # one that is being loaded holds up the end
                self._number = event.recipe or 0
                self._recipes.ask(self._number)
            case What.RECIPE_CHANGED:
                self._recipes.change()
            case What.RECIPE_UNWANTED:
                self._recipes.give_up()
            case _:
                LOG.debug("%s", event)

    def _follow_recipes(self) -> None:
        if self._renewing.is_set() and self._number:
            self._renewing.clear()
            self._handshake.renew(self._number)
        found = self._recipes.loaded()
        if isinstance(found, Refused):
            LOG.error("recipe %d: %s", found.recipe, found.reason)
            self.board.alarm(f"Recipe {found.recipe} cannot be loaded: {found.reason}")
            self._handshake.refuse_recipe(found.recipe, Fault.RECIPE_FAILED)
        elif found is not None:
            self._handshake.load(found.recipe, found.window_s)
        self._recipes.release(self._cases.uses)

    # --- state

    def _keep_hold(self) -> None:
        """Waits for the disk: a station that holds has time, and one that was reset takes its next part after that."""
        try:
            if self._hold is not None:
                self._hold.keep(self._handshake.held)
        except StoreError as error:
            LOG.error("%s", error)
            self.board.alarm(str(error))

    def _trouble(self, request: Request | None) -> Fault:
        if self._stopping.is_set():
            return Fault.STOPPING
        if self._recipes.blocks:
            return Fault.STARTING
        if self._cases.failing:
            return Fault.STORE_FAILED
        if self._standstill is not None and request is not None and (request.encoder is None or self._stands):
            return Fault.ENCODER_LOST
        off = [view.name for view in self.views if view.off]
        if off:
            self.board.alarm(f"View {off[0]}: {Fault.REFERENCE_OFF.cause} {Fault.REFERENCE_OFF.cure}")
            self._handshake.hold(Fault.REFERENCE_OFF)
        return max((view.fault() for view in self.views), default=Fault.NONE)

    def _tell(self, answer: Answer, trouble: Fault) -> None:
        setup = self._recipes.setup
        said = _FAULTS[answer.error]
        fault = said if said.of_the_station else self._handshake.held or trouble  # `said` may be a part's
        self.board.now(answer, fault, setup.product if setup else "", answer.recipe)
