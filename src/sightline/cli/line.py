"""`sightline line`: the station beside a conveyor."""

import http.client
import json
import logging
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import click

from sightline.cli.heap import keep_together
from sightline.cli.log_lines import log_to_stderr
from sightline.cli.options import PLACE, json_option
from sightline.devices.opening import CameraConfig, open_camera
from sightline.errors import OptionError, StoreError
from sightline.files import refuse_unwritable
from sightline.imaging.writing import write_png
from sightline.line import plan
from sightline.line.calibration import Calibrated, take, told
from sightline.line.history import verify
from sightline.line.recipe import Recipe, View
from sightline.line.rehearsal import refuse_unusable
from sightline.line.systemd import Notifier

if TYPE_CHECKING:
    from sightline.line.assembly import Line

LOG = logging.getLogger("sightline.line")
NOT_READY = DAMAGED = 1
_URL = "http://127.0.0.1:8080/"
_TIMEOUT_S = 5.0
_MOST_TOLD = 2000  # bytes of a refusal
_RECORDS = "records.db"
_RENEW = "SIGHUP"
_SHADOWS = {"shadow_agreed": "agreed", "shadow_disagreed": "disagreed", "shadow_silent": "silent"}
recipe_argument = click.argument("recipe", type=PLACE)


class Running(click.Group):
    """`sightline line RECIPE` is `sightline line run RECIPE`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["run", *args])


@click.group("line", cls=Running, context_settings={"ignore_unknown_options": True})
def line_group() -> None:
    """Run a station beside a conveyor: trigger in, verdict out, before the part reaches the gate.

    \b
    sightline line RECIPE                 run it (the same as `sightline line run RECIPE`)
    sightline line check RECIPE           see whether a recipe can work
    sightline line calibrate RECIPE       look through its cameras
    sightline line status                 ask a station that runs
    sightline line lot LOT --tool TOOL    say what its parts are of
    sightline line verify RECORDS         prove that no record was changed
    """


@line_group.command("run")
@recipe_argument
@click.option("--records", type=PLACE, metavar="FOLDER", help="Where records go.  [default: the recipe's folder]")
@click.option("--name", metavar="TEXT", help="Of the station, in its records.  [default: this machine's name]")
@click.option("--json-log", is_flag=True, help="Log one JSON object per line.")
def run_command(recipe: Path, records: Path | None, name: str | None, json_log: bool) -> None:
    """Run the station that RECIPE describes.

    Told to stop, by SIGTERM or Ctrl-C, it finishes the parts in hand, and where it tracks lets the good ones pass the
    gate; told again, it ends at once. The log goes to standard error. The PLC may ask for the other recipes in the same
    folder by their numbers. On SIGHUP it reads the recipe at work and its models again, and goes over to them without
    missing a part. Under systemd it says when it is ready, and feeds the watchdog.
    """
    try:
        from sightline.line.assembly import open_station
    except ModuleNotFoundError as error:
        raise OptionError(f"{error.name} is missing. Install it with: pip install 'sightline[station]'") from error
    keep_together()
    handler = log_to_stderr(as_json=json_log)
    try:
        with (
            closing(Notifier(os.environ)) as systemd,
            closing(open_station(recipe, name=name or socket.gethostname(), records=records)) as line,
        ):
            _run(line, systemd)
    finally:
        logging.root.removeHandler(handler)


def _run(line: "Line", systemd: Notifier) -> None:
    asked: list[int] = []  # of it, by signals; a handler of signals may do no more than this, as locks may be held

    def note(number: int, _: FrameType | None) -> None:
        asked.append(number)

    ready = stopping = False

    def alive() -> None:
        nonlocal ready, stopping
        if not ready:
            ready = True
            systemd.ready()
            LOG.info("running recipe %d, %s", line.recipe.number, line.recipe.product)
            for url in line.urls:
                LOG.info("status at %s", url)
        systemd.alive()
        while asked:
            name = signal.Signals(asked.pop(0)).name
            if name == _RENEW:
                LOG.info("asked by %s to read the recipe and its models again", name)
                line.station.renew()
            elif stopping:
                LOG.info("asked again to stop, by %s; ending at once", name)
                line.station.end()
            else:
                stopping = True
                LOG.info("asked to stop by %s; finishing the parts in hand", name)
                systemd.stopping()
                line.station.stop()

    heard = [one for one in signal.Signals if one.name in (_RENEW, "SIGTERM", "SIGINT")]  # Windows has not all
    former = {number: signal.signal(number, note) for number in heard}
    try:
        line.run(alive)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    LOG.info("stopped")


@line_group.command("check")
@recipe_argument
def check_command(recipe: Path) -> None:
    """See whether RECIPE can work.

    Opens every model and set-up picture that it names, and shows what follows from it: window, way to the gate, views.
    Opens no camera and no PLC.
    """
    found = plan.read(recipe)
    plan.find(recipe, found.number)
    refuse_unusable(recipe, found)
    for name, text in _summary(found):
        click.echo(f"{name:10}  {text}")


def _summary(recipe: Recipe) -> list[tuple[str, str]]:
    handshake, way = plan.handshake_of(recipe), plan.way_of(recipe)
    rows = [
        ("recipe", f"{recipe.number}, {recipe.product}"),
        ("plc", _kind(recipe.plc)),
        ("window", f"{handshake.window_s * 1e3:.0f} ms from trigger to result, {handshake.capacity} parts in flight"),
    ]
    if way is not None:
        unit = "counts" if recipe.conveyor is not None and recipe.conveyor.counts_per_mm is not None else "ms"
        rows.append(
            ("track", f"gate at {way.gate}, decided at {way.decision}, open for {way.before + way.after} {unit} a part")
        )
    for view in recipe.views:
        limit = "the model's threshold" if view.reject_at is None else f"rejects from {view.reject_at:g}"
        rows.append(("view", f"{view.name}: {_kind(view.camera)}, {view.model.name}, {limit}"))
    return [*rows, ("records", str(recipe.store.folder))]


def _kind(config: object) -> str:
    return type(config).__name__.removesuffix("Config")


@line_group.command("status")
@click.argument("url", default=_URL)
@json_option
def status_command(url: str, as_json: bool) -> int:
    """Ask a running station how it is.

    URL is that of its status page, by default http://127.0.0.1:8080/.

    Exit status: 0 it takes parts, 1 it does not, or cannot be asked.
    """
    status = _status_at(url)
    if as_json:
        click.echo(json.dumps(status, indent=2))
    else:
        for row in _rows(status):
            click.echo(row)
    return 0 if status["ready"] else NOT_READY


@line_group.command("lot")
@click.argument("lot", required=False)
@click.option("--tool", help="Mould and cavity, die, spindle or the like; empty: not known.")
@click.option("--url", default=_URL, show_default=True, help="Of the station's status page; it must run on this PC.")
@json_option
def lot_command(lot: str | None, tool: str | None, url: str, as_json: bool) -> None:
    """Say which LOT and tool parts are of from now on.

    A running station writes them into the record of each part, so that lots and tools can be compared. What is not
    given stays as it is; an empty text is "not known". Without either, what was last said is shown.
    """
    said = {name: value for name, value in (("lot", lot), ("tool", tool)) if value is not None}
    found = _changed_at(url, said) if said else _status_at(url)
    origin = {name: str(found.get(name, "")) for name in ("lot", "tool")}
    if as_json:
        click.echo(json.dumps(origin, indent=2))
    else:
        for name, value in origin.items():
            click.echo(f"{name:16}  {value or 'not known'}")


def _changed_at(url: str, said: Mapping[str, str]) -> Mapping[str, Any]:
    """What the station says then; OptionError, where it does not do it."""
    _status_at(url)  # that it is one, before anything is sent
    body, headers = json.dumps(said).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url.rstrip('/')}/origin", body, headers, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            changed: Mapping[str, Any] = json.loads(answer.read())
            return changed
    except urllib.error.HTTPError as error:
        with error:
            raise OptionError(error.read(_MOST_TOLD).decode("utf-8", "replace").strip()) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise OptionError(f"{url}: no answer ({error}). See with `sightline line lot` what it knows.") from error


def _status_at(url: str) -> Mapping[str, Any]:
    address = f"{url.rstrip('/')}/status.json"
    if not address.startswith(("http://", "https://")):
        raise OptionError(f"{url}: give the address of a status page, such as {_URL}")
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:
            status = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise OptionError(f"{url}: no station answers ({error}). Does it run, with status_port in [pages]?") from error
    if not isinstance(status, dict) or "ready" not in status:
        raise OptionError(f"{url}: what answers there is no station.")
    return status


def _rows(status: Mapping[str, Any]) -> list[str]:
    counts = status["counts"]
    rows = {"station": status["station"], "recipe": status["product"], "state": f"{status['word']}, {status['reason']}"}
    rows |= {name: status[name] for name in ("lot", "tool") if status.get(name)}
    rows |= {
        "parts": ", ".join(f"{counts[key]} {key}" for key in ("triggers", "PASS", "REVIEW", "REJECT", "FAULT")),
        "trouble": ", ".join(f"{counts[key]} {key}" for key in ("late", "missed")),
        "latency": f"p50 {counts['p50_ms']} ms, p99 {counts['p99_ms']} ms",
    }
    if any(counts.get(key) for key in _SHADOWS):
        rows["shadow"] = ", ".join(f"{counts[key]} {word}" for key, word in _SHADOWS.items())
    rows |= {device["name"]: device["state"] for device in status["devices"]}
    told = [f"{name:16}  {text}" for name, text in rows.items()]
    told += [f"{'fault':16}  {fault['count']} x {fault['cause']}: {fault['cure']}" for fault in status["faults"]]
    return told + [f"{'ALARM':16}  {alarm}" for alarm in status["alarms"]]


@line_group.command("calibrate")
@recipe_argument
@click.option("--pictures", type=click.IntRange(1, 100), default=5, show_default=True, help="From each view.")
@click.option("--write", is_flag=True, help="Write the sharpest one as the view's reference picture.")
def calibrate_command(recipe: Path, pictures: int, write: bool) -> int:
    """Look through every camera of RECIPE.

    Takes some pictures of each view and compares them with the set-up. The station must not run meanwhile. Cameras
    triggered by hardware need parts to come by. --write makes what they see now the set-up: the picture the recipe
    names as `reference`, or VIEW.png beside the recipe.

    Exit status: 0 all views are fit, 1 one is not.
    """
    found = plan.read(recipe)
    fit = True
    for view in found.views:
        calibrated = _through(view, pictures)
        fit &= calibrated.fit
        for row in told(view, calibrated):
            click.echo(row)
        if write:
            _write(recipe, view, calibrated)
    return 0 if fit or write else NOT_READY


def _through(view: View, pictures: int) -> Calibrated:
    with closing(open_camera(view.name, cast(CameraConfig, view.camera))) as camera:
        return take(camera, view, plan.reference_of_view(view), pictures)


def _write(recipe: Path, view: View, calibrated: Calibrated) -> None:
    path = view.reference or recipe.parent / f"{view.name}.png"
    refuse_unwritable(path)
    write_png(path, calibrated.sharpest.pixels, calibrated.sharpest.bit_depth)
    click.echo(f"{view.name}: wrote {path}")
    if view.reference is None:
        click.echo(f'{view.name}: add to its [[views]]: reference = "{path.name}"')


@line_group.command("verify")
@click.argument("records", type=PLACE)
def verify_command(records: Path) -> int:
    """Prove that no record was changed.

    RECORDS is a station's folder or its records.db; what was taken out or put in is found, too.

    Exit status: 0 nothing was, 1 something was.
    """
    path = records / _RECORDS if records.is_dir() else records
    if not path.is_file():
        raise StoreError(f"{path}: is not there. Give the folder that the recipe's [store] names.")
    damage = verify(path)
    if damage is None:
        click.echo(f"{path}: whole, every record is as it was written")
        return 0
    click.echo(f"{path}: record {damage.sequence}: {damage.what}")
    return DAMAGED
