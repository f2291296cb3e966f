"""Result tables: Markdown to read and CSV to compute with, hardware and versions in the file name and inside."""

import csv
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

Cell = str | int | float | None
RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    load = os.getloadavg()[0]
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(
            f"{name} {version(name)}" for name in ("sightline", "numpy", "onnxruntime", "opencv-python-headless")
        ),
        "load before": f"{load:.1f} processes waiting or running",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def processor() -> str:
    """Its name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def stem(name: str) -> str:
    """What the files of a table are called, without suffix: NAME-hardware-versions."""
    plain = re.sub(r"\((r|tm)\)| processor", "", processor().lower())
    hardware = f"{plain}-{os.cpu_count()}cores-onnxruntime{version('onnxruntime')}"
    return f"{name}-{hardware}".lower().replace(" ", "-").replace("/", "-")


def write_table(
    folder: Path, name: str, rows: Sequence[Mapping[str, Cell]], *, title: str, command: str, notes: Sequence[str] = ()
) -> Path:
    """Write `rows` (the first one's keys are the columns) as NAME-hardware-versions.md and .csv; return the page."""
    facts = machine()
    folder.mkdir(parents=True, exist_ok=True)
    columns = list(rows[0])
    with (folder / f"{stem(name)}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    lines = [f"# {title}", "", f"    {command}", "", *(f"- {key}: {value}" for key, value in facts.items()), ""]
    lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [f"| {' | '.join(_shown(row[column]) for column in columns)} |" for row in rows]
    lines += ["", *notes] if notes else []
    page = folder / f"{stem(name)}.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def _shown(value: Cell) -> str:
    if value is None:
        return "-"
    return (
        f"{value:.4g}"
        if isinstance(value, float) and abs(value) >= 1
        else f"{value:.4f}"
        if isinstance(value, float)
        else str(value)
    )
