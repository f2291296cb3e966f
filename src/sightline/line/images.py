"""A thread that writes pictures by the recipe's policy, never keeps the line waiting, and cleans up after itself."""

import hashlib
import math
import queue
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sightline.errors import OptionError, StoreError
from sightline.imaging.writing import png
from sightline.line.patient_clock import PatientClock
from sightline.line.pictures import PictureFolder, Worth
from sightline.line.toml_table import NotNegative, Positive, Share
from sightline.records import Frame
from sightline.supervision import survived

TIDY_EVERY_S = 10.0
_LOOK_S = 0.1  # between two looks at whether the station ends
_DAY_S = 86_400.0


class Policy(StrEnum):
    """Which pictures are kept; a flagged one always is, but for `NONE`."""

    ALL = "all"
    SAMPLE = "sample"  # flagged ones, and a share of the others
    REJECTS = "rejects"  # flagged ones
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePolicy:
    """What is kept, how long, and from which point on a filling disk is defended."""

    policy: Policy = Policy.REJECTS
    sample_share: Share = 0.01  # of plain pictures, for Policy.SAMPLE
    plain_days: NotNegative = 7.0
    flagged_days: NotNegative = 365.0
    most_gb: Positive = math.inf  # of all pictures, 10**9 bytes; plain ones go first
    alarm_share: Share = 0.10  # of the disk free: below it the alarm is up, and plain pictures give way
    reserve_share: Share = 0.05  # below it no picture is written: what is left belongs to the records

    def __post_init__(self) -> None:
        if not self.reserve_share <= self.alarm_share:
            raise OptionError(f"reserve_share {self.reserve_share} is above alarm_share {self.alarm_share}; lower it.")

    def keeps(self, worth: Worth, lot: float) -> bool:
        """Whether a picture is to be written.

        Args:
            lot: drawn from [0, 1) for each part, once for all its views.
        """
        if self.policy in (Policy.ALL, Policy.NONE):
            return self.policy is Policy.ALL
        return worth is Worth.FLAGGED or (self.policy is Policy.SAMPLE and lot < self.sample_share)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """What is to be written."""

    outcome: str  # id of the part's record
    view: str
    worth: Worth
    unix_s: float
    frame: Frame


class Dropped(StrEnum):
    """Why a picture that the policy wanted is not on disk; the key of its counter."""

    QUEUE = "queue_full"  # the disk did not keep up
    SPACE = "disk_full"  # gave way to what is dearer
    ERROR = "write_error"


Free = Callable[[Path], float]


class ImageWriter:
    """Takes pictures from the line's cycle and has them written; owns a thread until it is closed."""

    def __init__(
        self,
        folder: PictureFolder,
        policy: ImagePolicy,
        *,
        most_waiting: int = 64,
        free_share: Free | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`most_waiting` pictures, each as large as a frame, are held in memory at most."""
        self._folder = folder
        self._policy = policy
        self._free_share = free_share or free_share_of
        self._clock = PatientClock(clock)
        self._queue: queue.Queue[Picture] = queue.Queue(most_waiting)
        self._closing = threading.Event()
        self._tidied_s = -math.inf
        self._lock = threading.Lock()
        self._dropped: Counter[Dropped] = Counter()
        self._written = self._removed = 0
        self.alarm = False  # less than `alarm_share` of the disk is free, or the folder cannot be used
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    @property
    def written(self) -> int:
        return self._written

    @property
    def removed(self) -> int:
        """How many were cleaned up."""
        return self._removed

    @property
    def dropped(self) -> dict[Dropped, int]:
        with self._lock:
            return dict(self._dropped)

    def put(self, picture: Picture, lot: float = 0.0) -> bool:
        """Have a picture written if the policy keeps it; returns at once, and whether it will be tried.

        Args:
            lot: as in `ImagePolicy.keeps`.
        """
        if self._closing.is_set() or not self._policy.keeps(picture.worth, lot):
            return False
        try:
            self._queue.put_nowait(picture)
        except queue.Full:
            self._drop(Dropped.QUEUE)
            return False
        return True

    def close(self) -> None:
        """Write what waits, then end the thread; the folder stays open. May be called more than once."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not (self._closing.is_set() and self._queue.empty()):
            with survived(self._note):
                self._tidy()
            try:
                picture = self._queue.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            with survived(self._give_up):
                self._write(picture)

    def _note(self, _: Exception) -> None:
        self.alarm, self._tidied_s = True, time.monotonic()

    def _give_up(self, _: Exception) -> None:
        self.alarm = True
        self._drop(Dropped.ERROR)

    def _write(self, picture: Picture) -> None:
        try:
            free = self._free_share(self._folder.folder)
            least = self._policy.alarm_share if picture.worth is Worth.PLAIN else self._policy.reserve_share
            if free < least:
                self._drop(Dropped.SPACE)
                self._tidied_s = -math.inf  # make room before the next one
                return
            content = png(picture.frame.pixels)
            name = hashlib.blake2b(content, digest_size=20).hexdigest()
            self._folder.add(picture.outcome, picture.view, picture.worth, picture.unix_s, name, content)
            self._written += 1
        except StoreError as error:
            self._give_up(error)

    def _tidy(self) -> None:
        """Remove what is too old, and plain pictures where there is too little room; flagged ones go by age alone."""
        if time.monotonic() - self._tidied_s < TIDY_EVERY_S:
            return
        try:
            went = self._remove(Worth.PLAIN, self._policy.plain_days) + self._remove(
                Worth.FLAGGED, self._policy.flagged_days
            )
            if self._cramped():
                went += self._folder.remove_oldest(Worth.PLAIN, math.inf)
            self.alarm = self._free_share(self._folder.folder) < self._policy.alarm_share
        except StoreError:
            self.alarm, went = True, 0
        self._removed += went
        self._tidied_s = -math.inf if went else time.monotonic()  # goes on at once where there is more to do

    def _remove(self, worth: Worth, days: float) -> int:
        return self._folder.remove_oldest(worth, self._clock.now_s() - days * _DAY_S)

    def _cramped(self) -> bool:
        if self._free_share(self._folder.folder) < self._policy.alarm_share:
            return True
        return math.isfinite(self._policy.most_gb) and self._folder.size_bytes() > self._policy.most_gb * 1e9

    def _drop(self, why: Dropped) -> None:
        with self._lock:
            self._dropped[why] += 1


def free_share_of(folder: Path) -> float:
    """How much of the folder's disk is free, 0..1.

    Raises:
        StoreError: the folder is gone.
    """
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be looked at ({error.strerror}). Check the disk.") from error
    return usage.free / usage.total if usage.total else 0.0
