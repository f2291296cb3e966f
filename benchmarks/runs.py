"""One run of the accuracy bench: what it is, the process of its own that makes it, and the table that keeps it."""

import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tables import Cell

DONE = "done"
KEY = ("data set", "method", "seed", "setting")
COLUMNS = (
    *KEY,
    "outcome",  # DONE, or why there are no figures
    "working size",
    "image AUROC",
    "AP",
    "recall at 1 % overkill",
    "pixel AUROC",
    "AUPRO",
    "escapes",
    "overkill",
    "not judged",
    "good images",
    "fit s",
    "graph ms",
    "file MB",
    "peak MB",
    "content",  # of the data set
    "code",  # that made the row
)
_PROGRAM = Path(__file__).with_name("accuracy.py")
_PACKAGE = Path(__file__).parents[1] / "src" / "sightline"
_OUR_PARTS = ("*.py", "models/**/*", "imaging/**/*.py", "evaluation/**/*.py", "datasets/**/*.py", "cli/evaluate.py")
_PEER_PARTS = (
    "models/coreset.py",
    "models/graph.py",
    "imaging/decode.py",
    "evaluation/metrics.py",
    "evaluation/pixels.py",
    "evaluation/run.py",
)
Row = dict[str, str]  # as it stands in the CSV; "" for a figure that there is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One data set, one method, one seed."""

    name: str  # of the data set
    root: str  # where it lies
    method: str  # one of ours, or "peer NAME" for PatchCore as published with that teacher
    seed: int
    size: tuple[int, int] | None = None  # height, width, px; None: the method's default
    bank: int | None = None  # vectors; None: the method's default
    teacher: str | None = None  # ONNX file of the peer's network; None for our methods
    coreset: float = 0.01  # of all patches, for the peer

    @property
    def setting(self) -> str:
        """What is not as it comes, in words; "default" if nothing."""
        said = []
        if self.method.startswith("peer ") and self.coreset != 0.01:
            said.append(f"coreset {self.coreset:g}")
        if self.size:
            said.append(f"{self.size[1]} x {self.size[0]} px")
        if self.bank:
            said.append(f"bank {self.bank}")
        return ", ".join(said) or "default"

    @property
    def key(self) -> tuple[str, ...]:
        """What no two rows of a table share; as text, since that is how rows are read back."""
        return self.name, self.method, str(self.seed), self.setting


def encoded(run: Run) -> str:
    return json.dumps(asdict(run))


def decoded(text: str) -> Run:
    """The run that `encoded` wrote; raises TypeError or ValueError for anything else."""
    run = Run(**json.loads(text))
    return replace(run, size=(run.size[0], run.size[1])) if run.size else run


def code(run: Run) -> str:
    """12 hexadecimal digits over the files whose change can change the run's figures."""
    patterns = _PEER_PARTS if run.teacher else _OUR_PARTS
    files = sorted({path for pattern in patterns for path in _PACKAGE.glob(pattern) if path.suffix in (".py", ".onnx")})
    files += [Path(__file__).with_name(name) for name in ("measurement.py", "peer.py")]
    digest = hashlib.sha256()
    for path in [*files, Path(run.teacher)] if run.teacher else files:
        digest.update(path.read_bytes() if path.exists() else b"")  # a teacher that cannot be had makes no figures
    return digest.hexdigest()[:12]


def execute(run: Run, hours: float) -> dict[str, Cell]:
    """Make the run in a process of its own, so that its peak memory is its own; the cells of its row but the marks.

    Whatever goes wrong is a row as well: its outcome says what.
    """
    command = [sys.executable, str(_PROGRAM), "--one", encoded(run)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=hours * 3600)
    except subprocess.TimeoutExpired:
        return {"outcome": f"failed: took more than {hours:g} hours"}
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [""])[-1]
        return {"outcome": f"failed: {said or f'ended with status {done.returncode}'}"}
    cells: dict[str, Cell] = json.loads(done.stdout.strip().splitlines()[-1])
    return cells


def read_rows(table: Path) -> list[Row]:
    """The rows of an earlier table; none where there is no such file.

    Raises:
        ValueError: its columns are not ours.
    """
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(
                f"{table}: has other columns than this program writes. Move it away, or leave out --resume."
            )
    return rows


def write_rows(table: Path, rows: Iterable[Mapping[str, Cell]]) -> None:
    """Begin the table anew with these rows."""
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)


def append_row(table: Path, row: Mapping[str, Cell]) -> None:
    """Add one row, so that what was measured is not lost when the rest is interrupted."""
    with table.open("a", newline="", encoding="utf-8") as file:
        csv.DictWriter(file, COLUMNS, restval="").writerow(row)


def key_of(row: Row) -> tuple[str, ...]:
    return tuple(row[column] for column in KEY)


def still_valid(rows: Iterable[Row], marks: Mapping[tuple[str, ...], tuple[str, str]]) -> list[Row]:
    """Rows that need not be measured again.

    Args:
        marks: key of each run now asked for -> content of its data set, code that would make it. A finished row with
            the same marks is kept; so is every row that is not asked for. A row without figures is tried again.
    """

    def valid(row: Row) -> bool:
        now = marks.get(key_of(row))
        return now is None or (row["outcome"] == DONE and (row["content"], row["code"]) == now)

    return [row for row in rows if valid(row)]
