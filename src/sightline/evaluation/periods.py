"""Hours, shifts and days of a plant, as its clocks on the wall show them."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sightline.errors import OptionError

MAX_PERIODS = 1_000


class Step(StrEnum):
    HOUR = "hour"
    SHIFT = "shift"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `begin_s` up to, but not with, `end_s`; seconds since 1970, UTC."""

    name: str  # local date and time of its begin
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Where the plant is, and when its shifts begin."""

    zone: str = "UTC"  # of the IANA time zone database
    shifts: tuple[str, ...] = ("06:00", "14:00", "22:00")  # local, in order of the day

    def __post_init__(self) -> None:
        self._zone()
        begins = [_clock(one) for one in self.shifts]
        if not begins or begins != sorted(set(begins)):
            raise OptionError(
                f"shifts {', '.join(self.shifts)}: give the times at which they begin, the earliest first."
            )

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder
            raise OptionError(f"time zone {self.zone!r:.60} is not known; give one like Europe/Berlin.") from error

    def local(self, at_s: float) -> datetime:
        return datetime.fromtimestamp(at_s, self._zone())

    def periods(self, since_s: float, until_s: float, step: Step) -> tuple[Period, ...]:
        """All periods that overlap the time given, whole, in order.

        Where clocks are changed, a shift or a day is an hour longer or shorter. Hours begin with the hours of UTC.

        Raises:
            OptionError: the times are not in order, or there are more than `MAX_PERIODS`.
        """
        if not 0 <= since_s < until_s < 32_503_680_000:  # the year 3000
            raise OptionError("period: give a begin and an end after it, in seconds since 1970.")
        spans = {Step.HOUR: 3600, Step.SHIFT: 86_400 / len(self.shifts), Step.DAY: 86_400}
        if (until_s - since_s) / spans[step] > MAX_PERIODS:
            raise OptionError(f"period: more than {MAX_PERIODS} {step}s; ask for a shorter time or longer steps.")
        begins = list(self._hours(since_s, until_s) if step is Step.HOUR else self._begins(since_s, until_s, step))
        first = bisect_right(begins, since_s) - 1
        return tuple(
            Period(name=self._name(begin, step), begin_s=begin, end_s=end)
            for begin, end in zip(begins[first:-1], begins[first + 1 :], strict=True)
            if begin < until_s
        )

    def _hours(self, since_s: float, until_s: float) -> Iterator[float]:
        first = int(since_s // 3600)
        last = int(-(-until_s // 3600))
        return (3600.0 * hour for hour in range(first, last + 1))

    def _begins(self, since_s: float, until_s: float, step: Step) -> Iterator[float]:
        zone, clocks = self._zone(), [_clock(one) for one in self.shifts] if step is Step.SHIFT else [time()]
        day, last = self.local(since_s).date() - timedelta(days=1), self.local(until_s).date() + timedelta(days=1)
        while day <= last:
            yield from (datetime.combine(day, clock, zone).timestamp() for clock in clocks)
            day += timedelta(days=1)

    def _name(self, begin_s: float, step: Step) -> str:
        begin = self.local(begin_s)
        if step is Step.DAY:
            return begin.strftime("%Y-%m-%d")
        twice = begin.utcoffset() != begin.replace(fold=1 - begin.fold).utcoffset()
        return begin.strftime("%Y-%m-%d %H:%M %Z" if twice else "%Y-%m-%d %H:%M")

    def shift_at(self, at_s: float) -> Period:
        """The shift that a moment lies in."""
        return self.periods(at_s, at_s + 1e-3, Step.SHIFT)[0]


def edges(periods: Sequence[Period]) -> tuple[float, ...]:
    """The begin of each, and the end of the last."""
    return (*(one.begin_s for one in periods), periods[-1].end_s) if periods else ()


def moment(text: str, calendar: Calendar) -> float:
    """Seconds since 1970 of `2026-03-29`, `2026-03-29T06:00` (local) or `2026-03-29T04:00Z`.

    Raises:
        OptionError: it is not one of these.
    """
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(calendar.zone))).astimezone(UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise OptionError(f"time {text!r:.40}: give it like 2026-03-29T06:00 or 2026-03-29T04:00:00Z.") from error


def _clock(text: str) -> time:
    try:
        clock = time.fromisoformat(text)
    except ValueError as error:
        raise OptionError(f"shift {text!r:.20}: give the time at which it begins, like 06:00.") from error
    if clock.tzinfo is not None:
        raise OptionError(f"shift {text!r:.20}: give it in local time, without a zone.")
    return clock
