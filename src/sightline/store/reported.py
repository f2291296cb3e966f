"""A station's record as the plant takes it: read from its line, and checked for what the tables can hold.

docs/store-and-forward.md has the keys. Others than those are left in the line, for what a newer station says.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sightline.errors import DeliveryRefused
from sightline.line.events import Signal
from sightline.line.outcome import Kind
from sightline.records import Verdict

MOST_VIEWS = 64  # of a part
MOST_DEFECTS = 1000  # of a view; a station lists 20
_LONGEST_NAME, _LONGEST_WORD, _LONGEST_REASON = 255, 64, 10_000  # characters
_INT32, _INT64 = 2**31 - 1, 2**63 - 1
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LATEST_S = 253_402_300_800.0  # the year 10000
_VERDICTS = frozenset(Verdict)
_KINDS = frozenset(Kind)
_SIGNALS = frozenset(Signal)

_Content = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDefect:
    """One finding of a view."""

    label: str
    confidence: float | None
    box: tuple[int, int, int, int]  # x, y, width, height, px
    area_px: int
    area_mm2: float | None
    peak: float | None  # None: it was not finite
    severity: float | None

    @property
    def rank(self) -> float:
        """How anomalous it is; what is not finite is the worst."""
        return math.inf if self.peak is None else self.peak


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedShadow:
    """What a model that decides nothing said of a view."""

    verdict: str
    score: float | None
    model_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedView:
    """What one view of a part came to."""

    view: str
    verdict: str
    score: float | None
    threshold: float | None
    model_id: str
    cause: str
    reason: str
    defects: tuple[ReportedDefect, ...]
    more_defects: int
    shadow: ReportedShadow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a station recorded of one part."""

    line: str  # as it came
    id: str
    sequence: int
    previous: str
    station: str
    part_number: int
    serial: str
    lot: str  # empty: not known, as of stations that do not tell it
    tool: str
    product: str
    recipe: int
    kind: str
    verdict: str
    judged: str  # empty: the views did not say, or not in time
    told: str  # empty: nothing, or not known
    score: float | None
    cause: str
    late: bool
    unix_s: float
    total_ms: float | None
    views: tuple[ReportedView, ...]

    @property
    def label(self) -> str:
        """Of the most anomalous defect; empty: there is none."""
        found = [defect for view in self.views for defect in view.defects]
        return max(found, key=lambda defect: defect.rank).label if found else ""

    @property
    def defects(self) -> int:
        """All findings, those not listed too."""
        return sum(len(view.defects) + view.more_defects for view in self.views)


class _WrongError(ValueError):
    """What is the matter with a record, without its name."""


def read(line: str, place: int) -> Reported:
    """One line of a batch, `place` being its number from 1.

    Raises:
        DeliveryRefused: it is no record; the message names it.
    """
    name = f"line {place}"
    try:
        if not line.isascii():
            raise _WrongError("is not ASCII")
        content = json.loads(line, parse_constant=_refuse_constant)
        if not isinstance(content, dict):
            raise _WrongError("is no JSON object")
        if isinstance(content.get("id"), str):
            name = f"record {content['id'][:36]!a}, line {place}"
        return _record(line, content)
    except (ValueError, RecursionError) as error:
        raise DeliveryRefused(f"{name}: {error}. See docs/store-and-forward.md.") from error


def _record(line: str, content: _Content) -> Reported:
    verdict, cause = _one_of(content, "verdict", _VERDICTS), _text(content, "cause", _LONGEST_WORD, optional=True)
    if (verdict == Verdict.FAULT) != bool(cause):
        raise _WrongError("cause: a FAULT, and only a FAULT, has one")
    durations = content.get("durations_ms", {})
    if not isinstance(durations, dict):
        raise _WrongError(f"durations_ms: {durations!r:.40}; expected an object")
    views = tuple(_view(view) for view in _list(content, "views", MOST_VIEWS))
    if len({view.view for view in views}) != len(views):
        raise _WrongError("views: two have the same name")
    station = _text(content, "station")
    if not station:
        raise _WrongError("station: is empty; expected its name")
    return Reported(
        line=line,
        id=_matching(content, "id", _UUID, "a UUID"),
        sequence=_whole(content, "sequence", _INT64, least=1),
        previous=_matching(content, "previous", _DIGEST, "a SHA-256 in hex"),
        station=station,
        part_number=_whole(content, "part_id", _INT64),
        serial=_text(content, "serial"),
        lot=_text(content, "lot", _LONGEST_WORD, optional=True),
        tool=_text(content, "tool", _LONGEST_WORD, optional=True),
        product=_text(content, "product"),
        recipe=_whole(content, "recipe", _INT32),
        kind=_one_of(content, "kind", _KINDS),
        verdict=verdict,
        judged=_one_of(content, "judged", _VERDICTS, optional=True) if "judged" in content else verdict,
        told=_one_of(content, "told", _SIGNALS, optional=True),
        score=_number(content, "score", optional=True),
        cause=cause,
        late=_flag(content, "late"),
        unix_s=_moment(content, "unix_s"),
        total_ms=_number(durations, "total", optional=True),
        views=views,
    )


def _view(content: object) -> ReportedView:
    if not isinstance(content, dict):
        raise _WrongError(f"views: {content!r:.40}; expected objects")
    return ReportedView(
        view=_text(content, "view"),
        verdict=_one_of(content, "verdict", _VERDICTS),
        score=_number(content, "score", optional=True),
        threshold=_number(content, "threshold", optional=True),
        model_id=_text(content, "model"),
        cause=_text(content, "cause", _LONGEST_WORD, optional=True),
        reason=_text(content, "reason", _LONGEST_REASON, optional=True),
        defects=tuple(_defect(defect) for defect in _list(content, "defects", MOST_DEFECTS)),
        more_defects=_whole(content, "more_defects", _INT32),
        shadow=None if content.get("shadow") is None else _shadow(content["shadow"]),
    )


def _shadow(content: object) -> ReportedShadow:
    if not isinstance(content, dict):
        raise _WrongError(f"shadow: {content!r:.40}; expected an object")
    return ReportedShadow(
        verdict=_one_of(content, "verdict", _VERDICTS),
        score=_number(content, "score", optional=True),
        model_id=_text(content, "model"),
    )


def _defect(content: object) -> ReportedDefect:
    if not isinstance(content, dict):
        raise _WrongError(f"defects: {content!r:.40}; expected objects")
    x, y, width, height = _box(content)
    return ReportedDefect(
        label=_text(content, "label"),
        confidence=_number(content, "confidence", optional=True),
        box=(x, y, width, height),
        area_px=_whole(content, "area_px", _INT32),
        area_mm2=_number(content, "area_mm2", optional=True),
        peak=_number(content, "peak", optional=True),
        severity=_number(content, "severity", optional=True),
    )


def _box(content: _Content) -> list[int]:
    box = _list(content, "box", 4)
    if len(box) != 4:
        raise _WrongError(f"box: has {len(box)} numbers; expected x, y, width, height")
    return [_whole({"box": side}, "box", _INT32) for side in box]


def _text(content: _Content, key: str, longest: int = _LONGEST_NAME, *, optional: bool = False) -> str:
    """Null where it is optional becomes empty."""
    value = content.get(key)
    if value is None and optional:
        return ""
    if not isinstance(value, str):
        raise _WrongError(f"{key}: {value!r:.40}; expected a text")
    if len(value) > longest:
        raise _WrongError(f"{key}: has {len(value)} characters; at most {longest} are taken")
    if "\0" in value or not _is_unicode(value):
        raise _WrongError(f"{key}: {value[:40]!a} holds what is no character")
    return value


def _is_unicode(value: str) -> bool:
    """JSON can hold one half of a pair of surrogates, which no database can."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _matching(content: _Content, key: str, pattern: re.Pattern[str], expected: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _WrongError(f"{key}: {value!r:.40}; expected {expected}")
    return value


def _one_of(content: _Content, key: str, known: frozenset[str], *, optional: bool = False) -> str:
    """Null where it is optional becomes empty."""
    value = content.get(key)
    if value is None and optional:
        return ""
    if not isinstance(value, str) or value not in known:
        raise _WrongError(f"{key}: {value!a:.40}; expected {', '.join(sorted(known))}")
    return value


def _whole(content: _Content, key: str, most: int, *, least: int = 0) -> int:
    value = content.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _WrongError(f"{key}: {value!a:.40}; expected a whole number from {least} to {most}")
    return value


def _number(content: _Content, key: str, *, optional: bool = False) -> float | None:
    value = content.get(key)
    if value is None and optional:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not -1e300 <= value <= 1e300:
        raise _WrongError(f"{key}: {value!a:.40}; expected a finite number")
    return float(value)


def _moment(content: _Content, key: str) -> float:
    value = _number(content, key)
    if value is None or not 0 <= value <= _LATEST_S:
        raise _WrongError(f"{key}: {value!r:.40}; expected seconds since 1970")
    return value


def _flag(content: _Content, key: str) -> bool:
    value = content.get(key)
    if not isinstance(value, bool):
        raise _WrongError(f"{key}: {value!a:.40}; expected true or false")
    return value


def _list(content: _Content, key: str, most: int) -> list[object]:
    value = content.get(key)
    if not isinstance(value, list):
        raise _WrongError(f"{key}: {value!a:.40}; expected a list")
    if len(value) > most:
        raise _WrongError(f"{key}: has {len(value)} entries; at most {most} are taken")
    return value


def _refuse_constant(name: str) -> float:
    raise _WrongError(f"holds {name}, which is no number")
