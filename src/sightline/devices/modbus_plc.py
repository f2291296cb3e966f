"""A PLC that is a Modbus TCP server: the request is one block of holding registers, the answer another.

Function codes 3 and 16 of the Modbus Application Protocol 1.1b3; both blocks fit one exchange each, so that neither is
ever seen in parts. Modbus has no users and no encryption: the station and the PLC belong on a network of their own.
"""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.devices import signals
from sightline.devices.connection import Connection
from sightline.devices.plc import Answer, Plc, Request
from sightline.errors import DeviceError, DeviceLost, DeviceTimeout, OptionError

if TYPE_CHECKING:
    from pymodbus.client import ModbusTcpClient
    from pymodbus.pdu import ModbusPDU


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusConfig:
    """Where the PLC is and where its blocks are."""

    host: str
    port: int = 502
    unit: int = 1  # device id, 0 to 255
    request_address: int = 0  # first holding register of the request, counted from 0
    answer_address: int = 100
    low_word_first: bool = False  # of 32-bit values; the table's order is the high word first
    swapped_bytes: bool = False  # within each word
    timeout_s: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.unit <= 255 or not 0 < self.port < 2**16 or not 0 < self.timeout_s <= 10:
            raise OptionError(
                f"unit {self.unit}, port {self.port}, timeout_s {self.timeout_s}: "
                "a unit is 0 to 255, a port 1 to 65535, a timeout above 0 and at most 10 s."
            )
        request = range(self.request_address, self.request_address + signals.REQUEST_WORDS)
        answer = range(self.answer_address, self.answer_address + signals.ANSWER_WORDS)
        if (
            request.start < 0
            or answer.start < 0
            or max(request.stop, answer.stop) > 2**16
            or set(request) & set(answer)
        ):
            raise OptionError(
                f"registers {request.start} to {request.stop - 1} and {answer.start} to {answer.stop - 1}: "
                "the blocks must lie within 0 to 65535 and apart."
            )


def open_modbus(name: str, config: ModbusConfig) -> Plc:
    """Connect to the PLC.

    Raises:
        DeviceLost: nobody listens there. OptionError: pymodbus is not installed.
    """
    try:
        from pymodbus.client import ModbusTcpClient
    except ImportError as error:
        raise OptionError("Modbus needs pymodbus. Install it with: pip install 'sightline[station]'") from error
    client = ModbusTcpClient(config.host, port=config.port, timeout=config.timeout_s, retries=0)
    if not client.connect():
        raise DeviceLost(name, f"no Modbus server at {config.host}:{config.port} within {config.timeout_s:g} s.")
    return Connection(name, _ModbusLink(name, config, client))


class _ModbusLink:
    def __init__(self, name: str, config: ModbusConfig, client: "ModbusTcpClient") -> None:
        self._name = name
        self._config = config
        self._client = client

    def read(self) -> Request:
        pdu = self._exchange(self._config.request_address, signals.REQUEST_WORDS, None)
        if len(pdu.registers) != signals.REQUEST_WORDS:
            raise DeviceError(self._name, f"{len(pdu.registers)} registers came, not {signals.REQUEST_WORDS}.")
        block = struct.pack(f">{signals.REQUEST_WORDS}H", *pdu.registers)
        return signals.unpack_request(_ordered(block, signals.REQUEST, self._config), self._name)

    def write(self, answer: Answer) -> None:
        block = _ordered(signals.pack_answer(answer, self._name), signals.ANSWER, self._config)
        registers = list(struct.unpack(f">{signals.ANSWER_WORDS}H", block))
        pdu = self._exchange(self._config.answer_address, signals.ANSWER_WORDS, registers)
        if (pdu.address, pdu.count) != (self._config.answer_address, signals.ANSWER_WORDS):
            raise DeviceError(self._name, f"the PLC says it wrote {pdu.count} registers at {pdu.address}.")

    def release(self) -> None:
        self._client.close()

    def _exchange(self, address: int, count: int, registers: list[int] | None) -> "ModbusPDU":
        """Read so many registers, or write these."""
        from pymodbus.exceptions import ConnectionException, ModbusException

        if not self._client.connected:  # the client would connect by itself, and nobody would know
            raise DeviceLost(self._name, "the Modbus connection is gone.")
        unit = self._config.unit
        try:
            if registers is None:
                pdu = self._client.read_holding_registers(address, count=count, device_id=unit)
            else:
                pdu = self._client.write_registers(address, registers, device_id=unit)
        except ConnectionException as error:
            raise DeviceLost(self._name, "the Modbus connection is gone.") from error
        except (ModbusException, OSError) as error:
            raise DeviceTimeout(self._name, f"no valid answer within {self._config.timeout_s:g} s.") from error
        if pdu.isError():
            what = "reading" if registers is None else "writing"
            raise DeviceError(
                self._name,
                f"refuses {what} {count} registers at {address} of unit {unit}, exception {pdu.exception_code}. "
                "Check the addresses against docs/signals.md.",
            )
        if pdu.function_code != (3 if registers is None else 16):
            raise DeviceError(self._name, f"answered another question, function code {pdu.function_code}.")
        return pdu


def _ordered(block: bytes, table: tuple[signals.Signal, ...], config: ModbusConfig) -> bytes:
    """A block between the table's order and the PLC's; the same both ways."""
    words = [block[start : start + 2] for start in range(0, len(block), 2)]
    if config.low_word_first:
        for signal in table:
            if signal.kind in (signals.Kind.UINT32, signals.Kind.INT32):
                high, low = words[signal.word : signal.word + 2]
                words[signal.word : signal.word + 2] = low, high
    if config.swapped_bytes:
        words = [word[::-1] for word in words]
    return b"".join(words)
