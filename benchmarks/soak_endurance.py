"""Promise 13: the product's own process, `sightline line`, watched for as long as asked. Linux alone, by /proc."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from statistics import median

import numpy as np

from brightness import brightness_stock, write_brightness
from plc_servers import free_port
from sightline.imaging.writing import write_png
from sightline.line.history import History
from sightline.line.simulation import LineConfig, account
from sightline.line.stock import Stock
from soak_process import Plant
from soak_scraper import Scraper
from soak_surroundings import ConfirmingPlant, PushedCameras
from soak_trials import PATIENCE_S, PROMISED, Limits, Trial, told_latencies, unrecorded, unsafe

POINTS = 24  # at which memory and files are looked at
WARM_SHARE = 0.5  # of the time, before the first of them that counts
RECORDS = "records/records.db"
DISK_GB = 0.1  # of pictures: at full size it is reached long before the station counts as warm
PROGRAM = "from sightline.cli.main import main; main()"

RECIPE = """
product = "flange"
number = 1
window_ms = 800

[plc]
kind = "modbus"
host = "127.0.0.1"
port = {plc}
answer_address = 100
timeout_s = 2.0

[store]
folder = "records"

[store.images]
policy = "sample"
sample_share = 0.1
most_gb = {disk_gb}

[plant]
url = "{plant}"
pictures = true

[pages]
status_port = {page}
metrics_port = {page}
"""
VIEW = """
[[views]]
name = "{name}"
model = "{model}"
reference = "{name}.png"

[views.camera]
kind = "http"
port = {port}
"""


def endurance(
    folder: Path,
    seconds: float,
    *,
    rate_hz: float = 10.0,
    limits: Limits = PROMISED,
    model: Path | None = None,
    stock: Stock | None = None,
) -> Trial:
    """Memory and open files of the station and all that it started, in the second half of the time.

    Two views with fitness checks, pictures pushed by HTTP and stored within a limit of the disk, the PLC by Modbus,
    records and pictures delivered, status page and metrics asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    used, shown = model or write_brightness(folder / "brightness.sight"), stock or brightness_stock()
    page, ports = free_port(), {view: free_port() for view in shown.views}
    config = LineConfig(parts=None, rate_hz=rate_hz, bad_share=0.1)
    with (
        closing(ConfirmingPlant()) as server,
        Plant(folder, config, lambda plc: PushedCameras(plc, shown, ports)) as plant,
    ):
        recipe = folder / "flange.toml"
        text = RECIPE.format(plc=plant.port, disk_gb=DISK_GB, plant=server.url, page=page)
        for view, port in ports.items():
            write_png(folder / f"{view}.png", shown.good[0][view].pixels)
            text += VIEW.format(name=view, model=used, port=port)
        recipe.write_text(text, "utf-8")
        plant.start([sys.executable, "-c", PROGRAM, "line", str(recipe), "--name", "soak"])
        with closing(Scraper(f"http://127.0.0.1:{page}/")) as scraper:
            plant.plc.start()
            points = _watched(plant, seconds)
            plant.plc.stop()
            plant.pause(2.0)
        broken = _stopped(plant, folder / RECORDS, server)
    broken += [*scraper.broken(), *plant.around.failed]
    more = {"delivered": server.records, "pictures delivered": server.pictures, "scrapes": scraper.answered}
    return _told(
        plant, folder / RECORDS, points, broken, more, f"{seconds:g} s at {rate_hz:g} parts per second", limits
    )


def _told(
    plant: Plant[PushedCameras],
    records: Path,
    points: Sequence[tuple[float, float, int]],
    broken: list[str],
    more: Mapping[str, float],
    size: str,
    limits: Limits,
) -> Trial:
    hours, megabytes, files = zip(*points[int(WARM_SHARE * len(points)) :], strict=True)
    growth, more_files = growth_per_hour(hours, megabytes), median(files[-4:]) - median(files[:4])
    found = account(plant.plc, records, plant.stopwatch.latencies_s)
    latencies, _ = told_latencies([1e3 * one for one in plant.stopwatch.latencies_s], found.parts, 200.0, limits)
    if not growth < limits.growth_per_hour:
        broken.append(f"memory grows by {growth:.2f} % an hour, promised is less than {limits.growth_per_hour:g}")
    if more_files > limits.more_files:
        broken.append(f"{more_files:g} more files at the end")
    if not found.faults <= limits.unjudged_share * found.parts:
        broken.append(f"{found.faults} of {found.parts} parts had no verdict")
    figures = {
        "parts": found.parts,
        "escapes": found.escapes,
        "misplaced": found.misplaced,
        "faults": found.faults,
        "overkill": found.overkill,
        "growth % an hour": growth,
        "more files": more_files,
        **latencies,
        **more,
    }
    courses: dict[str, Sequence[float]] = {
        "MB": [round(one, 1) for _, one, _ in points],
        "files": [one for _, _, one in points],
    }
    broken += [*unsafe(found), *unrecorded(records)]
    return Trial(
        promise="13",
        what="memory and open files of `sightline line`",
        size=size,
        figures=figures,
        courses=courses,
        broken=tuple(broken),
    )


def _watched(plant: Plant[PushedCameras], seconds: float) -> list[tuple[float, float, int]]:
    """(hours, MB, open files) at so many moments, evenly to the end."""
    assert plant.station is not None
    began_s, points = time.monotonic(), []
    for due_s in np.linspace(seconds / POINTS, seconds, POINTS):
        plant.until(lambda due_s=due_s: time.monotonic() - began_s >= due_s, seconds + PATIENCE_S)  # type: ignore[misc]
        points.append(((time.monotonic() - began_s) / 3600, *_used(plant.station.pid)))
    return points


def _stopped(plant: Plant[PushedCameras], records: Path, server: ConfirmingPlant) -> list[str]:
    """Stop the station as systemd does; what is wrong with how it ended, and with what it delivered."""
    recorded = _count(records)
    with suppress(TimeoutError):  # told below, with all that was found in an hour
        plant.until(lambda: server.records >= recorded)
    assert plant.station is not None
    plant.station.send_signal(signal.SIGTERM)
    status: int | None = None  # it does not end
    with suppress(subprocess.TimeoutExpired):
        status = plant.station.wait(PATIENCE_S)
    found = {
        f"asked to stop, it ended with status {status}": status != 0,
        f"{recorded} records, {server.records} delivered": not 0 < recorded <= server.records <= _count(records),
        f"{server.repeated} records were delivered twice": server.repeated > 0,
    }
    return [what for what, holds in found.items() if holds]


def _count(records: Path) -> int:
    with closing(History(records)) as history:
        return len(history.after(0, 10**9))


def growth_per_hour(hours: Sequence[float], megabytes: Sequence[float]) -> float:
    """Percent of the first point by which the line through all points rises in an hour."""
    return 100 * float(np.polyfit(hours, megabytes, 1)[0]) / megabytes[0]


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
