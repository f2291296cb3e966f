"""A simulated PLC behind a real OPC UA server, as a station ships: signed, encrypted, a user; and a cable to cut."""

import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from plc_servers import PASSWORD, PASSWORD_VARIABLE, OpcUaServer, Proxy, write_certificate
from sightline.devices.controllers import PlcConfig
from sightline.devices.plc import Plc, Request
from sightline.errors import DeviceError

SCAN_S = 0.005  # a PLC's cycle, in which the server's nodes are brought up to date


class SimOpcUa:
    """The server, and the thread that carries between it and the PLC; to be closed."""

    def __init__(self, plc: Plc) -> None:
        os.environ[PASSWORD_VARIABLE] = PASSWORD  # where the station's settings have it looked up
        with ExitStack() as opened:
            keys = Path(opened.enter_context(TemporaryDirectory(prefix="soak-opcua-")))
            write_certificate(keys, "plc", "urn:plc")
            write_certificate(keys, "station", "urn:sightline:station")
            self._plc, self._server, self._ending = plc, OpcUaServer(keys), Event()
            opened.callback(self._server.close)
            self._cable = Proxy(self._server.port)
            opened.callback(self._cable.close)
            self._opened = opened.pop_all()
        self._thread = Thread(target=self._carry, name="simulated OPC UA PLC")
        self._thread.start()

    @property
    def config(self) -> PlcConfig:
        return self._server.config(self._cable.port)

    def plug_in(self) -> None:
        self._cable.mend()

    def unplug(self) -> None:
        """Every connection is gone, and none can be made; server and PLC go on."""
        self._cable.cut()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._opened.close()

    def _carry(self) -> None:
        said: Request | None = None
        while not self._ending.is_set():
            due_s = time.monotonic() + SCAN_S
            request = self._plc.read()
            if request != said:
                self._server.say(request)
                said = request
            with suppress(DeviceError):  # the station is between two steps of an answer: the one before still holds
                self._plc.write(self._server.heard())
            self._ending.wait(max(0.0, due_s - time.monotonic()))
