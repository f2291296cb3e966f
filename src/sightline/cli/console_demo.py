"""The last step of `sightline demo`: the line reports to a plant server, and people look at that in the console."""

import importlib.util
import json
import os
import signal
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Any

from sightline.cli.plant_process import PlantProcess, plant_process
from sightline.cli.progress import Bars
from sightline.cli.serve import EXTRA
from sightline.errors import DeliveryError

if TYPE_CHECKING:
    from sightline.line.history import Recorded
    from sightline.line.http_sink import PlantClient
    from sightline.line.outbox import Outbox
    from sightline.line.picture_outbox import PictureOutbox
    from sightline.line.simulation import SimulatedLine

NO_CONSOLE = "The console is left out; it needs more: pip install 'sightline[server]'"
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is a closed terminal's; not every system has it
_CALM = 0.3  # of the line's speed, once people look on
_MOVED = 3  # parts that have to come while nobody does
_DELIVERED_S, _LAST_S = 120.0, 5.0  # for all that was recorded; for what came last
_REVIEWED, _BOXED = 8, 4  # parts
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What the plant server was given."""

    folder: str  # of the plant
    records: int
    pictures: int
    reviews: int
    boxes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Console:
    """A plant server with its console, and the line that reports to it."""

    server: PlantProcess
    line: "SimulatedLine"
    outbox: "Outbox"
    pictures: "PictureOutbox"
    ended: Event  # somebody asked for the end
    reported: Reported

    def stay(self) -> None:
        """Open the browser where there is one, and go on until somebody asks for the end.

        Raises:
            DeliveryError: the server has ended by itself.
        """
        if _has_display():
            webbrowser.open(self.server.address)
        while not self.ended.wait(_POLL_S):
            self.server.check()
        self.line.plc.stop()
        _wait(lambda: self.outbox.status.backlog == self.pictures.status.waiting == 0, _LAST_S)


def can_open() -> bool:
    """Whether the extra `server` is installed."""
    return all(importlib.util.find_spec(name) is not None for name in EXTRA)


def may_stay() -> bool:
    """Whether somebody is there who sees the address, and can press Ctrl-C."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def open_console(folder: Path, model: Path, line: "SimulatedLine", bars: Bars, opened: ExitStack) -> Console:
    """Start a plant server, have the station report all that it recorded, and let the line go on, calmly.

    Args:
        folder: of the plant. model: that the line works with; it becomes the plant's.
        opened: closes everything but the line.

    Raises:
        StoreError: no place to write. DeliveryError: the server does not start, or does not take what it is given.
    """
    from sightline.line.assembly import open_outboxes
    from sightline.line.http_sink import PlantClient
    from sightline.line.recipe import PlantServer

    ended = opened.enter_context(_asked_to_end())
    bars("starting the plant server", 0, 1)
    server = opened.enter_context(plant_process(folder))
    bars("starting the plant server", 1, 1)
    url = f"{server.address}/api/v1/ingest"
    outbox, pictures = open_outboxes(line.folder, PlantServer(url=url, pictures=True), line.pictures, opened)
    assert pictures is not None, "asked for"
    api = _Api(PlantClient(url, timeout_s=_DELIVERED_S))
    _bring(api, model)
    _deliver(outbox, pictures, bars, ended)
    reviews, boxes = (0, 0) if ended.is_set() else _review(api, line)
    sent = Reported(
        folder=str(folder),
        records=outbox.status.delivered,
        pictures=pictures.status.sent,
        reviews=reviews,
        boxes=boxes,
    )
    line.plc.feed()
    line.plc.start(_CALM)
    _wait(lambda: ended.is_set() or outbox.status.delivered >= sent.records + _MOVED, _DELIVERED_S)
    api.page("/")
    return Console(server=server, line=line, outbox=outbox, pictures=pictures, ended=ended, reported=sent)


def about_console(found: Reported) -> dict[str, str]:
    """The table."""
    return {
        "records": f"{found.records} parts, with {found.pictures} pictures",
        "model": "brought, and made the current one",
        "reviews": f"{found.reviews} rejected parts decided, {found.boxes} defects boxed; the others wait for you",
    }


def console_document(found: Reported | None) -> dict[str, object] | None:
    """As JSON; None where it was left out."""
    return None if found is None else asdict(found)


@dataclass(frozen=True, slots=True)
class _Api:
    """The plant server's, asked as a program does."""

    client: "PlantClient"

    def ask(self, method: str, path: str, body: bytes = b"", media_type: str = "application/json") -> Any:
        headers = {"Content-Type": media_type} if body else {}
        url = f"{self.client.base}/api/v1{path}"
        return json.loads(self.client.ask(method, url, body or None, headers, frozenset()))

    def post(self, path: str, **content: object) -> Any:
        return self.ask("POST", path, json.dumps(content).encode())

    def page(self, path: str) -> None:
        """Raises DeliveryError where the console does not have this page."""
        self.client.ask("GET", f"{self.client.base}{path}", None, {"Accept": "text/html"}, frozenset())


def _bring(api: _Api, model: Path) -> None:
    """The line's model becomes the plant's, so that its pictures can be explained and judged anew."""
    from sightline.line.simulation import PRODUCT

    path = f"/models/{PRODUCT}/versions"
    known = api.ask("POST", f"{path}?note=made+by+the+demo", model.read_bytes(), "application/octet-stream")
    api.post(f"{path}/{known['version']}/promote", reason="it works on the line")


def _deliver(outbox: "Outbox", pictures: "PictureOutbox", bars: Bars, ended: Event) -> None:
    def left() -> int:
        return outbox.status.backlog + pictures.status.waiting

    total = left()

    def done() -> bool:
        waiting = left()
        bars("records and pictures to the plant server", total - waiting, total)
        return waiting == 0 or ended.is_set()

    if not _wait(done, _DELIVERED_S):
        why = outbox.status.error or pictures.status.error or "it is too slow"
        raise DeliveryError(f"plant server: has not taken what the station recorded: {why}")


def _review(api: _Api, line: "SimulatedLine") -> tuple[int, int]:
    """Decide some rejected parts as somebody would who sees what they are; how many, and how many boxes were drawn."""
    truths = {fallen.part.number: line.stock.defect(fallen.part) for fallen in line.plc.fallen}
    rejected = [record for record in _newest(line) if record.verdict == "REJECT" and record.part_id in truths]
    boxes = 0
    for place, record in enumerate(rejected[:_REVIEWED]):
        defect = truths[record.part_id]
        api.post(f"/inspections/{record.id}/reviews", verdict="REJECT" if defect else "PASS", label=defect)
        boxes += _box(api, record.id, defect) if defect and place < _BOXED else 0
    return len(rejected[:_REVIEWED]), boxes


def _box(api: _Api, inspection: str, defect: str) -> int:
    """Box what the model found in the first view with a picture, by the defect's true name."""
    detail = api.ask("GET", f"/inspections/{inspection}")
    seen = {view["view"]: view["picture"] for view in detail["inspection"]["views"] if view["picture"]}
    for found in detail["defects"]:
        if found["view"] in seen:
            left, top = found["x"], found["y"]
            box = [left, top, left + found["width"], top + found["height"]]
            api.post(f"/pictures/{seen[found['view']]}/labels", label=defect, geometry={"box": box})
            return 1
    return 0


def _newest(line: "SimulatedLine") -> list["Recorded"]:
    from sightline.line.history import History

    history = History(line.records)
    try:
        return history.newest(10_000)
    finally:
        history.close()


@contextmanager
def _asked_to_end() -> Iterator[Event]:
    """Is set by Ctrl-C, and by what else ends a program politely; nothing is interrupted."""
    ended = Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    former = {number: signal.signal(number, note) for number in known}
    try:
        yield ended
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _wait(holds: Callable[[], bool], within_s: float) -> bool:
    """Whether it came to hold in time."""
    end_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(_POLL_S)
    return True


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
