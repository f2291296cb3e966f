"""What systemd is told of a service with Type=notify: datagrams, as sd_notify(3) has them; elsewhere nothing."""

import os
import socket
import time
from collections.abc import Mapping

from sightline.errors import OptionError


class Notifier:
    """Tells systemd how the service is. One thread uses it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """
        Args:
            environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID count, as systemd sets them.

        Raises:
            OptionError: one of them is not as systemd sets it.
        """
        address = environment.get("NOTIFY_SOCKET", "")
        for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        try:
            self._every_s = int(environment.get("WATCHDOG_USEC", "0")) / 2e6 if for_us else 0.0  # half, as it advises
        except ValueError as error:
            raise OptionError("WATCHDOG_USEC is no number; systemd sets it, nobody else should.") from error
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        self._told_s: float | None = None

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self) -> None:
        """To be called often; every half of the watchdog's time it is told, if there is one."""
        now_s = time.monotonic()
        if self._every_s and (self._told_s is None or now_s - self._told_s >= self._every_s):
            self._told_s = now_s
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _send(self, state: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(state.encode("ascii"), socket.MSG_DONTWAIT, self._address)
        except OSError:
            self._told_s = None  # systemd is busy or restarting, and the line must go on: said again with the next call
