"""Handshake and tracking against a simulated conveyor: which part falls where, whatever happens to the line.

SIGHTLINE_SOAK_PARTS=100000 runs the long form of the first promise.
"""

import os
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from sightline.devices.clock import SimClock
from sightline.devices.plc import SAFE, Answer
from sightline.devices.sim_belt import BeltConfig, Bin, Truth
from sightline.devices.sim_plc import Acknowledging, GateRule, Reason, SimPlc, SimPlcConfig
from sightline.errors import DeviceLost
from sightline.line.events import Event, Signal, What
from sightline.line.faults import Fault
from sightline.line.handshake import Handshake, HandshakeConfig
from sightline.line.tracking import CLOSED, Fate, Gate, RunningTime, Track, Tracker
from sightline.records import Verdict

PARTS = int(os.environ.get("SIGHTLINE_SOAK_PARTS", "5000"))
CYCLE_S = 0.004
CONFIG = HandshakeConfig(window_s=0.8, capacity=8, heartbeat_s=0.0)
# 0.1 mm per count; the gate needs 20 ms and the PLC may notice a dead station after 50 ms, at 500 mm/s
TRACK = Track(gate=6000, before=150, after=150, lead=150, lag=450, pitch=1000, reverse=3000)
TIMED = Track(gate=1200, before=30, after=30, lead=30, lag=90, pitch=200)  # the same, in ms at 500 mm/s
Action = Callable[["Line"], None]


@dataclass(kw_only=True)
class Line:
    """The smallest station there can be, on a simulated conveyor, with a judge that sees what is in view."""

    plc: SimPlc
    clock: SimClock
    handshake: Handshake
    tracker: Tracker | None = None
    delay_s: float = 0.0  # what the judge takes
    stall_s: float = 0.0  # before the next step
    fault: Fault = Fault.NONE
    loads: bool = True  # recipes that are asked for
    answer: Answer = SAFE
    events: list[Event] = field(default_factory=list)
    fates: Counter[Fate] = field(default_factory=Counter)
    verdicts: dict[int, Verdict] = field(default_factory=dict)  # by sequence, offered or to be
    due: deque[tuple[float, int]] = field(default_factory=deque)
    running: RunningTime = field(default_factory=RunningTime)

    def run(self, duration_s: float) -> None:
        end_s = self.clock.now_s() + duration_s
        while self.clock.now_s() < end_s:
            self.cycle()

    def run_out(self) -> None:
        while not self.plc.is_empty():
            self.cycle()
        self.run(1.0)

    def cycle(self) -> None:
        self.clock.sleep(CYCLE_S)
        try:
            request = self.plc.read()
        except DeviceLost:
            request = None
        now_s = self.clock.now_s()
        while self.due and self.due[0][0] <= now_s:
            sequence = self.due.popleft()[1]
            self.handshake.offer(sequence, self.verdicts[sequence])
        gate, position = CLOSED, 0
        if self.tracker is not None and request is not None:
            timed = self.running.position(now_s, running=request.enabled)
            position = timed if request.encoder is None else request.encoder
            gate = self.tracker.step(position)
            self.fates.update(departure.fate for departure in gate.departures)
        turn = self.handshake.step(request, now_s, fault=self.fault, gate_open=gate.open)
        for event in turn.events:
            self.act(event, position, now_s)
        self.events += turn.events
        if self.stall_s:
            self.clock.sleep(self.stall_s)
            self.stall_s = 0.0
        self.answer = turn.answer
        self.write()

    def write(self) -> None:
        try:
            self.plc.write(self.answer)
        except DeviceLost:
            return

    def act(self, event: Event, position: int, now_s: float) -> None:
        part = event.part
        if event.what in (What.TAKEN, What.MISSED, What.REFUSED) and self.tracker is not None and part is not None:
            self.tracker.enter(part.sequence, position, part.encoder_before)
        if event.what is What.TAKEN and part is not None:
            seen = self.plc.in_view(0.0, 40.0)
            good = seen is not None and seen.truth is Truth.GOOD
            self.verdicts[part.sequence] = Verdict.PASS if good else Verdict.REJECT
            self.due.append((now_s + self.delay_s, part.sequence))
        elif event.what is What.SHOWN and event.signal is Signal.OK and self.tracker is not None and part is not None:
            self.tracker.release(part.sequence)
        elif event.what is What.PLC_LOST and self.tracker is not None:
            self.tracker.condemn()
        elif event.what is What.RECIPE_ASKED and event.recipe is not None:
            if self.loads:
                self.handshake.load(event.recipe)
            else:
                self.handshake.refuse_recipe(event.recipe)

    def of(self, what: What) -> list[Event]:
        return [event for event in self.events if event.what is what]

    def escapes(self) -> int:
        return sum(fallen.is_escape for fallen in self.plc.fallen)

    def overkill(self) -> int:
        return self.plc.tally[Truth.GOOD, Bin.REJECT]


def line(
    belt: BeltConfig,
    *,
    rule: GateRule = GateRule.RESULT,
    track: Track | None = None,
    encoder: bool = True,
    config: HandshakeConfig = CONFIG,
    warm: bool = True,
) -> Line:
    """A line that runs already and has a recipe, its first part still on the way to the camera."""
    clock = SimClock()
    plc = SimPlc(clock, SimPlcConfig(belt=belt, gate_rule=rule, encoder=encoder))
    tracker = Tracker(track) if track is not None else None
    made = Line(plc=plc, clock=clock, handshake=Handshake(config), tracker=tracker)
    if warm:
        made.handshake.load(1)
        made.run(0.5)
        plc.start()
    return made


if __name__ == "__main__":
    import time
    for kw in ({}, dict(rule=GateRule.STATION, track=TRACK), dict(rule=GateRule.STATION, track=TIMED, encoder=False)):
        t = time.perf_counter()
        l = line(BeltConfig(parts=1000, pitch_mm=(100.0, 160.0), challenge_share=.02), **kw)
        l.run_out()
        print(kw, l.plc.tally, l.handshake.counts, l.fates, l.escapes(), time.perf_counter() - t, len(l.tracker or ()))
        print(Counter((f.part.truth, f.bin, f.reason) for f in l.plc.fallen))
