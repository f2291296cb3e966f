"""A PLC that is an OPC UA server, with a node for each signal.

OPC 10000-4: all signals are read with one Read call. The standard gives no order within a Write call, so that an answer
is written in up to three of them, each acknowledged before the next; see `signals.steps`.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.devices import signals
from sightline.devices.connection import Connection
from sightline.devices.credentials import Login
from sightline.devices.event_loop import EventLoop
from sightline.devices.plc import Answer, Plc, Request
from sightline.errors import DeviceError, DeviceLost, OptionError

if TYPE_CHECKING:
    from asyncua import Client, ua

CONNECTING = 10  # a connection may take so many times as long as an exchange: it is about so many exchanges


class Security(StrEnum):
    """OPC UA's security policies, OPC 10000-7; those that are deprecated there are left out."""

    NONE = "none"  # only where the station and the PLC are on a network of their own
    BASIC256SHA256 = "Basic256Sha256"
    AES128_SHA256 = "Aes128Sha256RsaOaep"
    AES256_SHA256 = "Aes256Sha256RsaPss"


class Mode(StrEnum):
    SIGN = "Sign"
    SIGN_AND_ENCRYPT = "SignAndEncrypt"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcUaConfig:
    """Where the PLC is, how both know each other, and which nodes the signals are."""

    url: str  # opc.tcp://host:4840
    security: Security = Security.BASIC256SHA256
    mode: Mode = Mode.SIGN_AND_ENCRYPT
    certificate: Path | None = None  # the station's, .der or .pem; with its key, where security is not none
    key: Path | None = None  # .pem
    server_certificate: Path | None = None  # the PLC's, as exported from it; no other PLC is talked to
    login: Login | None = None  # None: anonymous
    application_uri: str = "urn:sightline:station"  # must be the one in the station's certificate
    request_prefix: str = "ns=2;s=Sightline.Request."  # and a signal's name is its node id
    answer_prefix: str = "ns=2;s=Sightline.Answer."
    request_nodes: Mapping[str, str] = field(default_factory=dict)  # signal -> node id, where it is another one
    answer_nodes: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 1.0

    def __post_init__(self) -> None:
        if not self.url.startswith("opc.tcp://") or not 0 < self.timeout_s <= 10:
            raise OptionError(
                f"url {self.url!r}, timeout_s {self.timeout_s}: "
                "the url begins with opc.tcp://, the timeout is above 0 and at most 10 s."
            )
        files = (self.certificate, self.key, self.server_certificate)
        if self.security is Security.NONE and (any(files) or self.login is not None):
            raise OptionError(
                'security is "none": certificates would not be used, and a password be sent in the clear.'
            )
        if self.security is not Security.NONE and not all(files):
            raise OptionError(f"security {self.security} needs certificate, key and server_certificate.")
        for table, nodes in ((signals.REQUEST, self.request_nodes), (signals.ANSWER, self.answer_nodes)):
            if unknown := set(nodes) - {signal.name for signal in table}:
                raise OptionError(f"there is no signal {', '.join(sorted(unknown))}; see docs/signals.md.")


def open_opcua(name: str, config: OpcUaConfig) -> Plc:
    """Connect to the PLC.

    Raises:
        DeviceLost, DeviceTimeout: no OPC UA server answers there.
        DeviceError: the PLC refuses certificate, user or password, or is not the one of `server_certificate`.
        OptionError: asyncua is not installed, a file cannot be read, or there is no password.
    """
    try:
        from asyncua import Client
    except ImportError as error:
        raise OptionError("OPC UA needs asyncua. Install it with: pip install 'sightline[station]'") from error
    client = Client(config.url, timeout=config.timeout_s)
    client.application_uri = config.application_uri
    if config.login is not None:
        client.set_user(config.login.user)
        client.set_password(config.login.password())
    nodes = _node_ids(config.request_prefix, config.request_nodes, signals.REQUEST)
    answers = _node_ids(config.answer_prefix, config.answer_nodes, signals.ANSWER)
    loop = EventLoop(name)
    link = _OpcUaLink(name, config, client, loop, nodes, answers)
    try:
        link.connect()
    except (DeviceError, OptionError):
        link.release()
        raise
    return Connection(name, link)


def _node_ids(prefix: str, others: Mapping[str, str], table: tuple[signals.Signal, ...]) -> "dict[str, ua.NodeId]":
    from asyncua import ua

    texts = {signal.name: others.get(signal.name, prefix + signal.name) for signal in table}
    try:
        return {name: ua.NodeId.from_string(text) for name, text in texts.items()}
    except ua.UaError as error:
        raise OptionError(f"a node id cannot be read ({error}). Write it like ns=2;s=Name or ns=2;i=17.") from error


class _OpcUaLink:
    def __init__(
        self,
        name: str,
        config: OpcUaConfig,
        client: "Client",
        loop: EventLoop,
        request_ids: "dict[str, ua.NodeId]",
        answer_ids: "dict[str, ua.NodeId]",
    ) -> None:
        self._name = name
        self._config = config
        self._client = client
        self._loop = loop
        self._request_ids = request_ids
        self._answer_ids = answer_ids
        self._said: Answer | None = None  # what the PLC has of us; None: not known

    def connect(self) -> None:
        try:
            self._exchange(self._connect(), CONNECTING * self._config.timeout_s)
        except (OSError, ValueError, TypeError) as error:  # of files; ConnectionError is handled before
            raise OptionError(f"a certificate or key cannot be used: {error}") from error

    def read(self) -> Request:
        values = self._exchange(self._read(), 2 * self._config.timeout_s)
        return signals.request_from(values, self._name)

    def write(self, answer: Answer) -> None:
        before, self._said = self._said, None
        for step in signals.steps(before, answer, self._name):
            self._exchange(self._write(step), 2 * self._config.timeout_s)
        self._said = answer

    def release(self) -> None:
        with suppress(DeviceError, OSError, RuntimeError, AttributeError):  # RuntimeError is the root of asyncua's
            self._loop.run(self._disconnect(), 2 * self._config.timeout_s)
        self._loop.close(self._config.timeout_s)

    def _exchange(self, work: Any, timeout_s: float) -> Any:
        """What the coroutine returns, its errors ours."""
        from asyncua import ua

        try:
            return self._loop.run(work, timeout_s)
        except (ConnectionError, ua.uaerrors.BadConnectionClosed, ua.uaerrors.BadSessionIdInvalid) as error:
            raise DeviceLost(self._name, f"the OPC UA connection is gone ({type(error).__name__}).") from error
        except (ua.uaerrors.BadSecureChannelIdInvalid, ua.uaerrors.BadSessionClosed) as error:
            raise DeviceLost(self._name, f"the OPC UA session is over ({type(error).__name__}).") from error
        except ua.UaError as error:
            raise DeviceError(self._name, f"refuses: {error}. Check user, certificates and node ids.") from error

    async def _connect(self) -> None:
        from asyncua import ua
        from asyncua.crypto import security_policies

        config = self._config
        if config.security is not Security.NONE:
            await self._client.set_security(
                getattr(security_policies, f"SecurityPolicy{config.security}"),
                str(config.certificate),
                str(config.key),
                server_certificate=str(config.server_certificate),
                mode=ua.MessageSecurityMode.Sign if config.mode is Mode.SIGN else ua.MessageSecurityMode.SignAndEncrypt,
            )
        await self._client.connect()

    async def _disconnect(self) -> None:
        protocol = self._client.uaclient.protocol
        try:
            await self._client.disconnect()
        finally:  # also where the PLC does not answer any more, and what was sent still waits to go out
            if protocol is not None and protocol.transport is not None:
                protocol.transport.abort()

    async def _read(self) -> dict[str, object]:
        from asyncua import ua

        found = await self._client.uaclient.read_attributes(list(self._request_ids.values()), ua.AttributeIds.Value)
        values: dict[str, object] = {}
        for name, data in zip(self._request_ids, found, strict=True):
            if data.StatusCode is None or not data.StatusCode.is_good() or data.Value is None:
                raise DeviceError(
                    self._name,
                    f"{name} ({self._request_ids[name]}) cannot be read: {data.StatusCode}. Check its node id.",
                )
            values[name] = (
                "" if data.Value.VariantType is ua.VariantType.String and data.Value.Value is None else data.Value.Value
            )
        return values

    async def _write(self, step: signals.Values) -> None:
        from asyncua import ua

        types = {signals.Kind.BIT: "Boolean", signals.Kind.UINT16: "UInt16", signals.Kind.UINT32: "UInt32"}
        kinds = {signal.name: ua.VariantType[types[signal.kind]] for signal in signals.ANSWER}
        values = [ua.DataValue(ua.Variant(value, kinds[name])) for name, value in step.items()]
        ids = [self._answer_ids[name] for name in step]
        results = await self._client.uaclient.write_attributes(ids, values, ua.AttributeIds.Value)
        for name, result in zip(step, results, strict=True):
            if not result.is_good():
                raise DeviceError(
                    self._name,
                    f"{name} ({self._answer_ids[name]}) cannot be written: {result.name}. "
                    "Check its node id, its type against docs/signals.md, and that the user may write it.",
                )
