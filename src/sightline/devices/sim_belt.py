"""A simulated conveyor: parts, an encoder, a sensor, a gate and two bins. It knows nothing of PLCs and stations.

Way is in millimetres from the trigger sensor, downstream positive; a part is where its middle is.
"""

import random
from collections import deque
from dataclasses import dataclass
from enum import StrEnum


class Truth(StrEnum):
    """What a part is in fact."""

    GOOD = "good"
    BAD = "bad"
    CHALLENGE = "challenge"  # bad, and announced as such to test the station


class Bin(StrEnum):
    """Where a part falls at the gate."""

    GOOD = "good"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeltConfig:
    """What lies on the conveyor, and how it moves."""

    parts: int | None = None  # how many come; None: without end
    pitch_mm: tuple[float, float] = (100.0, 160.0)  # least and greatest from middle to middle, drawn evenly
    close_share: float = 0.0  # of the parts that come `close_mm` behind the one before instead
    close_mm: float = 40.0
    bad_share: float = 0.1
    challenge_share: float = 0.0
    speed_mm_s: float = 500.0
    acceleration_mm_s2: float = 5000.0  # in starting and stopping; an emergency stop is at once
    gate_mm: float = 600.0
    actuator_s: float = 0.02  # from the command to the gate having moved
    mm_per_count: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BeltPart:
    """One part on the conveyor."""

    number: int  # from 1, in the order on the belt
    truth: Truth
    place_mm: float  # how far the belt has travelled when the part is at the sensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What happened while the belt moved a little."""

    sensed: tuple[BeltPart, ...]  # came to the sensor, forwards
    fallen: tuple[tuple[BeltPart, Bin], ...]  # came to the gate, forwards


class Belt:
    """Moves when told to; the same seed gives the same parts."""

    def __init__(self, config: BeltConfig) -> None:
        self.config = config
        self.travelled_mm = 0.0
        self.speed_mm_s = 0.0  # now; negative: backwards
        self.target_mm_s = 0.0  # what it accelerates to
        self.gate_command = False  # True: let parts pass
        self.gate_is_open = False
        self._gate_moves_s = 0.0
        self._random = random.Random(config.seed)
        self._made, self._most = 0, config.parts
        self._parts: deque[BeltPart] = deque()  # those on the way and the next one to come, first to last
        self._add_parts()

    def halt(self) -> None:
        """At once, as an emergency stop does."""
        self.speed_mm_s = self.target_mm_s = 0.0

    def feed(self) -> None:
        """More parts come, without end."""
        self._most = None
        self._add_parts()

    def position_mm(self, part: BeltPart) -> float:
        return self.travelled_mm - part.place_mm

    def encoder(self) -> int:
        """Signed 32 bits, wrapping around."""
        return (round(self.travelled_mm / self.config.mm_per_count) + 2**31) % 2**32 - 2**31

    def in_view(self, camera_mm: float, reach_mm: float) -> BeltPart | None:
        """The part nearest to the middle of a camera's view, at most `reach_mm` off; None: nothing is there."""
        gaps = [(abs(self.position_mm(part) - camera_mm), part.number, part) for part in self._parts]
        nearest = min(gaps, default=None)
        return nearest[2] if nearest is not None and nearest[0] <= reach_mm else None

    def is_empty(self) -> bool:
        """Every part has fallen, and no more come."""
        return not self._parts

    def move(self, duration_s: float) -> Moved:
        """Let time pass, short against the time between two parts."""
        step = self.config.acceleration_mm_s2 * duration_s
        self.speed_mm_s += max(-step, min(step, self.target_mm_s - self.speed_mm_s))
        self._move_gate(duration_s)
        way = self.speed_mm_s * duration_s
        if way == 0:
            return _NOTHING
        before, self.travelled_mm = self.travelled_mm, self.travelled_mm + way
        sensed = tuple(part for part in self._parts if before < part.place_mm <= self.travelled_mm)
        fallen = []
        while self._parts and self.position_mm(self._parts[0]) >= self.config.gate_mm:
            fallen.append((self._parts.popleft(), Bin.GOOD if self.gate_is_open else Bin.REJECT))
        self._add_parts()
        return Moved(sensed=sensed, fallen=tuple(fallen))

    def _move_gate(self, duration_s: float) -> None:
        self._gate_moves_s = 0.0 if self.gate_command == self.gate_is_open else self._gate_moves_s + duration_s
        if self._gate_moves_s >= self.config.actuator_s:
            self.gate_is_open = self.gate_command

    def _add_parts(self) -> None:
        """Keep one part upstream of the sensor."""
        while not self._parts or self._parts[-1].place_mm <= self.travelled_mm:
            if self._most is not None and self._made >= self._most:
                return
            self._made += 1
            last_mm = self._parts[-1].place_mm if self._parts else self.travelled_mm
            self._parts.append(BeltPart(number=self._made, truth=self._truth(), place_mm=last_mm + self._spacing_mm()))

    def _spacing_mm(self) -> float:
        close = self._random.random() < self.config.close_share
        return self.config.close_mm if close else self._random.uniform(*self.config.pitch_mm)

    def _truth(self) -> Truth:
        share = self._random.random()
        if share < self.config.challenge_share:
            return Truth.CHALLENGE
        return Truth.BAD if share < self.config.challenge_share + self.config.bad_share else Truth.GOOD


_NOTHING = Moved(sensed=(), fallen=())
