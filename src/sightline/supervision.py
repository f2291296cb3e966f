"""Threads that go on whatever happens: a bug costs one turn of their loop, never the thread."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOG = logging.getLogger("sightline")


@contextmanager
def survived(failed: Callable[[Exception], object] | None = None) -> Iterator[None]:
    """Around one turn of a loop; what nobody expected there is logged with its traceback, and goes no further.

    A loop whose turns wait for nothing has to pause after one that failed.

    Args:
        failed: told of it, so that what the thread had in hand becomes a fault; may fail itself.
    """
    try:
        yield
    except Exception as error:
        LOG.exception("the thread %r goes on after: %s", threading.current_thread().name, error)
        if failed is not None:
            with survived():
                failed(error)
