"""The line's promises at full size, or at another: prints what came of each, and writes a table of all that ran.

    python benchmarks/soak.py [--only TRIAL ...] [--share 1.0] [--model MODEL] [--rate HZ] [--named]
                              [--realtime] [--output FOLDER]

TRIAL is one of the names of `--list`; the table keeps what it has of the others. Everything at full size takes seven
hours, of which each latency takes one and the endurance two: an hour to get warm, an hour that counts. Ends with
status 1 where a promise did not hold; what its station said is beside the table then, as soak-TRIAL.log. Linux; what
cannot be tried here is named.
"""

import argparse
import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import soak_line as line
import soak_process as process
import soak_trials as trials
from sightline.devices.sim_modbus import SimModbus
from sightline.line.stock import render_stock
from soak_opcua import SimOpcUa
from soak_trials import PROMISED, Trial
from tables import RESULTS, Cell, stem, write_table

ROOT = Path(__file__).resolve().parent.parent
FAULTS = ROOT / "tests" / "faults"
HOUR_S = 3600
REALTIME = 10  # CPUSchedulingPriority of deploy/sightline-line.service
OUTAGE_PARTS = 288_000  # 8 hours at 10 parts a second
WIRES = {"modbus": (SimModbus, "Modbus TCP"), "opcua": (SimOpcUa, "OPC UA")}
Run = Callable[[Path, float], Trial]  # in this folder, at this share of the full size


def sized(full: int, share: float) -> int:
    return max(2, round(full * share))


def handshakes(folder: Path, share: float) -> Trial:
    """Promises 1, 4, 5, 6 and 7: the simulated clock lets a hundred thousand triggers pass in minutes."""
    parts, many = sized(100_000, share), sized(100_000, share)
    environment = {"SIGHTLINE_SOAK_PARTS": str(parts), "SIGHTLINE_SOAK_HANDSHAKES": str(many)}
    tests = ["tests/line/test_simulated_line.py", "tests/line/test_random_handshakes.py"]
    command = [sys.executable, "-m", "pytest", "-q", "--basetemp", str(folder / "pytest"), *tests]
    surroundings = {**os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)
    return Trial(
        promise="1, 4 to 7",
        what="triggers and random handshakes on a simulated clock",
        size=f"{parts} triggers, {many} handshakes",
        figures={},
        broken=() if done.returncode == 0 else tuple(done.stdout.strip().splitlines()[-1:]),
    )


def failing_calls(folder: Path, share: float) -> Trial:
    """Promise 15; the shim needs a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return not_tried("15", "n-th system call fails", "needs a C compiler")
    shim, files = folder / "failing_calls.so", folder / "files"
    files.mkdir()
    build = [compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(FAULTS / "failing_calls.c"), "-ldl"]
    subprocess.run(build, check=True)
    step = max(1, round(1 / share))
    report = program(["spool_faults.py", "calls", str(files), str(shim), str(step)], preload=str(shim))
    return from_report("15", "n-th system call of the records fails", f"every {step}. n", report, bad=("bad",))


def record_kills(folder: Path, share: float) -> Trial:
    """Promise 16."""
    times = sized(500, share)
    report = program(["spool_faults.py", "kills", str(folder), str(times)])
    return from_report("16", "writer of records killed", f"{times} kills", report, bad=("lost", "damage"))


def outage(folder: Path, share: float) -> Trial:
    """Promise 17."""
    parts = sized(OUTAGE_PARTS, share)
    report = program(["-m", "tests.faults.outbox_outage", str(folder), str(parts)])
    report["out of order"] = not report.pop("once_and_in_order")
    return from_report("17", "plant server away", f"{parts} parts", report, bad=("damage", "out of order"))


def full_disk(folder: Path, _share: float) -> Trial:
    """Promise 18, of records; needs the right to mount a small disk in a namespace of its own."""
    return on_small_disk(folder, f"spool_faults.py full {folder}", "disk full", "1m", bad=("lost", "damage"))


def station_full_disk(folder: Path, _share: float) -> Trial:
    """Promise 18, of a station at work; likewise."""
    disk = folder / "disk"
    disk.mkdir()
    words = f"station_full_disk.py {disk} {folder / 'brightness.sight'}"
    bad = ("parts with two records", "unrecorded", "escapes", "misplaced", "damage")
    return on_small_disk(disk, words, "disk full under a station at work", "6m", bad=bad)


def on_small_disk(disk: Path, words: str, what: str, size: str, bad: tuple[str, ...]) -> Trial:
    """One of the programs of tests/faults with this folder as a disk of its own."""
    mount = f"mount -t tmpfs -o size={size} none {disk}"
    tried = ["unshare", "-rm", "sh", "-c", mount]
    if not shutil.which("unshare") or subprocess.run(tried, capture_output=True, check=False).returncode:
        return not_tried("18", what, "needs the right to mount a disk: unshare -rm")
    report = program(["unshare", "-rm", "sh", "-c", f"{mount} && exec {sys.executable} {FAULTS}/{words}"])
    return from_report("18", what, f"{size[:-1]} MB", report, bad=bad)


def latency(folder: Path, share: float, *, model: Path | None, wire: str, **more: Any) -> Trial:
    """Promise 11, every picture stored."""
    wiring, protocol = WIRES[wire]
    setting = watched(folder, model, wiring=wiring, policy="all", **more)
    return line.latency(folder / "line", max(10.0, HOUR_S * share), setting, protocol)


def endurance(folder: Path, share: float, *, model: Path | None, **more: Any) -> Trial:
    """Promise 13."""
    seconds = max(30.0, 2 * HOUR_S * share)
    limits = PROMISED if share >= 1 else replace(PROMISED, growth_per_hour=math.inf)  # a minute tells no hour's growth
    return line.endurance(folder / "line", seconds, watched(folder, model, **more), limits=limits)


def overload(folder: Path, share: float) -> Trial:
    """That no part is judged by another's picture."""
    return line.overload(folder, max(20.0, HOUR_S * share / 6))


def watched(folder: Path, model: Path | None, **more: Any) -> line.Setting:
    """A station with a model of its own; without one, with the demo's."""
    return line.Setting(model=model or trained(folder), stock=render_stock(), **more)


def trained(folder: Path) -> Path:
    """The demo's model."""
    out = folder / "demo"
    words = [
        "-c",
        "from sightline.cli.main import main; main()",
        "demo",
        "--out",
        str(out),
        "--line-parts",
        "0",
        "--quiet",
    ]
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return out / "part.sight"


def program(words: list[str], preload: str = "") -> dict[str, object]:
    """Run one of the programs of tests/faults, or a command; the JSON document that it prints."""
    if words[0].endswith(".py"):
        words = [sys.executable, str(FAULTS / words[0]), *words[1:]]
    elif words[0] == "-m":
        words = [sys.executable, *words]
    environment = {**os.environ, "LD_PRELOAD": preload, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        return {"bad": (done.stderr.strip().splitlines() or ["ended without a word"])[-1]}
    report: dict[str, object] = json.loads(done.stdout)
    return report


def from_report(promise: str, what: str, size: str, report: dict[str, object], bad: tuple[str, ...]) -> Trial:
    figures = {name: float(value) for name, value in report.items() if isinstance(value, int | float)}
    broken = tuple(f"{name}: {report[name]}" for name in {"bad", *bad} if report.get(name))
    return Trial(promise=promise, what=what, size=size, figures=figures, broken=broken)


def not_tried(promise: str, what: str, why: str) -> Trial:
    return Trial(promise=promise, what=what, size="not tried", figures={}, broken=(why,))


def runs(model: Path | None = None, rate_hz: float = 10.0, *, named: bool = False) -> dict[str, Run]:
    at_work: dict[str, Any] = {"model": model, "rate_hz": rate_hz, "named": named}
    return {
        "handshakes": handshakes,
        "faults": lambda folder, share: trials.injected_faults(folder, sized(2_000, share)),
        "worker-kills": lambda folder, share: trials.worker_kills(folder, sized(200, share)),
        "worker-hangs": lambda folder, share: trials.worker_hangs(folder, sized(50, share)),
        "station-kills": lambda folder, share: process.station_kills(folder, sized(50, share)),
        "camera-unplugs": lambda folder, share: trials.camera_unplugs(folder, sized(100, share)),
        "link-cuts": lambda folder, share: trials.link_cuts(folder, sized(100, share)),
        "opcua-link-cuts": lambda folder, share: trials.link_cuts(
            folder, sized(100, share), wiring=SimOpcUa, protocol="OPC UA"
        ),
        "clock-steps": lambda folder, share: trials.clock_steps(folder, sized(2_000, share)),
        "restart-budget": lambda folder, _share: trials.restart_budget(folder),
        "failing-calls": failing_calls,
        "record-kills": record_kills,
        "outage": outage,
        "full-disk": full_disk,
        "station-full-disk": station_full_disk,
        "overload": overload,
        "modbus-latency": partial(latency, wire="modbus", **at_work),
        "opcua-latency": partial(latency, wire="opcua", **at_work),
        "endurance": partial(endurance, **at_work),
    }


def row(name: str, share: float, load: float, trial: Trial) -> dict[str, Cell]:
    figures = ", ".join(f"{what} {value:.4g}" for what, value in trial.figures.items())
    courses = "; ".join(f"{what}: {' '.join(f'{one:g}' for one in values)}" for what, values in trial.courses.items())
    return {
        "trial": name,
        "promise": trial.promise,
        "what": trial.what,
        "size": trial.size,
        "found": "; ".join(filter(None, (figures, courses))) or "-",
        "held": "; ".join(trial.broken) or "yes",
        "share": share,
        "load before": load,
        "real-time": "yes" if os.sched_getscheduler(0) == os.SCHED_RR else "no",
        "day": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def added(folder: Path, new: dict[str, Cell]) -> list[dict[str, Cell]]:
    """The table's rows with this one in place of an earlier one of the same trial, in the order of `--list`."""
    path = folder / f"{stem('soak')}.csv"
    found: dict[str, dict[str, Cell]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            found = {known["trial"]: dict(known) for known in csv.DictReader(file)}
    found[str(new["trial"])] = new
    return [found[name] for name in runs() if name in found]


def keep_logs(folder: Path, place: Path) -> None:
    """What the stations of a trial that did not hold have said, so that one can look for the cause."""
    logs = [log.read_bytes() for log in sorted(folder.rglob("station.log"))]
    if logs:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"".join(logs))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(runs()), metavar="TRIAL")
    parser.add_argument("--share", type=float, default=1.0, help="of the full size, above 0")
    parser.add_argument("--model", type=Path, help="for latencies and endurance; else the demo's is trained")
    parser.add_argument("--rate", type=float, default=10.0, help="of latencies and endurance, parts per second")
    parser.add_argument("--named", action="store_true", help="pictures of those come with the number of their part")
    parser.add_argument(
        "--realtime", action="store_true", help="at the real-time priority of deploy/sightline-line.service"
    )
    parser.add_argument("--list", action="store_true", help="print the names of the trials")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    every = runs(options.model, options.rate, named=options.named)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends too
    if options.list:
        print("\n".join(every))
        return 0
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REALTIME))  # all that it starts has it too
    broken = False
    for name in options.only or every:
        load = round(os.getloadavg()[0], 1)
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            found = every[name](Path(folder), options.share)
            if found.broken:
                keep_logs(Path(folder), options.output / f"soak-{name}.log")
        told = row(name, options.share, load, found)
        print(told, flush=True)
        broken = broken or bool(found.broken)
        command = "python benchmarks/soak.py [--only TRIAL]"
        write_table(options.output, "soak", added(options.output, told), title="The line's promises", command=command)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
