"""The records outlive failing disks and killed processes; the full figures are in tests/faults/spool_faults.py."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FAULTS = Path(__file__).resolve().parent.parent / "faults"
PROGRAM = FAULTS / "spool_faults.py"


def run(command: list[str], preload: str = "") -> dict[str, Any]:
    environment = {**os.environ, "LD_PRELOAD": preload, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: which calls are made is the same, and it is faster."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


def test_a_system_call_that_fails_loses_no_acknowledged_record(memory: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler (apt install gcc) to build tests/faults/failing_calls.c")
    shim, folder = memory / "failing_calls.so", memory / "files"
    folder.mkdir()
    source = str(FAULTS / "failing_calls.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), source, "-ldl"], check=True, timeout=60)
    report = run([sys.executable, str(PROGRAM), "calls", str(folder), str(shim), "23"], preload=str(shim))
    assert report["bad"] == []
    assert report["tried"] >= 20
    assert report["cut short"] >= 5  # failures reach the program


def test_a_killed_writer_leaves_every_acknowledged_record(memory: Path) -> None:
    report = run([sys.executable, str(PROGRAM), "kills", str(memory), "12"])
    assert report["acknowledged"] > 0
    assert (report["lost"], report["damage"], report["integrity"]) == (0, None, "ok")
    assert report["more"] <= 3 * 12  # at most the commit that a kill interrupted


def test_a_full_disk_loses_nothing_and_recording_goes_on_when_there_is_room(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    script = f"mount -t tmpfs -o size=1m none {tmp_path}"
    if not unshare or subprocess.run([unshare, "-rm", "sh", "-c", script], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk in a namespace of its own (unshare -rm)")
    program = f"{script} && exec {sys.executable} {PROGRAM} full {tmp_path}"
    report = run([unshare, "-rm", "sh", "-c", program])
    assert report["before"] > 0
    assert report["after"] == 30
    assert (report["lost"], report["damage"], report["integrity"]) == (0, None, "ok")


def test_a_station_whose_disk_fills_up_drops_pictures_first_and_records_never(tmp_path: Path) -> None:
    """Promise 18: an alarm, no part passed without its record, and work goes on by itself when there is room."""
    pytest.importorskip("pymodbus")
    unshare = shutil.which("unshare")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f"mount -t tmpfs -o size=6m none {disk}"
    if not unshare or subprocess.run([unshare, "-rm", "sh", "-c", script], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk in a namespace of its own (unshare -rm)")
    program = f"{script} && exec {sys.executable} {FAULTS / 'station_full_disk.py'} {disk} {tmp_path / 'model.sight'}"
    report = run([unshare, "-rm", "sh", "-c", program])
    assert report["alarm of pictures"]
    assert report["error with little left"] == 0
    assert report["alarm of records"]
    assert not report["ready with none left"]
    assert not report["alarm of records after"]
    assert report["passed"] > 0
    assert report["passed over"] > 0
    assert report["unrecorded"] == 0
    assert (report["parts with two records"], report["escapes"], report["misplaced"]) == (0, 0, 0)
    assert report["damage"] is None
