"""Once a second: how the devices are, for the page and for Prometheus; and what is too old is removed.

It has a thread of its own, as disks and databases may keep one waiting.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sightline.errors import StoreError
from sightline.line.board import Backlog, Device
from sightline.line.images import ImageWriter, free_share_of
from sightline.line.judge import Judge, JudgeState
from sightline.line.outbox import Outbox
from sightline.line.patient_clock import PatientClock
from sightline.line.picture_outbox import PictureOutbox
from sightline.line.spool import PRUNED_AT_ONCE, Spool
from sightline.line.station import Station
from sightline.line.view import View
from sightline.supervision import survived

LOG = logging.getLogger("sightline.line")
_EVERY_S = 1.0
_PRUNE_EVERY_S = 600.0
_LONGEST_DAYS = 36_500.0  # kept; what a calendar can do
_ALL = 2**62  # more records than a station writes
_NO_ROOM = "The disk is nearly full"
_SURVEY = "survey"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stores:
    """What a station keeps, and where."""

    folder: Path
    spool: Spool
    images: ImageWriter
    outbox: Outbox | None  # None: records go to no plant server
    pictures: PictureOutbox | None  # None: pictures go to no plant server
    record_days: float  # records older than this go, once the plant server has them where there is one


@dataclass(slots=True, eq=False)
class _Totals:
    """Of counters that only grow, and begin anew with what they belong to."""

    owners: dict[str, int] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def grown(self, name: str, total: int, owner: object) -> int:
        """By how much, since it was last asked for."""
        if self.owners.get(name) != id(owner):
            self.owners[name], self.seen[name] = id(owner), 0
        more = total - self.seen[name]
        self.seen[name] = total
        return max(0, more)


class Survey:
    """Looks at a station and what it keeps, until it is closed."""

    def __init__(self, station: Station, stores: Stores, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives unix seconds, by which records become old."""
        self._clock = PatientClock(clock)
        self._station, self._stores = station, stores
        self._board, self._metrics = station.board, station.metrics
        self._totals = _Totals()
        self._pruned_s = -math.inf
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="survey", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """May be called more than once."""
        self._closing.set()
        self._thread.join()

    def look(self) -> None:
        """Measure and publish everything once."""
        devices = [row for view in self._station.views for row in self._of_view(view)]
        backlog = None
        try:
            devices.append(self._of_disk())
            outbox, pictures = self._stores.outbox, self._stores.pictures
            if outbox is not None:
                backlog = _backlog(outbox, pictures)
                devices.append(Device(name="plant server", state=_delivery(outbox)))
            if pictures is not None:
                devices.append(Device(name="pictures", state=self._of_pictures(pictures)))
            self._prune()
        except StoreError as error:
            devices.append(Device(name="records", state=str(error)))
            LOG.error("%s", error)
        self._board.devices, self._board.backlog = devices, backlog
        ready = bool(self._board.status()["ready"])
        self._metrics.now(ready=ready, queues=self._station.queues(), backlog=backlog.records if backlog else 0)

    def _run(self) -> None:
        while not self._closing.is_set():
            with survived(self._failed):
                self.look()
            self._closing.wait(_EVERY_S)

    def _failed(self, error: Exception) -> None:
        """What else is shown is of an earlier look."""
        self._metrics.failed_survey()
        others = [device for device in self._board.devices if device.name != _SURVEY]
        self._board.devices = [*others, Device(name=_SURVEY, state=f"failed ({error}); what is told here may be old")]

    def _of_view(self, view: View) -> list[Device]:
        name, camera, judge = view.name, view.photographer, view.judge
        self._metrics.lost_frames(name, self._totals.grown(f"lost {name}", camera.counts.lost, camera))
        self._metrics.lost_camera(name, self._totals.grown(f"gone {name}", camera.counts.disconnections, camera))
        self._metrics.doubted(name, self._totals.grown(f"doubts {name}", camera.counts.doubts, camera))
        self._metrics.restarted(name, self._totals.grown(f"restarts {name}", judge.counts.restarts, view))
        if camera.temperature_c is not None:
            self._metrics.temperature(name, camera.temperature_c)
        judges = [judge] if view.shadow is None else [judge, view.shadow]
        models = [Device(name=f"model {one.view}", state=_model(one)) for one in judges]
        return [Device(name=f"camera {name}", state=_camera(view)), *models]

    def _of_disk(self) -> Device:
        share, images = free_share_of(self._stores.folder), self._stores.images
        self._metrics.disk(share)
        for why, count in images.dropped.items():
            self._metrics.dropped_image(why, self._totals.grown(f"dropped {why}", count, images))
        if images.alarm:
            self._board.alarm(f"{_NO_ROOM}; pictures of parts that passed are given up. Free some space.")
        else:
            self._board.quiet(_NO_ROOM)
        return Device(name="disk", state=f"{share:.0%} free, {images.written} pictures written")

    def _of_pictures(self, outbox: PictureOutbox) -> str:
        status = outbox.status
        for why, count in status.skipped.items():
            self._metrics.undelivered_image(why, self._totals.grown(f"undelivered {why}", count, outbox))
        self._metrics.outgoing_images(status.waiting)
        lost = sum(status.skipped.values())
        left_out = f", {lost} left out" if lost else ""
        error = f"; {status.error}" if status.error else ""
        return f"{status.waiting} wait for the plant server, {status.sent} sent{left_out}{error}"

    def _prune(self) -> None:
        if time.monotonic() - self._pruned_s < _PRUNE_EVERY_S:
            return
        outbox = self._stores.outbox
        now = datetime.fromtimestamp(self._clock.now_s(), UTC)
        before = now - timedelta(days=min(self._stores.record_days, _LONGEST_DAYS))
        went = self._stores.spool.prune(through=_ALL if outbox is None else outbox.status.delivered, before=before)
        if went < PRUNED_AT_ONCE:  # else there is more, for the next second
            self._pruned_s = time.monotonic()


def _camera(view: View) -> str:
    camera = view.photographer
    if camera.fault is not None:
        return camera.fault
    warmth = "" if camera.temperature_c is None else f", {camera.temperature_c:.0f} °C"
    doubt = ", unclear whose" if camera.doubtful else ""
    return f"connected{warmth}, {camera.counts.frames} pictures, {camera.counts.lost} lost{doubt}"


def _model(judge: Judge) -> str:
    reason = f": {judge.reason}" if judge.state is JudgeState.HELD else ""
    return f"{judge.state}{reason}, {judge.counts.judged} judged, {judge.counts.restarts} restarts"


def _backlog(outbox: Outbox, pictures: PictureOutbox | None) -> Backlog:
    status = outbox.status
    return Backlog(
        records=status.backlog,
        pictures=None if pictures is None else pictures.status.waiting,
        error=status.error or ("" if pictures is None else pictures.status.error),
    )


def _delivery(outbox: Outbox) -> str:
    status = outbox.status
    told = "has all records" if not status.backlog else f"{status.backlog} records wait"
    aside = f", {status.quarantined} set aside" if status.quarantined else ""
    return told + aside + (f"; {status.error}" if status.error else "")
