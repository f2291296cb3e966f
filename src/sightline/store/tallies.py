"""Parts counted by hour, day and shift, from sums that are kept beside the inspections: quick over years."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sightline.errors import OptionError
from sightline.store.ingest import HOUR_S
from sightline.store.schema import Station, Tally

MOST_PERIODS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many parts came to one verdict in one period."""

    start_s: float  # of the period
    verdict: str
    parts: int
    defects: int  # all findings of these parts
    late: int


def counts(
    session: Session,
    *,
    since_s: float,
    until_s: float,
    step_h: int = 1,
    offset_h: int = 0,
    product: str = "",
    station: str = "",
    kind: str = "production",
) -> list[Count]:
    """In the order of time; what did not occur in a period is left out.

    Args:
        since_s, until_s: all hours are counted that these reach into.
        step_h: length of a period: 1, 8 for a shift, 24 for a day.
        offset_h: hours after midnight UTC at which a day's first period begins, 0..23; 22 for midnight in UTC+2.
        product, station, kind: the only one that is counted; empty: all together.

    Raises:
        OptionError: the times or the period make no sense.
    """
    if not 1 <= step_h <= 168 or not 0 <= offset_h < 24:
        raise OptionError(f"periods of {step_h} h that begin at {offset_h} h: give 1 to 168, and 0 to 23.")
    first, end = int(since_s // HOUR_S), int(-(-until_s // HOUR_S))
    if not (since_s < until_s and end - first <= MOST_PERIODS * step_h):
        raise OptionError(f"from {since_s:.0f} to {until_s:.0f}: give a span of at most {MOST_PERIODS:,} periods.")
    period = ((Tally.hour - offset_h) // step_h).label("period")
    parts, defects, late = func.sum(Tally.parts), func.sum(Tally.defects), func.sum(Tally.late)
    found = select(period, Tally.verdict, parts, defects, late).where(Tally.hour >= first, Tally.hour < end)
    if station:
        found = found.join(Station, Station.id == Tally.station_id).where(Station.name == station)
    if product:
        found = found.where(Tally.product == product)
    if kind:
        found = found.where(Tally.kind == kind)
    rows = session.execute(found.group_by(period, Tally.verdict).order_by(period, Tally.verdict))
    return [
        Count(
            start_s=float((number * step_h + offset_h) * HOUR_S),
            verdict=verdict,
            parts=int(sums[0]),
            defects=int(sums[1]),
            late=int(sums[2]),
        )
        for number, verdict, *sums in rows
    ]
