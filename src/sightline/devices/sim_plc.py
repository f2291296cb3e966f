"""A simulated PLC with its conveyor: obeys the `Plc` protocol, misbehaves on demand, and says which part fell where.

Its program is what docs/handshake.md shows an integrator. Time comes from a clock that is handed in; with a simulated
one an hour of production runs in seconds. The conveyor moves whenever the PLC is read, written or asked.
"""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum

from sightline.devices.clock import Clock
from sightline.devices.plc import HEARTBEATS, LARGEST_PART_ID, SAFE, Answer, Request
from sightline.devices.sim_belt import Belt, BeltConfig, BeltPart, Bin, Truth
from sightline.errors import DeviceLost


class GateRule(StrEnum):
    """Who moves the gate."""

    RESULT = "result"  # the PLC, by a shift register of its own and results by number
    STATION = "station"  # the station, by `gate_open`


class Acknowledging(StrEnum):
    """How the PLC acknowledges results."""

    PROMPT = "prompt"
    DROPPED = "dropped"  # never
    REPEATED = "repeated"  # in turn with the one before
    OUT_OF_ORDER = "out of order"  # after another number that is not shown
    LATE = "late"  # after `SimPlcConfig.late_s`


class Reason(StrEnum):
    """What the PLC knew of a part when it came to the gate."""

    OK = "ok"
    NG = "ng"
    FAULT = "fault"
    NO_RESULT = "no result"
    NOT_ANNOUNCED = "not announced"  # the sensor did not see it, or nobody took its trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class SimPlcConfig:
    """A simulated PLC."""

    belt: BeltConfig = field(default_factory=BeltConfig)
    gate_rule: GateRule = GateRule.RESULT
    scan_s: float = 0.005
    heartbeat_s: float = 0.1
    trigger_timeout_s: float = 0.1  # a part whose trigger is not taken by then is not announced
    station_timeout_s: float = 0.05  # GateRule.STATION: shut when the station's heartbeat stands still for longer
    tolerance_mm: float = 15.0  # GateRule.RESULT: the gate is open from so far before a part until so far behind it
    late_s: float = 0.3  # Acknowledging.LATE
    encoder: bool = True  # whether the station is told the encoder's count
    recipe: int = 1  # asked for at the start
    first_id: int = 1
    remembered: int = 200_000  # of the parts that fell


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallen:
    """Where a part fell."""

    part: BeltPart
    bin: Bin
    reason: Reason
    at_s: float  # since the start

    @property
    def is_escape(self) -> bool:
        return self.bin is Bin.GOOD and self.part.truth is not Truth.GOOD


@dataclass(slots=True, kw_only=True, eq=False)
class _Entry:
    """A part in the PLC's shift register."""

    part: BeltPart
    part_id: int
    sensed_s: float
    announced: bool = False
    reason: Reason = Reason.NO_RESULT
    passing: bool | None = None  # None: not before the gate yet


class SimPlc:
    """A PLC and its conveyor; starts with the conveyor standing. May be used from several threads."""

    def __init__(self, clock: Clock, config: SimPlcConfig) -> None:
        self.config = config
        self.belt = Belt(config.belt)
        self.acknowledging = Acknowledging.PROMPT
        self.tally: Counter[tuple[Truth, Bin]] = Counter()
        self.fallen: deque[Fallen] = deque(maxlen=config.remembered)
        self._clock = clock
        self._lock = threading.RLock()
        self._started_s = clock.now_s()
        self._scans = 0
        self._running = self._stopped = False  # asked to run; stopped in an emergency
        self._jog_to_mm: float | None = None
        self._blind = self._doubled = 0  # of the parts to come
        self._frozen_s = self._frozen_until_s = self._cut_until_s = self._reset_until_s = -1.0
        self._closed = False
        self._answer = SAFE
        self._station_beat, self._station_beat_s = 0, -1.0
        self._recipe = config.recipe
        self._next_id = config.first_id
        self._register: deque[_Entry] = deque()
        self._pending: deque[_Entry] = deque()  # sensed, to be announced
        self._triggering: _Entry | None = None
        self._acknowledged_id = self._acknowledged_before = 0
        self._result_id, self._result_s = 0, 0.0  # shown now, and since when

    def read(self) -> Request:
        with self._lock:
            self._exchange()
            entry = self._triggering
            return Request(
                enabled=self._enabled(),
                trigger=entry is not None,
                part_id=entry.part_id if entry is not None else 0,
                serial=f"S{entry.part.number:07d}" if entry is not None else "",
                challenge=entry is not None and entry.part.truth is Truth.CHALLENGE,
                encoder=self.belt.encoder() if self.config.encoder else None,
                acknowledged_id=self._acknowledged_id,
                recipe=self._recipe,
                reset=self._now_s() < self._reset_until_s,
                heartbeat=self._heartbeat(),
            )

    def write(self, answer: Answer) -> None:
        with self._lock:
            self._exchange()
            self._answer = answer

    def close(self) -> None:
        with self._lock:
            self._catch_up()
            self._closed, self._answer = True, SAFE

    def start(self, share: float = 1.0) -> None:
        """Run, or change the speed, to this share of the speed that is set."""
        with self._lock:
            self._catch_up()
            self._running, self._stopped, self._jog_to_mm = True, False, None
            self.belt.target_mm_s = share * self.config.belt.speed_mm_s

    def feed(self) -> None:
        """More parts come, without end."""
        with self._lock:
            self._catch_up()
            self.belt.feed()

    def stop(self) -> None:
        with self._lock:
            self._catch_up()
            self._running, self.belt.target_mm_s = False, 0.0

    def emergency_stop(self) -> None:
        with self._lock:
            self._catch_up()
            self._running, self._stopped = False, True
            self.belt.halt()

    def jog_back(self, way_mm: float) -> None:
        """Go back slowly, then stand until `start`."""
        with self._lock:
            self.emergency_stop()
            self._jog_to_mm = self.belt.travelled_mm - way_mm
            self.belt.target_mm_s = -0.2 * self.config.belt.speed_mm_s

    def blind_sensor(self, parts: int = 1) -> None:
        """The sensor does not see the next parts."""
        with self._lock:
            self._blind += parts

    def double_trigger(self, parts: int = 1) -> None:
        """The next parts are sensed twice, and get two numbers each."""
        with self._lock:
            self._doubled += parts

    def cut_link(self, duration_s: float) -> None:
        """Reading and writing raise DeviceLost for so long; the PLC and its conveyor go on."""
        with self._lock:
            self._catch_up()
            self._cut_until_s = self._now_s() + duration_s

    def freeze_heartbeat(self, duration_s: float) -> None:
        with self._lock:
            self._catch_up()
            self._frozen_s, self._frozen_until_s = self._now_s(), self._now_s() + duration_s

    def ask_recipe(self, recipe: int) -> None:
        with self._lock:
            self._catch_up()
            self._recipe = recipe

    def renumber(self) -> None:
        """Begin to number the parts anew, as after the PLC alone was started again."""
        with self._lock:
            self._catch_up()
            self._next_id = self.config.first_id

    def reset(self) -> None:
        """A press of the button, a fifth of a second long."""
        with self._lock:
            self._catch_up()
            self._reset_until_s = self._now_s() + 0.2

    def in_view(self, camera_mm: float = 0.0, reach_mm: float = 50.0) -> BeltPart | None:
        """What a camera sees that looks at a place so far behind the sensor; None: an empty conveyor."""
        with self._lock:
            self._catch_up()
            return self.belt.in_view(camera_mm, reach_mm)

    def sensed(self, after: int) -> list[tuple[int, BeltPart]]:
        """The parts on their way to the gate numbered after this one: what cameras saw that the sensor fires."""
        with self._lock:
            self._catch_up()
            return [(entry.part_id, entry.part) for entry in self._register if entry.part_id > after]

    def is_empty(self) -> bool:
        """Every part has fallen, and no more come."""
        with self._lock:
            self._catch_up()
            return self.belt.is_empty()

    def _now_s(self) -> float:
        return self._scans * self.config.scan_s

    def _exchange(self) -> None:
        self._catch_up()
        if self._closed or self._now_s() < self._cut_until_s:
            raise DeviceLost("sim-plc", "the link is cut.")

    def _catch_up(self) -> None:
        due = int((self._clock.now_s() - self._started_s) / self.config.scan_s + 1e-6)
        while self._scans < due:
            self._scans += 1
            self._scan()

    def _enabled(self) -> bool:
        return self._running or (self.belt.speed_mm_s > 0 and not self._stopped)

    def _heartbeat(self) -> int:
        now_s = self._now_s()
        beats_s = self._frozen_s if now_s < self._frozen_until_s else now_s
        return int(beats_s / self.config.heartbeat_s) % HEARTBEATS

    def _scan(self) -> None:
        """One cycle of the program: inputs, logic, outputs."""
        moved = self.belt.move(self.config.scan_s)
        if self._jog_to_mm is not None and self.belt.travelled_mm <= self._jog_to_mm:
            self._jog_to_mm = None
            self.belt.halt()
        for part in moved.sensed:
            self._sense(part)
        self._trigger()
        self._take_result()
        self.belt.gate_command = self._gate()
        for part, where in moved.fallen:
            self._note(part, where)

    def _sense(self, part: BeltPart) -> None:
        if self._blind:
            self._blind -= 1
            return
        twice, self._doubled = self._doubled > 0, max(0, self._doubled - 1)
        for _ in range(1 + twice):
            entry = _Entry(part=part, part_id=self._next_id, sensed_s=self._now_s())
            self._next_id = self._next_id % LARGEST_PART_ID + 1
            self._register.append(entry)
            self._pending.append(entry)

    def _trigger(self) -> None:
        """Four phases: trigger up, taken up, trigger down, taken down."""
        limit_s = self._now_s() - self.config.trigger_timeout_s
        current = self._triggering
        if current is not None:
            current.announced = self._answer.taken and self._answer.taken_id == current.part_id
            if current.announced or current.sensed_s < limit_s:
                self._triggering = None
            return
        while self._pending and self._pending[0].sensed_s < limit_s:
            self._pending.popleft()
        if self._pending and not self._answer.taken:
            self._triggering = self._pending.popleft()

    def _take_result(self) -> None:
        answer = self._answer
        if not answer.valid:
            self._result_id = 0
            return
        if answer.result_id != self._result_id:
            self._result_id, self._result_s = answer.result_id, self._now_s()
            self._acknowledged_before = self._acknowledged_id
            named = [entry for entry in self._register if entry.part_id == answer.result_id]
            # one that is at the gate already is decided: what comes then has come too late
            if len(named) == 1 and named[0].reason is Reason.NO_RESULT and named[0].passing is None:
                ok = answer.ok and named[0].announced  # in time: else it may be the picture of a later part
                named[0].reason = Reason.OK if ok else Reason.NG if answer.ng else Reason.FAULT
        self._acknowledge(answer.result_id, self._now_s() - self._result_s)

    def _acknowledge(self, result_id: int, shown_for_s: float) -> None:
        match self.acknowledging:
            case Acknowledging.PROMPT:
                self._acknowledged_id = result_id
            case Acknowledging.DROPPED:
                pass
            case Acknowledging.REPEATED:
                self._acknowledged_id = self._acknowledged_before if self._scans % 2 else result_id
            case Acknowledging.OUT_OF_ORDER:
                soon = shown_for_s < 3 * self.config.scan_s
                self._acknowledged_id = result_id % LARGEST_PART_ID + 1 if soon else result_id
            case Acknowledging.LATE:
                if shown_for_s >= self.config.late_s:
                    self._acknowledged_id = result_id

    def _gate(self) -> bool:
        by_register = self._register_gate()
        if self.config.gate_rule is GateRule.RESULT:
            return by_register
        if self._answer.heartbeat != self._station_beat:
            self._station_beat, self._station_beat_s = self._answer.heartbeat, self._now_s()
        alive = self._now_s() - self._station_beat_s <= self.config.station_timeout_s
        return self._answer.gate_open and alive

    def _register_gate(self) -> bool:
        """Open while a part with OK is before the gate and no other part is."""
        belt, tolerance_mm = self.belt, self.config.tolerance_mm
        lead_mm = self.config.belt.speed_mm_s * (self.config.belt.actuator_s + 2 * self.config.scan_s)
        first_mm, last_mm = self.config.belt.gate_mm - tolerance_mm - lead_mm, self.config.belt.gate_mm + tolerance_mm
        register = self._register
        while register and belt.position_mm(register[0].part) > last_mm + 10 * tolerance_mm:
            register.popleft()
        while register and belt.position_mm(register[-1].part) < -tolerance_mm:  # it comes to the sensor again
            register.pop()
        inside = [entry for entry in register if first_mm <= belt.position_mm(entry.part) <= last_mm]
        for entry in inside:
            if entry.passing is None:  # decided once: what comes later is too late
                entry.passing = entry.reason is Reason.OK
        return bool(inside) and all(entry.passing for entry in inside)

    def _note(self, part: BeltPart, where: Bin) -> None:
        entries = [entry for entry in self._register if entry.part.number == part.number]
        newest = entries[-1] if entries else None
        known = newest is not None and (newest.announced or newest.reason is not Reason.NO_RESULT)
        reason = newest.reason if newest is not None and known else Reason.NOT_ANNOUNCED
        self.tally[part.truth, where] += 1
        self.fallen.append(Fallen(part=part, bin=where, reason=reason, at_s=self._now_s()))
