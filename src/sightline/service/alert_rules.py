"""What a rule can watch: each kind is a record of its limits and a function that finds what is the matter."""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from sightline.errors import OptionError
from sightline.evaluation.intervals import beta_cdf
from sightline.service.parameters import read, schema
from sightline.store import recent
from sightline.store.alerts import Finding

_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a rule looks at."""

    session: Session
    now_s: float
    disks: Mapping[str, Path]  # name -> a folder on it


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectRate:
    """More rejects than usual: an exact one-sided binomial test of the last minutes against the hours before."""

    window_min: float = 15.0
    baseline_h: float = 24.0
    least_parts: int = 50
    p_value: float = 1e-4  # it is asked every few seconds, so this is small
    times: float = 1.5  # of the usual rate at least: with many parts a harmless difference is significant, too

    def __post_init__(self) -> None:
        _within(
            self, window_min=(0, 1440), baseline_h=(1, 2400), least_parts=(1, 1e9), p_value=(0, 0.5), times=(1, 1e6)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceDrop:
    """Defects are named less surely than before, as when a new kind appears."""

    window_min: float = 60.0
    baseline_h: float = 24.0
    least: int = 20  # named defects in the window
    drop: float = 0.1  # of the mean
    sigmas: float = 4.0  # of the difference of the means (Welch)

    def __post_init__(self) -> None:
        _within(self, window_min=(0, 1440), baseline_h=(1, 2400), least=(2, 1e9), drop=(0, 1), sigmas=(0, 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Scores of good parts move, before any of them is rejected: light, lens, material."""

    window_min: float = 60.0
    baseline_h: float = 24.0
    least: int = 100  # passed parts in the window
    shift: float = 0.5  # of the mean, in standard deviations of one score
    sigmas: float = 6.0  # of the difference of the means (Welch)

    def __post_init__(self) -> None:
        _within(self, window_min=(0, 1440), baseline_h=(1, 2400), least=(2, 1e9), shift=(0, 100), sigmas=(0, 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The slowest percent of the parts takes longer than this."""

    p99_ms: float
    window_min: float = 15.0
    least_parts: int = 100

    def __post_init__(self) -> None:
        _within(self, p99_ms=(0, 1e7), window_min=(0, 1440), least_parts=(1, 1e9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A station has not reported for some time."""

    after_s: float = 300.0
    forget_days: float = 7.0  # it was taken away

    def __post_init__(self) -> None:
        _within(self, after_s=(1, 1e7), forget_days=(0, 3650))


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Little room is left where the server keeps things."""

    least_free: float = 0.1  # share of the disk

    def __post_init__(self) -> None:
        _within(self, least_free=(0, 1))


def _within(record: object, **limits: tuple[float, float]) -> None:
    for name, (low, high) in limits.items():
        if not low <= getattr(record, name) <= high:
            raise OptionError(f"{name} is {getattr(record, name):g}; give a number from {low:g} to {high:g}.")


def _rates(rule: DefectRate, sight: Sight) -> list[Finding]:
    begin = sight.now_s - rule.window_min * _MINUTE_S
    now = recent.shares(sight.session, begin, sight.now_s)
    before = recent.hourly_shares(sight.session, begin - rule.baseline_h * _HOUR_S, begin)
    found = []
    for line, share in now.items():
        usual = before.get(line)
        if usual is None or share.judged < rule.least_parts or usual.judged < rule.least_parts:
            continue
        # one more of each, so that "never yet" is not taken for "never"
        expected = (usual.rejected + 1) / (usual.judged + 2)
        rate = share.rejected / share.judged
        chance = upper_tail(share.rejected, share.judged, expected)
        if chance < rule.p_value and rate >= rule.times * expected:
            message = (
                f"{share.rejected} of {share.judged} parts rejected in {rule.window_min:g} minutes ({rate:.1%}); "
                f"usual are {usual.rejected} of {usual.judged} ({usual.rejected / usual.judged:.1%})."
            )
            found.append(Finding(subject=_line(line), message=message, value=rate))
    return found


def upper_tail(count: int, total: int, probability: float) -> float:
    """P(X >= count) of a binomial X, exactly."""
    return 1.0 if count == 0 else beta_cdf(probability, count, total - count + 1)


def _confidences(rule: ConfidenceDrop, sight: Sight) -> list[Finding]:
    now, before = _windows(recent.confidences, rule.window_min, rule.baseline_h, sight)
    found = []
    for line, spread in now.items():
        usual = before.get(line)
        if usual is None or min(spread.count, usual.count) < rule.least:
            continue
        if usual.mean - spread.mean >= rule.drop and apart(usual, spread) >= rule.sigmas:
            message = f"defects are named with {spread.mean:.2f} on average; usual are {usual.mean:.2f}."
            found.append(Finding(subject=_line(line), message=message, value=spread.mean))
    return found


def _drifts(rule: Drift, sight: Sight) -> list[Finding]:
    now, before = _windows(recent.scores, rule.window_min, rule.baseline_h, sight)
    found = []
    for line, spread in now.items():
        usual = before.get(line)
        if usual is None or min(spread.count, usual.count) < rule.least:
            continue
        moved = abs(spread.mean - usual.mean)
        if moved >= rule.shift * usual.deviation and moved > 0 and apart(usual, spread) >= rule.sigmas:
            message = (
                f"scores of passed parts are {spread.mean:.4g} on average; usual are {usual.mean:.4g} with a "
                f"deviation of {usual.deviation:.4g}. Check light, lens and material."
            )
            found.append(Finding(subject=_line(line), message=message, value=spread.mean))
    return found


def apart(one: recent.Spread, other: recent.Spread) -> float:
    """Difference of two means in its own standard deviations (Welch)."""
    error = math.sqrt(one.deviation**2 / one.count + other.deviation**2 / other.count)
    return math.inf if error == 0 else abs(one.mean - other.mean) / error


def _windows(
    measure: Callable[[Session, float, float], dict[recent.Line, recent.Spread]],
    window_min: float,
    baseline_h: float,
    sight: Sight,
) -> tuple[dict[recent.Line, recent.Spread], dict[recent.Line, recent.Spread]]:
    begin = sight.now_s - window_min * _MINUTE_S
    now = measure(sight.session, begin, sight.now_s)
    return now, measure(sight.session, begin - baseline_h * _HOUR_S, begin) if now else {}


def _slow(rule: Latency, sight: Sight) -> list[Finding]:
    found = recent.slowest(sight.session, sight.now_s - rule.window_min * _MINUTE_S, sight.now_s, 0.01)
    return [
        Finding(
            subject=station,
            message=f"1 % of {parts} parts took {slow:.0f} ms or longer; the limit is {rule.p99_ms:g} ms.",
            value=slow,
        )
        for station, (parts, slow) in found.items()
        if parts >= rule.least_parts and not slow < rule.p99_ms
    ]


def _silent(rule: Silent, sight: Sight) -> list[Finding]:
    seen = recent.last_seen(sight.session, sight.now_s - rule.forget_days * _DAY_S)
    return [
        Finding(
            subject=station,
            message=f"has not reported for {told_span(sight.now_s - at_s)}. Check the station and its network.",
            value=sight.now_s - at_s,
        )
        for station, at_s in seen.items()
        if sight.now_s - at_s >= rule.after_s
    ]


def told_span(seconds: float) -> str:
    """As people say it, in the largest unit of which it is two at least."""
    for unit_s, unit in ((_DAY_S, "days"), (_HOUR_S, "hours"), (_MINUTE_S, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def _full(rule: Disk, sight: Sight) -> list[Finding]:
    found = []
    for name, folder in sight.disks.items():
        try:
            usage = shutil.disk_usage(folder)
        except OSError as error:
            found.append(Finding(subject=name, message=f"cannot be read ({error.strerror}). Check the disk."))
            continue
        free = usage.free / usage.total if usage.total else 0.0
        if free < rule.least_free:
            message = f"{free:.1%} of the disk are free ({usage.free / 1e9:.1f} GB). Free some space."
            found.append(Finding(subject=name, message=message, value=free))
    return found


def _line(line: recent.Line) -> str:
    return "/".join(line)[:255]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleKind:
    """One kind of rule."""

    limits: type[Any]
    find: Callable[[Any, Sight], list[Finding]]
    every_s: float = 0.0  # it is not asked more often: it reads a day's rows


RULE_KINDS: Mapping[str, RuleKind] = {
    "defect rate": RuleKind(limits=DefectRate, find=_rates),
    "confidence drop": RuleKind(limits=ConfidenceDrop, find=_confidences, every_s=300.0),
    "drift": RuleKind(limits=Drift, find=_drifts, every_s=300.0),
    "latency": RuleKind(limits=Latency, find=_slow),
    "station silent": RuleKind(limits=Silent, find=_silent),
    "disk": RuleKind(limits=Disk, find=_full),
}


def checked(kind: str, params: Mapping[str, Any]) -> Any:
    """The limits of a rule; raises OptionError for a kind or a limit that cannot be."""
    if kind not in RULE_KINDS:
        raise OptionError(f"rule {kind!r:.40}: is no kind of rule; there are {', '.join(RULE_KINDS)}.")
    return read(RULE_KINDS[kind].limits, params, kind)


def described() -> list[dict[str, Any]]:
    """Each kind with what it watches and the schema of its limits."""
    return [
        {"kind": name, "told": (kind.limits.__doc__ or "").strip(), "params": schema(kind.limits)}
        for name, kind in RULE_KINDS.items()
    ]
