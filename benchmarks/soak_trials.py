"""The line's promises put to the test, each as a function of its size; what is broken is told, never hidden.

benchmarks/soak.py runs them for hours, tests/line/test_promises.py for seconds.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np

from brightness import brightness_stock, write_brightness
from sightline.devices.plc import Plc
from sightline.devices.sim_modbus import SimModbus
from sightline.line.faults import Fault
from sightline.line.history import History, verify
from sightline.line.judge import JudgeState
from sightline.line.simulation import LineConfig, LineResult, SimulatedLine, Wire, run_line
from sightline.line.stock import Stock

PATIENCE_S = 120.0  # for what takes seconds on a machine that is not busy
RATE_HZ = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of a promise."""

    promise: str  # its number
    what: str
    size: str
    figures: Mapping[str, float]
    courses: Mapping[str, Sequence[float]] = field(default_factory=dict)  # what was looked at again and again
    broken: tuple[str, ...] = ()  # what was promised and did not hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How soon things are as before, as promised; a trial on a machine that is busy with other work has wider ones."""

    worker_s: float = 5.0  # from its death to another one being ready
    silence_s: float = 2.0  # that a PLC's watch allows between two beats of the station
    ready_s: float = 15.0  # from the station's death to its taking parts again
    camera_s: float = 10.0  # from its return to the next part judged
    link_s: float = 10.0  # from its return to the next result at the PLC
    tail: float = 3.0  # p99.9 of the latencies, times p50
    missed_share: float = 0.0  # of the parts that had no result within the window
    growth_per_hour: float = 1.0  # % of a warm station's memory
    more_files: int = 1  # open at the end than when it was warm, by medians: a request in hand has one of its own
    unjudged_share: float = 0.001  # of the parts; a station that judges fewer was not tried at that rate


PROMISED = Limits()


def slow(what: str, recoveries_s: list[float], limit_s: float) -> list[str]:
    """What is broken where one of these took longer than that."""
    over = [f"{one:.1f}" for one in recoveries_s if not one <= limit_s]
    return [f"{what} took {', '.join(over)} s, promised are {limit_s:g}"] if over else []


def worker_kills(folder: Path, times: int, *, seed: int = 0, limits: Limits = PROMISED) -> Trial:
    """Promise 2: kill -9 of a worker at random moments; nothing bad passes, and another one works soon."""
    return _workers_lost(folder, times, signal.SIGKILL, "worker killed", f"{times} kills", seed, limits)


def worker_hangs(folder: Path, times: int, *, seed: int = 0, limits: Limits = PROMISED) -> Trial:
    """Promise 2, of a worker that is stopped at random moments: it is there, and does not answer."""
    return _workers_lost(folder, times, signal.SIGSTOP, "worker stopped", f"{times} times", seed, limits)


def _workers_lost(
    folder: Path, times: int, blow: signal.Signals, what: str, size: str, seed: int, limits: Limits
) -> Trial:
    rng = random.Random(seed)
    recoveries_s = []
    with _line(folder, LineConfig(parts=None, rate_hz=RATE_HZ, bad_share=0.3, restarts=10 * times)) as line:
        line.plc.start()
        for _ in range(times):
            _pause(line, rng.uniform(0.2, 1.5))
            judge = line.views[rng.randrange(2)].judge
            pid = judge.pid
            assert pid is not None, "it was there, as all recovered before"
            os.kill(pid, blow)
            lost_s = time.monotonic()
            line.until(lambda judge=judge, pid=pid: judge.pid not in (None, pid), PATIENCE_S)  # type: ignore[misc]
            recoveries_s.append(time.monotonic() - lost_s)
        _wind_down(line)
    broken = slow("another worker", recoveries_s, limits.worker_s)
    return _told("2", what, size, line, {"longest recovery s": max(recoveries_s)}, broken)


def camera_unplugs(folder: Path, times: int, *, seed: int = 0, limits: Limits = PROMISED) -> Trial:
    """Promise 9: a camera is unplugged at random moments and plugged in again; threads and files stay as they were."""
    rng = random.Random(seed)
    recoveries_s = []
    before = after = (0, 0)
    with _line(folder, LineConfig(parts=None, rate_hz=RATE_HZ, bad_share=0.3)) as line:
        line.plc.start()
        for cycle in range(times):
            _pause(line, rng.uniform(0.2, 1.0))
            name, device = list(line.cameras.items())[rng.randrange(2)]
            device.unplug()
            _pause(line, rng.uniform(0.3, 1.0))
            device.plug_in()
            plugged_s, judged = time.monotonic(), _judged(line, name)
            line.until(lambda name=name, judged=judged: _judged(line, name) > judged, PATIENCE_S)  # type: ignore[misc]
            recoveries_s.append(time.monotonic() - plugged_s)
            after = _held()
            before = before if cycle else after
        _wind_down(line)
    more = {"more threads": after[0] - before[0], "more files": after[1] - before[1]}
    broken = [f"{count} {what} at the end" for what, count in more.items() if count > 2]
    broken += slow("a picture", recoveries_s, limits.camera_s)
    figures = {"longest recovery s": max(recoveries_s), **more}
    return _told("9", "camera unplugged", f"{times} times", line, figures, broken)


def link_cuts(
    folder: Path,
    times: int,
    *,
    seed: int = 0,
    limits: Limits = PROMISED,
    wiring: Callable[[Plc], Wire] = SimModbus,
    protocol: str = "Modbus TCP",
) -> Trial:
    """The PLC's cable is pulled at random moments; nothing bad passes, and the station comes back by itself."""
    rng = random.Random(seed)
    recoveries_s = []
    with _line(folder, LineConfig(parts=None, rate_hz=RATE_HZ, bad_share=0.3), wiring=wiring) as line:
        line.plc.start()
        for _ in range(times):
            _pause(line, rng.uniform(0.3, 1.5))
            line.wire.unplug()
            _pause(line, rng.choice((0.05, 0.3, 1.0, 2.5)))
            line.wire.plug_in()
            plugged_s, told = time.monotonic(), len(line.stopwatch.latencies_s)
            line.until(lambda told=told: len(line.stopwatch.latencies_s) > told, PATIENCE_S)  # type: ignore[misc]
            recoveries_s.append(time.monotonic() - plugged_s)
        _wind_down(line)
    figures = {"longest recovery s": max(recoveries_s)}
    broken = slow("a result", recoveries_s, limits.link_s)
    return _told("3", f"link to the PLC cut, {protocol}", f"{times} times", line, figures, broken)


def clock_steps(folder: Path, parts: int) -> Trial:
    """Promise 10: the wall clock is set an hour on and back all the time; order and durations do not notice."""
    true_time, step_s = time.time, [0.0]

    def stepped_time() -> float:
        return true_time() + step_s[0]

    line = _line(folder, LineConfig(parts=parts, rate_hz=RATE_HZ, bad_share=0.3))
    with mock.patch("time.time", stepped_time), line:
        line.plc.start()

        def stepped() -> bool:
            step_s[0] = (0.0, 3600.0, -3600.0)[len(line.plc.fallen) % 3]
            return line.plc.is_empty()

        line.until(stepped, PATIENCE_S + 3 * parts / RATE_HZ)
    history = History(line.records)
    records = history.after(0, 10**9)
    history.close()
    broken = []
    if [one.part_id for one in records] != sorted(one.part_id for one in records):
        broken.append("records are not in the order of the parts")
    if [one.id for one in records] != sorted(one.id for one in records):
        broken.append("ids do not ascend")
    longest_ms = 1e3 * max(line.stopwatch.latencies_s, default=0.0)
    if not 0 < longest_ms < 60_000:
        broken.append(f"a part took {longest_ms:g} ms")
    return _told("10", "wall clock stepped by an hour", f"{parts} parts", line, {"longest ms": longest_ms}, broken)


def restart_budget(folder: Path) -> Trial:
    """Promise 14: the worker dies again and again; the station holds in a fault until it is reset, then works."""
    broken = []
    with _line(folder, LineConfig(parts=None, rate_hz=RATE_HZ, bad_share=0.3, restarts=2)) as line:
        line.plc.start()
        judge = line.views[0].judge
        for kill in range(3):
            line.until(lambda: judge.pid is not None, PATIENCE_S)
            pid = line.kill_worker()
            last = kill == 2
            line.until(
                lambda pid=pid, last=last: judge.state is JudgeState.HELD if last else judge.pid not in (None, pid),  # type: ignore[misc]
                PATIENCE_S,
            )
        line.until(lambda: line.stopwatch.answer.error == Fault.RESTARTS_EXCEEDED, PATIENCE_S)
        if line.stopwatch.answer.ready:
            broken.append("ready without a worker")
        line.plc.reset()
        line.until(lambda: judge.state is JudgeState.READY, PATIENCE_S)
        fallen = len(line.plc.fallen)
        line.until(lambda: len(line.plc.fallen) > fallen + 3, PATIENCE_S)
        _wind_down(line)
    return _told("14", "restart budget spent", "3 kills, 2 restarts", line, {}, broken)


def told_latencies(
    found_ms: Sequence[float], parts: int, window_ms: float, limits: Limits
) -> tuple[dict[str, float], list[str]]:
    """The figures of these latencies, and what of the promise is broken; a part without a result missed its window."""
    if not found_ms:
        return {}, ["no part had a result"]
    named = {f"p{share:g} ms": float(np.percentile(found_ms, share)) for share in (50, 95, 99, 99.9)}
    missed = sum(not one <= window_ms for one in found_ms) + max(0, parts - len(found_ms))
    tail = named["p99.9 ms"] / named["p50 ms"]
    broken = [f"p99.9 is {tail:.2f} times p50, promised are {limits.tail:g}"] if not tail <= limits.tail else []
    if not missed <= limits.missed_share * parts:
        broken.append(f"{missed} of {parts} parts missed their window of {window_ms:g} ms")
    more = {"max ms": max(found_ms), f"misses of {window_ms:g} ms per million": 1e6 * missed / parts}
    return {**named, "p99.9 / p50": tail, **more}, broken


def injected_faults(folder: Path, parts: int) -> Trial:
    """Promises 1 to 9 at once, as the demo has them."""
    with _line(folder, LineConfig(parts=parts, rate_hz=RATE_HZ, bad_share=0.3)) as line:
        run_line(line)
    return _told("1 to 9", "faults of all kinds", f"{parts} parts", line, {})


def _line(
    folder: Path,
    config: LineConfig,
    *,
    model: Path | None = None,
    stock: Stock | None = None,
    wiring: Callable[[Plc], Wire] = SimModbus,
) -> SimulatedLine:
    folder.mkdir(parents=True, exist_ok=True)
    used = model or write_brightness(folder / "brightness.sight")
    return SimulatedLine(folder / "line", used, stock or brightness_stock(), config, wiring=wiring)


def _pause(line: SimulatedLine, duration_s: float) -> None:
    end_s = time.monotonic() + duration_s
    line.until(lambda: time.monotonic() >= end_s, duration_s + PATIENCE_S)


def _wind_down(line: SimulatedLine) -> None:
    """Let some parts pass undisturbed, then stop the conveyor and let the station finish."""
    told = len(line.stopwatch.latencies_s)
    line.until(lambda: len(line.stopwatch.latencies_s) >= told + 3, PATIENCE_S)
    line.plc.stop()
    _pause(line, 1.5)


def _judged(line: SimulatedLine, view: str) -> int:
    return sum(one.judge.counts.judged for one in line.views if one.name == view)


def _held() -> tuple[int, int]:
    """(threads, open files) of this process."""
    return threading.active_count(), len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))


def _told(
    promise: str,
    what: str,
    size: str,
    line: SimulatedLine,
    figures: Mapping[str, float],
    broken: list[str] | None = None,
) -> Trial:
    found = line.result()
    return Trial(
        promise=promise,
        what=what,
        size=size,
        figures={"parts": found.parts, "escapes": found.escapes, "misplaced": found.misplaced, **figures},
        broken=(*(broken or ()), *unsafe(found), *unrecorded(line.records)),
    )


def unsafe(found: LineResult) -> list[str]:
    """What must not have become of any part."""
    counts = {"bad parts passed": found.escapes, "parts fell elsewhere than is recorded": found.misplaced}
    return [f"{count} {what}" for what, count in counts.items() if count]


def unrecorded(records: Path) -> list[str]:
    """What is wrong with these records."""
    history = History(records)
    ids = [one.part_id for one in history.after(0, 10**9)]
    history.close()
    damage = verify(records)
    broken = [] if damage is None else [f"record {damage.sequence}: {damage.what}"]
    return broken if len(ids) == len(set(ids)) else [*broken, "a part has two records"]
