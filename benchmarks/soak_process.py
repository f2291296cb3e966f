"""Promises about the station as a process: killed as a whole, and how soon it is back."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from brightness import brightness_stock, write_brightness
from sightline.devices.clock import MonotonicClock
from sightline.devices.modbus_plc import ModbusConfig
from sightline.devices.plc import Answer, Plc, Request
from sightline.devices.sim_modbus import SimModbus
from sightline.devices.sim_plc import SimPlc, SimPlcConfig
from sightline.line.history import History, verify
from sightline.line.simulation import LineConfig, Stopwatch, Wire
from sightline.records import Verdict
from soak_station import Scene
from soak_trials import PATIENCE_S, PROMISED, Limits, Trial, slow

PROGRAM = "from soak_station import main; main()"  # no file: a worker would import that of its station's program first


class Witness:
    """A PLC that remembers every result it was told."""

    def __init__(self, plc: Plc) -> None:
        self.told: dict[int, bool] = {}  # part's number -> whether it was OK
        self.longest_gap_s = 0.0  # between two beats of one life
        self._plc = plc
        self._beat, self._beat_s = -1, 0.0

    def born(self) -> None:
        """A station begins; the silence before it is none of its gaps."""
        self._beat = -1

    def read(self) -> Request:
        return self._plc.read()

    def write(self, answer: Answer) -> None:
        if answer.valid:
            self.told.setdefault(answer.result_id, answer.ok)
        if answer.heartbeat != self._beat:
            now_s = time.monotonic()
            if self._beat >= 0:
                self.longest_gap_s = max(self.longest_gap_s, now_s - self._beat_s)
            self._beat, self._beat_s = answer.heartbeat, now_s
        self._plc.write(answer)

    def close(self) -> None:
        self._plc.close()


class Timed(Stopwatch):
    """Notes when each result came, too."""

    def __init__(self, plc: Plc) -> None:
        super().__init__(plc)
        self.told_s: dict[int, float] = {}  # by part, of the monotonic clock; in the order of `latencies_s`

    def write(self, answer: Answer) -> None:
        told = len(self.latencies_s)
        super().write(answer)
        if len(self.latencies_s) > told:
            self.told_s[answer.result_id] = time.monotonic()


Around = TypeVar("Around", bound=Plc)


class Plant(Generic[Around]):
    """Conveyor and PLC in this process, a station in another; a context."""

    def __init__(
        self,
        folder: Path,
        config: LineConfig,
        around: Callable[[SimPlc], Around],
        wiring: Callable[[Plc], Wire] = SimModbus,
    ) -> None:
        """`around` is what stands between the PLC and the station's link to it, `wiring` that link."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.plc, self._began_s = SimPlc(MonotonicClock(), SimPlcConfig(belt=config.belt)), time.monotonic()
        self._gate_s = config.gate_s
        self.around = around(self.plc)
        self.witness = Witness(self.around)
        self.stopwatch = Timed(self.witness)
        self._wire = wiring(self.stopwatch)
        self.config = self._wire.config  # of the station's side
        self._log = (folder / "station.log").open("ab")
        self.station: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._wire.close()
        self.around.close()
        self._log.close()

    def start(self, words: Sequence[str]) -> None:
        """As systemd does after a crash; returns when the station can take parts."""
        self.witness.born()
        surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
        started_s = time.monotonic()
        self.station = subprocess.Popen(words, stderr=self._log, env=surroundings)
        self.until(lambda: self._is_ready(started_s))

    def kill(self) -> None:
        """Kill -9; its workers find out by themselves."""
        if self.station is not None:
            self.station.kill()
            self.station.wait()

    def until(self, holds: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        end_s = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > end_s:
                raise TimeoutError(f"what was waited for did not come within {within_s:g} s")
            assert self.station is None or self.station.poll() in (None, -9), f"the station ended; see {self._log.name}"
            self.plc.is_empty()  # a conveyor moves when it is looked at
            time.sleep(0.01)

    def missed_s(self, window_s: float) -> list[float]:
        """When, by the monotonic clock, parts were seen that never had a result, and others had theirs too late."""
        watch = self.stopwatch
        unheard = (fallen for fallen in self.plc.fallen if fallen.part.number not in watch.told_s)
        late = (when for when, took in zip(watch.told_s.values(), watch.latencies_s, strict=True) if took > window_s)
        return [*(self._began_s + fallen.at_s - self._gate_s for fallen in unheard), *late]

    def pause(self, duration_s: float) -> None:
        end_s = time.monotonic() + duration_s
        self.until(lambda: time.monotonic() >= end_s, duration_s + PATIENCE_S)

    def _is_ready(self, since_s: float) -> bool:
        answer = self.stopwatch.answer
        return self.stopwatch.beat_s > since_s and answer.recipe == 1 and answer.error == 0


def station_kills(folder: Path, times: int, *, seed: int = 0, limits: Limits = PROMISED) -> Trial:
    """Promises 3 and 16: kill -9 of the whole station at random moments, with parts on the way."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    records, model = folder / "records.db", write_brightness(folder / "brightness.sight")
    with (
        Plant(folder, LineConfig(parts=None, rate_hz=5.0, bad_share=0.3), lambda plc: plc) as plant,
        closing(Scene(lambda: plant.plc.in_view(0.0, 60.0), brightness_stock())) as scene,
    ):
        assert isinstance(plant.config, ModbusConfig)
        words = [sys.executable, "-c", PROGRAM, str(plant.config.port), str(scene.port), str(folder), str(model)]
        plant.start(words)
        plant.plc.start()
        recoveries_s = [_restarted_s(plant, words, rng.uniform(0.5, 3.0)) for _ in range(times)]
        before = len(plant.witness.told)
        plant.until(lambda: len(plant.witness.told) >= before + 3)
        plant.plc.stop()
        plant.pause(1.0)
    history = History(records)
    recorded = {one.part_id: one.verdict for one in history.after(0, 10**9)}
    history.close()
    escapes = sum(fallen.is_escape for fallen in plant.plc.fallen)
    told_ok = [part for part, passed in plant.witness.told.items() if passed]
    lost = [part for part in told_ok if recorded.get(part) is not Verdict.PASS]
    damage = verify(records)
    found = {
        f"{escapes} bad parts passed": escapes,
        f"{len(lost)} parts were OK without a record of it": lost,
        f"the records are damaged: {damage}": damage,
        f"{plant.witness.longest_gap_s:.1f} s between two beats": plant.witness.longest_gap_s > limits.silence_s,
    }
    return Trial(
        promise="3, 16",
        what="whole station killed",
        size=f"{times} kills",
        figures={
            "parts": len(plant.plc.fallen),
            "escapes": escapes,
            "records lost": len(lost),
            "rejects without a record": len(set(plant.witness.told) - set(recorded)),  # missed triggers need none first
            "longest gap of beats s": plant.witness.longest_gap_s,
            "longest recovery s": max(recoveries_s),
        },
        broken=(
            *(what for what, holds in found.items() if holds),
            *slow("ready again", recoveries_s, limits.ready_s),
        ),
    )


def _restarted_s(plant: Plant[SimPlc], words: Sequence[str], after_s: float) -> float:
    """Kill the station after so long, and start it: how long that takes."""
    plant.pause(after_s)
    plant.kill()
    killed_s = time.monotonic()
    plant.start(words)
    return time.monotonic() - killed_s
