"""`sightline serve --dev` as a process of its own, on a free port of this machine."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import DeliveryError, StoreError

_PROGRAM = """
import os, signal, threading
from sightline.cli.main import main

def live():  # as long as whoever began this
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=live, daemon=True).start()
main()
"""
_READY = re.compile(rb"serving at (http://127\.0\.0\.1:\d+)")
_START_S, _STOP_S = 120.0, 30.0  # on a machine that is busy
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlantProcess:
    """A server that takes requests."""

    address: str
    log: Path
    process: subprocess.Popen[bytes]

    def check(self) -> None:
        """Raises DeliveryError where it has ended."""
        if self.process.poll() is not None:
            raise DeliveryError(f"plant server: has ended, with status {self.process.returncode}; {self.log} says why.")


@contextmanager
def plant_process(folder: Path) -> Iterator[PlantProcess]:
    """A plant server with everything in `folder`, which is made; told to stop at the end, and waited for.

    It is out of reach of the terminal's Ctrl-C, so that what talks to it can end before it does; and it ends when this
    process does, even where that is killed.

    Raises:
        StoreError: no place to write. DeliveryError: it does not start.
    """
    words = ["serve", "--dev", "--host", "127.0.0.1", "--port", "0", "--folder", str(folder)]
    settings = {name for name in os.environ if name.startswith("SIGHTLINE_")}  # of another server
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = (folder / "server.log").open("wb")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror}). Choose another place.") from error
    with written:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, *words],
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if name not in settings},
            start_new_session=True,
        )
    try:
        yield _started(process, folder / "server.log")
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _started(process: subprocess.Popen[bytes], log: Path) -> PlantProcess:
    end_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < end_s:
        if ready := _READY.search(log.read_bytes()):
            return PlantProcess(address=ready[1].decode(), log=log, process=process)
        time.sleep(_POLL_S)
    raise DeliveryError(f"plant server: did not start; {log} says why.")
