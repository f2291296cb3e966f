"""A PLC that comes back: opened anew in the background, at a bounded rate; meanwhile the line hears that it is gone."""

import random
import time
from collections.abc import Callable
from threading import Condition, Thread
from typing import TypeVar

from sightline.devices.plc import Answer, Plc, Request
from sightline.errors import DeviceError, DeviceLost, DeviceTimeout, OptionError, StoreError
from sightline.supervision import survived

SHORTEST_PAUSE_S = 1.0  # from one attempt to the next
LARGEST_JITTER_S = 0.5  # so that the stations of a plant do not all come at once
PATIENCE = 3  # so many timeouts one after the other are a loss
LONGEST_OPENING_S = 20.0  # `close` waits this long for an attempt that is being made

Outcome = TypeVar("Outcome")


class ReconnectingPlc:
    """A Plc over others that are opened one after the other. Nothing is read or written while there is none."""

    def __init__(self, name: str, opening: Callable[[], Plc], seed: int) -> None:
        """Returns at once; the first attempt is made in the background, too."""
        self._name = name
        self._opening = opening
        self._random = random.Random(seed)
        self._changed = Condition()
        self._plc: Plc | None = None
        self._dead: Plc | None = None  # to be closed in the background: that can take as long as an exchange
        self._timeouts = 0
        self._over = False
        self._reason = "it is being connected."
        self.attempts = 0
        self.connections = 0
        self._thread = Thread(target=self._keep_open, name=name, daemon=True)
        self._thread.start()

    def read(self) -> Request:
        return self._use(lambda plc: plc.read())

    def write(self, answer: Answer) -> None:
        self._use(lambda plc: plc.write(answer))

    def close(self) -> None:
        with self._changed:
            self._over, self._reason = True, "the connection is closed."
            self._changed.notify_all()
            plc, self._plc = self._plc, None
        if plc is not None:
            plc.close()
        self._thread.join(LONGEST_OPENING_S)

    def _use(self, exchange: Callable[[Plc], Outcome]) -> Outcome:
        plc = self._plc
        if plc is None:
            raise DeviceLost(self._name, self._reason)
        try:
            outcome = exchange(plc)
        except DeviceTimeout as error:
            self._timeouts += 1
            if self._timeouts >= PATIENCE:
                self._give_up(plc, error)
            raise
        except DeviceLost as error:
            self._give_up(plc, error)
            raise
        self._timeouts = 0
        return outcome

    def _give_up(self, plc: Plc, error: DeviceError) -> None:
        with self._changed:
            if self._plc is plc:
                self._plc, self._dead, self._timeouts = None, plc, 0
                self._note(error)
                self._changed.notify_all()

    def _note(self, error: Exception) -> None:
        self._reason = str(error).removeprefix(f"{self._name}: ")

    def _keep_open(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._plc is None)
                dead, self._dead = self._dead, None
            if dead is not None:
                with survived():
                    dead.close()
            if self._over:
                return
            started_s = time.monotonic()
            with survived(self._note):
                self._attempt()
            pause_s = SHORTEST_PAUSE_S + self._random.uniform(0, LARGEST_JITTER_S)
            with self._changed:  # also after an attempt that succeeded, of a PLC that hangs up at once
                self._changed.wait_for(lambda: self._over, started_s + pause_s - time.monotonic())

    def _attempt(self) -> None:
        self.attempts += 1
        try:
            plc: Plc | None = self._opening()
        except (DeviceError, OptionError, StoreError) as error:  # a password file may come back, too
            self._note(error)
            return
        with self._changed:
            if not self._over:
                self._plc, plc = plc, None
                self.connections += 1
        if plc is not None:
            plc.close()
