"""What single inspections add to the sums: where defects lie, what reviews confirmed, scores, stops and escapes.

Each query looks at a bounded number of rows; where there are more, the newest are taken, or every n-th, and the answer
says how many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from sightline.evaluation.periods import Period
from sightline.records import Verdict
from sightline.store.schema import Alert, Defect, Escape, Frame, Inspection, Review, Station
from sightline.store.tallied import Slice, conditions, stations

MOST_REJECTS = 10_000  # whose defects are placed
MOST_REVIEWED = 10_000
MOST_PASSES = 150_000  # of parts at stations, whose gaps are looked at
MOST_ESCAPES = 1_000
MOST_STOPS = 200
SCORES = 400  # looked at in each period
QUANTILES = (0.1, 0.5, 0.9, 0.99)
_STOPPED = (Verdict.REJECT.value, Verdict.REVIEW.value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Positions:
    """How many defects of one view have their middle in which cell."""

    view: str
    width_px: int  # that the cells cover: the furthest that any defect reaches
    height_px: int
    cells: NDArray[np.int64]  # (rows, columns), row 0 at the top
    defects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What people said of the inspections of one product that they looked at."""

    product: str
    inspections: int  # of the kind asked for
    reviewed: int
    bad: int  # of those reviewed


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How scores were distributed in one period; None where there is none."""

    period: Period
    counted: int  # scores looked at
    mean: float | None
    quantiles: tuple[float, ...] | None  # at QUANTILES


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A time in which a station saw no part."""

    station: str
    begin_s: float  # of the last part before
    end_s: float  # of the first part after

    @property
    def seconds(self) -> float:
        return self.end_s - self.begin_s


def positions(session: Session, chosen: Slice, *, label: str = "", bins: int = 48) -> tuple[Positions, ...]:
    """Where on the part its defects lie, by view, from the newest `MOST_REJECTS` parts not passed.

    Args:
        label: of the defects; empty: all.
        bins: columns; cells are square.
    """
    rejects = _of_verdict(session, chosen, _STOPPED).order_by(Inspection.at_s.desc()).limit(MOST_REJECTS).subquery()
    query = select(Frame.view, Defect.x, Defect.y, Defect.width, Defect.height)
    query = query.join_from(rejects, Defect, Defect.inspection_id == rejects.c.id).join(Frame)
    if label:
        query = query.where(Defect.label == label)
    boxes: dict[str, list[tuple[int, ...]]] = {}
    for row in session.execute(query):
        boxes.setdefault(row[0], []).append(tuple(row[1:]))
    return tuple(_binned(view, np.array(of_view, np.int64), bins) for view, of_view in sorted(boxes.items()))


def _binned(view: str, boxes: NDArray[np.int64], bins: int) -> Positions:
    reach = (boxes[:, :2] + boxes[:, 2:]).max(0)
    side = max(1, -(-int(reach[0]) // bins))
    shape = (-(-int(reach[1]) // side), -(-int(reach[0]) // side))
    middle = (boxes[:, :2] + boxes[:, 2:] // 2) // side
    cells = np.zeros((max(1, shape[0]), max(1, shape[1])), np.int64)
    np.add.at(cells, (middle[:, 1].clip(0, cells.shape[0] - 1), middle[:, 0].clip(0, cells.shape[1] - 1)), 1)
    return Positions(
        view=view, width_px=cells.shape[1] * side, height_px=cells.shape[0] * side, cells=cells, defects=len(boxes)
    )


def audited(session: Session, chosen: Slice) -> tuple[Reviewed, ...]:
    """The audit sample by product: passes that people were to look at, and what they said."""
    query = select(Inspection.id, Inspection.product, Review.id, Review.reviewer, Review.verdict)
    query = query.outerjoin(Review, (Review.inspection_id == Inspection.id) & Review.undone_s.is_(None))
    query = query.where(
        Inspection.kind == "audit",
        Inspection.at_s >= chosen.since_s,
        Inspection.at_s < chosen.until_s,
        Inspection.verdict == Verdict.PASS.value,
        *conditions(chosen, stations(session, chosen)),
    )
    return _reviewed(session, query.order_by(Inspection.at_s.desc()).limit(MOST_REVIEWED))


def confirmed(session: Session, chosen: Slice) -> tuple[Reviewed, ...]:
    """What people said of the parts that were not passed, by product; of the newest `MOST_REVIEWED` of them."""
    stopped = _of_verdict(session, chosen, _STOPPED).order_by(Inspection.at_s.desc()).limit(MOST_REVIEWED).subquery()
    query = select(stopped.c.id, stopped.c.product, Review.id, Review.reviewer, Review.verdict)
    query = query.outerjoin_from(stopped, Review, (Review.inspection_id == stopped.c.id) & Review.undone_s.is_(None))
    return _reviewed(session, query)


def _of_verdict(session: Session, chosen: Slice, verdicts: Sequence[str]) -> Select[*tuple[Any, ...]]:
    return select(Inspection.id, Inspection.product).where(
        Inspection.verdict.in_(verdicts),
        Inspection.at_s >= chosen.since_s,
        Inspection.at_s < chosen.until_s,
        *conditions(chosen, stations(session, chosen)),
    )


def _reviewed(session: Session, query: Select[*tuple[Any, ...]]) -> tuple[Reviewed, ...]:
    """People by their last word, and of several the majority; where they are even, the part is bad."""
    said: dict[str, dict[str, dict[str, tuple[int, str]]]] = {}  # product -> inspection -> reviewer -> last word
    for inspection, product, number, reviewer, verdict in session.execute(query):
        of_part = said.setdefault(product, {}).setdefault(inspection, {})
        if number is not None and number > of_part.get(reviewer, (-1, ""))[0]:
            of_part[reviewer] = (number, verdict)
    found = []
    for product, parts in sorted(said.items()):
        looked = [words.values() for words in parts.values() if words]
        bad = sum(2 * sum(verdict != Verdict.PASS for _, verdict in words) >= len(words) for words in looked)
        found.append(Reviewed(product=product, inspections=len(parts), reviewed=len(looked), bad=bad))
    return tuple(found)


def scores(session: Session, chosen: Slice, periods: Sequence[Period]) -> tuple[Scores, ...]:
    """How scores drift: of about `SCORES` inspections in each period, evenly spread over it.

    Where a slice is only some of the inspections (a station, a product), as many fewer are looked at.
    """
    known = stations(session, chosen)
    return tuple(_summary(period, _sample(session, chosen, period, known)) for period in periods)


def _sample(session: Session, chosen: Slice, period: Period, known: dict[int, Station]) -> NDArray[np.float64]:
    within = (Inspection.at_s >= period.begin_s, Inspection.at_s < period.end_s)
    query = select(Inspection.number).where(*within).limit(1)
    first = session.scalar(query.order_by(Inspection.at_s, Inspection.number))
    last = session.scalar(query.order_by(Inspection.at_s.desc(), Inspection.number.desc()))
    if first is None or last is None:
        return np.zeros(0)
    numbers = sorted({int(number) for number in np.linspace(min(first, last), max(first, last), SCORES)})
    found = select(Inspection.score).where(
        Inspection.number.in_(numbers), *within, Inspection.score.is_not(None), *conditions(chosen, known)
    )
    return np.array(session.scalars(found).all(), np.float64)


def _summary(period: Period, found: NDArray[np.float64]) -> Scores:
    if not found.size:
        return Scores(period=period, counted=0, mean=None, quantiles=None)
    quantiles = tuple(float(value) for value in np.quantile(found, QUANTILES))
    return Scores(period=period, counted=len(found), mean=float(found.mean()), quantiles=quantiles)


def stops(session: Session, chosen: Slice, longer_than_s: float = 300.0) -> tuple[Stop, ...]:
    """Times in which a station that worked in the slice saw no part, the longest first, at most `MOST_STOPS`.

    The time before a station's first part of the slice and after its last one is not known to be a stop.
    """
    known = stations(session, chosen)
    found = []
    for id_, station in known.items():
        newest = select(Inspection.at_s, Inspection.number).where(
            Inspection.station_id == id_, Inspection.at_s >= chosen.since_s, Inspection.at_s < chosen.until_s
        )
        newest = newest.order_by(Inspection.at_s.desc(), Inspection.number.desc()).limit(MOST_PASSES // len(known))
        passes = newest.subquery()
        before = func.lag(passes.c.at_s).over(order_by=(passes.c.at_s, passes.c.number)).label("before")
        of_station = select(passes.c.at_s, before).subquery()
        query = select(of_station.c.before, of_station.c.at_s).where(
            of_station.c.at_s - of_station.c.before > longer_than_s
        )
        found += [Stop(station=station.name, begin_s=begin, end_s=end) for begin, end in session.execute(query)]
    return tuple(sorted(found, key=lambda stop: (-stop.seconds, stop.station, stop.begin_s))[:MOST_STOPS])


def escapes(session: Session, chosen: Slice) -> tuple[Escape, ...]:
    """Bad parts that were passed and were found in the slice's time, the newest first, at most `MOST_ESCAPES`.

    Station, line, lot and tool are of the inspection that passed it; those of which that is not known belong to each.
    """
    query = select(Escape).where(Escape.found_s >= chosen.since_s, Escape.found_s < chosen.until_s)
    if chosen.product:
        query = query.where(Escape.product == chosen.product)
    if chosen.station or chosen.line or chosen.lot or chosen.tool:
        wanted = replace(chosen, product="", kinds=())
        passed = select(Inspection.id).where(*conditions(wanted, stations(session, chosen)))
        passed = passed.where(Inspection.id == Escape.inspection_id)
        query = query.where(Escape.inspection_id.is_(None) | passed.exists())
    return tuple(session.scalars(query.order_by(Escape.found_s.desc(), Escape.id.desc()).limit(MOST_ESCAPES)))


def open_alerts(session: Session, most: int = 50) -> tuple[Alert, ...]:
    """Alerts that have not ended, the newest first."""
    query = select(Alert).where(Alert.ended_s.is_(None)).order_by(Alert.raised_s.desc(), Alert.id.desc())
    return tuple(session.scalars(query.limit(most)))
