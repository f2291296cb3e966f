"""The process in which a model of one view judges. It may crash, hang or be killed, and takes one part with it."""

import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from sightline.errors import InspectionError, OptionError
from sightline.imaging.deblur import deblur
from sightline.inspector import Inspector, load
from sightline.line.messages import Job, Judged, receive_job, send_judged
from sightline.line.thresholds import judged_by
from sightline.records import Frame

READY = b"ready"
_WARM_UP = 3  # runs, after which a graph takes as long as ever
MOST_DEBLURRED_PX = 6.0  # undoing more does harm: benchmarks/deblur.py, rendered parts of 256 px
_MODEST = 10  # how much nicer than the station a worker is that nobody waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """How far a part moves while it is exposed, which is undone before the model sees it."""

    length_px: float  # at the conveyor's speed; a job may say better
    angle_deg: float  # 0 along a row, 90 down a column
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a worker judges with."""

    model: Path
    threads: int = 1  # of its graph
    shape: tuple[int, int, int] | None = None  # of the frames to come, by which it warms up; None: not known
    bit_depth: int = 8
    product: str | None = None
    reject_at: float | None = None  # the recipe's threshold in place of the model's; None: the model's
    review_at: float | None = None  # likewise; only beside `reject_at`
    motion: Motion | None = None  # None: frames are judged as they are
    modest: bool = False  # it judges in shadow: it gives way to all that the line waits for


def work(connection: Connection, task: Work) -> None:
    """Load, warm up, say so, and judge until the station closes the connection.

    What goes wrong before READY is sent as its one line; a model that cannot be loaded will not be on the second try.
    """
    for name in (signal.SIGINT, signal.SIGTERM):  # the station drains first, then closes the connection
        signal.signal(name, signal.SIG_IGN)
    if task.modest:
        _give_way()
    try:
        model = load_model(task)
        model.limits(task.product)
        refuse_threshold(model, task)
        _warm_up(model, task)
    except InspectionError as error:
        connection.send_bytes(str(error).encode())
        return
    connection.send_bytes(READY)
    try:
        while True:
            job = receive_job(connection)
            send_judged(connection, _judged(job, model, task))
    except (EOFError, ConnectionError):
        return


def _give_way() -> None:
    """To the station, also where that has a real-time priority, which knows no niceness and is inherited."""
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if hasattr(os, "nice"):
        os.nice(_MODEST)


def load_model(task: Work) -> Inspector:
    """Raises BundleError where it cannot be loaded."""
    return load(task.model, threads=task.threads)


def refuse_threshold(model: Inspector, task: Work) -> None:
    """Raises OptionError where the recipe has a threshold that means nothing to the model."""
    manifest = model.manifest
    by_score_alone = not (model.names or manifest.segments is not None or manifest.locating is not None)
    if task.reject_at is not None and not by_score_alone:
        raise OptionError(f"{task.model}: names or outlines what it finds; take reject_at out of the recipe.")


def _warm_up(model: Inspector, task: Work) -> None:
    if task.shape is None or model.manifest.input.depth:
        return
    pixels = np.zeros(task.shape, np.uint8) if task.bit_depth == 8 else np.zeros(task.shape, np.uint16)
    frame = Frame(pixels=pixels, bit_depth=task.bit_depth, source="warm-up")
    for _ in range(_WARM_UP):
        model.inspect(_still(frame, task.motion, None), product=task.product)


def _judged(job: Job, model: Inspector, task: Work) -> Judged:
    try:
        inspection = model.inspect(_still(job.frame, task.motion, job.motion_px), product=task.product)
    except InspectionError as error:
        return Judged(number=job.number, inspection=None, fault=str(error))
    if task.reject_at is not None:
        inspection = judged_by(inspection, task.reject_at, task.review_at)
    return Judged(number=job.number, inspection=inspection)


def _still(frame: Frame, motion: Motion | None, length_px: float | None) -> Frame:
    if motion is None:
        return frame
    length_px = motion.length_px if length_px is None else length_px
    return deblur(frame, motion_px=length_px, angle_deg=motion.angle_deg, noise=motion.noise)
