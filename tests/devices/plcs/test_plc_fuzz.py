"""Whatever a peer sends, the reader says a request that its bytes hold, or a DeviceError."""

import logging
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import pytest

from plc_servers import HOST
from sightline.devices import signals
from sightline.devices.modbus_plc import ModbusConfig, open_modbus
from sightline.devices.plc import Request
from sightline.errors import DeviceError, DeviceLost

ANSWERS = 10_000
GOOD = signals.pack_request(Request(trigger=True, part_id=7, serial="A-1", heartbeat=3))


class Liar:
    """A TCP server that answers every message with what it makes of it; most connections end after one answer."""

    def __init__(self, answer: Callable[[bytes, random.Random], bytes]) -> None:
        self._answer = answer
        self._random = random.Random(34)
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self.sent = 0
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, suppress(OSError):
                    while asked := connection.recv(4096):
                        answer = self._answer(asked, self._random)
                        connection.sendall(answer)
                        self.sent += 1
                        if self._random.random() < 0.95:  # else the reader would wait for the rest, ten thousand times
                            break


def spoiled(frame: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, or cut, or something else altogether."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 80))
    if kind == 1:
        return frame[: rng.randrange(1, len(frame))] + rng.randbytes(rng.randrange(60))
    content = bytearray(frame)
    for _ in range(rng.randrange(1, 6)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def modbus_answer(asked: bytes, rng: random.Random) -> bytes:
    if asked[7:8] != b"\x03":
        return spoiled(asked[:12], rng)
    frame = asked[:4] + struct.pack(">HBBB", 3 + len(GOOD), asked[6], 3, len(GOOD)) + GOOD
    return frame if rng.random() < 0.05 else spoiled(frame, rng)


def test_a_modbus_reader_survives_ten_thousand_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("pymodbus_internal"), "disabled", True)  # it says each of them
    liar = Liar(modbus_answer)
    config = ModbusConfig(host=HOST, port=liar.port, timeout_s=0.02)
    said: list[Request] = []
    plc = open_modbus("plc", config)
    while liar.sent < ANSWERS:
        try:
            said.append(plc.read())
        except DeviceLost:
            plc.close()
            plc = open_modbus("plc", config)
        except DeviceError as error:
            assert str(error).startswith("plc: ")  # noqa: PT017 - reading is allowed to succeed
    plc.close()
    liar.close()
    truth = Request(trigger=True, part_id=7, serial="A-1", heartbeat=3)
    assert said.count(truth) > ANSWERS / 100
    assert all(request.serial.isascii() and request.serial.isprintable() for request in said)
