"""The thread behind one camera: takes the picture of each part, and looks whether it is fit to be judged."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sightline.devices.camera import Camera, Shot
from sightline.errors import DeviceError, DeviceTimeout, FrameError
from sightline.line.fitness import Repeats
from sightline.line.pairing import FORGOTTEN_S, Pairing
from sightline.supervision import survived

_GRAB_S = 0.1  # between two looks at whether the station ends
_NONE = -1  # before the first shot of a connection, whose number is 0 unless that was lost
_PROBE_S = 0.2  # between two looks at whether a camera is back
_KEPT = 4  # pictures that say whose they are and came before their parts were looked at
_NAMED_EARLY_S = 1.0  # by which one may come before the word of its part; one from before is of an earlier count
_WHOSE = f"it may be of another part. Where this stays, pause the line for {FORGOTTEN_S:g} s."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taken:
    """What a camera has of a part; without a shot, why there is none."""

    number: int  # the part's, within the station
    shot: Shot | None
    fault: str | None = None
    lost: bool = False  # the camera is gone

    def __post_init__(self) -> None:
        assert (self.shot is None) == (self.fault is not None), "a shot, or a reason for its absence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When a frame counts as that of a part."""

    early_s: float = 0.0  # a hardware trigger may come before the PLC's word of it
    late_s: float = 1.0  # after which the part has no picture
    delay_s: float | None = (
        0.1  # a software trigger that comes later may show the next part; None: the hardware triggers
    )


Report = Callable[[Taken], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A picture that is wanted."""

    number: int
    part_id: int
    since_s: float
    patience: Patience
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class _PassedOver:
    """A part that was announced and is not looked at, whose picture comes all the same."""

    since_s: float


@dataclass(slots=True, kw_only=True)
class Counts:
    """Since the station began."""

    frames: int = 0
    lost: int = 0  # by the camera or its driver
    unclaimed: int = 0  # frames of no part: a trigger that the PLC did not tell of
    doubts: int = 0  # how often it was lost which picture is of which part
    disconnections: int = 0


class Photographer:
    """Takes one picture for each part asked for, in order, and reports it from its own thread; to be closed.

    Who asks is told, so that two recipes, the one that goes and the one that comes, may use one camera.

    A frame from before a part's time is not its picture: what an earlier, missed trigger left in the camera would be
    taken for the next part, and every part after it would be judged by the one before. Neither is one that an earlier
    part is still owed: what comes late is counted off against the triggers, and the part that waits gets its own.
    Where the station does not trigger the camera, neither is one that may be of a later part, nor any that follows
    until it is known again which is whose (`Pairing`). Nothing of this concerns pictures that say whose they are; after
    one of them, a picture of the same connection that does not say it is nobody's.
    """

    def __init__(self, name: str, camera: Camera) -> None:
        """Begin; the camera is the photographer's from now on."""
        self.name, self.counts = name, Counts()
        self.repeats = Repeats()  # of the pictures that it reports, for whoever looks at them in `report`
        self.temperature_c: float | None = None
        self.fault: str | None = f"{name}: the camera is not open yet."  # None: it was there when last looked at
        self._camera = camera
        self._pairing = Pairing()
        self._kept: deque[Shot] = deque()  # say whose they are; at most _KEPT
        self._held: Shot | None = None  # came after the part that was looked at, and may be the next one's
        self._last = _NONE  # number of the last shot of this connection
        self._triggered_s = 0.0  # when the camera was triggered last
        self._named = False  # pictures of this connection say whose they are
        self._asked: queue.SimpleQueue[_Asked | _PassedOver | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"photographer {name}", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        return self.fault is None

    @property
    def doubtful(self) -> bool:
        """It is in doubt which picture is of which part, and none is used."""
        return self._pairing.lost

    def take(self, number: int, since_s: float, patience: Patience, report: Report, *, part_id: int = 0) -> None:
        """Take the picture of this part; never waits. The station asks for no more parts than it has in flight.

        Args:
            part_id: the PLC's number of it, as pictures may say it; 0: none has one.
            since_s: when the part was announced, by the monotonic clock.
            report: called from this photographer's thread, once, and again without a shot where it raised; must not
                block.
        """
        self._pairing.announce(since_s)
        self._asked.put(_Asked(number=number, part_id=part_id, since_s=since_s, patience=patience, report=report))

    def pass_over(self, since_s: float) -> None:
        """A part announced then has triggered the camera, and nobody wants its picture; never waits.

        Where that comes after the next part was announced, it would else be taken for that part's.
        """
        self._pairing.announce(since_s)
        self._asked.put(_PassedOver(since_s=since_s))

    def close(self) -> None:
        """Returns when the thread has ended and the camera is closed."""
        self._ending.set()
        self._asked.put(None)
        self._camera.close()  # ends a grab that waits
        self._thread.join()

    def _run(self) -> None:
        while True:
            if not self.connected and not self._ending.is_set():
                with survived():
                    self._probe()
            try:
                asked = self._asked.get(timeout=None if self.connected else _PROBE_S)
            except queue.Empty:
                continue
            if asked is None:
                return
            with survived(partial(self._give_up, asked)):
                self._attend(asked)

    def _attend(self, asked: _Asked | _PassedOver) -> None:
        self._pairing.owe(asked.since_s)
        if isinstance(asked, _PassedOver):
            self._pairing.came(as_usual=False)
        else:
            asked.report(self._taken(asked))

    def _give_up(self, asked: _Asked | _PassedOver, error: Exception) -> None:
        """What nobody expected costs this part; what was reported of it before that does not count."""
        if isinstance(asked, _Asked):
            asked.report(Taken(number=asked.number, shot=None, fault=f"{self.name}: the picture failed ({error})."))

    def _probe(self) -> None:
        """Look whether the camera is there: while it is not, no part comes that would tell."""
        try:
            self._is_last(self._camera.grab(0.0))
            self.counts.unclaimed += 1
        except (DeviceTimeout, FrameError):
            pass  # it is there, and has nothing to show
        except DeviceError as error:
            self.fault = str(error)
            return
        self.fault = None

    def _taken(self, asked: _Asked) -> Taken:
        number = asked.number
        try:
            self._trigger(asked)
            if self._pairing.lost:
                self._watch(asked)
            shot = self._kept_of(asked) or self._shot(asked)
        except FrameError as error:
            return Taken(number=number, shot=None, fault=str(error))
        except DeviceTimeout:
            whose = " that says it is this part's" if self._named else ""
            late_s = asked.patience.late_s
            return Taken(number=number, shot=None, fault=f"{self.name}: no picture{whose} within {late_s:g} s.")
        except DeviceError as error:
            self.counts.disconnections += self.connected
            self.fault = str(error)
            self._pairing.begin()
            self._last, self._held, self._named = _NONE, None, False
            self._kept.clear()
            return Taken(number=number, shot=None, fault=str(error), lost=True)
        self.fault = None
        return Taken(number=number, shot=shot)

    def _trigger(self, asked: _Asked) -> None:
        """Raises FrameError where it was done so late that another part may be in view; its picture is no part's."""
        self._camera.trigger()
        self._triggered_s = time.monotonic()
        delay_s, most_s = self._triggered_s - asked.since_s, asked.patience.delay_s
        if most_s is not None and delay_s > self._pairing.nearest(asked.since_s, most_s):
            raise FrameError(
                f"{self.name}: triggered {delay_s:.3f} s after the part came, which may have gone by then."
            )

    def _shot(self, asked: _Asked) -> Shot:
        """The frame that is not older than the part, and that no part before it is owed."""
        until_s, counted_off = asked.since_s + asked.patience.late_s, 0
        while True:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or self._ending.is_set():
                if counted_off:  # one of those may have been this part's
                    self.counts.doubts += 1
                    self._pairing.lose()
                raise DeviceTimeout(self.name, "no picture in time")
            try:
                shot = self._next(min(left_s, _GRAB_S))
            except DeviceTimeout:
                continue
            except FrameError:
                if not self._pairing.settle(1):
                    raise
                continue  # that was an earlier part's
            if self._named or shot.part_id is not None:
                if self._is_named(shot, asked):
                    return shot
                continue
            in_turn = self._is_last(shot)
            if in_turn and self._is_in_time(shot, asked):
                return shot
            counted_off += not in_turn
            self.counts.unclaimed += 1

    def _is_in_time(self, shot: Shot, asked: _Asked) -> bool:
        """Whether it came since the part did; raises FrameError where it may be of another part all the same."""
        before_s = asked.since_s - shot.monotonic_s
        if before_s <= self._pairing.leeway(asked.since_s, asked.patience.early_s):
            self._refuse_doubtful(shot, asked)
            return True
        if asked.patience.delay_s is None and self._pairing.too_early(asked.since_s, shot.monotonic_s):
            self._doubt()
            raise FrameError(f"{self.name}: the picture came {before_s:.3f} s before the word of its part; {_WHOSE}")
        return False

    def _is_named(self, shot: Shot, asked: _Asked) -> bool:
        """Whether it says that it is this part's; that of another is kept, should that one still come."""
        self._pairing.begin()  # there is nothing to count, and so no telling whose one is that does not say it
        self._named = True
        self._last = shot.number
        if shot.part_id is None:
            self.counts.unclaimed += 1
            return False
        if _is_of(shot, asked):
            return True
        self._kept.append(shot)
        if len(self._kept) > _KEPT:
            self._kept.popleft()
            self.counts.unclaimed += 1
        return False

    def _kept_of(self, asked: _Asked) -> Shot | None:
        """This part's picture, where it came before the part was looked at."""
        found = next((shot for shot in self._kept if _is_of(shot, asked)), None)
        if found is not None:
            self._kept.remove(found)
        return found

    def _next(self, timeout_s: float) -> Shot:
        """The next picture, held back or new; raises as the camera's `grab` does."""
        if self._held is not None:
            shot, self._held = self._held, None
            return shot
        shot = self._camera.grab(timeout_s)
        self.counts.frames += 1
        self.counts.lost += shot.lost
        self.temperature_c = shot.temperature_c if shot.temperature_c is not None else self.temperature_c
        return shot

    def _refuse_doubtful(self, shot: Shot, asked: _Asked) -> None:
        """Raises FrameError where it may be of a later part."""
        hardware = asked.patience.delay_s is None  # else it is triggered for one part after the other
        if not hardware and self._pairing.followed(asked.since_s, self._triggered_s):  # read of by now
            raise FrameError(f"{self.name}: the next part had come before the camera was triggered.")
        doubt = self._pairing.doubt(asked.since_s, shot.monotonic_s) if hardware else ""
        late_s = shot.monotonic_s - asked.since_s
        if doubt:
            self._doubt()
            raise FrameError(f"{self.name}: the picture came {late_s:.3f} s after its part, {doubt}; {_WHOSE}")
        self._pairing.learn(late_s)

    def _doubt(self) -> None:
        self.counts.doubts += 1
        self._pairing.doubted()

    def _watch(self, asked: _Asked) -> None:
        """Look whether the part's picture comes when pictures usually do; raises FrameError: it is no part's as yet."""
        expected, as_usual = self._pairing.expected(asked.since_s), False
        try:
            as_usual = expected is not None and self._came_within(*expected)
        finally:
            left = self._pairing.came(as_usual=as_usual)
        if expected is None:
            told = f"is not known, and they come too irregularly to tell; {_WHOSE}"
        elif self._pairing.lost:
            told = f"is known again when {left} more came on time; {_WHOSE}"
        else:
            told = "is known again from the next part on."
        raise FrameError(f"{self.name}: which picture is of which part {told}")

    def _came_within(self, early_s: float, late_s: float) -> bool:
        """Whether the next picture did, and none before it."""
        alone = True
        while True:
            try:
                shot = self._next(min(max(0.0, late_s - time.monotonic()), _GRAB_S))
            except DeviceTimeout:
                if time.monotonic() >= late_s or self._ending.is_set():
                    return False
                continue
            if shot.monotonic_s > late_s:
                self._held = shot
                return False
            self._last = shot.number
            if shot.monotonic_s >= early_s:
                return alone and not shot.lost
            self.counts.unclaimed += 1
            alone = False

    def _is_last(self, shot: Shot) -> bool:
        """Count it off; whether no picture is owed after it."""
        came = max(1, shot.number - self._last)  # the lost ones before it are settled too
        self._last = shot.number
        return not self._pairing.settle(came)


def _is_of(shot: Shot, asked: _Asked) -> bool:
    """Whether it says that it is this part's, and is not of a part that had the same number long ago."""
    return shot.part_id == asked.part_id and shot.monotonic_s >= asked.since_s - _NAMED_EARLY_S
