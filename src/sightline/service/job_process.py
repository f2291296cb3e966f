"""The process in which one job is run: `python -m sightline.service.job_process`, started by `sightline.service.jobs`.

Standard input brings one line of JSON with the job and then nothing; its end means that the server is gone, and the
process ends with it, so that a job is never run twice at a time. Standard output carries lines of JSON back: progress,
say, done, failed. All that libraries print goes to standard error, which becomes the job's log.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from sightline.errors import InspectionError
from sightline.service.job_task import Kind, Site, Task, checked

STOPPED = 143  # exit status after SIGTERM


class _Events:
    """Lines of JSON to the server; several threads may tell."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def tell(self, event: Mapping[str, object]) -> None:
        with self._lock:
            self._stream.write(json.dumps(event) + "\n")
            self._stream.flush()


def main(kinds: Mapping[str, Kind]) -> int:
    """Run the job that standard input names; 0: done, 1: failed and told why."""
    events = _Events(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))  # so that half-written files are cleared away
    order = json.loads(sys.stdin.readline())
    if hasattr(os, "nice"):
        os.nice(order["nice"])
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    site = order["site"]
    places = {name: site[name] and Path(site[name]) for name in ("data", "results", "retention")}
    task = Task(
        site=Site(**{**site, **places}),
        folder=Path(order["folder"]),
        author=order["author"],
        progress=lambda stage, done, total: events.tell({"progress": [stage, done, total]}),
        say=lambda text: events.tell({"say": text}),
    )
    try:
        kind, options = checked(kinds, order["kind"], order["params"])
        result = kind.run(options, task)
    except InspectionError as error:
        events.tell({"failed": str(error)})
        return 1
    events.tell({"done": result})
    return 0


def _end_with_the_server() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(STOPPED)


if __name__ == "__main__":
    from sightline.service.job_kinds import KINDS

    sys.exit(main(KINDS))
