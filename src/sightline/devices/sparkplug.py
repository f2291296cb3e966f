"""A PLC behind an MQTT broker that speaks Sparkplug B 3.0: the station is an edge node.

The answer's signals are metrics `Answer/NAME` of the node, the request's `Request/NAME`; the PLC, or the host that
stands for it, sends NCMD messages with those that change, and at least as often as `stale_s` says with its heartbeat.
Rules are cited by their numbers in the specification, chapter 6. A primary host's STATE is not waited for.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock

from sightline.devices import signals
from sightline.devices.connection import Connection
from sightline.devices.mqtt_broker import Broker, BrokerConfig, Message
from sightline.devices.plc import SAFE, Answer, Plc, Request
from sightline.devices.sparkplug_payload import DataType, Metric, Payload, decode, encode
from sightline.errors import DeviceError, DeviceTimeout, OptionError, StoreError
from sightline.files import write_bytes

REBIRTH = "Node Control/Rebirth"
TYPES = {
    signals.Kind.BIT: DataType.BOOLEAN,
    signals.Kind.UINT16: DataType.UINT16,
    signals.Kind.UINT32: DataType.UINT32,
    signals.Kind.INT32: DataType.INT32,
    signals.Kind.TEXT: DataType.STRING,
}
REQUEST_TYPES = {f"Request/{signal.name}": TYPES[signal.kind] for signal in signals.REQUEST}
ANSWER_TYPES = {f"Answer/{signal.name}": TYPES[signal.kind] for signal in signals.ANSWER}


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugConfig:
    """The broker, and what the station is called there."""

    broker: BrokerConfig
    group: str
    node: str  # of the station, one in its group
    births: Path  # file in which the station keeps the number of its last birth, one for each node
    stale_s: float = 1.0  # a request that is older is none

    def __post_init__(self) -> None:
        if any(not name or set(name) & set("+#/\0") for name in (self.group, self.node)):
            raise OptionError(f"group {self.group!r}, node {self.node!r}: neither is empty or has +, #, / or NUL.")
        if not 0 < self.stale_s <= 60:
            raise OptionError(f"stale_s is {self.stale_s}; give one above 0 and at most 60 s.")


def open_sparkplug(name: str, config: SparkplugConfig) -> Plc:
    """Connect to the broker and be born.

    Raises:
        StoreError: the number of the birth cannot be kept. Others as `Broker` does.
    """
    link = _SparkplugLink(name, config, _next_birth(config.births))
    try:
        link.bear()
    except DeviceError:
        link.release()
        raise
    return Connection(name, link)


def _next_birth(path: Path) -> int:
    """0 to 255, one more than the last time (tck-id-topics-nbirth-bdseq-increment); 0 where there was none."""
    try:
        number = (int(path.read_text("ascii")) + 1) % 256 if path.exists() else 0
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: the number of the last birth cannot be read ({error}). Remove the file.") from error
    write_bytes(path, str(number).encode())
    return number


class _SparkplugLink:
    def __init__(self, name: str, config: SparkplugConfig, birth: int) -> None:
        self._name = name
        self._stale_s = config.stale_s
        self._place = f"spBv1.0/{config.group}/{{}}/{config.node}"
        self._birth = birth
        self._sending = Lock()  # seq counts in the order of sending, which two threads do
        self._seq = 0
        self._said: Answer | None = SAFE  # what was told last; None: it may or may not have arrived
        self._changed = Condition()
        self._request = signals.request_values(Request())
        self._came_s = float("-inf")
        self._wrong: str | None = None  # what was wrong with the last command
        self._reborn = False
        will = Message(topic=self._place.format("NDEATH"), payload=self._death(), qos=1)
        self._broker = Broker(name, config.broker, will, self._place.format("NCMD"), self._command)

    def bear(self) -> None:
        """Announce the node and all its metrics."""
        with self._sending:
            self._reborn, self._seq = False, 0  # tck-id-topics-nbirth-seq-num
            self._said = self._said or SAFE
            answer = {f"Answer/{name}": value for name, value in signals.answer_values(self._said, self._name).items()}
            with self._changed:
                request = {f"Request/{name}": value for name, value in self._request.items()}
            own = (("bdSeq", DataType.UINT64, self._birth), (REBIRTH, DataType.BOOLEAN, False))
            metrics = [_metric(name, kind, value) for name, kind, value in own]
            metrics += [_metric(name, ANSWER_TYPES[name], value) for name, value in answer.items()]
            metrics += [_metric(name, REQUEST_TYPES[name], value) for name, value in request.items()]
            self._send("NBIRTH", metrics)

    def read(self) -> Request:
        self._broker.check()
        if self._reborn:
            self.bear()
        with self._changed:
            if not self._changed.wait_for(lambda: time.monotonic() - self._came_s <= self._stale_s, self._stale_s):
                raise DeviceTimeout(self._name, f"no command came within {self._stale_s:g} s.")
            if self._wrong is not None:
                raise DeviceError(self._name, self._wrong)
            return signals.request_from(self._request, self._name)

    def write(self, answer: Answer) -> None:
        said, self._said = self._said, None
        before = {} if said is None else signals.answer_values(said, self._name)
        after = signals.answer_values(answer, self._name)
        changed = {f"Answer/{name}": value for name, value in after.items() if value != before.get(name)}
        if changed:  # report by exception, section 5.13
            with self._sending:
                self._send("NDATA", [_metric(name, ANSWER_TYPES[name], value) for name, value in changed.items()])
        self._said = answer

    def release(self) -> None:
        with suppress(DeviceError):  # before a disconnect the node says that it dies, else the broker (section 5.4)
            self._broker.publish(Message(topic=self._place.format("NDEATH"), payload=self._death(), qos=1))
        self._broker.close()

    def _death(self) -> bytes:
        """Without seq (tck-id-payloads-ndeath-seq), with the birth's bdSeq."""
        return encode(Payload(unix_ms=_unix_ms(), metrics=(_metric("bdSeq", DataType.UINT64, self._birth),)))

    def _send(self, kind: str, metrics: list[Metric]) -> None:
        payload = encode(Payload(unix_ms=_unix_ms(), metrics=tuple(metrics), seq=self._seq))
        self._seq = (self._seq + 1) % 256
        self._broker.publish(Message(topic=self._place.format(kind), payload=payload, qos=0))

    def _command(self, _topic: str, content: bytes) -> None:
        """Takes a command whole or not at all; in the broker's thread, which must not publish and wait."""
        try:
            metrics = {metric.name: metric for metric in decode(content, self._name).metrics}
            request = self._request | self._commanded(metrics)
            signals.request_from(request, self._name)
            wrong = None
        except DeviceError as error:
            metrics, request, wrong = {}, self._request, str(error).removeprefix(f"{self._name}: ")
        with self._changed:
            self._reborn |= REBIRTH in metrics and metrics[REBIRTH].value is True
            if wrong or set(metrics) & set(REQUEST_TYPES):
                self._request, self._wrong, self._came_s = request, wrong, time.monotonic()
                self._changed.notify_all()

    def _commanded(self, metrics: dict[str, Metric]) -> dict[str, signals.Value]:
        """The command's metrics by signal."""
        ours = {name: metrics[name] for name in metrics if name in REQUEST_TYPES}
        for name, metric in ours.items():
            if metric.type is not REQUEST_TYPES[name]:
                raise DeviceError(self._name, f"{name} came as {metric.type.name}; see docs/signals.md.")
        return {name.removeprefix("Request/"): metric.value for name, metric in ours.items()}


def _metric(name: str, kind: DataType, value: signals.Value) -> Metric:
    return Metric(name=name, type=kind, value=value, unix_ms=_unix_ms())


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000
