"""Whether a GigE Vision camera still answers, found out within 2 s.

Aravis' own heartbeat gives a camera up after 5 s and more. A DISCOVERY command is answered by every device, whoever
controls it (GigE Vision 2.0, DISCOVERY_CMD), and disturbs nothing.
"""

import socket
import time
from contextlib import suppress

_PORT = 3956
_EVERY_S, _MOST_UNANSWERED = 0.35, 5  # the fifth question is asked 1.75 s after the last answer at the latest
_COMMAND = bytes.fromhex("42 01 0002 0000")  # key, acknowledge, DISCOVERY_CMD, no payload; the request's number follows


class GigeProbe:
    """Asks one camera again and again; owns a socket. One thread uses it."""

    def __init__(self, address: str) -> None:
        """Raises OSError where no network leads there."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect((address, _PORT))
        except OSError:
            self._socket.close()
            raise
        self._asked_s = time.monotonic()
        self.unanswered = 0  # questions since the last answer
        self._number = 0

    def answers(self) -> bool:
        """False once the camera has let four questions in a row go by; to be called often, returns at once."""
        with suppress(OSError):  # nothing came, or nobody listens there
            while self._socket.recv(1024):
                self.unanswered = 0
        now = time.monotonic()
        if now - self._asked_s >= _EVERY_S:  # counted, not timed: a thread that was not run has not asked either
            self._asked_s = now
            self.unanswered += 1
            self._number = self._number % 0xFFFF + 1
            with suppress(OSError):
                self._socket.send(_COMMAND + self._number.to_bytes(2, "big"))
        return self.unanswered < _MOST_UNANSWERED

    def close(self) -> None:
        self._socket.close()
