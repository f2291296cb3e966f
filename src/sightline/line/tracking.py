"""Where the parts between camera and gate are, and whether the gate may be open.

A position is what an encoder counts: signed 32 bits, wrapping around, up when the conveyor goes forwards. Stops,
changes of speed and reverse jogs need no care then. Where there is no encoder, `RunningTime` counts milliseconds.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from sightline.errors import OptionError

_HALF, _WHOLE = 2**31, 2**32
_SPEED_S = 0.1
_STANDS_S = 0.3  # that a count may stand still while the line runs ...
_STANDS_COUNTS = 10  # ... or what so many take at the highest speed, where the encoder is coarse
_STOP_S = 0.2  # no conveyor stops and starts again within that
_MARGIN = 1.5  # by which a conveyor may exceed its highest speed, before its count is not believed


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The way from the camera to the gate, in counts (or milliseconds, at the highest speed, without an encoder)."""

    gate: int  # from where the part triggers to the gate
    before: int  # the gate is open from so far before the part's middle, its half length and all doubt included
    after: int  # until so far behind it, likewise
    lead: int  # how far the conveyor gets at most between the command to open and the gate being open
    lag: int  # likewise until it is shut: the station's cycle, the PLC's watch over the station, the gate itself
    pitch: int  # from middle to middle, the least that parts keep
    reverse: int = 0  # how far the conveyor may go back; parts that left the gate are remembered for so long
    most_parts: int = 1000  # on the way at a time
    most_counts_s: float | None = None  # the fastest that can be believed; None: not known
    stale_s: float = 0.0  # how old a count may be when it is read

    def __post_init__(self) -> None:
        if min(self.before, self.after, self.lead, self.lag, self.reverse) < 0 or self.most_parts < 1:
            raise OptionError(f"{self}: lengths are 0 or more, and at least one part is on the way.")
        open_for = self.before + self.lead + self.after + self.lag
        if open_for >= self.pitch:
            raise OptionError(
                f"the gate would be open for {open_for} counts (before {self.before} + lead {self.lead} + after "
                f"{self.after} + lag {self.lag}), but parts come every {self.pitch}: one that was never seen could "
                "slip through with its neighbour. Narrow the tolerances, space the parts out, or use a faster gate."
            )
        if self.decision <= 0:
            raise OptionError(
                f"the gate is {self.gate} counts from the camera and must be decided {self.before + self.lead} before. "
                "Move it away from the camera."
            )

    @property
    def decision(self) -> int:
        """From the camera to where a part must have been released."""
        return self.gate - self.before - self.lead

    @property
    def stands_s(self) -> float:
        """For how long a count may stand still while the line runs, until it is not believed."""
        if self.most_counts_s is None:
            return _STANDS_S
        return max(_STANDS_S, _STANDS_COUNTS * _MARGIN / self.most_counts_s)

    def most(self, duration_s: float | None) -> float:
        """How far a count can have gone on in that time; None: it is not known. Beyond, it was set anew."""
        whole = self.gate + self.after
        if duration_s is None or self.most_counts_s is None:
            return whole
        return min(whole, self.before + self.most_counts_s * (duration_s + self.stale_s))


def track_of(
    *,
    counts_per_mm: float | None,
    speed_mm_s: float,
    gate_mm: float,
    pitch_mm: float,
    before_mm: float,
    after_mm: float,
    open_s: float,
    shut_s: float,
    cycle_s: float,
    watch_s: float,
    reverse_mm: float = 0.0,
) -> Track:
    """A track from what is measured on the line, rounded to the safe side.

    Args:
        counts_per_mm: of the encoder; None: there is none, and `RunningTime` gives the positions.
        speed_mm_s: the highest.
        open_s, shut_s: what the gate takes from the PLC's output.
        cycle_s: the longest cycle of the station and of the PLC together.
        watch_s: how long the station's heartbeat may stand still until the PLC shuts the gate.

    Raises:
        OptionError: parts could slip through, or the gate is too near; as for `Track`.
    """
    scale = 1000 / speed_mm_s if counts_per_mm is None else counts_per_mm

    def counts(way_mm: float) -> int:
        return math.ceil(way_mm * scale - 1e-9)

    return Track(
        gate=round(gate_mm * scale),
        before=counts(before_mm),
        after=counts(after_mm),
        lead=counts(speed_mm_s * (cycle_s + open_s)),
        lag=counts(speed_mm_s * (cycle_s + watch_s + shut_s)),
        pitch=math.floor(pitch_mm * scale + 1e-9),
        reverse=counts(reverse_mm),
        most_counts_s=_MARGIN * speed_mm_s * scale,
        stale_s=cycle_s,
    )


class Fate(StrEnum):
    """What became of a part that is no longer tracked; only PASSED found the gate open all the way."""

    PASSED = "passed"
    REJECTED = "rejected"  # it was not released in time
    NEIGHBOUR = "neighbour"  # released, but too close to one that was not: the gate was shut for a part of its way
    SKIPPED = "skipped"  # released, but the conveyor passed the gate between two steps
    RETURNED = "returned"  # it went back to before the camera, and triggers again when it comes


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A part that is no longer tracked."""

    sequence: int
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What one step of the tracker comes to."""

    open: bool
    shut_out: tuple[int, ...] = ()  # sequences of parts that reached the decision without being released
    departures: tuple[Departure, ...] = ()


CLOSED = Gate(open=False)


@dataclass(slots=True, kw_only=True, eq=False)
class _Tracked:
    """A part on the way; its place is the count at which it was in front of the camera."""

    sequence: int
    first: int  # its place, or the beginning of where it may be
    last: int
    released: bool = False
    condemned: bool = False  # never passes, whatever comes
    decided: bool = False
    was_open: bool = False  # the gate, in one step or more in which the part was in its window
    was_shut: bool = False  # likewise

    @property
    def passing(self) -> bool:
        return self.released and not self.condemned


class Tracker:
    """Opens the gate while a released part is in its window and no other part is; shut at all other times.

    One thread uses it. A part that is not entered never has the gate opened for it, and does not slip through with
    another while parts keep their pitch.
    """

    def __init__(self, track: Track) -> None:
        self.track = track
        self._parts: deque[_Tracked] = deque()
        self._raw: int | None = None
        self._position = 0  # like the encoder's, without wrapping around
        self._asked_s: float | None = None  # for the last position; None: not known
        self._departed: list[Departure] = []

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def passing(self) -> int:
        """Parts that may pass, and have not left the gate yet."""
        leaves = self.track.gate + self.track.after
        return sum(part.passing and self._position - part.last <= leaves for part in self._parts)

    def enter(self, sequence: int, position: int, since: int | None = None) -> None:
        """A part was announced. Every one must be entered, also one that is never to be released.

        Args:
            sequence: its number, not that of another part on the way.
            position: the count when it was announced.
            since: the count at the reading before, if known: it came between the two. Where that is more than
                `Track.before` apart nobody knows well enough where it is, and it cannot pass.
        """
        assert all(part.sequence != sequence for part in self._parts)
        last = self._unwrapped(position)
        first = last if since is None else min(last, self._unwrapped(since))
        if len(self._parts) >= self.track.most_parts:  # closer than they can be: they count as one long bad part
            crowd = self._parts[-1]
            crowd.first, crowd.last, crowd.condemned = min(crowd.first, first), max(crowd.last, last), True
            self._departed.append(Departure(sequence=sequence, fate=Fate.REJECTED))
            return
        lost = last - first > self.track.before
        self._parts.append(_Tracked(sequence=sequence, first=first if lost else last, last=last, condemned=lost))

    def release(self, sequence: int) -> bool:
        """The part may pass: it is good, and its record is durable. False: too late, or it is not on the way."""
        for part in self._parts:
            if part.sequence == sequence and not part.decided and not part.condemned:
                part.released = True
                return True
        return False

    def condemn(self) -> None:
        """Let no part pass that is on the way now, as after the PLC or the encoder was lost."""
        for part in self._parts:
            part.condemned = True

    def step(self, position: int, now_s: float | None = None, asked_s: float | None = None) -> Gate:
        """Where the conveyor is now; to be called in every cycle.

        Args:
            now_s: when that had been read; None: not known, and a count set anew is told by the way to the gate alone.
            asked_s: when it was asked for; None: that took no time.
        """
        moved = self._unwrapped(position) - self._position
        self._position, self._raw = self._position + moved, position
        since_s = None if now_s is None or self._asked_s is None else now_s - self._asked_s  # at most, between the two
        self._asked_s = now_s if asked_s is None else asked_s
        if abs(moved) > self.track.most(since_s):
            self.condemn()
        shut_out = self._decide()
        opens, closes = self.track.decision, self.track.gate + self.track.after
        inside = [
            part
            for part in self._parts
            if self._position - part.first >= opens and self._position - part.last <= closes
        ]
        is_open = bool(inside) and all(part.passing for part in inside)
        for part in inside:
            part.was_open |= is_open
            part.was_shut |= not is_open
        self._let_go()
        departures, self._departed = tuple(self._departed), []
        return Gate(open=is_open, shut_out=shut_out, departures=departures)

    def _unwrapped(self, position: int) -> int:
        if self._raw is None:
            self._raw = self._position = position
        return self._position + (position - self._raw + _HALF) % _WHOLE - _HALF

    def _decide(self) -> tuple[int, ...]:
        shut_out = []
        for part in self._parts:
            if not part.decided and self._position - part.first >= self.track.decision:
                part.decided = True
                if not part.passing:
                    shut_out.append(part.sequence)
        return tuple(shut_out)

    def _let_go(self) -> None:
        """Forget the parts that are out of reach, in front of the gate as behind it."""
        beyond = self.track.gate + self.track.after + self.track.reverse
        staying: deque[_Tracked] = deque()
        for part in self._parts:
            if self._position - part.last > beyond:
                self._departed.append(Departure(sequence=part.sequence, fate=_fate(part)))
            elif self._position - part.first < -self.track.before:
                self._departed.append(Departure(sequence=part.sequence, fate=Fate.RETURNED))
            else:
                staying.append(part)
        self._parts = staying


def _fate(part: _Tracked) -> Fate:
    if part.was_open and not part.was_shut:
        return Fate.PASSED
    if not part.released or part.condemned:
        return Fate.REJECTED
    return Fate.NEIGHBOUR if part.was_shut else Fate.SKIPPED


class Speedometer:
    """How fast an encoder counts: the slope of its readings over the last tenth of a second.

    A slope, as a PLC may pass on a count that is a cycle old.
    """

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()  # seconds and counts since the first, without wrapping
        self._count = 0

    def note(self, now_s: float, encoder: int | None) -> None:
        """A reading, at most one a cycle; None: there is none, and what was before says nothing any more."""
        if encoder is None:
            self._readings.clear()
            return
        moved = (encoder - self._count + _HALF) % _WHOLE - _HALF
        self._count = encoder
        self._readings.append((now_s, self._readings[-1][1] + moved if self._readings else 0))
        while now_s - self._readings[0][0] > _SPEED_S:
            self._readings.popleft()

    @property
    def counts_s(self) -> float | None:
        """Counts a second, negative when it goes backwards; None: not known yet."""
        if not self._readings or self._readings[-1][0] - self._readings[0][0] < _SPEED_S / 2:
            return None
        mean_s = sum(at_s for at_s, _ in self._readings) / len(self._readings)
        spread = sum((at_s - mean_s) ** 2 for at_s, _ in self._readings)
        return sum((at_s - mean_s) * way for at_s, way in self._readings) / spread


class Standstill:
    """Whether an encoder's count stands still though the line runs.

    A cable or a coupling that breaks while the gate is open would leave it open for all that comes.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._count, self._since_s = 0, 0.0  # the last that was another, and when that was

    def lasts(self, now_s: float, count: int, *, running: bool) -> bool:
        """A reading; whether it has stood still for too long by now. An encoder at rest may tremble by one."""
        moved = (count - self._count + _HALF) % _WHOLE - _HALF
        if abs(moved) > 1 or not running:
            self._count, self._since_s = count, now_s
        return now_s - self._since_s > self._longest_s


class RunningTime:
    """Milliseconds that the conveyor has run, in place of an encoder.

    It knows nothing of slow running, of ramps, or of going back: the speed must be one and the same, a stop must be
    short of way against the tolerances of the track, and after a reverse jog what is on the way must be condemned.
    """

    def __init__(self) -> None:
        self.doubt_s = 0.0  # by which the last position may be further off than the one before
        self._now_s: float | None = None
        self._running = False
        self._ran_s = 0.0

    def position(self, now_s: float, *, running: bool) -> int:
        """Signed 32 bits, wrapping around; `running` is for the time since the call before.

        Where that has changed, nobody knows when it did; nor after a silence in which a conveyor can stop and start.
        """
        passed_s = 0.0 if self._now_s is None else now_s - self._now_s
        self.doubt_s = passed_s if running != self._running or passed_s > _STOP_S else 0.0
        self._ran_s += passed_s if running else 0.0
        self._now_s, self._running = now_s, running
        return (round(self._ran_s * 1000) + _HALF) % _WHOLE - _HALF
