"""Sums of a stretch of time, by station and product, for what watches the line."""

import math
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sightline.store.schema import Defect, Inspection, Station, Tally

_HOUR_S = 3600
Line = tuple[str, str]  # station, product


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many parts were rejected of those judged; faults are not judged."""

    rejected: int
    judged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Numbers by their sums."""

    count: int
    mean: float
    deviation: float  # of one number, with n - 1


def shares(session: Session, since_s: float, until_s: float) -> dict[Line, Share]:
    """Production parts triggered in this time."""
    wanted = (
        select(Station.name, Inspection.product, Inspection.verdict, func.count())
        .join(Station, Station.id == Inspection.station_id)
        .where(Inspection.at_s >= since_s, Inspection.at_s < until_s, Inspection.kind == "production")
        .group_by(Station.name, Inspection.product, Inspection.verdict)
    )
    return _shares([(station, product, verdict, count) for station, product, verdict, count in session.execute(wanted)])


def hourly_shares(session: Session, since_s: float, until_s: float) -> dict[Line, Share]:
    """As `shares`, for whole hours that lie in this time: from the tallies, and quick for weeks."""
    first, last = math.ceil(since_s / _HOUR_S), math.floor(until_s / _HOUR_S)
    wanted = (
        select(Station.name, Tally.product, Tally.verdict, func.sum(Tally.parts))
        .join(Station, Station.id == Tally.station_id)
        .where(Tally.hour >= first, Tally.hour < last, Tally.kind == "production")
        .group_by(Station.name, Tally.product, Tally.verdict)
    )
    return _shares([(station, product, verdict, count) for station, product, verdict, count in session.execute(wanted)])


def _shares(rows: list[tuple[str, str, str, int]]) -> dict[Line, Share]:
    found: dict[Line, Share] = {}
    for station, product, verdict, count in rows:
        if verdict != "FAULT":
            so_far = found.get((station, product), Share(rejected=0, judged=0))
            rejected = so_far.rejected + (int(count) if verdict == "REJECT" else 0)
            found[station, product] = Share(rejected=rejected, judged=so_far.judged + int(count))
    return found


def scores(session: Session, since_s: float, until_s: float) -> dict[Line, Spread]:
    """Scores of the production parts that passed."""
    score = Inspection.score
    wanted = (
        select(Station.name, Inspection.product, func.count(), func.avg(score), func.avg(score * score))
        .join(Station, Station.id == Inspection.station_id)
        .where(Inspection.at_s >= since_s, Inspection.at_s < until_s, Inspection.verdict == "PASS")
        .where(Inspection.kind == "production", score.is_not(None))
        .group_by(Station.name, Inspection.product)
    )
    return {(s, p): _spread(n, mean, square) for s, p, n, mean, square in session.execute(wanted)}


def confidences(session: Session, since_s: float, until_s: float) -> dict[Line, Spread]:
    """How sure the names of the defects were."""
    sure = Defect.confidence
    wanted = (
        select(Station.name, Inspection.product, func.count(), func.avg(sure), func.avg(sure * sure))
        .join(Inspection, Inspection.id == Defect.inspection_id)
        .join(Station, Station.id == Inspection.station_id)
        .where(Inspection.at_s >= since_s, Inspection.at_s < until_s, sure.is_not(None))
        .group_by(Station.name, Inspection.product)
    )
    return {(s, p): _spread(n, mean, square) for s, p, n, mean, square in session.execute(wanted)}


def slowest(session: Session, since_s: float, until_s: float, share: float) -> dict[str, tuple[int, float]]:
    """Station -> (parts, ms from trigger to verdict that this share of them exceeds)."""
    within = (Inspection.at_s >= since_s, Inspection.at_s < until_s, Inspection.total_ms.is_not(None))
    counted = select(Inspection.station_id, Station.name, func.count()).join(Station).where(*within)
    found: dict[str, tuple[int, float]] = {}
    for station_id, name, count in session.execute(counted.group_by(Inspection.station_id, Station.name)):
        behind = (
            select(Inspection.total_ms)
            .where(Inspection.station_id == station_id, *within)
            .order_by(Inspection.total_ms.desc())
        )
        slow = session.scalar(behind.offset(int(count * share)).limit(1))
        if slow is not None:  # the rows of both questions are one state of the database on SQLite alone
            found[name] = (count, slow)
    return found


def last_seen(session: Session, since_s: float) -> dict[str, float]:
    """When stations were last heard of, of those heard of since this moment."""
    found = session.execute(select(Station.name, Station.last_seen_s).where(Station.last_seen_s >= since_s))
    return {name: moment for name, moment in found}  # noqa: C416 - rows are no pairs to the type checker


def _spread(count: int, mean: float, mean_square: float) -> Spread:
    variance = max(0.0, mean_square - mean * mean) * (count / (count - 1) if count > 1 else 1.0)
    return Spread(count=count, mean=mean, deviation=math.sqrt(variance))
