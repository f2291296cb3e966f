"""A whole line on this machine, in real time: conveyor, PLC, Modbus between, cameras, and a station at work.

What fell into which bin is told by the conveyor, and compared with what the station recorded.
"""

import json
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from sightline.devices.clock import MonotonicClock
from sightline.devices.controllers import PlcConfig, open_plc
from sightline.devices.plc import Answer, Plc, Request
from sightline.devices.reconnecting_camera import ReconnectingCamera
from sightline.devices.reconnection import ReconnectingPlc
from sightline.devices.sim_belt import BeltConfig, Bin, Truth
from sightline.devices.sim_camera import Fault as CameraFault
from sightline.devices.sim_camera import SimCamera, SimDevice
from sightline.devices.sim_modbus import SimModbus
from sightline.devices.sim_plc import Reason, SimPlc, SimPlcConfig
from sightline.errors import DeviceTimeout, InspectionError
from sightline.line.fitness import FitnessCheck, FitnessLimits
from sightline.line.fusion import Fused, fuse
from sightline.line.handshake import HandshakeConfig
from sightline.line.history import History
from sightline.line.images import ImagePolicy, ImageWriter
from sightline.line.judge import Patience as Judging
from sightline.line.metrics import Metrics
from sightline.line.photographer import Patience, Photographer
from sightline.line.pictures import PictureFolder
from sightline.line.setup import Setup
from sightline.line.spool import Spool
from sightline.line.station import Station, StationConfig
from sightline.line.stock import Stock
from sightline.line.view import Seen, View, ViewPlan
from sightline.line.window import working_window_s
from sightline.line.worker import Work
from sightline.records import Frame, Inspection, Verdict

PRODUCT = "flange"
PITCH_MM = (120.0, 140.0)  # from part to part
REACH_MM = 60.0  # to either side of the sensor that the cameras see: never two parts
_SETTLE_S = 30.0  # for what is in hand when the last part has fallen
_REMEMBERED = 200_000  # latencies
_START_S = 120.0  # for models and connections, on a machine that is busy
_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class LineConfig:
    """What comes down the line, and how fast."""

    parts: int | None = 240  # None: without end
    rate_hz: float = 5.0  # parts per second
    gate_s: float = 1.0  # from the cameras to the gate
    bad_share: float = 0.15
    reject_at: float | None = None  # threshold of the views; None: the model's
    restarts: int = 5  # of a view's worker within a minute
    policy: ImagePolicy = field(default_factory=ImagePolicy)
    delivered: bool = False  # the pictures are to go to a plant server, too
    seed: int = 0

    @property
    def belt(self) -> BeltConfig:
        speed_mm_s = self.rate_hz * sum(PITCH_MM) / 2
        return BeltConfig(
            parts=self.parts,
            pitch_mm=PITCH_MM,
            bad_share=self.bad_share,
            speed_mm_s=speed_mm_s,
            acceleration_mm_s2=10 * speed_mm_s,
            gate_mm=speed_mm_s * self.gate_s,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """What became of the parts of one run."""

    parts: int
    rejected: int  # into the reject bin
    escapes: int  # bad parts in the good bin
    overkill: int  # good parts that were judged to be bad
    faults: int  # parts rejected without a verdict: nothing to judge by, late, or nobody took their trigger
    misplaced: int  # fell elsewhere than their verdict says; nothing but a PASS in time may pass
    latency_ms_p50: float  # from the PLC's trigger to the result at the PLC
    latency_ms_p99: float
    dropped: int  # judged to be good, and not told to the PLC in time: rejected, which is not overkill


class Wire(Protocol):
    """What lies between a PLC and the station."""

    @property
    def config(self) -> PlcConfig: ...
    def plug_in(self) -> None: ...
    def unplug(self) -> None: ...
    def close(self) -> None: ...


class Stopwatch:
    """A PLC that notes how long its parts take, and when it last felt the station's heart."""

    def __init__(self, plc: Plc) -> None:
        self.latencies_s: deque[float] = deque(
            maxlen=_REMEMBERED
        )  # from the exchange before the one that showed the trigger
        self.beat_s = time.monotonic()
        self.answer = Answer()
        self._plc = plc
        self._since_s: dict[int, float] = {}
        self._told_id = 0  # its trigger may still be up
        self._before_s = time.monotonic()

    def read(self) -> Request:
        now_s = time.monotonic()
        request = self._plc.read()
        if request.trigger and request.part_id != self._told_id:
            self._since_s.setdefault(request.part_id, self._before_s)
            if len(self._since_s) > _REMEMBERED:  # parts that were announced and never told
                del self._since_s[next(iter(self._since_s))]
        self._before_s = now_s
        return request

    def write(self, answer: Answer) -> None:
        self._plc.write(answer)
        now_s = time.monotonic()
        if answer.heartbeat != self.answer.heartbeat:
            self.beat_s = now_s
        if answer.valid and answer.result_id in self._since_s:
            self.latencies_s.append(now_s - self._since_s.pop(answer.result_id))
            self._told_id = answer.result_id
        self.answer = answer

    def close(self) -> None:
        self._plc.close()


class SimulatedLine:
    """A station beside a conveyor that stands; a context. What is simulated may be disturbed from any thread."""

    def __init__(
        self,
        folder: Path,
        model: Path,
        stock: Stock,
        config: LineConfig,
        *,
        wiring: Callable[[Plc], Wire] = SimModbus,
    ) -> None:
        """Records and pictures go into `folder`, which is made.

        Raises:
            OptionError: the model cannot be used, or a library of the station is not installed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.config, self.folder, self.records = config, folder, folder / "records.db"
        self.plc = SimPlc(MonotonicClock(), SimPlcConfig(belt=config.belt, trigger_timeout_s=0.04))
        self.stopwatch = Stopwatch(self.plc)
        self.wire = wiring(self.stopwatch)
        self.cameras = {view: SimDevice(self._scene(view, stock)) for view in stock.views}
        self.stock, self._model, self._shape = stock, model, stock.good[0][stock.views[0]].pixels.shape
        self.metrics = Metrics()
        self.views: tuple[View, ...] = ()
        self._photographers: list[Photographer] = []
        self.pictures = PictureFolder(folder / "pictures", delivered=config.delivered)
        self.images = ImageWriter(self.pictures, config.policy)
        self.station = self._station()
        self._failed: InspectionError | None = None
        self._thread = threading.Thread(target=self._run, name="station")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.until(lambda: self._is_able() or not self._thread.is_alive(), _START_S)
            if self._failed is not None:
                raise self._failed
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def until(self, holds: Callable[[], bool], within_s: float) -> None:
        """Let the line run until this holds; raises DeviceTimeout where it does not in time."""
        end_s = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > end_s:
                raise DeviceTimeout("simulated line", f"what was waited for did not come within {within_s:g} s.")
            self.plc.is_empty()  # a conveyor moves when it is looked at
            time.sleep(_POLL_S)

    def kill_worker(self, view: int = 0) -> int | None:
        """Kill -9 what runs a view's model; its process id, None while there is none."""
        pid = self.views[view].judge.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return pid

    def settle(self) -> None:
        """Wait until what came down the line is recorded, with its pictures; none may be on the way."""
        for _ in range(2):  # a part whose end was told becomes a record in the cycle after that
            self.until(lambda: not any(self.station.queues().values()), _SETTLE_S)
            time.sleep(_POLL_S)

    def result(self) -> LineResult:
        """Of the parts that have fallen; to be asked when the station has ended, or nothing is on the way."""
        return account(self.plc, self.records, self.stopwatch.latencies_s)

    def _is_able(self) -> bool:
        """Whether the station would take parts if the conveyor ran."""
        answer = self.stopwatch.answer
        return answer.recipe == 1 and answer.error == 0

    def _end(self) -> None:
        self.station.stop()
        self._thread.join()
        for photographer in self._photographers:
            photographer.close()
        self.wire.close()

    def _run(self) -> None:
        try:
            self.station.run(1)
        except InspectionError as error:
            self._failed = error

    def _scene(self, view: str, stock: Stock) -> Callable[[int], Frame]:
        return lambda _number: stock.picture(view, self.plc.in_view(0.0, REACH_MM))

    def _station(self) -> Station:
        belt = self.config.belt
        window_s = working_window_s(
            speed_mm_s=belt.speed_mm_s,
            distance_mm=belt.gate_mm,
            plc_cycle_s=0.01,
            actuator_s=belt.actuator_s,
            tolerance_mm=self.plc.config.tolerance_mm,
        )
        capacity = int(self.config.rate_hz * self.config.gate_s) + 3
        return Station(
            StationConfig(name="simulated", handshake=HandshakeConfig(window_s=window_s, capacity=capacity)),
            ReconnectingPlc("plc", lambda: open_plc("plc", self.wire.config), seed=self.config.seed),
            self._load,
            Spool(self.records, station="simulated"),
            self.images,
            self.metrics,
        )

    def _load(self, recipe: int, tell: Callable[[Seen], None]) -> Setup:
        self.views = tuple(self._view(name, tell) for name in self.cameras)
        self.until(lambda: all(view.judge.pid is not None for view in self.views), _START_S)
        weights = dict.fromkeys(self.cameras, 1.0)

        def worst(views: Mapping[str, Inspection]) -> Fused:
            return fuse(weights, views)

        window_s = self.station.config.handshake.window_s
        return Setup(product=PRODUCT, recipe=recipe, views=self.views, fuse=worst, window_s=window_s)

    def _view(self, name: str, tell: Callable[[Seen], None]) -> View:
        device = self.cameras[name]
        plan = ViewPlan(
            name=name,
            work=Work(model=self._model, shape=self._shape, reject_at=self.config.reject_at),
            patience=Patience(late_s=0.15, delay_s=0.25 / self.config.rate_hz),
            judging=Judging(restarts=self.config.restarts),
        )
        photographer = Photographer(name, ReconnectingCamera(name, lambda: SimCamera(name, device)))
        self._photographers.append(photographer)
        return View(plan, photographer, FitnessCheck(FitnessLimits()), tell)


def account(plc: SimPlc, records: Path, latencies_s: Collection[float]) -> LineResult:
    """What became of the parts, from where they fell and what is recorded of them."""
    history = History(records)
    recorded = {one.part_id: json.loads(one.document) for one in history.newest(10**9)}
    history.close()
    ends = [_end_of(recorded.get(fallen.part.number), fallen.bin, fallen.reason) for fallen in plc.fallen]
    truths = [fallen.part.truth for fallen in plc.fallen]
    p50, p99 = np.percentile(list(latencies_s), (50, 99)) if latencies_s else (0.0, 0.0)
    return LineResult(
        parts=len(plc.fallen),
        rejected=sum(fallen.bin is Bin.REJECT for fallen in plc.fallen),
        escapes=sum(fallen.is_escape for fallen in plc.fallen),
        overkill=sum(end == "judged" and truth is Truth.GOOD for end, truth in zip(ends, truths, strict=True)),
        faults=ends.count("fault"),
        misplaced=ends.count("misplaced"),
        latency_ms_p50=round(1e3 * float(p50), 1),
        latency_ms_p99=round(1e3 * float(p99), 1),
        dropped=ends.count("dropped"),
    )


def _end_of(record: dict[str, object] | None, where: Bin, told: Reason) -> str:
    if record is None:
        return "misplaced" if where is Bin.GOOD else "fault"
    passed = record["verdict"] == Verdict.PASS
    if where is Bin.GOOD:
        return "passed" if passed else "misplaced"
    if passed:  # it was shown, and the PLC did not read it in time
        return "misplaced" if told is Reason.OK else "dropped"
    if record["judged"] == Verdict.PASS:
        return "dropped"
    return "fault" if record["verdict"] == Verdict.FAULT or record["late"] else "judged"


def run_line(line: SimulatedLine, *, faults: bool = True, progress: Callable[[int, int], None] | None = None) -> None:
    """Let all parts of a line that was begun come down; with `faults`, break something now and then, and mend it.

    Raises:
        DeviceTimeout: the line did not end within three times the time that it should take.
    """
    parts = line.config.parts
    assert parts is not None, "a line without end has none"
    plan = deque(_mischief(line, parts) if faults else ())
    mending: list[tuple[float, Callable[[], object]]] = []

    def done() -> bool:
        fallen, now_s = len(line.plc.fallen), time.monotonic()
        while plan and fallen >= plan[0].after_parts:
            trouble = plan.popleft()
            trouble.begin()
            if trouble.mend is not None:
                mending.append((now_s + trouble.lasts_s, trouble.mend))
        while mending and mending[0][0] <= now_s:
            mending.pop(0)[1]()
        if progress:
            progress(fallen, parts)
        return line.plc.is_empty() and not mending

    line.plc.start()
    line.until(done, 60 + 3 * parts / line.config.rate_hz)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trouble:
    after_parts: int  # that have fallen
    begin: Callable[[], object]
    mend: Callable[[], object] | None = None
    lasts_s: float = 0.0


def _mischief(line: SimulatedLine, parts: int) -> list[_Trouble]:
    front, rear = list(line.cameras.values())
    return [
        _Trouble(after_parts=parts // 8, begin=line.kill_worker),
        _Trouble(after_parts=parts // 4, begin=lambda: front.fail(CameraFault.BLACK, 2)),
        _Trouble(after_parts=3 * parts // 8, begin=rear.unplug, mend=rear.plug_in, lasts_s=1.0),
        _Trouble(after_parts=parts // 2, begin=lambda: rear.fail(CameraFault.LOST)),
        _Trouble(after_parts=5 * parts // 8, begin=line.wire.unplug, mend=line.wire.plug_in, lasts_s=1.0),
        _Trouble(after_parts=7 * parts // 8, begin=lambda: front.stall(0.4)),
    ]
