"""What people decide of inspections; the inspections themselves are never changed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sightline.errors import ConflictError, NotFoundError, OptionError
from sightline.feedback.consensus import Opinion, Outcome, outcome_of
from sightline.records import Verdict
from sightline.store.audit import note
from sightline.store.labels import checked
from sightline.store.pictures import Pictures, pictures_of, strengthen_all
from sightline.store.retention import Kept
from sightline.store.schema import Claim, Inspection, Review
from sightline.store.turns import take_turn
from sightline.store.webhooks import publish

MOST_NOTE = 4000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one person says of one inspection."""

    inspection_id: str
    verdict: Verdict  # PASS or REJECT
    label: str = ""  # of a REJECT; empty: not named
    note: str = ""
    seconds: float | None = None  # that it took; None: not measured

    def __post_init__(self) -> None:
        if self.verdict not in (Verdict.PASS, Verdict.REJECT):
            raise OptionError(f"a person says PASS or REJECT, not {self.verdict}.")
        if self.verdict is Verdict.PASS and self.label:
            raise OptionError("a part that passes has no defect; leave the label out, or reject it.")
        if len(self.note) > MOST_NOTE:
            raise OptionError(f"a note has at most {MOST_NOTE} characters.")
        if self.label:
            checked(self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownReview:
    """A decision as it is kept."""

    id: int
    inspection_id: str
    reviewer: str
    verdict: Verdict
    label: str
    note: str
    at_s: float
    undone_s: float | None  # None: it stands
    seconds: float | None


def decide(pictures: Pictures, decision: Decision, *, reviewer: str, now_s: float) -> KnownReview:
    """Keep a decision; it takes the place of what the same person said before, and ends their claim.

    Raises:
        NotFoundError: there is no such inspection.
    """
    with pictures.database.writing() as session:
        take_turn(session, f"review:{decision.inspection_id}")
        if session.get(Inspection, decision.inspection_id) is None:
            raise NotFoundError(f"inspection {decision.inspection_id:.40}: there is none.")
        earlier = _standing(session, decision.inspection_id, reviewer)
        if earlier is not None:
            earlier.undone_s = now_s  # the same moment as the new one's: by it, undoing finds what to bring back
        row = Review(
            inspection_id=decision.inspection_id,
            reviewer=reviewer,
            verdict=decision.verdict,
            label=decision.label.strip(),
            note=decision.note,
            at_s=now_s,
            seconds=decision.seconds,
        )
        session.add(row)
        mine = Claim.inspection_id == decision.inspection_id, Claim.reviewer == reviewer
        session.execute(delete(Claim).where(*mine))
        strengthen_all(session, pictures, pictures_of(session, row.inspection_id), Kept.REVIEWED, now_s)
        session.flush()
        _noted(session, "review", reviewer, earlier, row)
        _announce(session, row.inspection_id, reviewer, row, now_s)
        return _known(row)


def undo(pictures: Pictures, inspection_id: str, *, reviewer: str, now_s: float) -> KnownReview | None:
    """Take back what this person said last; what they said before it stands again, and is returned.

    Raises:
        ConflictError: nothing that this person said stands.
    """
    with pictures.database.writing() as session:
        take_turn(session, f"review:{inspection_id}")
        row = _standing(session, inspection_id, reviewer)
        if row is None:
            raise ConflictError(f"inspection {inspection_id:.40}: nothing of {reviewer} stands that could be undone.")
        earlier = session.scalar(
            select(Review)
            .where(Review.inspection_id == inspection_id, Review.reviewer == reviewer)
            .where(Review.id < row.id, Review.undone_s == row.at_s)
            .order_by(Review.id.desc())
            .limit(1)
        )
        row.undone_s = now_s
        if earlier is not None:
            earlier.undone_s = None
        session.flush()
        _noted(session, "undo review", reviewer, row, earlier)
        _announce(session, inspection_id, reviewer, earlier, now_s)
        return _known(earlier) if earlier else None


def of_inspection(session: Session, inspection_id: str) -> list[KnownReview]:
    """All that was said of it, what was undone as well, in order."""
    query = select(Review).where(Review.inspection_id == inspection_id).order_by(Review.id)
    return [_known(row) for row in session.scalars(query)]


def listed(
    session: Session, *, reviewer: str = "", before: int | None = None, limit: int = 100, since_s: float = 0.0
) -> list[KnownReview]:
    """What stands, the newest first; `before` is the last `id` of the page before."""
    query = select(Review).where(Review.undone_s.is_(None), Review.at_s >= since_s)
    query = query.order_by(Review.id.desc()).limit(limit)
    query = query.where(Review.reviewer == reviewer) if reviewer else query
    return [_known(row) for row in session.scalars(query if before is None else query.where(Review.id < before))]


def outcomes(session: Session, inspection_ids: Sequence[str], needed: int = 1) -> dict[str, Outcome]:
    """What people together say of each of these, at most some thousands."""
    query = select(Review).where(Review.inspection_id.in_(inspection_ids), Review.undone_s.is_(None))
    opinions: defaultdict[str, list[Opinion]] = defaultdict(list)
    for row in session.scalars(query.order_by(Review.id)):
        opinion = Opinion(reviewer=row.reviewer, verdict=Verdict(row.verdict), label=row.label)
        opinions[row.inspection_id].append(opinion)
    return {name: outcome_of(opinions[name], needed) for name in inspection_ids}


def _standing(session: Session, inspection_id: str, reviewer: str) -> Review | None:
    query = select(Review).where(Review.inspection_id == inspection_id, Review.reviewer == reviewer)
    return session.scalar(query.where(Review.undone_s.is_(None)).order_by(Review.id.desc()).limit(1))


def _noted(session: Session, action: str, who: str, before: Review | None, after: Review | None) -> None:
    said = [None if row is None else {"verdict": row.verdict, "label": row.label} for row in (before, after)]
    subject = next(row.inspection_id for row in (before, after) if row)
    note(session, who=who, action=action, subject=f"inspection:{subject}", before=said[0], after=said[1])


def _announce(session: Session, inspection_id: str, reviewer: str, stands: Review | None, now_s: float) -> None:
    """Tell what this person says now; a verdict of null: they took back what they said."""
    verdict, label = (stands.verdict, stands.label) if stands else (None, "")
    news = {"inspection_id": inspection_id, "reviewer": reviewer, "verdict": verdict, "label": label}
    publish(session, "review.decided", news, now_s=now_s)


def _known(row: Review) -> KnownReview:
    return KnownReview(
        id=row.id,
        inspection_id=row.inspection_id,
        reviewer=row.reviewer,
        verdict=Verdict(row.verdict),
        label=row.label,
        note=row.note,
        at_s=row.at_s,
        undone_s=row.undone_s,
        seconds=row.seconds,
    )
