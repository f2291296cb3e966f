"""Files on their way in and out: in one folder, on the disk where they will lie, and gone when they have arrived."""

import errno
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sightline.errors import StoreError, StoreFull

_LEFT_S = 86_400.0  # after which nobody writes to it any more: no request takes so long
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A new folder below `folder`, which vanishes at the end.

    Raises:
        StoreFull: the disk is full, be it found by what is done inside. StoreError: nothing can be written there.
    """
    clear(folder, time.time())
    try:
        made = Path(tempfile.mkdtemp(dir=folder))
    except OSError as error:
        kind = StoreFull if error.errno in _FULL else StoreError
        raise kind(f"{folder}: cannot be written ({error.strerror}). Check the server's disk.") from error
    try:
        yield made
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StoreFull("the server's disk is full. Free some space there, and send it again.") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def clear(folder: Path, now_s: float) -> None:
    """Make the folder, and remove what killed servers have left in it; another one may be at work there."""
    with suppress(OSError):  # it is told when something is to be written
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            if max(path.stat().st_mtime for path in (left, *left.iterdir())) < now_s - _LEFT_S:
                shutil.rmtree(left, ignore_errors=True)
