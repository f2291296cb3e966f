"""Reviews: the queue, claims, decisions."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import NotFoundError
from sightline.feedback import agreement, claims, reviews
from sightline.feedback.kinds import kinds
from sightline.feedback.review_queue import Question, Reason, counts, waiting
from sightline.feedback.reviews import Decision, KnownReview
from sightline.records import Verdict
from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.quality_models import KappaShown, PairShown, Shown
from sightline.service.routes.texts import EXAMPLE_ID, InspectionId, Limit, Long, Moment, Name, Note
from sightline.store.schema import Inspection

router = APIRouter(prefix="/api/v1", tags=["reviews"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Reviewer = Annotated[Caller, Depends(needs(Right.REVIEW))]
Needed = Annotated[int, Field(ge=1, le=5, description="People who have to agree")]


class NewReview(BaseModel):
    """What a person decides."""

    model_config = ConfigDict(extra="forbid")
    verdict: Literal["PASS", "REJECT"] = Field(examples=["REJECT"])
    label: Name = Field(default="", description="Of a REJECT", examples=["scratch"])
    note: Note = Field(default="", examples=["only in low light"])
    seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = Field(default=None, examples=[4.2])


class ReviewRecord(BaseModel):
    """A decision."""

    id: int = Field(examples=[31])
    inspection_id: str = Field(examples=[EXAMPLE_ID])
    reviewer: str = Field(examples=["ada"])
    verdict: str = Field(examples=["REJECT"])
    label: str = Field(examples=["scratch"])
    note: str = Field(examples=[""])
    at_s: float = Field(examples=[1790000000.0])
    undone_s: float | None = Field(description="None: it stands", examples=[None])
    seconds: float | None = Field(examples=[4.2])


class OutcomeRecord(BaseModel):
    """What people together say."""

    state: str = Field(description="open, disputed or settled", examples=["settled"])
    verdict: str | None = Field(description="None unless it is settled", examples=["REJECT"])
    label: str = Field(examples=["scratch"])
    labels_agree: bool = Field(examples=[True])


class ReviewsRecord(BaseModel):
    """All that was said of an inspection."""

    outcome: OutcomeRecord
    reviews: list[ReviewRecord] = Field(description="Those undone as well, in order")


class WaitingRecord(BaseModel):
    """An inspection that waits for a person."""

    inspection_id: str = Field(examples=[EXAMPLE_ID])
    number: int = Field(examples=[1017])
    product: str = Field(examples=["cap"])
    serial: str = Field(examples=["A-0017"])
    verdict: str = Field(examples=["REVIEW"])
    score: float | None = Field(examples=[0.98])
    label: str = Field(examples=["anomaly"])
    at_s: float = Field(examples=[1790000000.0])
    reasons: list[Reason] = Field(description="The best first", examples=[["undecided", "doubt"]])
    words: str = Field(examples=["the machine does not decide; the score is 2 % from its threshold"])
    doubt: float | None = Field(description="Of the score from its threshold, as a share of that", examples=[0.02])


class Claimed(BaseModel):
    """Inspections that are this person's for a while."""

    inspection_ids: list[str] = Field(examples=[[EXAMPLE_ID]])
    for_s: float = Field(description="From now on", examples=[claims.CLAIM_S])


class Wanted(BaseModel):
    """Inspections to claim or to give up."""

    model_config = ConfigDict(extra="forbid")
    inspection_ids: list[InspectionId] = Field(max_length=1000, examples=[[EXAMPLE_ID]])
    most: int = Field(default=1, ge=1, le=claims.MOST_CLAIMS, description="How many of these, from the first on")


class ReviewerRecord(Shown):
    """One person beside the others, and beside the machine."""

    name: str = Field(examples=["ada"])
    reviews: int = Field(examples=[214])
    seconds: float | None = Field(description="That a review took in the middle", examples=[3.1])
    others: KappaShown | None = Field(description="Cohen's, with everybody who looked at the same parts")
    machine: KappaShown | None = Field(description="Cohen's, where it said PASS or REJECT")


class AgreementRecord(Shown):
    """How far people agree in their daily work."""

    reviewers: list[ReviewerRecord] = Field(description="The busiest first")
    pairs: list[PairShown] = Field(description="Two people each, those with the most parts in common first")
    between: KappaShown | None = Field(description="Fleiss', of the first two who looked at a part")


class Released(BaseModel):
    """Claims that were given up."""

    released: int = Field(examples=[1])


@router.get("/review-queue", summary="What is worth a person's time")
def get_queue(
    plant: Here,
    caller: Reviewer,
    needed: Needed = 1,
    product: Name = "",
    reason: Reason | None = None,
    limit: Limit = 50,
) -> list[WaitingRecord]:
    """The worthiest first, without what this person has decided, what is settled and what others have claimed."""
    question = Question(reviewer=caller.name, needed=needed, product=product, reason=reason, limit=limit)
    with plant.database.reading() as session:
        found = waiting(session, question, now_s=time.time())
    return [WaitingRecord.model_validate(one, from_attributes=True) for one in found]


@router.get("/review-queue/counts", summary="How many wait")
def get_counts(plant: Here, caller: Reviewer, needed: Needed = 1, product: Name = "") -> dict[Reason, int]:
    """By their best reason; of each reason at most some hundreds are looked at."""
    with plant.database.reading() as session:
        return counts(session, Question(reviewer=caller.name, needed=needed, product=product), now_s=time.time())


@router.get("/review-queue/kinds", summary="Kinds of defect")
def get_kinds(plant: Here, _: Reviewer, product: Name = "") -> list[str]:
    """By which names the defects of a product are called, those that people use most first; at most 20."""
    with plant.database.reading() as session:
        return kinds(session, product=product)


@router.post("/review-queue/claims", summary="Claim")
def claim(wanted: Wanted, plant: Here, caller: Reviewer) -> Claimed:
    """Take the first of these that nobody else has before them; a claim ends by itself."""
    mine = claims.claim(
        plant.database, wanted.inspection_ids, reviewer=caller.name, most=wanted.most, now_s=time.time()
    )
    return Claimed(inspection_ids=mine, for_s=claims.CLAIM_S)


@router.post("/review-queue/claims/release", summary="Give up claims")
def release(wanted: Wanted, plant: Here, caller: Reviewer) -> Released:
    """Give up these, or all where none is named."""
    return Released(released=claims.release(plant.database, reviewer=caller.name, inspection_ids=wanted.inspection_ids))


@router.get("/reviews", summary="Reviews")
def list_reviews(
    plant: Here,
    _: Viewer,
    reviewer: Name = "",
    since_s: Moment = 0.0,
    before: Long | None = None,
    limit: Limit = 100,
) -> list[ReviewRecord]:
    """Those that stand, the newest first; `before` is the id of the last one of the page before."""
    with plant.database.reading() as session:
        found = reviews.listed(session, reviewer=reviewer, before=before, limit=limit, since_s=since_s)
    return [_record(one) for one in found]


@router.get("/reviews/agreement", summary="Agreement of reviewers", response_model=AgreementRecord)
def get_agreement(plant: Here, _: Viewer, product: Name = "", since_s: Moment = 0.0) -> AgreementRecord:
    """Of the newest 20,000 reviews; they are of doubtful parts, so that studies of chosen ones give higher figures."""
    with plant.database.reading() as session:
        return AgreementRecord.model_validate(agreement.agreement(session, product=product, since_s=since_s))


@router.get("/inspections/{inspection_id}/reviews", summary="Reviews of an inspection")
def get_reviews(inspection_id: InspectionId, plant: Here, _: Viewer, needed: Needed = 1) -> ReviewsRecord:
    """What was said of it, and what people together say."""
    with plant.database.reading() as session:
        if session.get(Inspection, inspection_id) is None:
            raise NotFoundError(f"inspection {inspection_id}: there is none.")
        outcome = reviews.outcomes(session, [inspection_id], needed)[inspection_id]
        said = reviews.of_inspection(session, inspection_id)
    return ReviewsRecord(
        outcome=OutcomeRecord.model_validate(outcome, from_attributes=True), reviews=[_record(one) for one in said]
    )


@router.post("/inspections/{inspection_id}/reviews", summary="Decide", status_code=201)
def decide(inspection_id: InspectionId, new: NewReview, plant: Here, caller: Reviewer) -> ReviewRecord:
    """Decide an inspection; it takes the place of what the same person said before."""
    decision = Decision(
        inspection_id=inspection_id,
        verdict=Verdict(new.verdict),
        label=new.label,
        note=new.note,
        seconds=new.seconds,
    )
    return _record(reviews.decide(plant.pictures, decision, reviewer=caller.name, now_s=time.time()))


@router.post("/inspections/{inspection_id}/reviews/undo", summary="Undo")
def undo(inspection_id: InspectionId, plant: Here, caller: Reviewer) -> ReviewRecord | None:
    """Take back what this person said last; what they said before stands again, and is returned."""
    earlier = reviews.undo(plant.pictures, inspection_id, reviewer=caller.name, now_s=time.time())
    return _record(earlier) if earlier else None


def _record(review: KnownReview) -> ReviewRecord:
    return ReviewRecord.model_validate(review, from_attributes=True)
