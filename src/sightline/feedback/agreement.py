"""How far people agree with each other and with the machine, from the reviews of daily work.

Parts that wait for people are the doubtful ones, so that these figures are lower than those of a study of chosen parts.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from sightline.evaluation.agreement import Kappa, cohen, fleiss
from sightline.records import Verdict
from sightline.store.schema import Inspection, Review

MOST = 20_000  # reviews that are looked at, the newest
_MOST_PAIRS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one person says of a part, beside the machine."""

    inspection_id: str
    reviewer: str
    reject: bool
    machine: str  # its verdict
    seconds: float | None  # that the person took; None: not measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewerAgreement:
    """One person beside the others, and beside the machine."""

    name: str
    reviews: int
    seconds: float | None  # that one took in the middle; None: not measured
    others: Kappa | None  # Cohen's, with each other person who looked at the same part; None: nobody did
    machine: Kappa | None  # Cohen's, where it said PASS or REJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two people who looked at the same parts."""

    first: str
    second: str
    kappa: Kappa


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All of it."""

    reviewers: tuple[ReviewerAgreement, ...]  # the busiest first
    pairs: tuple[Pair, ...]  # with the most parts in common first
    between: Kappa | None  # Fleiss', of the first two who looked at a part; None: none was seen by two


def agreement(session: Session, *, product: str = "", since_s: float = 0.0) -> Agreement:
    """Of the newest reviews that stand, at most MOST."""
    columns = Review.inspection_id, Review.reviewer, Review.verdict, Inspection.verdict, Review.seconds
    query = select(*columns).join(Inspection, Inspection.id == Review.inspection_id)
    query = query.where(Review.undone_s.is_(None), Review.at_s >= since_s)
    query = query.where(Inspection.product == product) if product else query
    rows = session.execute(query.order_by(Review.id.desc()).limit(MOST)).all()
    return agreement_of(
        [
            Said(inspection_id=name, reviewer=who, reject=said == Verdict.REJECT, machine=machine, seconds=seconds)
            for name, who, said, machine, seconds in reversed(rows)
        ]
    )


def agreement_of(said: Sequence[Said]) -> Agreement:
    """
    Args:
        said: in the order of time, one of each person and part.
    """
    parts: defaultdict[str, list[Said]] = defaultdict(list)
    mine: defaultdict[str, list[Said]] = defaultdict(list)
    for one in said:
        parts[one.inspection_id].append(one)
        mine[one.reviewer].append(one)
    both: defaultdict[tuple[str, str], list[tuple[bool, bool]]] = defaultdict(list)
    for each in parts.values():
        for one, other in combinations(sorted(each, key=lambda one: one.reviewer), 2):
            both[one.reviewer, other.reviewer].append((one.reject, other.reject))
    pairs = sorted(both.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:_MOST_PAIRS]
    return Agreement(
        reviewers=tuple(
            _reviewer(name, mine[name], both) for name in sorted(mine, key=lambda name: (-len(mine[name]), name))
        ),
        pairs=tuple(Pair(first=one, second=other, kappa=_cohen(seen)) for (one, other), seen in pairs),
        between=_fleiss([each[:2] for each in parts.values() if len(each) > 1]),
    )


def _reviewer(
    name: str, said: Sequence[Said], both: Mapping[tuple[str, str], Sequence[tuple[bool, bool]]]
) -> ReviewerAgreement:
    with_others = [
        seen if name == one else (seen[1], seen[0])
        for (one, other), all_ in both.items()
        if name in (one, other)
        for seen in all_
    ]
    decided = (Verdict.PASS, Verdict.REJECT)
    with_machine = [(one.reject, one.machine == Verdict.REJECT) for one in said if one.machine in decided]
    took = [one.seconds for one in said if one.seconds is not None]
    return ReviewerAgreement(
        name=name,
        reviews=len(said),
        seconds=median(took) if took else None,
        others=_cohen(with_others) if with_others else None,
        machine=_cohen(with_machine) if with_machine else None,
    )


def _cohen(seen: Sequence[tuple[bool, bool]]) -> Kappa:
    return cohen([[seen.count((one, other)) for other in (False, True)] for one in (False, True)])


def _fleiss(seen: Sequence[Sequence[Said]]) -> Kappa | None:
    rejects = [sum(one.reject for one in each) for each in seen]
    return fleiss([[2 - each, each] for each in rejects]) if rejects else None
