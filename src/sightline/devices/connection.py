"""What every connection to a PLC has in common: once lost it stays lost, and it ends in the safe state."""

from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Protocol, TypeVar

from sightline.devices.plc import SAFE, Answer, Request
from sightline.errors import DeviceError, DeviceLost

LONGEST_WAIT_S = 10.0  # `close` waits this long for an exchange that another thread is in

Outcome = TypeVar("Outcome")


class Link(Protocol):
    """One protocol's way to carry signals. Its errors are ours; who uses it calls one method at a time."""

    def read(self) -> Request: ...
    def write(self, answer: Answer) -> None: ...

    def release(self) -> None:
        """Let go of sockets and threads; never raises."""


class Connection:
    """A Plc over a link; see there."""

    def __init__(self, name: str, link: Link) -> None:
        self._name = name
        self._link = link
        self._lock = Lock()
        self._over: str | None = None  # why it is; None: it is not

    def read(self) -> Request:
        return self._exchange(self._link.read)

    def write(self, answer: Answer) -> None:
        self._exchange(lambda: self._link.write(answer))

    def close(self) -> None:
        acquired = self._lock.acquire(timeout=LONGEST_WAIT_S)
        try:
            if self._over is None:
                self._over = "the connection is closed."
                if acquired:  # else an exchange hangs, and another cannot be had
                    with suppress(DeviceError):
                        self._link.write(SAFE)
                self._link.release()
        finally:
            if acquired:
                self._lock.release()

    def _exchange(self, exchange: Callable[[], Outcome]) -> Outcome:
        with self._lock:
            if self._over is not None:
                raise DeviceLost(self._name, self._over)
            try:
                return exchange()
            except DeviceLost as error:
                self._over = str(error).removeprefix(f"{self._name}: ")
                self._link.release()
                raise
