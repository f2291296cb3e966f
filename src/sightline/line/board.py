"""What the station's page shows, kept by the loop and read by the page's threads."""

import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np

from sightline.devices.plc import Answer
from sightline.imaging.overlay import heat_picture, original
from sightline.line.case import Case
from sightline.line.faults import Fault
from sightline.line.origin import Origin, Origins
from sightline.line.outcome import Kind, Outcome
from sightline.records import Frame, Inspection, Verdict

_LAST_PARTS = 12
_LATENCIES = 2_000  # parts, whose median and 99th percentile are shown
_MOST_ALARMS = 20
_PICTURE_PX = 480  # longest side
_JPEG_QUALITY = 80
SHADOWS = ("shadow_agreed", "shadow_disagreed", "shadow_silent")
_COUNTED = ("triggers", "late", "missed", "late_views", *SHADOWS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shown:
    """A part of the last ones."""

    document: dict[str, Any]
    frame: Frame | None
    inspection: Inspection | None


@dataclass(slots=True, kw_only=True)
class Device:
    """A line of the table of devices."""

    name: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What the plant server does not have yet."""

    records: int
    pictures: int | None  # None: pictures go to no plant server
    error: str = ""  # why; empty: they are on their way


@dataclass(slots=True, eq=False)
class Board:
    """The state of one station."""

    station: str
    plc: str = "not connected yet"
    origins: Origins | None = None  # None: lot and tool are not known
    devices: list[Device] = field(default_factory=list)
    backlog: Backlog | None = None  # None: there is no plant server, or it was not looked at yet
    since_s: float = field(default_factory=time.time)  # that is counted
    _answer: Answer = field(default_factory=Answer)
    _fault: Fault = Fault.STARTING
    _product: str = ""
    _recipe: int = 0
    _counts: Counter[str] = field(default_factory=Counter)
    _causes: Counter[str] = field(default_factory=Counter)
    _failed_s: dict[str, float] = field(default_factory=dict)  # when a cause was last met
    _kinds: Counter[str] = field(default_factory=Counter)
    _latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    _parts: deque[_Shown] = field(default_factory=lambda: deque(maxlen=_LAST_PARTS))
    _alarms: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_ALARMS))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def origin(self) -> Origin:
        """Of parts that are announced now."""
        return Origin() if self.origins is None else self.origins.now

    def count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    def counted(self, what: str) -> int:
        with self._lock:
            return self._counts[what]

    def now(self, answer: Answer, fault: Fault, product: str, recipe: int) -> None:
        with self._lock:
            self._answer, self._fault, self._product, self._recipe = answer, fault, product, recipe

    def alarm(self, words: str) -> None:
        """Show this until `quiet`; once, however often it is said."""
        with self._lock:
            if words not in self._alarms:
                self._alarms.append(words)

    def quiet(self, beginning: str = "") -> None:
        """Take down the alarms that begin so."""
        with self._lock:
            staying = [words for words in self._alarms if not words.startswith(beginning)]
            self._alarms.clear()
            self._alarms.extend(staying)

    def decided(self, outcome: Outcome, case: Case, latency_s: float | None) -> None:
        """A part, when its end is known; `latency_s` as for `Metrics.decided`."""
        worst = max(outcome.views, key=lambda view: (view.verdict is Verdict.FAULT, view.score or 0.0), default=None)
        view = worst.view if worst is not None else ""
        label = worst.defects[0].label if worst is not None and worst.defects else ""
        document = {
            "number": case.part.sequence,
            "part_id": outcome.part_id,
            "serial": outcome.serial,
            "verdict": outcome.verdict.value,
            "label": (outcome.cause or "").replace("_", " ") or label,
            "told": _told(outcome, worst.threshold if worst is not None else None, latency_s),
            "score": outcome.score,
            "threshold": worst.threshold if worst is not None else None,
            "ms": _rounded(None if latency_s is None else latency_s * 1e3),
            "late": outcome.late,
            "at_s": outcome.unix_s,
            "picture": view in case.frames,
        }
        with self._lock:
            self._counts[outcome.verdict.value] += 1
            self._kinds[outcome.kind] += 1
            if outcome.cause is not None:
                self._causes[outcome.cause] += 1
                self._failed_s[outcome.cause] = outcome.unix_s
            if latency_s is not None:
                self._latencies_ms.append(latency_s * 1e3)
            self._parts.appendleft(
                _Shown(document=document, frame=case.frames.get(view), inspection=case.inspections.get(view))
            )

    def overlay(self, part: int) -> bytes | None:
        """A part's picture with its heat map, as JPEG; None where it is not among the last ones."""
        with self._lock:
            shown = next((one for one in self._parts if one.document["number"] == part), None)
        if shown is None or shown.frame is None:
            return None
        frame, inspection = shown.frame, shown.inspection
        if inspection is None or inspection.map is None:
            picture = original(frame.pixels, frame.bit_depth, max_side=_PICTURE_PX)
        else:
            picture = heat_picture(
                frame.pixels,
                frame.bit_depth,
                inspection.map,
                inspection.threshold,
                review_threshold=inspection.review_threshold,
                defects=inspection.defects,
                max_side=_PICTURE_PX,
            )
        done, data = cv2.imencode(
            ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        )
        return data.tobytes() if done else None

    def status(self) -> dict[str, Any]:
        """Everything the page shows, as JSON types."""
        with self._lock:
            answer, fault = self._answer, self._fault
            latencies = np.array(self._latencies_ms)
            p50, p99 = np.percentile(latencies, (50, 99)) if latencies.size else (None, None)
            return {
                "station": self.station,
                "lot": self.origin.lot,
                "tool": self.origin.tool,
                "product": f"{self._product} (recipe {self._recipe})" if self._recipe else "no recipe",
                "state": _state(answer, fault),
                "word": _word(answer, fault),
                "ready": answer.ready or answer.busy or answer.taken,
                "reason": "taking parts" if fault is Fault.NONE else f"{fault.cause} {fault.cure}",
                "cause": "taking parts" if fault is Fault.NONE else fault.cause,
                "cure": "" if fault is Fault.NONE else fault.cure,
                "error": int(fault),
                "since_s": self.since_s,
                "backlog": None if self.backlog is None else asdict(self.backlog),
                "counts": dict(self._counts)
                | {verdict.value: self._counts[verdict.value] for verdict in Verdict}
                | {name: self._counts[name] for name in _COUNTED}
                | {"challenges": self._kinds[Kind.CHALLENGE], "audited": self._kinds[Kind.AUDIT]}
                | {"p50_ms": _rounded(p50), "p99_ms": _rounded(p99)},
                "faults": [
                    {
                        "cause": cause.replace("_", " "),
                        "what": _cause(cause),
                        "count": count,
                        "cure": _cure(cause),
                        "last_s": self._failed_s[cause],
                    }
                    for cause, count in self._causes.most_common()
                ],
                "devices": [{"name": "PLC", "state": self.plc}]
                + [{"name": device.name, "state": device.state} for device in self.devices],
                "alarms": list(self._alarms),
                "parts": [shown.document for shown in self._parts],
            }


def _told(outcome: Outcome, threshold: float | None, latency_s: float | None) -> str:
    after = "" if latency_s is None else f"{latency_s * 1e3:.0f} ms"
    if outcome.score is None or threshold is None:
        return f"{outcome.reason or ''} {after}".strip()
    return f"score {outcome.score:.4g} / {threshold:.4g} · {after}"


def _state(answer: Answer, fault: Fault) -> str:
    if fault in (Fault.NONE, Fault.STOPPING):
        return "ready" if answer.ready or answer.busy or answer.taken or answer.valid else "loading"
    return "loading" if fault in (Fault.STARTING, Fault.WORKER_LOST) else "held"


def _word(answer: Answer, fault: Fault) -> str:
    words = {Fault.STARTING: "STARTING", Fault.STOPPING: "STOPPING", Fault.WORKER_LOST: "RECOVERING"}
    if fault is not Fault.NONE:
        return words.get(fault, "NOT READY")
    return {"ready": "READY", "loading": "WAITING"}[_state(answer, fault)]


def _cause(cause: str) -> str:
    fault = Fault.__members__.get(cause.upper())
    return cause.replace("_", " ") if fault is None else fault.cause


def _cure(cause: str) -> str:
    fault = Fault.__members__.get(cause.upper())
    return Fault.UNFIT.cure if fault is None else fault.cure


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 1)
