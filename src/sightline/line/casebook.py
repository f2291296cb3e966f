"""The parts in hand, each from its trigger to its record: what their views say, what is durable, what the PLC was told.

A verdict is held on the disk before it may be told, and becomes a record when it is known what was told. What happens
to the disk meanwhile delays records; it takes none away.
"""

import logging
import random
import time
from collections import deque
from dataclasses import dataclass, replace

from sightline.line.board import Board
from sightline.line.case import Case, Told
from sightline.line.events import Part, Signal
from sightline.line.faults import Fault
from sightline.line.images import ImageWriter, Picture
from sightline.line.metrics import Metrics
from sightline.line.outcome import Kind, Outcome
from sightline.line.pictures import Worth
from sightline.line.recorder import Recorder
from sightline.line.setup import Setup
from sightline.line.spool import Spool
from sightline.line.view import Seen
from sightline.records import Verdict

LOG = logging.getLogger("sightline.line")
MOST_KEPT = 20_000  # results in memory while the disk is away; none is judged by then, and more are recorded together
_NO_DISK = "Results cannot be written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A result that the PLC may be told now."""

    case: Case
    verdict: Verdict
    fault: Fault


@dataclass(slots=True, kw_only=True)
class _Crowd:
    """Parts passed over when no more could be kept; one record tells of all."""

    case: Case  # the first
    parts: int = 0
    last_id: int = 0


class Casebook:
    """One thread uses it; `close` may not be called before that has ended."""

    def __init__(
        self,
        spool: Spool,
        images: ImageWriter,
        board: Board,
        metrics: Metrics,
        *,
        seed: int = 0,
        most_kept: int = MOST_KEPT,
    ) -> None:
        self._spool, self._images, self._board, self._metrics = spool, images, board, metrics
        self._recorder = Recorder(spool)
        self._random = random.Random(seed)
        self._most_kept = most_kept
        self._cases: dict[int, Case] = {}  # by the part's sequence, until its record is complete
        self._holding: dict[str, Case] = {}  # by the record's id, until it is durable and offered
        self._closing: deque[Case] = deque()  # judged and told; the first may wait for a model in shadow
        self._crowd: _Crowd | None = None

    @property
    def failing(self) -> bool:
        """The disk refuses results, or does not keep up; nothing should be judged meanwhile."""
        return bool(self._recorder.failing)

    @property
    def open(self) -> int:
        """Parts whose result is still to be told; any thread may ask."""
        return sum(case.told is None for case in list(self._cases.values()))  # a copy: the loop goes on meanwhile

    @property
    def waiting(self) -> int:
        """Results that wait for the disk."""
        return self._recorder.waiting

    def uses(self, setup: Setup) -> bool:
        """Whether a part in hand is of this one."""
        return any(case.setup is setup for case in self._cases.values())

    def take(self, part: Part, setup: Setup, now_s: float, counts_s: float | None = None) -> None:
        """A part that is to be judged: its views are asked for it.

        Args:
            counts_s: the encoder's speed; None: it is not known.
        """
        case = self._opened(part, setup, now_s)
        case.waiting = {view.name for view in setup.views}
        case.shadows_waiting = {view.name for view in setup.views if view.shadow is not None}
        for view in setup.views:
            view.look(part.sequence, part.part_id, part.since_s, counts_s)

    def pass_over(self, part: Part, fault: Fault, setup: Setup | None, now_s: float) -> None:
        """A part that is rejected without being looked at."""
        case = self._opened(part, setup, now_s)
        case.pass_over(fault, now_s)
        for view in () if setup is None else setup.views:
            view.pass_over(part.since_s)
        if self._recorder.waiting < self._most_kept:
            self._recorder.hold(case.outcome())
            return
        del self._cases[part.sequence]
        crowd = self._crowd = self._crowd or _Crowd(case=case)
        crowd.parts, crowd.last_id = crowd.parts + 1, part.part_id
        self._metrics.crowded()

    def hear(self, seen: Seen) -> None:
        case = self._cases.get(seen.number)
        if case is not None and (case.fused is None or seen.outcome is None):
            case.hear(seen)
        elif case is not None:
            case.shadows_waiting.discard(seen.view)
            self._board.count("late_views")
        elif seen.outcome is not None:
            self._board.count("late_views")

    def settle(self, now_s: float) -> list[Offer]:
        """Judge the parts whose views are in, or whose time is up; what may be told by now, each once."""
        for case in self._cases.values():
            if case.fused is None and (not case.waiting or now_s >= case.due_s):
                self._judge(case, now_s)
        offers = self._offers(now_s)
        while self._closing and self._may_close(self._closing[0], now_s):
            self._close(self._closing.popleft())
        self._watch_disk()
        return offers

    def told(self, sequence: int, signal: Signal | None, fault: Fault) -> None:
        """What the PLC was told of a part, or that it was told nothing: its end."""
        case = self._cases.get(sequence)
        if case is None or case.told is not None:
            return
        case.told = Told(signal=signal, fault=fault)
        if case.fused is not None:
            self._closing.append(case)

    def close(self, now_s: float) -> None:
        """Make records of all that is in hand: what was not told until now never will be."""
        for case in list(self._cases.values()):
            if case.fused is None:
                self._judge(case, now_s)
            self.told(case.part.sequence, None, Fault.DROPPED)
        while self._closing:
            self._close(self._closing.popleft())
        self._record_crowd()
        lost = self._recorder.close()
        if lost:
            LOG.error("the station ends, and %d results could not be written", lost)

    def _opened(self, part: Part, setup: Setup | None, now_s: float) -> Case:
        known_bad = part.challenge or (setup is not None and part.serial in setup.challenge_serials)
        case = self._cases[part.sequence] = Case(
            part=part,
            setup=setup,
            outcome_id=self._spool.ids.new(),
            kind=Kind.CHALLENGE if known_bad else Kind.PRODUCTION,
            chance=self._random.random(),
            origin=self._board.origin,
            unix_s=time.time() - (now_s - part.since_s),
            due_s=part.deadline_s - (0.0 if setup is None else setup.reserve_s),
        )
        return case

    def _judge(self, case: Case, now_s: float) -> None:
        case.judge(now_s)
        if case.told is not None:
            self._closing.append(case)
            return
        self._holding[case.outcome_id] = case
        self._recorder.hold(case.outcome())

    def _offers(self, now_s: float) -> list[Offer]:
        offers = []
        for recording in self._recorder.finished():
            case = self._holding.pop(recording.outcome.id, None)
            if case is None or case.told is not None or case.fused is None:
                continue
            if recording.error is not None:
                LOG.error("%s", recording.error)
                offers.append(Offer(case=case, verdict=Verdict.FAULT, fault=Fault.NOT_RECORDED))
                continue
            case.recorded_s = now_s
            offers.append(Offer(case=case, verdict=case.fused.verdict, fault=case.offered_fault))
        return offers

    def _may_close(self, case: Case, now_s: float) -> bool:
        return not case.shadows_waiting or now_s >= case.part.deadline_s

    def _close(self, case: Case) -> None:
        """Its end is known: make a record of it, count it, and keep its pictures."""
        del self._cases[case.part.sequence]
        self._holding.pop(case.outcome_id, None)
        outcome = case.outcome()
        self._recorder.complete(outcome)
        if outcome.cause is not None:
            LOG.warning("part %d was not judged, %s: %s", outcome.part_id, outcome.cause, outcome.reason)
        latency_s = None if case.recorded_s is None else case.recorded_s - case.part.since_s
        self._metrics.decided(outcome, latency_s, missed_challenge=case.missed_challenge)
        self._board.decided(outcome, case, latency_s)
        self._compare(case)
        self._keep(outcome, case)

    def _compare(self, case: Case) -> None:
        """Count whether the models in shadow agree."""
        if case.setup is None:
            return
        for view in (one.name for one in case.setup.views if one.shadow is not None and one.name in case.inspections):
            shadow = case.shadows.get(view)
            agrees = shadow is not None and shadow.verdict is case.inspections[view].verdict
            word = "agreed" if agrees else "silent" if shadow is None else "disagreed"
            self._metrics.shadowed(view, word)
            self._board.count(f"shadow_{word}")

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
            self._images.put(picture, case.chance)

    def _watch_disk(self) -> None:
        failing = self._recorder.failing
        if failing:
            self._board.alarm(f"{_NO_DISK}: {failing}")
            return
        self._board.quiet(_NO_DISK)
        if self._recorder.waiting < self._most_kept:
            self._record_crowd()

    def _record_crowd(self) -> None:
        crowd, self._crowd = self._crowd, None
        if crowd is None:
            return
        first, outcome = crowd.case.part.part_id, crowd.case.outcome()
        more = f"so were {crowd.parts - 1} more while results could not be written, up to number {crowd.last_id}"
        self._recorder.complete(replace(outcome, reason=f"Number {first} was passed over; {more}."))
