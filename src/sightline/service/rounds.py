"""What is done again and again beside the requests."""

import threading
from collections.abc import Callable


class Rounds:
    """A thread that acts every so often, from its start until it is closed."""

    def __init__(self, name: str, act: Callable[[], None], every_s: float) -> None:
        """`act` raises nothing that is foreseen: whoever makes the rounds knows what to do about it."""
        self._act, self._every_s = act, every_s
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """The first round is after the first wait."""
        self._thread.start()

    def wake(self) -> None:
        """Begin the next round at once."""
        self._wake.set()

    def close(self) -> None:
        """Returns when the last round is over; also where none was started."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._every_s)
            self._wake.clear()
            if not self._closing.is_set():
                self._act()
