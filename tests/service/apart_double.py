"""What a process of its own is asked to do in the tests; a module that it imports quickly."""

import os
import signal
import time
from pathlib import Path

from sightline.errors import OptionError

LONG_S = 600.0


def answer(number: int) -> tuple[int, int]:
    return number, os.getpid()


def refuse() -> None:
    raise OptionError("not this one")


def crash() -> None:
    """As a decoder does that writes where it must not."""
    os.kill(os.getpid(), signal.SIGSEGV)


def wait(mark: Path) -> None:
    mark.write_text(str(os.getpid()))
    time.sleep(LONG_S)
