"""A simulated PLC behind a real OPC UA server, as a station ships: signed, encrypted, a user; and a cable to cut.

The server has a process of its own, as a PLC has: in the station's, each would wait for the other's turn.
"""

import multiprocessing
import os
import time
from contextlib import ExitStack, closing, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from plc_servers import PASSWORD, PASSWORD_VARIABLE, STARTING_S, OpcUaServer, Proxy, opcua_config, write_certificate
from sightline.devices.controllers import PlcConfig
from sightline.devices.plc import Answer, Plc, Request
from sightline.errors import DeviceError

SCAN_S = 0.005  # a PLC's cycle, in which the server's nodes are brought up to date


class SimOpcUa:
    """The server's process, and the thread that carries between it and the PLC; to be closed."""

    def __init__(self, plc: Plc) -> None:
        os.environ[PASSWORD_VARIABLE] = PASSWORD  # where the station's settings have it looked up
        with ExitStack() as opened:
            self._keys = Path(opened.enter_context(TemporaryDirectory(prefix="soak-opcua-")))
            write_certificate(self._keys, "plc", "urn:plc")
            write_certificate(self._keys, "station", "urn:sightline:station")
            self._plc, self._server, self._ending = plc, _ServerProcess(self._keys), Event()
            opened.callback(self._server.close)
            self._cable = Proxy(self._server.port)
            opened.callback(self._cable.close)
            self._opened = opened.pop_all()
        self._thread = Thread(target=self._carry, name="simulated OPC UA PLC")
        self._thread.start()

    @property
    def config(self) -> PlcConfig:
        return opcua_config(self._cable.port, self._keys)

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
            answer = self._server.exchange(request if request != said else None)
            said = request
            if answer is not None:
                self._plc.write(answer)
            self._ending.wait(max(0.0, due_s - time.monotonic()))


class _ServerProcess:
    """An `OpcUaServer` with a process of its own."""

    def __init__(self, keys: Path) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawning.Pipe()
        self._process = spawning.Process(target=_serve, args=(theirs, keys), name="opc ua server", daemon=True)
        self._process.start()
        theirs.close()
        self.port = int(self._said())

    def exchange(self, request: Request | None) -> Answer | None:
        """Say this, if anything; what the station says, or None where it is between two steps of it."""
        self._pipe.send(request)
        answer: Answer | None = self._said()
        return answer

    def close(self) -> None:
        self._pipe.close()
        self._process.join(STARTING_S)

    def _said(self) -> Any:
        if not self._pipe.poll(STARTING_S):
            raise TimeoutError(f"the OPC UA server's process: no word within {STARTING_S:g} s")
        return self._pipe.recv()


def _serve(pipe: Connection, keys: Path) -> None:
    with closing(OpcUaServer(keys)) as server:
        pipe.send(server.port)
        with suppress(EOFError):  # the other end was closed: that is all
            while True:
                request = pipe.recv()
                if request is not None:
                    server.say(request)
                pipe.send(_heard(server))


def _heard(server: OpcUaServer) -> Answer | None:
    try:
        return server.heard()
    except DeviceError:  # the station is between two steps of an answer: the one before still holds
        return None
