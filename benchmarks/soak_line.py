"""The product's own process, `sightline line`, with all that stands around one. Linux alone, by /proc.

Its latency (promise 11), its memory and files (13), and that no part is judged by another's picture on a busy machine.

Two views with fitness checks; pictures pushed by HTTP and stored within a limit of the disk; the PLC by Modbus or OPC
UA; records and pictures delivered; status page and metrics asked for.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from brightness import brightness_stock, write_brightness
from plc_servers import free_port
from sightline.devices.controllers import PlcConfig
from sightline.devices.modbus_plc import ModbusConfig
from sightline.devices.opcua_plc import OpcUaConfig
from sightline.devices.plc import Plc
from sightline.devices.sim_modbus import SimModbus
from sightline.devices.sim_plc import SimPlc
from sightline.imaging.decode import read_frame
from sightline.imaging.writing import write_png
from sightline.line.history import History
from sightline.line.pictures import PictureFolder
from sightline.line.simulation import LineConfig, LineResult, Wire, account
from sightline.line.stock import Stock
from soak_host import Host
from soak_process import Plant
from soak_scraper import Scraper
from soak_surroundings import ConfirmingPlant, PushedCameras, number_in
from soak_trials import PATIENCE_S, PROMISED, Limits, Trial, told_latencies, unrecorded, unsafe

POINTS = 24  # at which memory and files are looked at
WARM_SHARE = 0.5  # of the time, before the first of them that counts
RECORDS = "records/records.db"
DISK_GB = 0.1  # of pictures: at full size it is reached long before the station counts as warm
WINDOW_MS = 200.0  # promised
BUSY = 10  # processes that do nothing but keep the processor from the station
PROGRAM = "from sightline.cli.main import main; main()"

RECIPE = """
product = "flange"
number = 1
window_ms = 800

[plc]
{plc}
timeout_s = 2.0

[store]
folder = "records"

[store.images]
policy = "{policy}"
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
{reference}

[views.camera]
kind = "http"
port = {port}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the station is to do."""

    rate_hz: float
    model: Path | None = None  # None: the brightest value is the score
    stock: Stock | None = None  # likewise
    wiring: Callable[[Plc], Wire] = SimModbus
    numbered: bool = False  # pictures carry the number of their part, which the station does not know
    named: bool = False  # pictures come with the number of their part, by which the station joins them

    policy: str = "sample"  # which of them are stored

    @property
    def told(self) -> str:
        """What a trial's size is beside its time."""
        return f"{self.rate_hz:g} parts per second" + (", pictures with their part's number" if self.named else "")


class Running:
    """A station at work."""

    def __init__(
        self, folder: Path, plant: Plant[PushedCameras], server: ConfirmingPlant, scraper: Scraper, host: Host
    ) -> None:
        self.records, self.pictures = folder / RECORDS, folder / "records" / "pictures"
        self.plant, self.server, self._scraper, self._host = plant, server, scraper, host

    def stop(self) -> list[str]:
        """The conveyor, and then the station as systemd does it; what was wrong with it."""
        self.plant.plc.stop()
        self.plant.pause(2.0)
        self.plant.around.close()  # what comes while it works counts: nothing is asked of it once it is told to stop
        recorded = _count(self.records)
        with suppress(TimeoutError):  # told below, with all that was found in an hour
            self.plant.until(lambda: self.server.records >= recorded)
        self._scraper.close()
        return _stopped(self.plant, self.records, recorded, self.server)

    def unanswered(self) -> list[str]:
        """What of pages and pictures the station had no time for."""
        found = Counter([*self._scraper.broken(), *self.plant.around.failed])
        return [f"{what} ({count} times)" if count > 1 else what for what, count in found.items()]

    def account(self) -> LineResult:
        return account(self.plant.plc, self.records, self.plant.stopwatch.latencies_s)

    def told(self, found: LineResult, limits: Limits) -> tuple[dict[str, float], list[str]]:
        """Figures that every trial has, and what of all promises is broken."""
        found_ms = [1e3 * one for one in self.plant.stopwatch.latencies_s]
        missed_s = self.plant.missed_s(WINDOW_MS / 1e3)
        late = sum(not one <= WINDOW_MS for one in found_ms)
        seen = len(found_ms) + len(missed_s) - late  # some with a result had not fallen when the conveyor stopped
        latencies, missed = told_latencies(found_ms, seen, WINDOW_MS, limits)
        figures = {
            "parts": found.parts,
            "escapes": found.escapes,
            "misplaced": found.misplaced,
            "faults": found.faults,
            "overkill": found.overkill,
            **latencies,
            "host took s": self._host.taken_s,
            "misses then": self._host.near(missed_s),
            "delivered": self.server.records,
            "pictures delivered": self.server.pictures,
            "slowest picture s": self.plant.around.slowest_s,
            "scrapes": self._scraper.answered,
        }
        return figures, missed


@contextmanager
def running(folder: Path, setting: Setting) -> Iterator[Running]:
    """A station at work, with parts coming down its conveyor."""
    folder.mkdir(parents=True, exist_ok=True)
    used = setting.model or write_brightness(folder / "brightness.sight")
    shown = setting.stock or brightness_stock()
    page, ports = free_port(), {view: free_port() for view in shown.views}
    config = LineConfig(parts=None, rate_hz=setting.rate_hz, bad_share=0.1)

    def around(plc: SimPlc) -> PushedCameras:
        return PushedCameras(plc, shown, ports, numbered=setting.numbered, named=setting.named)

    with ExitStack() as opened:
        server = opened.enter_context(closing(ConfirmingPlant()))
        plant = opened.enter_context(Plant(folder, config, around, setting.wiring))
        text = RECIPE.format(
            plc=plc_table(plant.config), policy=setting.policy, disk_gb=DISK_GB, plant=server.url, page=page
        )
        for view, port in ports.items():
            reference = ""
            if setting.model is not None:
                write_png(folder / f"{view}.png", shown.good[0][view].pixels)
                reference = f'reference = "{view}.png"'
            text += VIEW.format(name=view, model=used.absolute(), port=port, reference=reference)
        recipe = folder / "flange.toml"
        recipe.write_text(text, "utf-8")
        plant.start([sys.executable, "-c", PROGRAM, "line", str(recipe), "--name", "soak"])
        scraper = opened.enter_context(closing(Scraper(f"http://127.0.0.1:{page}/")))
        host = opened.enter_context(closing(Host()))
        plant.plc.start()
        yield Running(folder, plant, server, scraper, host)


def endurance(folder: Path, seconds: float, setting: Setting | None = None, *, limits: Limits = PROMISED) -> Trial:
    """Memory and open files of the station and all that it started, in the second half of the time."""
    setting = setting or Setting(rate_hz=10.0)
    with running(folder, setting) as line:
        points = _watched(line.plant, seconds)
        broken = line.stop()
    found = line.account()
    figures, _ = line.told(found, limits)
    hours, megabytes, files = zip(*points[int(WARM_SHARE * len(points)) :], strict=True)
    growth, more_files = growth_per_hour(hours, megabytes), median(files[-4:]) - median(files[:4])
    if not growth < limits.growth_per_hour:
        broken.append(f"memory grows by {growth:.2f} % an hour, promised is less than {limits.growth_per_hour:g}")
    if more_files > limits.more_files:
        broken.append(f"{more_files:g} more files at the end")
    if not found.faults <= limits.unjudged_share * found.parts:
        broken.append(f"{found.faults} of {found.parts} parts had no verdict")
    courses: dict[str, Sequence[float]] = {
        "MB": [round(one, 1) for _, one, _ in points],
        "files": [one for _, _, one in points],
    }
    return Trial(
        promise="13",
        what="memory and open files of `sightline line`",
        size=f"{seconds:g} s at {setting.told}",
        figures={**figures, "growth % an hour": growth, "more files": more_files},
        courses=courses,
        broken=(*broken, *line.unanswered(), *unsafe(found), *unrecorded(line.records)),
    )


def latency(folder: Path, seconds: float, setting: Setting, protocol: str, *, limits: Limits = PROMISED) -> Trial:
    """Promise 11: from the trigger to the result at the PLC."""
    with running(folder, setting) as line:
        line.plant.pause(seconds)
        broken = line.stop()
    found = line.account()
    figures, missed = line.told(found, limits)
    return Trial(
        promise="11",
        what=f"latency over {protocol}",
        size=f"{seconds:g} s at {setting.told}",
        figures=figures,
        broken=(*missed, *broken, *line.unanswered(), *unsafe(found), *unrecorded(line.records)),
    )


def overload(folder: Path, seconds: float, *, rate_hz: float = 10.0, busy: int = BUSY) -> Trial:
    """No part is judged by another's picture where other processes take the machine; most parts may be rejected.

    The station has no priority here, so that it misses triggers and reads pictures late.
    """
    others = []
    try:
        with running(folder, Setting(rate_hz=rate_hz, numbered=True, policy="all")) as line:
            line.plant.pause(0.1 * seconds)
            others += [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
            line.plant.pause(0.6 * seconds)
            _end(others)
            line.plant.pause(0.3 * seconds)
            broken = line.stop()
    finally:
        _end(others)
    found, (looked_at, wrong) = line.account(), _whose(line)
    figures, _ = line.told(found, PROMISED)
    if wrong or not looked_at:
        broken.append(f"{wrong} of {looked_at} stored pictures were another part's")
    return Trial(
        promise="1, 5",
        what=f"whose picture it is, with {busy} processes beside that never rest",
        size=f"{seconds:g} s at {rate_hz:g} parts per second",
        figures={**figures, "pictures looked at": looked_at, "of another part": wrong},
        broken=(*broken, *unsafe(found), *unrecorded(line.records)),
    )


def _end(others: list[subprocess.Popen[bytes]]) -> None:
    while others:
        one = others.pop()
        one.kill()
        one.wait()


def _whose(line: Running) -> tuple[int, int]:
    """How many stored pictures there are, and how many of them carry another number than that of their part."""
    looked_at = wrong = 0
    with closing(PictureFolder(line.pictures)) as pictures, closing(History(line.records)) as history:
        for record in history.after(0, 10**9):
            for picture in pictures.of(record.id):
                looked_at += 1
                wrong += number_in(read_frame(picture.path).pixels) != record.part_id
    return looked_at, wrong


def plc_table(config: PlcConfig) -> str:
    """The recipe's lines for it."""
    if isinstance(config, ModbusConfig):
        return f'kind = "modbus"\nhost = "{config.host}"\nport = {config.port}\nanswer_address = 100'
    assert isinstance(config, OpcUaConfig)
    assert config.login is not None
    files = {"certificate": config.certificate, "key": config.key, "server_certificate": config.server_certificate}
    told = [f'{name} = "{file}"' for name, file in files.items()]
    login = f'login = {{ user = "{config.login.user}", password_env = "{config.login.password_env}" }}'
    return "\n".join(['kind = "opcua"', f'url = "{config.url}"', *told, login])


def _watched(plant: Plant[PushedCameras], seconds: float) -> list[tuple[float, float, int]]:
    """(hours, MB, open files) at so many moments, evenly to the end."""
    assert plant.station is not None
    began_s, points = time.monotonic(), []
    for due_s in np.linspace(seconds / POINTS, seconds, POINTS):
        plant.until(lambda due_s=due_s: time.monotonic() - began_s >= due_s, seconds + PATIENCE_S)  # type: ignore[misc]
        points.append(((time.monotonic() - began_s) / 3600, *_used(plant.station.pid)))
    return points


def _stopped(plant: Plant[PushedCameras], records: Path, recorded: int, server: ConfirmingPlant) -> list[str]:
    """Stop the station as systemd does; what is wrong with how it ended, and with what it delivered."""
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
