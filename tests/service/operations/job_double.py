"""Jobs for tests: a program with kinds of its own that wait, crash, talk and fail as they are told."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import DatasetError
from sightline.service.job_process import main
from sightline.service.job_task import SCRATCH, Kind, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What it does, besides leaving a mark of each attempt."""

    how: str = "fine"
    lines: int = 0


def act(options: Act, task: Task) -> Mapping[str, Any]:
    with (task.folder / "attempts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    attempt = len((task.folder / "attempts").read_text().splitlines())
    (task.folder / SCRATCH).mkdir(exist_ok=True)
    (task.folder / SCRATCH / "picture").touch()
    print("a library prints")
    for number in range(options.lines):
        task.say(f"line {number}")
    task.progress("stage", 1, 4)
    if options.how == "fail":
        raise DatasetError("pictures: there are none.")
    if options.how == "bug":
        raise ZeroDivisionError
    if options.how == "killed once" and attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if options.how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.how == "stubborn":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (task.folder / "child").write_text(str(child.pid))
    if options.how in ("wait", "stubborn") or (options.how == "wait once" and attempt == 1):
        (task.folder / "waiting").touch()
        while True:
            time.sleep(60)
    return {"attempt": attempt}


KINDS = {"act": Kind(name="act", told="does as it is told", options=Act, run=act)}
PROGRAM = (sys.executable, str(Path(__file__)))

if __name__ == "__main__":
    sys.exit(main(KINDS))
