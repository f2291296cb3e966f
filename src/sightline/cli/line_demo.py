"""The step of `sightline demo` in which the model is at work beside a simulated conveyor."""

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.bundle import load
from sightline.cli.progress import Bars

if TYPE_CHECKING:
    from sightline.line.simulation import LineResult, SimulatedLine

MISSING = "The simulated line is left out; it needs more: pip install 'sightline[station]'"
_LIBRARIES = ("pymodbus", "prometheus_client")
_RATE_HZ = 5.0


def can_run() -> bool:
    """Whether the extra `station` is installed."""
    return all(importlib.util.find_spec(name) is not None for name in _LIBRARIES)


@contextmanager
def demo_line(folder: Path, model: Path, parts: int, seed: int, bars: Bars) -> Iterator["SimulatedLine"]:
    """A simulated line that is ready; records, pictures and the station's log go into `folder`.

    Raises:
        OptionError, DeviceError, StoreError: the line did not start.
    """
    from sightline.line.images import ImagePolicy, Policy
    from sightline.line.simulation import LineConfig, SimulatedLine
    from sightline.line.stock import render_stock

    stock = render_stock(seed=seed, progress=lambda done, total: bars("rendering for two cameras", done, total))
    reject_at = load(model).manifest.thresholds.reject  # nobody stands by to look at what is close to it
    config = LineConfig(
        parts=parts,
        rate_hz=_RATE_HZ,
        reject_at=reject_at,
        policy=ImagePolicy(policy=Policy.ALL),  # the cameras see the same few parts again and again: it stays small
        delivered=True,
        seed=seed,
    )
    folder.mkdir(parents=True, exist_ok=True)
    with _logging_into(folder / "station.log"), SimulatedLine(folder, model, stock, config) as line:
        yield line


def run_demo_line(line: "SimulatedLine", bars: Bars) -> "LineResult":
    """Let the parts come down the line, while things break; it is ready for more afterwards.

    Raises:
        DeviceError: the line did not come to an end. StoreError: its records cannot be read.
    """
    from sightline.line.simulation import run_line

    run_line(line, progress=lambda done, total: bars("parts on the line", done, total))
    line.settle()
    return line.result()


def about(result: "LineResult") -> dict[str, str]:
    """The table."""
    fell = result.parts - result.misplaced
    return {
        "parts": f"{result.parts}, at {_RATE_HZ:g} per second",
        "rejected": f"{result.rejected}",
        "escapes": f"{result.escapes} bad parts among the good ones",
        "overkill": f"{result.overkill} good parts judged to be bad",
        "faults": f"{result.faults} parts rejected without a verdict",
        "dropped": f"{result.dropped} parts passed, but not told to the PLC in time: rejected",
        "misplaced": f"{result.misplaced}; {fell} of {result.parts} parts fell where their record says",
        "latency": f"{result.latency_ms_p50:.0f} ms from trigger to result, half of them; 99 %: "
        f"{result.latency_ms_p99:.0f} ms",
    }


def document(result: "LineResult | None") -> dict[str, object] | None:
    """As JSON; None where the line did not run."""
    return None if result is None else asdict(result)


@contextmanager
def _logging_into(path: Path) -> Iterator[None]:
    """What breaks on purpose is told in a file, not on the screen."""
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(logging.Filter("sightline"))  # a library that dumps every exchange would bury it
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
