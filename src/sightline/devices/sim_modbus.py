"""A Modbus TCP server on this machine before a simulated PLC, so that a station talks to that as to a real one.

The registers are docs/signals.md's: the request from 0, the answer from 100, device 1. Each exchange is one of the PLC
behind: what is read is of that moment, and what is written is there when the server confirms it.
"""

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from sightline.devices import signals
from sightline.devices.event_loop import EventLoop
from sightline.devices.modbus_plc import ModbusConfig
from sightline.devices.plc import Plc
from sightline.errors import DeviceError, DeviceLost, OptionError

if TYPE_CHECKING:
    from pymodbus.constants import ExcCodes
    from pymodbus.server import ModbusTcpServer

_HOST = "127.0.0.1"
_ANSWER = 100  # first register of the answer
_WRITE = 16  # function code
_PATIENCE_S = 30.0
_TRIES, _PAUSE_S = 100, 0.1  # to listen again
_TURNS = 10  # of the event loop


class SimModbus:
    """The server and its network cable; to be closed. The PLC behind is used from the server's thread, and stays open.

    Raises:
        OptionError: pymodbus is not installed.
    """

    def __init__(self, plc: Plc) -> None:
        self._plc = plc
        self.port = _free_port()
        self._loop = EventLoop("simulated Modbus PLC")
        self._server: ModbusTcpServer | None = None
        try:
            self.plug_in()
        except BaseException:
            self._loop.close(_PATIENCE_S)
            raise

    @property
    def config(self) -> ModbusConfig:
        """How a station comes to it."""
        return ModbusConfig(host=_HOST, port=self.port, answer_address=_ANSWER, timeout_s=2.0)

    def plug_in(self) -> None:
        """Listen, at the same port as ever."""
        if self._server is None:
            self._server = self._loop.run(self._listening(), _PATIENCE_S)

    def unplug(self) -> None:
        """Every connection is gone, and none can be made; the PLC goes on."""
        server, self._server = self._server, None
        if server is not None:
            self._loop.run(_ended(server), _PATIENCE_S)

    def close(self) -> None:
        self.unplug()
        self._loop.close(_PATIENCE_S)

    async def _listening(self) -> "ModbusTcpServer":
        try:
            from pymodbus.server import ModbusTcpServer
            from pymodbus.simulator import DataType, SimData, SimDevice
        except ImportError as error:
            raise OptionError("Modbus needs pymodbus. Install it with: pip install 'sightline[station]'") from error
        words = SimData(0, count=_ANSWER + signals.ANSWER_WORDS, values=0, datatype=DataType.REGISTERS)
        device = SimDevice(id=1, simdata=[words], action=self._exchange)
        for _ in range(_TRIES):
            server = ModbusTcpServer(device, address=(_HOST, self.port))
            try:
                await server.serve_forever(background=True)
            except RuntimeError:  # a connection that was cut holds the port until its other end has noticed
                await asyncio.sleep(_PAUSE_S)
            else:
                return server
        raise DeviceLost("simulated Modbus PLC", f"port {self.port} cannot be listened at.")

    async def _exchange(
        self,
        code: int,
        _first: int,
        address: int,
        _count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> "ExcCodes | None":
        """Before pymodbus answers: bring the registers up to date, or pass on what is written."""
        from pymodbus.constants import ExcCodes

        try:
            if code == _WRITE and values is not None:
                if (address, len(values)) != (_ANSWER, signals.ANSWER_WORDS):
                    return ExcCodes.ILLEGAL_ADDRESS
                self._plc.write(signals.unpack_answer(struct.pack(f">{len(values)}H", *values), "station"))
            else:
                block = signals.pack_request(self._plc.read())
                registers[: signals.REQUEST_WORDS] = struct.unpack(f">{signals.REQUEST_WORDS}H", block)
        except DeviceError:
            return ExcCodes.DEVICE_FAILURE
        return None


async def _ended(server: "ModbusTcpServer") -> None:
    for _ in range(_TURNS):  # one that connects at this moment is known to the server some turns later, and then closed
        await asyncio.sleep(0)
    await server.shutdown()
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
