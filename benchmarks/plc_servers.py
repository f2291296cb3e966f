"""Real PLC servers and a real broker on this machine, to measure and test the station's side against.

Each is a peer of another make: pymodbus' and python-snap7's and asyncua's servers, and Mosquitto as a process.
"""

import asyncio
import getpass
import ipaddress
import json
import shutil
import socket
import subprocess
import time
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Protocol

from asyncua import Server, ua
from asyncua.crypto import cert_gen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from snap7.server import Server as Snap7Server
from snap7.type import SrvArea

from sightline.devices import signals, sparkplug
from sightline.devices.controllers import PlcConfig
from sightline.devices.credentials import Login
from sightline.devices.event_loop import EventLoop
from sightline.devices.modbus_plc import ModbusConfig
from sightline.devices.mqtt_broker import BrokerConfig
from sightline.devices.mqtt_plc import MqttConfig
from sightline.devices.opcua_plc import OpcUaConfig, Security
from sightline.devices.plc import Answer, Request
from sightline.devices.s7_plc import S7Config
from sightline.devices.sparkplug import SparkplugConfig
from sightline.devices.sparkplug_payload import Metric, Payload, decode, encode

HOST = "127.0.0.1"
STARTING_S = 30.0
PASSWORD_VARIABLE = "SIGHTLINE_TEST_PASSWORD"
PASSWORD = "not a secret"  # of servers that live for seconds, on this machine
USER = "station"
MOSQUITTO = Path(shutil.which("mosquitto") or "/usr/sbin/mosquitto")  # Debian's place is not on everybody's path


class PlcServer(Protocol):
    """A PLC as its programmer sees it."""

    port: int

    @abstractmethod
    def config(self, port: int) -> PlcConfig:
        """How a station comes to it, directly or by way of a proxy at that port."""

    def say(self, request: Request) -> None: ...
    def heard(self) -> Answer: ...
    def close(self) -> None: ...


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = STARTING_S) -> None:
    """Raise TimeoutError where it does not come true in time."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.002)


_TURNS = 10  # of an event loop


class ModbusServer:
    """Request at register 0, answer at 100."""

    def __init__(self) -> None:
        self.port = free_port()
        self._loop = EventLoop("modbus server")
        self._server = self._loop.run(self._start(), STARTING_S)

    def config(self, port: int) -> PlcConfig:
        return ModbusConfig(host=HOST, port=port)

    def say(self, request: Request) -> None:
        block = signals.pack_request(request)
        registers = [int.from_bytes(block[place : place + 2], "big") for place in range(0, len(block), 2)]
        self._loop.run(self._server.async_setValues(1, 16, 0, registers), STARTING_S)

    def heard(self) -> Answer:
        registers = self._loop.run(self._server.async_getValues(1, 3, 100, signals.ANSWER_WORDS), STARTING_S)
        return signals.unpack_answer(b"".join(int(word).to_bytes(2, "big") for word in registers), "modbus server")

    def close(self) -> None:
        self._loop.run(self._stop(), STARTING_S)
        self._loop.close(STARTING_S)

    async def _stop(self) -> None:
        for _ in range(_TURNS):  # a connection made or cut at this moment is known to the server some turns later
            await asyncio.sleep(0)
        await self._server.shutdown()
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def _start(self) -> ModbusTcpServer:
        device = SimDevice(id=1, simdata=[SimData(0, count=200, values=0, datatype=DataType.REGISTERS)])
        server = ModbusTcpServer(device, address=(HOST, self.port))
        await server.serve_forever(background=True)
        return server


class S7Server:
    """Both in DB 1, the answer from byte 100."""

    def __init__(self) -> None:
        self.port = free_port()
        self._block = bytearray(200)
        self._server = Snap7Server(log=False)
        self._server.register_area(SrvArea.DB, 1, self._block)
        self._server.start_to(HOST, self.port)

    def config(self, port: int) -> PlcConfig:
        return S7Config(host=HOST, port=port)

    def say(self, request: Request) -> None:
        self._block[: 2 * signals.REQUEST_WORDS] = signals.pack_request(request)

    def heard(self) -> Answer:
        return signals.unpack_answer(bytes(self._block[100 : 100 + 2 * signals.ANSWER_WORDS]), "s7 server")

    def close(self) -> None:
        self._server.stop()


class OpcUaServer:
    """A node for each signal, without security or, with a folder for certificates, with all that is asked for."""

    def __init__(self, folder: Path | None = None) -> None:
        self.port = free_port()
        self.writes: list[str] = []  # names of the answer's nodes, in the order in which they were written
        self._folder = folder
        self._loop = EventLoop("opc ua server")
        self._server, self._nodes = self._loop.run(self._start(), STARTING_S)

    def config(self, port: int) -> PlcConfig:
        return opcua_config(port, self._folder)

    def say(self, request: Request) -> None:
        self._loop.run(self._say(signals.request_values(request)), STARTING_S)

    def heard(self) -> Answer:
        return signals.answer_from(self._loop.run(self._heard(), STARTING_S), "opc ua server")

    def close(self) -> None:
        self._loop.run(self._server.stop(), STARTING_S)
        self._loop.close(STARTING_S)

    async def _start(self) -> tuple[Server, dict[str, Any]]:
        server = Server(user_manager=_OneUser() if self._folder else None)  # type: ignore[arg-type]
        await server.init()
        server.set_endpoint(f"opc.tcp://{HOST}:{self.port}")
        await server.set_application_uri("urn:plc")
        if self._folder is None:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        else:
            server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
            server.set_identity_tokens([ua.UserNameIdentityToken])
            await server.load_certificate(str(self._folder / "plc.der"))
            await server.load_private_key(str(self._folder / "plc.pem"))
        space = await server.register_namespace("urn:plc:signals")
        assert space == 2, "the config's default"
        nodes = {}
        for side, table in (("Request", signals.REQUEST), ("Answer", signals.ANSWER)):
            parent = await server.nodes.objects.add_object(space, side)
            for signal in table:
                node_id = ua.NodeId.from_string(f"ns={space};s=Sightline.{side}.{signal.name}")
                kind, first = TYPES[signal.kind]
                node = await parent.add_variable(node_id, signal.name, first, kind)
                if side == "Answer":
                    await node.set_writable()
                nodes[f"{side}.{signal.name}"] = node
        await server.start()
        return server, nodes

    async def _say(self, values: signals.Values) -> None:
        for signal in signals.REQUEST:
            variant = ua.Variant(values[signal.name], TYPES[signal.kind][0])
            await self._nodes[f"Request.{signal.name}"].write_value(variant)

    async def _heard(self) -> dict[str, object]:
        return {signal.name: await self._nodes[f"Answer.{signal.name}"].read_value() for signal in signals.ANSWER}


TYPES: dict[signals.Kind, tuple[ua.VariantType, signals.Value]] = {
    signals.Kind.BIT: (ua.VariantType.Boolean, False),
    signals.Kind.UINT16: (ua.VariantType.UInt16, 0),
    signals.Kind.UINT32: (ua.VariantType.UInt32, 0),
    signals.Kind.INT32: (ua.VariantType.Int32, 0),
    signals.Kind.TEXT: (ua.VariantType.String, ""),
}


def opcua_config(port: int, folder: Path | None) -> OpcUaConfig:
    """How a station comes to an `OpcUaServer` with this folder."""
    url = f"opc.tcp://{HOST}:{port}"
    if folder is None:
        return OpcUaConfig(url=url, security=Security.NONE)
    return OpcUaConfig(
        url=url,
        certificate=folder / "station.der",
        key=folder / "station.pem",
        server_certificate=folder / "plc.der",
        login=Login(user=USER, password_env=PASSWORD_VARIABLE),
    )


class _OneUser:
    def get_user(self, _server: Any, username: Any = None, password: Any = None, **_others: Any) -> Any:
        from asyncua.crypto.permission_rules import User, UserRole

        known = (username, password) == (USER, PASSWORD)
        return User(role=UserRole.User) if known else None


def write_certificate(folder: Path, name: str, uri: str) -> None:
    """NAME.der, NAME.crt (as text) and NAME.pem, its key; for this machine, signed by itself."""
    key = cert_gen.generate_private_key()
    address = x509.IPAddress(ipaddress.ip_address(HOST))
    names = [x509.UniformResourceIdentifier(uri), x509.DNSName("localhost"), address]
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    certificate = cert_gen.generate_self_signed_app_certificate(key, name, {}, names, uses)
    (folder / f"{name}.der").write_bytes(certificate.public_bytes(Encoding.DER))
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / f"{name}.pem").write_bytes(cert_gen.dump_private_key_as_pem(key))


class Mosquitto:
    """The broker, with TLS and one user."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.ca = folder / "broker.crt"
        write_certificate(folder, "broker", "urn:broker")
        users = folder / "users"
        subprocess.run(["mosquitto_passwd", "-b", "-c", users, USER, PASSWORD], check=True, capture_output=True)
        settings = folder / "mosquitto.conf"
        settings.write_text(
            f"listener {self.port} {HOST}\nallow_anonymous false\npassword_file {users}\nuser {getpass.getuser()}\n"
            f"cafile {self.ca}\ncertfile {self.ca}\nkeyfile {folder / 'broker.pem'}\nset_tcp_nodelay true\n",
            "utf-8",
        )
        self._process = subprocess.Popen([MOSQUITTO, "-c", settings], stderr=subprocess.DEVNULL)
        wait_for(self._listens, "mosquitto")

    @staticmethod
    def installed() -> bool:
        return MOSQUITTO.exists() and shutil.which("mosquitto_passwd") is not None

    def config(self, port: int) -> BrokerConfig:
        login = Login(user=USER, password_env=PASSWORD_VARIABLE)
        return BrokerConfig(host=HOST, port=port, ca=self.ca, login=login, keepalive_s=1)

    def client(self, topic: str, receive: Callable[[str, bytes], None]) -> Client:
        """Somebody else at the broker."""
        client = Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(USER, PASSWORD)
        client.tls_set(str(self.ca))
        there = Event()
        client.on_message = lambda _client, _data, message: receive(message.topic, bytes(message.payload))
        client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        client.on_subscribe = lambda *_: there.set()
        client.connect(HOST, self.port)
        client.loop_start()
        if not there.wait(STARTING_S):
            raise TimeoutError("the broker does not answer")
        return client

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(STARTING_S)

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection((HOST, self.port), 1):
            return True
        return False


class _Publisher:
    """Publishes what is to be said, again and again, as a PLC does with its heartbeat."""

    def __init__(self, publish: Callable[[Request], None]) -> None:
        self._publish = publish
        self._request = Request()
        self._over = Event()
        self._thread = Thread(target=self._run, name="plc", daemon=True)
        self._thread.start()

    def say(self, request: Request) -> None:
        self._request = request
        self._publish(request)

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.1):
            self._publish(self._request)


class MqttServer:
    """A PLC that publishes JSON."""

    def __init__(self, broker: Mosquitto) -> None:
        self.port = broker.port
        self._broker = broker
        self._heard = b""
        self._client = broker.client("test/json/answer", self._receive)
        self._publisher = _Publisher(self._publish)
        self.say = self._publisher.say

    def config(self, port: int) -> PlcConfig:
        return MqttConfig(broker=self._broker.config(port), prefix="test/json")

    def heard(self) -> Answer:
        return signals.answer_from(json.loads(self._heard), "mqtt") if self._heard else Answer()

    def close(self) -> None:
        self._publisher.close()
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, request: Request) -> None:
        self._client.publish("test/json/request", json.dumps(signals.request_values(request)), 0)

    def _receive(self, _topic: str, payload: bytes) -> None:
        self._heard = payload


class SparkplugServer:
    """A host application that commands the station's node and follows what it tells."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        self.port = broker.port
        self.messages: list[tuple[str, Payload]] = []  # kind and payload, as they came
        self._broker = broker
        self._births = folder / "births"
        self._lock = Lock()
        self._values: dict[str, signals.Value] = {}
        self._client = broker.client("spBv1.0/plant/+/station", self._receive)
        self._publisher = _Publisher(lambda request: self.command(_commands(request)))
        self.say = self._publisher.say

    def config(self, port: int) -> PlcConfig:
        broker = self._broker.config(port)
        return SparkplugConfig(broker=broker, group="plant", node="station", births=self._births)

    def heard(self) -> Answer:
        with self._lock:
            return signals.answer_from(dict(self._values), "sparkplug")

    def command(self, metrics: list[Metric]) -> None:
        self._client.publish("spBv1.0/plant/NCMD/station", encode(Payload(unix_ms=1, metrics=tuple(metrics))), 0)

    def close(self) -> None:
        self._publisher.close()
        self._client.disconnect()
        self._client.loop_stop()

    def _receive(self, topic: str, content: bytes) -> None:
        kind = topic.split("/")[2]
        if kind == "NCMD":
            return
        payload = decode(content, "host")
        with self._lock:
            self.messages.append((kind, payload))
            told = {metric.name: metric.value for metric in payload.metrics if metric.name.startswith("Answer/")}
            self._values |= {name.removeprefix("Answer/"): value for name, value in told.items()}
            if kind == "NDEATH":  # what a dead node said is not known any more
                self._values = signals.answer_values(Answer(), "host")


def _commands(request: Request) -> list[Metric]:
    values = signals.request_values(request)
    return [
        Metric(name=name, type=kind, value=values[name.removeprefix("Request/")], unix_ms=1)
        for name, kind in sparkplug.REQUEST_TYPES.items()
    ]


class Proxy:
    """A cable that can be cut, stalled and mended."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._flows = asyncio.Event()
        self._pipes: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._loop = EventLoop("proxy")
        self.mend()

    def cut(self) -> None:
        """Nobody can connect, and every connection is gone."""
        self._loop.run(self._cut(), STARTING_S)

    def stall(self) -> None:
        """Connections stay, and nothing comes through."""
        self._loop.run(self._set(False), STARTING_S)

    def mend(self) -> None:
        self._loop.run(self._set(True), STARTING_S)
        self._loop.run(self._listen(), STARTING_S)

    def close(self) -> None:
        self.cut()
        self._loop.close(STARTING_S)

    async def _set(self, flows: bool) -> None:
        self._flows.set() if flows else self._flows.clear()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._join, HOST, self.port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        ends, self._ends = self._ends, set()  # now: later there may be those of a new connection
        for pipe in list(self._pipes):
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)
        for end in ends:  # a pipe that was not begun closes nothing
            end.close()
        for _ in range(_TURNS):  # a transport that is closed lets go of its socket some turns later
            await asyncio.sleep(0)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward_reader, onward_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.close()
            return
        ends = (writer, onward_writer)
        if self._server is None:  # cut meanwhile
            for end in ends:
                end.close()
            return
        self._ends.update(ends)
        for source, sink in ((reader, onward_writer), (onward_reader, writer)):
            pipe = asyncio.create_task(self._pump(source, sink, ends))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, ends: Any) -> None:
        try:
            while content := await source.read(65536):
                await self._flows.wait()
                sink.write(content)
                await sink.drain()
        except OSError:
            pass  # an end is gone, and so the other
        finally:
            for end in ends:
                end.close()
