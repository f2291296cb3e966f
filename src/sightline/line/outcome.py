"""What is recorded of a part, and the one line of JSON that it becomes."""

import hashlib
import json
import math
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sightline.line.events import Signal
from sightline.records import Defect, Inspection, Verdict

MOST_DEFECTS = 20  # of a view that are recorded, the most anomalous ones; a line of JSON stays short
FIRST = hashlib.sha256(b"sightline").hexdigest()  # what the first record names as the digest of the one before


class Kind(StrEnum):
    """Why a part was looked at; only production counts in the figures of production."""

    PRODUCTION = "production"
    AUDIT = "audit"  # a pass that people look at as well
    CHALLENGE = "challenge"  # a part known to be bad, which tests the station


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a model that runs in shadow says of a view; it decides nothing."""

    verdict: Verdict
    score: float | None  # None only for a FAULT
    threshold: float
    model_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOutcome:
    """What one view of a part came to."""

    view: str
    verdict: Verdict
    score: float | None = None  # None only for a FAULT
    threshold: float | None = None  # that the score was compared with; None where nothing was judged
    model_id: str = ""  # empty where no model was asked
    defects: tuple[Defect, ...] = ()  # most anomalous first
    cause: str | None = None  # of a FAULT, one word for counters
    reason: str | None = None  # of a FAULT, for people
    shadow: Opinion | None = None  # None: no model runs in shadow, or it had nothing to say in time

    def __post_init__(self) -> None:
        assert self.score is None or math.isfinite(self.score), "what is not finite is not recorded as a score"
        assert (self.verdict is Verdict.FAULT) == (self.cause is not None), "a FAULT, and only a FAULT, has a cause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one part came to: what was done with it, beside what the models said."""

    id: str  # from `Ids.new`
    part_id: int  # the PLC's number of it; 0: none
    product: str
    recipe: int
    verdict: Verdict  # by which it was dealt with
    unix_s: float  # wall clock when it was triggered; order and durations never depend on it
    judged: Verdict | None = None  # by its views together; None: they did not say, or not in time
    told: Signal | None = None  # what the PLC was told; None: nothing, or the station ended before it was noted
    serial: str = ""
    lot: str = ""  # line/origin.py; empty: not known
    tool: str = ""
    kind: Kind = Kind.PRODUCTION
    score: float | None = None  # of the view that decided; None only for a FAULT
    cause: str | None = None  # of a FAULT, one word for counters
    reason: str | None = None  # of a FAULT, for people
    late: bool = False  # the verdict came after its window; the part was rejected
    encoder: int | None = None  # count when it was triggered; None: there is no encoder
    durations_ms: dict[str, float] = field(default_factory=dict)  # step -> how long, of the monotonic clock
    views: tuple[ViewOutcome, ...] = ()

    def __post_init__(self) -> None:
        assert self.score is None or math.isfinite(self.score), "what is not finite is not recorded as a score"
        assert (self.verdict is Verdict.FAULT) == (self.cause is not None), "a FAULT, and only a FAULT, has a cause"


def content(outcome: Outcome) -> dict[str, Any]:
    """What is recorded of a part, by the keys of docs/store-and-forward.md, but for its place in the chain."""
    return {
        "id": outcome.id,
        "part_id": outcome.part_id,
        "serial": outcome.serial,
        "lot": outcome.lot,
        "tool": outcome.tool,
        "product": outcome.product,
        "recipe": outcome.recipe,
        "kind": outcome.kind,
        "verdict": outcome.verdict,
        "judged": outcome.judged,
        "told": outcome.told,
        "score": outcome.score,
        "cause": outcome.cause,
        "reason": outcome.reason,
        "late": outcome.late,
        "unix_s": outcome.unix_s,
        "encoder": outcome.encoder,
        "durations_ms": {step: round(duration, 3) for step, duration in outcome.durations_ms.items()},
        "views": [_view(view) for view in outcome.views],
    }


def document(recorded: Mapping[str, Any], sequence: int, previous: str, station: str) -> str:
    """The record as one line of canonical JSON: sorted keys, no white space, ASCII.

    Args:
        recorded: as `content` gives it.
        sequence: its place among the station's records, from 1, without gaps.
        previous: `digest` of the document before it, or FIRST.
    """
    return canonical({**recorded, "sequence": sequence, "previous": previous, "station": station})


def canonical(recorded: Mapping[str, Any]) -> str:
    return json.dumps(recorded, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _view(view: ViewOutcome) -> dict[str, object]:
    return {
        "view": view.view,
        "verdict": view.verdict,
        "score": view.score,
        "threshold": view.threshold,
        "model": view.model_id,
        "cause": view.cause,
        "reason": view.reason,
        "defects": [_defect(defect) for defect in view.defects[:MOST_DEFECTS]],
        "more_defects": max(0, len(view.defects) - MOST_DEFECTS),
        "shadow": None if view.shadow is None else _opinion(view.shadow),
    }


def _opinion(opinion: Opinion) -> dict[str, object]:
    return {
        "verdict": opinion.verdict,
        "score": opinion.score,
        "threshold": opinion.threshold,
        "model": opinion.model_id,
    }


def _defect(defect: Defect) -> dict[str, object]:
    box = defect.box
    return {
        "label": defect.label,
        "confidence": defect.confidence,
        "box": [box.x, box.y, box.width, box.height],
        "area_px": defect.area_px,
        "area_mm2": defect.area_mm2,
        "peak": defect.peak if math.isfinite(defect.peak) else None,
    }


def opinion_of(inspection: Inspection) -> Opinion:
    """What is recorded of what a model in shadow found."""
    score = inspection.score if inspection.score is not None and math.isfinite(inspection.score) else None
    return Opinion(
        verdict=inspection.verdict, score=score, threshold=inspection.threshold, model_id=inspection.model_id
    )


def digest(line: str) -> str:
    """SHA-256 of a document's bytes, lower-case hex; the next document holds it."""
    return hashlib.sha256(line.encode("ascii")).hexdigest()


class Ids:
    """Makes ids that are unique in the world and, for this station, ascending as text: UUID version 7, RFC 9562.

    The 12 bits after the version count within a millisecond (section 6.2, method 1), and where the wall clock stands
    still or goes back, time goes on from the last id. Safe to use from several threads.
    """

    def __init__(self, last: str | None = None, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """`last`: the station's last id, which all new ones come after."""
        self._last = uuid.UUID(last).int >> 64 if last else 0
        self._clock_ns = clock_ns
        self._lock = threading.Lock()

    def new(self) -> str:
        with self._lock:
            millisecond, count = self._last >> 16, self._last & 0xFFF
            now = self._clock_ns() // 1_000_000
            if now > millisecond:
                millisecond, count = now, 0
            elif count < 0xFFF:
                count += 1
            else:
                millisecond, count = millisecond + 1, 0
            self._last = millisecond << 16 | 0x7000 | count
            return str(uuid.UUID(int=self._last << 64 | 0b10 << 62 | secrets.randbits(62)))
