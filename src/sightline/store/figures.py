"""Sums that the figures of quality are made of: by label, place, cause and period."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from sightline.evaluation.periods import Period, edges
from sightline.evaluation.throughput import Counts, FirstPass
from sightline.records import Verdict
from sightline.store.schema import Inspection
from sightline.store.tallied import Slice, Tallied, conditions, stations, tallied

MOST_LOOKED_AT = 50_000  # inspections that are asked for repeats one by one


@dataclass(slots=True, kw_only=True)
class _Sum:
    verdicts: dict[str, int] = field(default_factory=dict)
    late: int = 0
    defects: int = 0

    def add(self, verdict: str, row: Tallied) -> None:
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + row.parts
        self.late += row.late
        self.defects += row.defects

    def counts(self) -> Counts:
        passed, rejected, review, fault = (self.verdicts.get(verdict, 0) for verdict in _VERDICTS)
        return Counts(
            passed=passed, rejected=rejected, review=review, fault=fault, late=self.late, defects=self.defects
        )


_VERDICTS = (Verdict.PASS, Verdict.REJECT, Verdict.REVIEW, Verdict.FAULT)


def totals(session: Session, chosen: Slice) -> Counts:
    """What became of all parts of a slice."""
    return by_period(session, chosen, ())[0]


def by_period(session: Session, chosen: Slice, periods: Sequence[Period]) -> tuple[Counts, ...]:
    """What became of the parts in each period, those without parts too; no periods: in the slice as a whole."""
    sums = [_Sum() for _ in periods or (None,)]
    for row in tallied(session, chosen, ("verdict",), edges(periods)):
        sums[row.period].add(row.keys[0], row)
    return tuple(one.counts() for one in sums)


def by_place(session: Session, chosen: Slice, place: str) -> dict[str, Counts]:
    """What became of the parts of each station, line or product (`place`), by name."""
    sums: dict[str, _Sum] = {}
    for row in tallied(session, chosen, (place, "verdict")):
        sums.setdefault(row.keys[0], _Sum()).add(row.keys[1], row)
    return {name: one.counts() for name, one in sorted(sums.items())}


def by_label(session: Session, chosen: Slice) -> dict[str, int]:
    """Parts not passed, by the label of their most anomalous defect; for a Pareto chart."""
    counts: dict[str, int] = {}
    for row in tallied(session, chosen, ("label", "verdict")):
        label, verdict = row.keys
        if label and verdict in (Verdict.REJECT, Verdict.REVIEW):
            counts[label] = counts.get(label, 0) + row.parts
    return counts


def by_cause(session: Session, chosen: Slice) -> dict[str, int]:
    """Parts that could not be judged, by why."""
    rows = tallied(session, chosen, ("cause", "verdict"))
    return {row.keys[0] or "unknown": row.parts for row in rows if row.keys[1] == Verdict.FAULT}


def first_pass(session: Session, chosen: Slice) -> FirstPass:
    """Parts that passed at their first inspection at a station.

    A part with a serial number that had been at the same station before is left out. Where the slice holds more than
    `MOST_LOOKED_AT` inspections, repeats are not looked for, and each inspection counts as a part.
    """
    counts = totals(session, chosen)
    if counts.parts > MOST_LOOKED_AT:
        return FirstPass(parts=counts.parts, passed=counts.passed, repeats=None)
    earlier = aliased(Inspection)
    before = (
        select(earlier.number)
        .where(
            earlier.serial == Inspection.serial,
            earlier.number < Inspection.number,
            earlier.product == Inspection.product,
            earlier.station_id == Inspection.station_id,
        )
        .exists()
    )
    query = select(Inspection.verdict, func.count()).where(
        Inspection.at_s >= chosen.since_s,
        Inspection.at_s < chosen.until_s,
        Inspection.serial != "",
        *conditions(chosen, stations(session, chosen)),
        before,
    )
    repeats = {row[0]: row[1] for row in session.execute(query.group_by(Inspection.verdict))}
    gone = sum(repeats.values())
    return FirstPass(parts=counts.parts - gone, passed=counts.passed - repeats.get(Verdict.PASS, 0), repeats=gone)
