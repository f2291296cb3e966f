"""Promises about the station as a process: killed as a whole, and watched over hours. Linux alone, by /proc."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from brightness import brightness_stock, write_brightness
from sightline.devices.clock import MonotonicClock
from sightline.devices.plc import Answer, Plc, Request
from sightline.devices.sim_modbus import SimModbus
from sightline.devices.sim_plc import SimPlc, SimPlcConfig
from sightline.line.history import History, verify
from sightline.line.simulation import LineConfig, Stopwatch
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


class Plant:
    """Conveyor, PLC and cameras in this process, a station in another; a context."""

    def __init__(self, folder: Path, rate_hz: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.records = folder, folder / "records.db"
        self.model = write_brightness(folder / "brightness.sight")
        config = SimPlcConfig(belt=LineConfig(parts=None, rate_hz=rate_hz, bad_share=0.3).belt, trigger_timeout_s=0.04)
        self.plc = SimPlc(MonotonicClock(), config)
        self.witness = Witness(self.plc)
        self.stopwatch = Stopwatch(self.witness)
        self._wire = SimModbus(self.stopwatch)
        self._scene = Scene(lambda: self.plc.in_view(0.0, 60.0), brightness_stock())
        self._log = (folder / "station.log").open("ab")
        self.station: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._wire.close()
        self._scene.close()
        self._log.close()

    def start(self) -> None:
        """As systemd does after a crash; returns when the station can take parts."""
        self.witness.born()
        command = [sys.executable, "-c", PROGRAM, str(self._wire.port), str(self._scene.port)]
        surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
        words = [*command, str(self.folder), str(self.model)]
        self.station = subprocess.Popen(words, stderr=self._log, env=surroundings)
        started_s = time.monotonic()
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
            assert self.station is None or self.station.poll() in (None, -9), "the station ended by itself"
            self.plc.is_empty()  # a conveyor moves when it is looked at
            time.sleep(0.01)

    def pause(self, duration_s: float) -> None:
        end_s = time.monotonic() + duration_s
        self.until(lambda: time.monotonic() >= end_s, duration_s + PATIENCE_S)

    def _is_ready(self, since_s: float) -> bool:
        answer = self.stopwatch.answer
        return self.stopwatch.beat_s > since_s and answer.recipe == 1 and answer.error == 0


def station_kills(folder: Path, times: int, *, seed: int = 0, limits: Limits = PROMISED) -> Trial:
    """Promises 3 and 16: kill -9 of the whole station at random moments, with parts on the way."""
    rng = random.Random(seed)
    recoveries_s = []
    with Plant(folder, rate_hz=5.0) as plant:
        plant.plc.start()
        for _ in range(times):
            plant.pause(rng.uniform(0.5, 3.0))
            plant.kill()
            killed_s = time.monotonic()
            plant.start()
            recoveries_s.append(time.monotonic() - killed_s)
        before = len(plant.witness.told)
        plant.until(lambda: len(plant.witness.told) >= before + 3)
        plant.plc.stop()
        plant.pause(1.0)
    history = History(plant.records)
    recorded = {one.part_id: one.verdict for one in history.after(0, 10**9)}
    history.close()
    escapes = sum(fallen.is_escape for fallen in plant.plc.fallen)
    told_ok = [part for part, passed in plant.witness.told.items() if passed]
    lost = [part for part in told_ok if recorded.get(part) is not Verdict.PASS]
    damage = verify(plant.records)
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


def endurance(folder: Path, seconds: float, *, rate_hz: float = 10.0) -> Trial:
    """Promise 13: memory and open files of the station and its workers, once warm and at the end."""
    with Plant(folder, rate_hz) as plant:
        assert plant.station is not None
        plant.plc.start()
        plant.pause(seconds / 5)
        megabytes, files = _used(plant.station.pid)
        plant.pause(4 * seconds / 5)
        later_megabytes, later_files = _used(plant.station.pid)
        plant.plc.stop()
    hours = 0.8 * seconds / 3600
    growth = 100 * (later_megabytes / megabytes - 1) / hours
    broken = [f"{later_files - files} more files at the end"] if later_files > files + 2 else []
    if seconds >= 3600 and growth >= 1:
        broken.append(f"memory grows by {growth:.1f} % an hour")
    return Trial(
        promise="13",
        what="memory and open files",
        size=f"{seconds:g} s at {rate_hz:g} parts per second",
        figures={
            "parts": len(plant.plc.fallen),
            "MB when warm": megabytes,
            "MB at the end": later_megabytes,
            "more files": later_files - files,
        },
        broken=tuple(broken),
    )


def _used(pid: int) -> tuple[float, int]:
    """(resident memory in MB, open files) of a process and all that it started."""
    page, bytes_, files, waiting = os.sysconf("SC_PAGE_SIZE"), 0, 0, [pid]
    while waiting:
        here = Path(f"/proc/{waiting.pop()}")
        try:
            bytes_ += int((here / "statm").read_text().split()[1]) * page
            files += len(list((here / "fd").iterdir()))
            for task in (here / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except OSError:  # a process that ends meanwhile
            continue
    return bytes_ / 1e6, files
