"""What is worth a person's time, the worthiest first, each with its reason in words.

1. people disagree: a third one decides
2. somebody says other than the machine: a second one looks
3. the machine does not decide: REVIEW
4. a kind of defect that was not seen before, or an anomaly without a name
5. an audit sample: a pass that people look at as well
6. doubt: the score is near its threshold

Within one reason the doubtful come first, then the newest. Only what came lately is looked at, and of each reason at
most so many, so that the question costs the same whatever the plant has kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from sightline.feedback.consensus import State
from sightline.feedback.reviews import outcomes
from sightline.records import UNNAMED, Verdict
from sightline.store.schema import Claim, Frame, Inspection, Review, Tally

WITHIN_S = 14 * 86_400.0
_LOOKED_AT = 400  # of each reason
_NEAREST = 0.1  # a score within a tenth of its threshold is doubtful


class Reason(StrEnum):
    """Why a person should look, the best reason first."""

    DISPUTED = "disputed"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    NEW_KIND = "new kind"
    AUDIT = "audit"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whose queue it is, and what is asked for."""

    reviewer: str
    needed: int = 1  # people who have to agree
    product: str = ""  # empty: any
    reason: Reason | None = None  # None: any
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One inspection that waits for a person."""

    inspection_id: str
    number: int
    product: str
    serial: str
    verdict: Verdict
    score: float | None
    label: str
    at_s: float
    reasons: tuple[Reason, ...]  # the best first
    words: str  # why, in one line
    doubt: float | None  # how far the score is from its threshold, as a share of that; None: not known


def waiting(session: Session, question: Question, *, now_s: float) -> list[Waiting]:
    """At most `limit`, without those that this person has decided, that are settled, or that others have claimed."""
    since_s = now_s - WITHIN_S
    new_kinds = _new_kinds(session, since_s)
    found: dict[str, tuple[Inspection, list[Reason]]] = {}
    for reason, query in _queries(question, since_s, new_kinds):
        if question.reason in (None, reason):
            for row in session.scalars(query.where(*_free(question, now_s)).limit(_LOOKED_AT)):
                found.setdefault(row.id, (row, []))[1].append(reason)
    open_ones = _unsettled(session, found, question.needed)
    nearness = _doubts(session, open_ones)
    doubtful = [name for name in open_ones if found[name][1] != [Reason.DOUBT] or _is_doubtful(nearness.get(name))]
    entries = [_entry(*found[name], nearness.get(name)) for name in doubtful]
    return sorted(entries, key=_order)[: question.limit]


def counts(session: Session, question: Question, *, now_s: float) -> dict[Reason, int]:
    """How many wait by their best reason; those beyond what is looked at are not counted."""
    everything = Question(
        reviewer=question.reviewer, needed=question.needed, product=question.product, limit=6 * _LOOKED_AT
    )
    found = Counter(entry.reasons[0] for entry in waiting(session, everything, now_s=now_s))
    return {reason: found[reason] for reason in Reason}


def _queries(
    question: Question, since_s: float, new_kinds: frozenset[str]
) -> Iterator[tuple[Reason, Select[Inspection]]]:
    recent = select(Inspection).where(Inspection.at_s >= since_s).order_by(Inspection.at_s.desc())
    if question.product:
        recent = recent.where(Inspection.product == question.product)
    few = _standing_reviews() < question.needed
    reviewed = select(Review.inspection_id).where(Review.at_s >= since_s, Review.undone_s.is_(None)).distinct()
    among = recent.where(Inspection.id.in_(reviewed))
    yield Reason.DISPUTED, among.where(_said(Verdict.PASS), _said(Verdict.REJECT))
    yield Reason.CONTRADICTED, among.where(_standing_reviews() == 1, _contradicts())
    yield Reason.UNDECIDED, recent.where(Inspection.verdict == Verdict.REVIEW, few)
    for label in sorted({UNNAMED, *new_kinds}):
        yield Reason.NEW_KIND, recent.where(Inspection.label == label, Inspection.verdict != Verdict.FAULT, few)
    yield Reason.AUDIT, recent.where(Inspection.kind == "audit", few)
    newest = recent.where(Inspection.verdict.in_((Verdict.PASS, Verdict.REJECT)), Inspection.kind == "production")
    yield Reason.DOUBT, newest.where(few, Inspection.score.is_not(None))


def _free(question: Question, now_s: float) -> tuple[ColumnElement[bool], ...]:
    mine = exists().where(
        Review.inspection_id == Inspection.id, Review.reviewer == question.reviewer, Review.undone_s.is_(None)
    )
    taken = exists().where(
        Claim.inspection_id == Inspection.id, Claim.reviewer != question.reviewer, Claim.until_s > now_s
    )
    return ~mine, ~taken


def _standing_reviews() -> ColumnElement[int]:
    standing = select(func.count()).select_from(Review)
    return standing.where(Review.inspection_id == Inspection.id, Review.undone_s.is_(None)).scalar_subquery()


def _said(verdict: Verdict) -> ColumnElement[bool]:
    return exists().where(Review.inspection_id == Inspection.id, Review.verdict == verdict, Review.undone_s.is_(None))


def _contradicts() -> ColumnElement[bool]:
    return or_(
        and_(Inspection.verdict == Verdict.PASS, _said(Verdict.REJECT)),
        and_(Inspection.verdict == Verdict.REJECT, _said(Verdict.PASS)),
    )


def _new_kinds(session: Session, since_s: float) -> frozenset[str]:
    """Labels that occurred for the first time since then, of a plant that has seen others before."""
    first = select(Tally.label).where(Tally.label.not_in(("", UNNAMED))).group_by(Tally.label)
    return frozenset(session.scalars(first.having(func.min(Tally.hour) >= since_s // 3600).limit(20)))


def _unsettled(session: Session, found: Iterable[str], needed: int) -> list[str]:
    names = list(found)
    told = outcomes(session, names, needed)
    reviews = select(Review.inspection_id, func.count()).where(
        Review.inspection_id.in_(names), Review.undone_s.is_(None)
    )
    looked_at = {row[0]: row[1] for row in session.execute(reviews.group_by(Review.inspection_id))}
    # one who contradicts the machine settles nothing until a second one has looked
    return [name for name in names if told[name].state is not State.SETTLED or looked_at.get(name) == 1]


def _doubts(session: Session, names: list[str]) -> dict[str, float]:
    """How far the nearest score of each inspection is from its threshold, as a share of that."""
    query = select(Frame.inspection_id, Frame.score, Frame.threshold).where(Frame.inspection_id.in_(names))
    nearest: dict[str, float] = {}
    for name, score, threshold in session.execute(query.where(Frame.score.is_not(None))):
        if score is not None and threshold:
            nearest[name] = min(abs(score - threshold) / abs(threshold), nearest.get(name, float("inf")))
    return nearest


def _is_doubtful(doubt: float | None) -> bool:
    return doubt is not None and doubt <= _NEAREST


def _entry(row: Inspection, reasons: list[Reason], doubt: float | None) -> Waiting:
    doubted = {Reason.DOUBT} if _is_doubtful(doubt) else set()
    ordered = tuple(sorted(set(reasons) - {Reason.DOUBT} | doubted, key=list(Reason).index))
    return Waiting(
        inspection_id=row.id,
        number=row.number,
        product=row.product,
        serial=row.serial,
        verdict=Verdict(row.verdict),
        score=row.score,
        label=row.label,
        at_s=row.at_s,
        reasons=ordered,
        words="; ".join(_words(reason, row, doubt) for reason in ordered),
        doubt=doubt,
    )


def _words(reason: Reason, row: Inspection, doubt: float | None) -> str:
    if reason is Reason.DOUBT:
        return f"the score is {100 * (doubt or 0):.0f} % from its threshold"
    if reason is Reason.NEW_KIND:
        return "an anomaly without a name" if row.label == UNNAMED else f'"{row.label}" is new here'
    return {
        Reason.DISPUTED: "people disagree; you decide",
        Reason.CONTRADICTED: f"the machine says {row.verdict}, a person the other",
        Reason.UNDECIDED: "the machine does not decide",
        Reason.AUDIT: "passed, and drawn for the audit sample",
    }[reason]


def _order(entry: Waiting) -> tuple[int, float, int]:
    doubt = float("inf") if entry.doubt is None else entry.doubt
    return list(Reason).index(entry.reasons[0]), doubt, -entry.number
