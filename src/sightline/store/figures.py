"""Sums that the figures of quality are made of: by label, place, cause and period."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row, Subquery, func, select
from sqlalchemy.orm import Session, aliased

from sightline.evaluation.periods import Period, edges
from sightline.evaluation.throughput import Counts, FirstPass
from sightline.line.outcome import Kind
from sightline.records import Verdict
from sightline.store.schema import Frame, Inspection, Station
from sightline.store.tallied import Slice, Tallied, conditions, stations, tallied

MOST_LOOKED_AT = 50_000  # inspections that are asked for repeats one by one
MOST_CHALLENGED = 20_000  # challenge parts, of which a history is told
MOST_SHADOWED = 25_000  # inspections in which a second model's word is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenged:
    """What became of parts that are known to be bad."""

    found: int
    missed: int  # their views passed them, whatever was done with the part then
    faults: int  # their views did not say, or not in time; they count as neither

    @property
    def judged(self) -> int:
        return self.found + self.missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The challenge parts that one station was shown in one period."""

    station: str
    period: Period
    counts: Challenged


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """What a model that decides nothing said at one station, beside the one that decides."""

    station: str
    model: str  # id of the one in shadow
    since_s: float  # its first word among the inspections looked at
    until_s: float  # its last one
    verdicts: dict[str, dict[str, int]]  # views: by the verdict that decided, then by that in shadow
    silent: int  # views judged in between, on which it said nothing or not in time

    @property
    def agreed(self) -> int:
        return sum(by_shadow.get(verdict, 0) for verdict, by_shadow in self.verdicts.items())

    @property
    def disagreed(self) -> int:
        return sum(sum(by_shadow.values()) for by_shadow in self.verdicts.values()) - self.agreed


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
    """What became of the parts of each station, line, product, lot or tool (`place`), by name; empty: not known."""
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


def challenged(session: Session, chosen: Slice) -> Challenged:
    """What became of the challenge parts of a slice, whatever kinds it names.

    What their views judged counts, not how the part was dealt with: one that was missed is told as a FAULT.
    """
    query = select(Inspection.judged, func.count()).where(
        Inspection.kind == Kind.CHALLENGE,
        Inspection.at_s >= chosen.since_s,
        Inspection.at_s < chosen.until_s,
        *conditions(replace(chosen, kinds=()), stations(session, chosen)),
    )
    return _challenged({row[0]: row[1] for row in session.execute(query.group_by(Inspection.judged))})


def challenge_runs(session: Session, chosen: Slice, periods: Sequence[Period]) -> tuple[Run, ...]:
    """What became of the newest `MOST_CHALLENGED` challenge parts by station and period, the newest first."""
    known, begins = stations(session, chosen), edges(periods)
    query = select(Inspection.at_s, Inspection.station_id, Inspection.judged).where(
        Inspection.kind == Kind.CHALLENGE,
        Inspection.at_s >= chosen.since_s,
        Inspection.at_s < chosen.until_s,
        *conditions(replace(chosen, kinds=()), known),
    )
    sums: dict[tuple[int, str], dict[str, int]] = {}
    for at_s, station, judged in session.execute(query.order_by(Inspection.at_s.desc()).limit(MOST_CHALLENGED)):
        of_run = sums.setdefault((bisect_right(begins, at_s) - 1, known[station].name), {})
        of_run[judged] = of_run.get(judged, 0) + 1
    return tuple(
        Run(station=station, period=periods[place], counts=_challenged(judged))
        for (place, station), judged in sorted(sums.items(), key=lambda one: (-one[0][0], one[0][1]))
    )


def _challenged(judged: dict[str, int]) -> Challenged:
    missed, found = judged.get(Verdict.PASS, 0), judged.get(Verdict.REJECT, 0) + judged.get(Verdict.REVIEW, 0)
    return Challenged(found=found, missed=missed, faults=sum(judged.values()) - found - missed)


def shadows(session: Session, chosen: Slice) -> tuple[Shadow, ...]:
    """What models in shadow said, by station and model, of the newest `MOST_SHADOWED` inspections in the slice."""
    known = stations(session, chosen)
    seen = _seen(chosen, known)
    row, first, last = seen.c, func.min(seen.c.at_s).label("first"), func.max(seen.c.at_s).label("last")
    keys = (row.station_id, row.shadow_model, row.view, row.verdict, row.shadow_verdict)
    words = select(*keys, func.count().label("views"), first, last).where(row.shadow_verdict != "").group_by(*keys)
    said: dict[tuple[str, str], list[Row[Any]]] = {}
    for word in session.execute(words):
        said.setdefault((known[word.station_id].name, word.shadow_model), []).append(word)
    silences = _silences(session, seen) if said else {}
    return tuple(_shadow(station, model, words, silences) for (station, model), words in sorted(said.items()))


def _seen(chosen: Slice, known: dict[int, Station]) -> Subquery:
    """Views of the newest inspections; the slice's kinds, product, lot and tool are looked for among them alone."""
    columns = [getattr(Inspection, name) for name in ("id", "at_s", "station_id", "kind", "product", "lot", "tool")]
    newest = select(*columns).where(Inspection.at_s >= chosen.since_s, Inspection.at_s < chosen.until_s)
    if chosen.station or chosen.line:
        newest = newest.where(Inspection.station_id.in_(known))
    newest = newest.order_by(Inspection.at_s.desc(), Inspection.number.desc()).limit(MOST_SHADOWED)
    looked = newest.subquery()
    views = select(Frame.view, Frame.verdict, Frame.shadow_verdict, Frame.shadow_model)
    views = views.add_columns(looked.c.at_s, looked.c.station_id)
    views = views.join_from(looked, Frame, Frame.inspection_id == looked.c.id)
    if chosen.kinds:
        views = views.where(looked.c.kind.in_(chosen.kinds))
    for name in ("product", "lot", "tool"):
        if getattr(chosen, name):
            views = views.where(looked.c[name] == getattr(chosen, name))
    return views.subquery()


def _silences(session: Session, seen: Subquery) -> dict[tuple[int, str], list[float]]:
    """When views were judged of which no model in shadow said anything, by station and view."""
    row = seen.c
    silent = select(row.station_id, row.view, row.at_s).where(row.shadow_verdict == "", row.verdict != Verdict.FAULT)
    moments: dict[tuple[int, str], list[float]] = {}
    for station, view, at_s in session.execute(silent):
        moments.setdefault((station, view), []).append(at_s)
    return moments


def _shadow(station: str, model: str, words: list[Row[Any]], silences: dict[tuple[int, str], list[float]]) -> Shadow:
    verdicts: dict[str, dict[str, int]] = {}
    spans: dict[tuple[int, str], tuple[float, float]] = {}  # of its first word on a view to its last
    for word in words:
        by_shadow = verdicts.setdefault(word.verdict, {})
        by_shadow[word.shadow_verdict] = by_shadow.get(word.shadow_verdict, 0) + word.views
        of_view = (word.station_id, word.view)
        first, last = spans.get(of_view, (word.first, word.last))
        spans[of_view] = (min(first, word.first), max(last, word.last))
    return Shadow(
        station=station,
        model=model,
        since_s=min(first for first, _ in spans.values()),
        until_s=max(last for _, last in spans.values()),
        verdicts=verdicts,
        silent=sum(
            first <= at_s <= last for of_view, (first, last) in spans.items() for at_s in silences.get(of_view, ())
        ),
    )
