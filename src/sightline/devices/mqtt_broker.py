"""A connection to an MQTT broker: one last will, few subscriptions, and no reconnecting behind anybody's back."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from sightline.devices.credentials import Login
from sightline.errors import DeviceError, DeviceLost, DeviceTimeout, OptionError

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

Receive = Callable[[str, bytes], None]  # topic, payload


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    """Where the broker is, and how both know each other."""

    host: str
    port: int = 8883
    client_id: str = ""  # empty: the broker gives one
    ca: Path | None = None  # certificates that the broker's is signed by; None: no TLS, only where `clear` says so
    certificate: Path | None = None  # the station's, with its key, where the broker asks for one
    key: Path | None = None
    clear: bool = False  # without TLS, on a network of their own; a password would be readable there
    login: Login | None = None  # None: the broker lets everybody in
    keepalive_s: int = 2  # the broker takes the station for dead, and speaks its last will, after half as long again
    timeout_s: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.port < 2**16 or self.keepalive_s < 1 or not 0 < self.timeout_s <= 10:
            raise OptionError(
                f"port {self.port}, keepalive_s {self.keepalive_s}, timeout_s {self.timeout_s}: "
                "a port is 1 to 65535, keepalive at least 1 s, the timeout above 0 and at most 10 s."
            )
        if (self.ca is None) != self.clear:
            raise OptionError("give ca, the broker's certificate authority, or clear = true for MQTT without TLS.")
        if (self.certificate is None) != (self.key is None) or (self.clear and self.certificate is not None):
            raise OptionError("certificate and key go together, and with ca.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is published."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Broker:
    """A connection that is open. `receive` is called in its thread with what comes live, not with what was retained."""

    def __init__(self, name: str, config: BrokerConfig, will: Message, topic: str, receive: Receive) -> None:
        """Connect, and subscribe to the topic.

        Raises:
            DeviceLost: nobody listens there, or its certificate is not signed by `ca`. DeviceTimeout: no answer.
            DeviceError: the broker refuses user, password or topic. OptionError: paho-mqtt is not installed, a file
            cannot be read, or there is no password.
        """
        self._name = name
        self._config = config
        self._topic = topic
        self._receive = receive
        self._subscribed = Event()
        self._over: DeviceError | None = None
        client = _client(config)
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._connected
        client.on_subscribe = self._allowed
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        self._client: Client | None = client
        self._open(client)

    def publish(self, message: Message) -> None:
        """Returns when the broker has it, with quality of service 0 when it is sent.

        Raises:
            DeviceTimeout: no acknowledgement in time; the broker may have it or get it yet, always in order.
            DeviceLost: the connection is gone.
        """
        self.check()
        assert self._client is not None, "it is not closed"
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        try:
            info.wait_for_publish(self._config.timeout_s)
            arrived = info.is_published()
        except (RuntimeError, ValueError) as error:  # not connected any more; the queue is full
            raise DeviceLost(self._name, "the broker's connection is gone.") from error
        if not arrived:
            self.check()
            raise DeviceTimeout(self._name, f"the broker did not acknowledge within {self._config.timeout_s:g} s.")

    def check(self) -> None:
        """Raise what ended the connection, if something did."""
        if self._over is not None:
            raise type(self._over)(self._name, self._over.args[0].removeprefix(f"{self._name}: "))

    def close(self) -> None:
        """Disconnect, so that the last will is not spoken, and end the thread."""
        self._over = self._over or DeviceLost(self._name, "the connection is closed.")
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()
            _unhook(client)

    def _open(self, client: "Client") -> None:
        config = self._config
        try:
            client.connect(config.host, config.port, config.keepalive_s)
        except (OSError, ValueError) as error:
            _unhook(client)
            raise DeviceLost(self._name, f"no MQTT broker at {config.host}:{config.port} ({error}).") from error
        client.loop_start()
        if not self._subscribed.wait(2 * config.timeout_s) and self._over is None:
            self._over = DeviceTimeout(self._name, f"the broker did not answer within {2 * config.timeout_s:g} s.")
        if self._over is not None:
            self.close()
            self.check()

    def _connected(self, client: "Client", _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._end(DeviceError(self._name, f"the broker refuses: {reason}. Check user and password."))
        else:
            client.subscribe(self._topic, 1)

    def _allowed(self, _client: Any, _data: Any, _mid: Any, reasons: list[Any], _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._end(DeviceError(self._name, f"the broker does not let the station read {self._topic}."))
        self._subscribed.set()

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._end(DeviceLost(self._name, f"the broker's connection is gone ({reason})."))

    def _end(self, error: DeviceError) -> None:
        self._over = self._over or error
        self._subscribed.set()

    def _message(self, _client: Any, _data: Any, message: "MQTTMessage") -> None:
        if not message.retain:  # a trigger of yesterday
            self._receive(message.topic, bytes(message.payload))


def _unhook(client: "Client") -> None:
    """Its sockets are closed when nobody refers to it any more; a circle would leave that to the garbage collector."""
    client.on_connect = client.on_subscribe = client.on_disconnect = client.on_message = None


def _client(config: BrokerConfig) -> "Client":
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError as error:
        raise OptionError("MQTT needs paho-mqtt. Install it with: pip install 'sightline[station]'") from error
    client = Client(CallbackAPIVersion.VERSION2, client_id=config.client_id, reconnect_on_failure=False)
    client.connect_timeout = config.timeout_s
    client.max_queued_messages_set(16)
    if config.login is not None:
        client.username_pw_set(config.login.user, config.login.password())
    if config.ca is not None:
        try:
            context = ssl.create_default_context(cafile=config.ca)
            if config.certificate is not None:
                context.load_cert_chain(config.certificate, config.key)
        except OSError as error:  # ssl.SSLError is one
            raise OptionError(f"{config.ca}: the certificates cannot be used ({error}).") from error
        client.tls_set_context(context)
    return client
