"""A PLC behind an MQTT broker, with plain JSON: one message is a whole request, or a whole answer.

The PLC publishes PREFIX/request whenever a signal changes and at least as often as `stale_s` says, not retained. The
station publishes PREFIX/answer, retained, quality of service 1; its last will is the safe state. docs/signals.md has
the members of both objects.
"""

import json
import time
from dataclasses import dataclass
from threading import Condition

from sightline.devices import signals
from sightline.devices.connection import Connection
from sightline.devices.mqtt_broker import Broker, BrokerConfig, Message
from sightline.devices.plc import SAFE, Answer, Plc, Request
from sightline.errors import DeviceError, DeviceTimeout, OptionError

LARGEST_PAYLOAD = 4096  # bytes; a request has some 300


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttConfig:
    """The broker, and the topics that the signals are at."""

    broker: BrokerConfig
    prefix: str  # plant/line1/station3, say
    stale_s: float = 1.0  # a request that is older is none

    def __post_init__(self) -> None:
        if not self.prefix or set(self.prefix) & set("+#\0"):
            raise OptionError(f"prefix {self.prefix!r}: a topic is not empty and has no +, # or NUL.")
        if not 0 < self.stale_s <= 60:
            raise OptionError(f"stale_s is {self.stale_s}; give one above 0 and at most 60 s.")


class Latest:
    """The message that came last, handed from the thread that receives to the one that reads."""

    def __init__(self, name: str, stale_s: float) -> None:
        self._name = name
        self._stale_s = stale_s
        self._changed = Condition()
        self._payload: bytes | None = None
        self._came_s = 0.0

    def put(self, payload: bytes) -> None:
        with self._changed:
            self._payload, self._came_s = payload, time.monotonic()
            self._changed.notify_all()

    def fresh(self) -> bytes:
        """Waits only where what is there is too old. Raises DeviceTimeout where nothing comes."""
        with self._changed:
            if not self._changed.wait_for(self._is_fresh, self._stale_s):
                raise DeviceTimeout(self._name, f"no request came within {self._stale_s:g} s.")
            assert self._payload is not None
            return self._payload

    def _is_fresh(self) -> bool:
        return self._payload is not None and time.monotonic() - self._came_s <= self._stale_s


def open_mqtt(name: str, config: MqttConfig) -> Plc:
    """Connect to the broker. Raises as `Broker` does."""
    latest = Latest(name, config.stale_s)
    topic = f"{config.prefix}/answer"
    will = Message(topic=topic, payload=_encoded(SAFE, name), retain=True)
    broker = Broker(name, config.broker, will, f"{config.prefix}/request", lambda _, payload: latest.put(payload))
    return Connection(name, _MqttLink(name, broker, latest, topic))


class _MqttLink:
    def __init__(self, name: str, broker: Broker, latest: Latest, topic: str) -> None:
        self._name = name
        self._broker = broker
        self._latest = latest
        self._topic = topic

    def read(self) -> Request:
        self._broker.check()
        return signals.request_from(_decoded(self._latest.fresh(), self._name), self._name)

    def write(self, answer: Answer) -> None:
        self._broker.publish(Message(topic=self._topic, payload=_encoded(answer, self._name), retain=True))

    def release(self) -> None:
        self._broker.close()


def _encoded(answer: Answer, name: str) -> bytes:
    return json.dumps(signals.answer_values(answer, name)).encode("ascii")


def _decoded(payload: bytes, name: str) -> dict[str, object]:
    if len(payload) > LARGEST_PAYLOAD:
        raise DeviceError(name, f"a request of {len(payload)} bytes came; it has at most {LARGEST_PAYLOAD}.")
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise DeviceError(name, f"a request came that is not JSON: {payload[:80]!r}.") from error
    if not isinstance(found, dict):
        raise DeviceError(name, f"a request came that is no JSON object: {payload[:80]!r}.")
    return found
