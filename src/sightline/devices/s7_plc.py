"""A Siemens S7 PLC (300, 400, 1200, 1500) by its S7 protocol: request and answer are stretches of one data block.

In TIA Portal the data block must not be "optimised", and PUT/GET access must be permitted. Both stretches fit one
telegram. The protocol has no encryption: the station and the PLC belong on a network of their own.
"""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.devices import signals
from sightline.devices.connection import Connection
from sightline.devices.plc import Answer, Plc, Request
from sightline.errors import DeviceError, DeviceLost, OptionError

if TYPE_CHECKING:
    from snap7.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class S7Config:
    """Where the PLC is and where its data block has the signals."""

    host: str
    port: int = 102
    rack: int = 0
    slot: int = 1  # 1 for the 1200 and 1500, 2 for the 300
    db: int = 1
    request_byte: int = 0  # offset of the request in the data block, bytes
    answer_byte: int = 100
    timeout_s: float = 0.5  # of an exchange; connecting takes up to 5 s

    def __post_init__(self) -> None:
        if not 0 <= self.rack <= 7 or not 0 <= self.slot <= 31 or not 0 < self.port < 2**16 or not 0 < self.db < 2**16:
            raise OptionError(
                f"rack {self.rack}, slot {self.slot}, port {self.port}, db {self.db}: "
                "a rack is 0 to 7, a slot 0 to 31, a port and a data block 1 to 65535."
            )
        if not 0 < self.timeout_s <= 10:
            raise OptionError(f"timeout_s is {self.timeout_s}; give one above 0 and at most 10 s.")
        request = range(self.request_byte, self.request_byte + 2 * signals.REQUEST_WORDS)
        answer = range(self.answer_byte, self.answer_byte + 2 * signals.ANSWER_WORDS)
        if request.start % 2 or answer.start % 2 or min(request.start, answer.start) < 0 or set(request) & set(answer):
            raise OptionError(
                f"bytes {request.start} to {request.stop - 1} and {answer.start} to {answer.stop - 1}: "
                "both stretches must begin at an even byte and lie apart."
            )


def open_s7(name: str, config: S7Config) -> Plc:
    """Connect to the PLC.

    Raises:
        DeviceLost: no S7 PLC answers there. OptionError: python-snap7 is not installed.
    """
    try:
        from snap7.client import Client
        from snap7.error import S7Error
    except ImportError as error:
        raise OptionError("S7 needs python-snap7. Install it with: pip install 'sightline[station]'") from error
    client = Client()
    try:
        client.connect(config.host, config.rack, config.slot, config.port)
    except S7Error as error:
        raise DeviceLost(
            name, f"no S7 PLC at {config.host}:{config.port}, rack {config.rack}, slot {config.slot}."
        ) from error
    if client.connection and client.connection.socket:  # it is connected
        client.connection.socket.settimeout(config.timeout_s)
    return Connection(name, _S7Link(name, config, client))


class _S7Link:
    def __init__(self, name: str, config: S7Config, client: "Client") -> None:
        self._name = name
        self._config = config
        self._client = client

    def read(self) -> Request:
        block = self._exchange(self._config.request_byte, 2 * signals.REQUEST_WORDS, None)
        return signals.unpack_request(block, self._name)

    def write(self, answer: Answer) -> None:
        block = signals.pack_answer(answer, self._name)
        self._exchange(self._config.answer_byte, len(block), block)

    def release(self) -> None:
        self._client.disconnect()

    def _exchange(self, start: int, size: int, block: bytes | None) -> bytes:
        """Read so many bytes, or write these."""
        from snap7.error import S7ConnectionError, S7Error, S7ProtocolError, S7TimeoutError

        db = self._config.db
        try:
            if block is None:
                return bytes(self._client.db_read(db, start, size))
            self._client.db_write(db, start, bytearray(block))
        except S7TimeoutError as error:  # what is left of the answer would be taken for the next one's
            raise DeviceLost(self._name, f"no answer within {self._config.timeout_s:g} s.") from error
        except S7ConnectionError as error:
            raise DeviceLost(self._name, "the S7 connection is gone.") from error
        except S7ProtocolError as error:
            what = "reading" if block is None else "writing"
            raise DeviceError(
                self._name,
                f"refuses {what} {size} bytes at DB{db}.DBB{start} ({error}). "
                "Check that the data block is there, long enough and not optimised, and that PUT/GET is permitted.",
            ) from error
        except (S7Error, OSError, ValueError, LookupError, TypeError, struct.error, RuntimeError) as error:
            raise DeviceLost(self._name, f"the answer is no S7 telegram ({type(error).__name__}).") from error
        return b""
