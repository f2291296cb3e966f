"""Which picture is of which part: by order, and where the station does not trigger the camera, by when pictures come.

Order alone fails for good once it is wrong: where one picture does not come and nobody counts it, every later part is
judged by the picture of its neighbour. So a picture that comes when it may be of a later part is not used; where that
happens twice in a row the order is lost, and no part has a picture until enough in a row had theirs just when pictures
usually come.
"""

import math
from collections import deque
from itertools import pairwise

FORGOTTEN_S = 5.0  # a picture that has not come by then never will; a pause so long settles every doubt
SURE = 10  # parts in a row, each with one picture at its usual time, after which the order is known again
_DOUBTS = 2  # in a row, after which the order is lost; each costs its part
_ANNOUNCED = 256  # parts whose times are remembered: more than can wait for a picture
_BLOCK = 50  # pictures by which it is known when they usually come; the first ones after a pause are fewer ...
_LEAST = 8  # ... but so many at least
_BLOCKS = 20  # of the last so many, the one of the calmest time: on a machine that is busy, nothing is usual
_FENCE = 2.0  # times the range between the quartiles
_PITCHES = 8  # parts, of which the two nearest count: one that is read of late seems far from its neighbours
# shares of the time between two parts ...
_EARLY_SHARE = 0.2  # by which a picture may come before the word of its part: a stray one of the part before is older
_OWN_SHARE = 0.4  # after the part before had its own, from which on a picture is no stray one of that part
_LATE_SHARE = 0.3  # by which a picture may come later than usual: the next part's is later
NEAREST_SHARE = 0.4  # for which a part is nearest to the camera after its trigger; the rest to a half is for doubt
_JITTER_S = 0.005  # at least, by which a picture may miss the quartiles


class Pairing:
    """The order of a camera's pictures and parts. `announce` may come from any thread, the rest from one.

    Times are of the monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self.lost = False  # the order is in doubt
        self._announced: deque[float] = deque(maxlen=_ANNOUNCED)  # when each part was, looked at or not
        self._owed: deque[float] = deque()  # the same of each that a picture is still to come of
        self._delays: list[float] = []  # how long after their parts pictures came, of the block that is not full
        self._usual: deque[tuple[float, float]] = deque(maxlen=_BLOCKS)  # from when to when, of full ones
        self._doubts = 0  # one after another
        self._row = 0  # parts in a row whose picture came at its usual time, while the order is in doubt

    def announce(self, since_s: float) -> None:
        """A part has come, and has triggered the camera or will."""
        self._announced.append(since_s)

    def owe(self, since_s: float) -> None:
        """One more picture is to come, of the part announced then."""
        while self._owed and since_s - self._owed[0] > FORGOTTEN_S:
            self._owed.popleft()
        before_s = self._before(since_s)
        if self.lost and (before_s is None or since_s - before_s > FORGOTTEN_S):
            self.lost = False
            self._delays.clear()  # the camera may have become slower, which was what the doubt was about
            self._usual.clear()
        self._owed.append(since_s)

    def settle(self, pictures: int) -> bool:
        """Count off so many, of those that are owed; whether more are."""
        for _ in range(min(pictures, len(self._owed))):  # a stray one may have taken the place of the last
            self._owed.popleft()
        return bool(self._owed)

    def begin(self) -> None:
        """A new connection, which begins with nothing."""
        self._owed.clear()

    def learn(self, delay_s: float) -> None:
        """A picture came so long after its part."""
        self._doubts = 0
        self._delays.append(delay_s)
        if len(self._delays) == _BLOCK:
            self._usual.append(_fence(self._delays))
            self._delays.clear()

    def doubt(self, since_s: float, came_s: float) -> str:
        """Why the next picture may not be of the part announced at `since_s`; empty where nothing says so."""
        later = sum(since_s < other_s < came_s for other_s in tuple(self._announced))
        if later:
            return f"{later} more parts had come by then"
        usual, pitch_s = self._usually(), self._pitch(since_s)
        if usual is not None and came_s - since_s > usual[1] + _LATE_SHARE * pitch_s:
            return f"they usually come within {usual[1]:.3f} s"
        return ""

    def doubted(self) -> None:
        """A picture may have been of another part; where that is so again and again, the order is wrong."""
        self._doubts += 1
        if self._doubts >= _DOUBTS:
            self.lose()

    def lose(self) -> None:
        """The order is in doubt from now on."""
        self.lost, self._row, self._doubts = True, 0, 0

    def leeway(self, since_s: float, most_s: float) -> float:
        """By how much a picture may come before the word of its part: less where parts follow each other closely."""
        return min(most_s, _EARLY_SHARE * self._pitch(since_s))

    def nearest(self, since_s: float, most_s: float) -> float:
        """For how long after its word a part is surely nearest to the camera, as parts followed each other lately."""
        return min(most_s, NEAREST_SHARE * self._pitch(since_s))

    def followed(self, since_s: float, by_s: float) -> bool:
        """Whether another part was announced after the one at `since_s`, and before `by_s`."""
        return any(since_s < other_s <= by_s for other_s in tuple(self._announced))

    def too_early(self, since_s: float, came_s: float) -> bool:
        """Whether a picture from before the word of this part is its own all the same, read of much too late.

        Else it is one too many of the part before, or older than that.
        """
        before_s, usual, pitch_s = self._before(since_s), self._usually(), self._pitch(since_s)
        if before_s is None or since_s - came_s > pitch_s:
            return False
        late_s = 0.0 if usual is None else max(0.0, usual[1])
        return came_s > before_s + late_s + _OWN_SHARE * pitch_s

    def expected(self, since_s: float) -> tuple[float, float] | None:
        """From when to when the picture of this part usually comes.

        None: that is not known, or parts follow each other too closely to be told apart by it.
        """
        usual = self._usually()
        if usual is None or usual[1] - usual[0] > self._pitch(since_s) / 2:
            return None
        return since_s + usual[0], since_s + usual[1]

    def came(self, *, as_usual: bool) -> int:
        """While the order is lost: a part had its picture when pictures usually come, or not.

        Returns:
            How many more parts with theirs it takes; with 0 the order is known again.
        """
        self._row = self._row + 1 if as_usual else 0
        if self._row >= SURE:
            self.lost = False
            self._owed.clear()
        return SURE - self._row

    def _before(self, since_s: float) -> float | None:
        """When the part before this one was announced."""
        return max((other_s for other_s in tuple(self._announced) if other_s < since_s), default=None)

    def _pitch(self, since_s: float) -> float:
        """The shortest time between two of the last parts up to this one; infinite for a first one."""
        before = [other_s for other_s in tuple(self._announced) if other_s < since_s][-_PITCHES:]
        times_s = sorted([*before, since_s])
        return min((after_s - one_s for one_s, after_s in pairwise(times_s)), default=math.inf)

    def _usually(self) -> tuple[float, float] | None:
        """How long after their parts pictures come, from and to."""
        if self._usual:
            return min(self._usual, key=lambda usual: usual[1] - usual[0])
        return _fence(self._delays) if len(self._delays) >= _LEAST else None


def _fence(delays_s: list[float]) -> tuple[float, float]:
    """What is usual of these: as far beyond the quartiles as between Tukey's inner and outer fences.

    J. W. Tukey, Exploratory Data Analysis (1977), 2D. They are few, so that his inner fences leave out too many.
    """
    known = sorted(delays_s)
    early_s, late_s = known[len(known) // 4], known[-1 - len(known) // 4]
    jitter_s = max(_JITTER_S, _FENCE * (late_s - early_s))
    return early_s - jitter_s, late_s + jitter_s
