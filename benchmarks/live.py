"""The live page with many browsers open: how soon a part is seen, and what that costs the server and a browser.

    python benchmarks/live.py [--browsers 20] [--painted 20] [--rate 20] [--minutes 2] [--processes 4]

A server with a login, stations that report by its API, and browsers that look at the live page. A part's time runs from
before its record is sent until it stands in the page, by the clock of this machine. `--minutes 60 --rate 160` is eight
hours of a line with 20 parts a second, seen within one: memory of server and browsers must stay flat.

`--painted 1` opens one browser here. The others are only what a server has of those on other machines, whose pages are
drawn there: their connections, and the pictures that they load. What is told to these is timed as well.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Playwright, sync_playwright

from live_feed import Line
from live_listeners import Listeners
from sightline.service.opening import open_plant
from sightline.service.rights import Role
from sightline.service.settings import Settings, StoreSettings
from sightline.store.keys import Wanted, make
from sightline.store.users import add
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from tables import RESULTS, Cell, write_table

START_S = 180.0
STATIONS = 4
ROWS = 6  # of the table over time
NAME, PASSWORD = "olga", "seven quiet herons"
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
_TICKS = os.sysconf("SC_CLK_TCK")
# notes when a part first stands in the page, tasks that held the page up, and how often it was drawn
_WATCH = """
window.seen = []; window.longest = 0; window.frames = 0;
const known = new Set();
new MutationObserver((changes) => {
  for (const change of changes) for (const node of change.addedNodes) {
    const serial = node.dataset?.serial;
    if (!serial || known.has(serial)) continue;
    known.add(serial);
    if (known.size > 5000) known.delete(known.values().next().value);
    window.seen.push([serial, Date.now()]);
    if (window.seen.length > 5000) window.seen.shift();
  }
}).observe(document, { childList: true, subtree: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
}).observe({ type: "longtask" });
const count = () => { window.frames += 1; requestAnimationFrame(count); };
requestAnimationFrame(count);
"""
_TAKE = (
    "() => { const found = [window.seen, window.longest, window.frames];"
    " window.seen = []; window.longest = 0; window.frames = 0; return JSON.stringify(found); }"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server process and the key of its stations."""

    process: subprocess.Popen[str]
    url: str
    key: str

    def cpu_s(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextmanager
def serving(folder: Path, role: Role = Role.OPERATOR, name: str = NAME) -> Iterator[Server]:
    """A plant with somebody who looks and a key for stations; what the folder has already is served, too."""
    now_s = time.time()
    with open_plant(Settings(store=StoreSettings(folder=folder)), {}) as plant:
        add(plant.database, name=name, role=role, password=PASSWORD, by="benchmark", now_s=now_s)
        wanted = Wanted(name="stations", role=Role.STATION)
        _, key = make(plant.database, wanted, by="benchmark", now_s=now_s)
    program = "from sightline.cli.main import main; main()"
    command = [sys.executable, "-c", program, "serve", "--folder", str(folder), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    rest = threading.Thread(target=process.stderr.read, daemon=True)
    try:
        url = next(line.split()[-1] for line in process.stderr if "serving at" in line)
        rest.start()
        yield Server(process=process, url=url, key=key)
    finally:
        process.terminate()
        process.wait()
        if rest.ident is not None:
            rest.join()
        process.stderr.close()


def launched(playwright: Playwright) -> Browser:
    """Chromium as the system has it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return playwright.chromium.launch(executable_path=found, args=list(_FLAGS))


def enter(context: BrowserContext, name: str = NAME) -> None:
    """Log this browser in."""
    answer = context.request.post("/api/v1/login", data={"name": name, "password": PASSWORD})
    assert answer.ok, answer.text()


class Views:
    """The browsers' pages."""

    def __init__(self, stack: ExitStack, url: str, browsers: int, processes: int) -> None:
        playwright = stack.enter_context(sync_playwright())
        running = [launched(playwright) for _ in range(processes)]
        for browser in running:
            stack.callback(browser.close)
        contexts = [running[number % processes].new_context(base_url=url) for number in range(browsers)]
        self.pages = [_opened(context) for context in contexts]
        self._first: CDPSession = contexts[0].new_cdp_session(self.pages[0])

    def heap_mb(self) -> float:
        """Of the first page, after its garbage is collected."""
        self._first.send("HeapProfiler.collectGarbage")
        return float(self._first.send("Runtime.getHeapUsage")["usedSize"]) / 1e6

    def nodes(self) -> int:
        """Of the first page's document."""
        return int(self.pages[0].evaluate("document.getElementsByTagName('*').length"))

    def take(self, sent_s: dict[str, float]) -> tuple[list[float], float, int]:
        """Since the last time: how long each part took in each page, ms; the longest task, ms; frames of all pages."""
        took: list[float] = []
        longest, frames = 0.0, 0
        for page in self.pages:
            seen, task_ms, drawn = json.loads(page.evaluate(_TAKE))
            took += [at_ms - sent_s[serial] * 1e3 for serial, at_ms in seen if serial in sent_s]
            longest, frames = max(longest, task_ms), frames + drawn
        return took, longest, frames


def _opened(context: BrowserContext) -> Page:
    enter(context)
    context.set_default_timeout(START_S * 1e3)
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto("/")
    page.locator(".live .tile").first.wait_for()
    return page


def measure(server: Server, views: Views, others: Listeners, lines: Sequence[Line], seconds: float) -> dict[str, Cell]:
    """A row: what so many seconds of it were like."""
    began_s, cpu_s = time.monotonic(), server.cpu_s()
    sent = sum(line.sent for line in lines)
    end_s = began_s + seconds
    took: list[float] = []
    told: list[float] = []
    longest, frames = 0.0, 0
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(min(5.0, left_s))
        sent_s = {serial: at_s for line in lines for serial, at_s in tuple(line.sent_s.items())}
        found, task_ms, drawn = views.take(sent_s)
        took, longest, frames = took + found, max(longest, task_ms), frames + drawn
        told += others.take(sent_s)
    lasted_s = time.monotonic() - began_s
    parts = sum(line.sent for line in lines) - sent
    p50, p95, worst = _percentiles(took)
    elsewhere: dict[str, Cell] = {}
    if others.all:
        names = ("told p50 ms", "told p95 ms", "told worst ms")
        elsewhere = {"told, % of all": 100.0 * len(told) / max(1, parts * len(others.all))}
        elsewhere |= dict(zip(names, _percentiles(told), strict=True))
    return {
        "parts per second": parts / lasted_s,
        "shown, % of all": 100.0 * len(took) / max(1, parts * len(views.pages)),
        "p50 ms": p50,
        "p95 ms": p95,
        "worst ms": worst,
        **elsewhere,
        "frames per second": frames / lasted_s / len(views.pages),
        "longest task ms": longest,
        "server % of a core": 100 * (server.cpu_s() - cpu_s) / lasted_s,
        "server MB": server.memory_mb(),
        "heap MB": views.heap_mb(),
        "nodes": views.nodes(),
    }


def _percentiles(took: Sequence[float]) -> tuple[float, float, float]:
    """The median, that of 95 %, and the most."""
    p50, p95, most = np.percentile(took, (50, 95, 100)) if took else (np.nan,) * 3
    return float(p50), float(p95), float(most)


def rows(options: argparse.Namespace) -> list[dict[str, Cell]]:
    """The whole time in equal pieces, so that what grows is seen to grow."""
    found: list[dict[str, Cell]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_dataset(folder / "parts", PartConfig(), Counts(good_train=1, good_test=6, per_defect=1), seed=0)
        pictures = sorted((folder / "parts" / "test").rglob("*.png"))
        server = stack.enter_context(serving(folder / "plant"))
        views = Views(stack, server.url, options.painted, min(options.processes, options.painted))
        elsewhere = options.browsers - options.painted
        others = stack.enter_context(closing(Listeners(server.url, elsewhere, NAME, PASSWORD)))
        lines = [
            Line(url=server.url, key=server.key, station=f"press-{number}", pictures=pictures)
            for number in range(1, STATIONS + 1)
        ]
        stop = threading.Event()
        stack.callback(stop.set)
        for line in lines:
            threading.Thread(target=line.run, args=(options.rate / STATIONS, stop), daemon=True).start()
        time.sleep(min(10.0, options.minutes * 6))  # warm
        views.take({})
        others.take({})
        for piece in range(1, ROWS + 1):
            row = measure(server, views, others, lines, options.minutes * 60 / ROWS)
            found.append({"minute": options.minutes * piece / ROWS, **row})
            print(found[-1], flush=True)
        assert not any(line.failures for line in lines), "the server refused a part or a picture"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browsers", type=int, default=20)
    parser.add_argument("--painted", type=int, help="of the browsers, here; all of them, where it is left out")
    parser.add_argument("--processes", type=int, default=4, help="of Chromium, that share the browsers")
    parser.add_argument("--rate", type=float, default=20.0, help="parts a second, of all stations together")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--name", default="live", help="of the table")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args()
    options.painted = min(options.painted or options.browsers, options.browsers)
    found = rows(options)
    notes = [
        f"{options.browsers} browsers, {options.painted} of them in {options.processes} processes of Chromium at most, "
        f"{STATIONS} stations, the server, "
        "all on this one machine. Every part is looked for in every browser; above some 100 parts a second a page "
        "leaves out some. Goals: a part stands in the page within 300 ms; memory of the server and heap of browser are "
        f"flat. {options.note}".strip()
    ]
    command = " ".join(["python benchmarks/live.py", *sys.argv[1:]])
    page = write_table(options.out, options.name, found, title="The live page", command=command, notes=notes)
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
