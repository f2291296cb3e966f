"""Studies of agreement and challenge runs: made, rated blind, closed, and their result."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sightline.evaluation.periods import moment
from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.quality_models import Moment, ResultShown, Shown
from sightline.store import studies as store
from sightline.store.tallied import Slice

router = APIRouter(prefix="/api/v1/studies", tags=["studies"])

Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Reviewer = Annotated[Caller, Depends(needs(Right.REVIEW))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]
Id = Annotated[int, Path(ge=1, le=2**31 - 1)]


class ItemGiven(BaseModel):
    model_config = ConfigDict(extra="forbid")
    bad: bool = Field(description="the standard: what it truly is")
    inspection: str = Field("", max_length=36, examples=["0190f3c2-6f5e-7cc0-8a55-1f0d6f2f3c11"])
    picture: str = Field("", pattern="^([0-9a-f]{64})?$", description="SHA-256 of a stored picture")
    label: str = Field("", max_length=255, examples=["scratch"])


class ShownTo(BaseModel):
    """The challenge parts that a line was shown in a time."""

    model_config = ConfigDict(extra="forbid")
    since: str = Field(examples=["2026-11-17T06:00"])
    until: str = Field(examples=["2026-11-17T06:30"])
    line: str = Field("", max_length=255)
    station: str = Field("", max_length=255)
    product: str = Field("", max_length=255)


class StudyGiven(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "caps, November",
                "product": "cap",
                "rounds": 2,
                "items": [
                    {"bad": True, "picture": "ab" * 32, "label": "scratch"},
                    {"bad": False, "picture": "cd" * 32},
                ],
            }
        },
    )
    name: str = Field(min_length=1, max_length=255)
    kind: Literal["agreement", "challenge"] = "agreement"
    product: str = Field("", max_length=255)
    rounds: int = Field(2, ge=1, le=store.MAX_ROUNDS)
    note: str = Field("", max_length=10_000)
    items: list[ItemGiven] = Field([], max_length=store.MAX_ITEMS)
    challenge: ShownTo | None = Field(None, description="in place of items")

    @model_validator(mode="after")
    def _one_source(self) -> "StudyGiven":
        if bool(self.items) == (self.challenge is not None):
            raise ValueError("give either items or challenge")
        return self


class StudyShown(Shown):
    id: int = Field(examples=[7])
    name: str = Field(examples=["caps, November"])
    kind: str = Field(examples=["agreement"])
    product: str
    rounds: int
    note: str
    author: str
    created_s: Moment
    closed_s: float | None = Field(description="null: it may be rated, and its result is not shown")
    ratings: dict[str, int] = Field({}, description="how many each appraiser has given", examples=[{"m.huber": 40}])


class ItemShown(Shown):
    id: int
    place: int
    bad: bool
    label: str
    inspection_id: str | None
    picture: str | None


class TaskShown(Shown):
    """What to judge next: nothing that tells what is right, or what others said."""

    item: int
    inspection: str
    picture: str
    round: int
    done: int
    of: int


class NextShown(Shown):
    task: TaskShown | None = Field(description="null: everything is judged")


class SaidShown(Shown):
    appraiser: str = Field(examples=["m.huber"])
    round: int = Field(examples=[1])
    reject: bool = Field(examples=[False])


class DisputedShown(Shown):
    """An item that was not judged rightly by all."""

    item: ItemShown
    ratings: list[SaidShown]


class RatingGiven(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"item": 12, "reject": True, "seconds": 4.2}}
    )
    item: int = Field(ge=1, le=2**53)
    reject: bool
    seconds: float | None = Field(None, ge=0, le=86_400)


class MachineGiven(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"appraiser": "model cap 3", "round": 1, "verdicts": {"12": "REJECT"}}},
    )
    appraiser: str = Field(store.MACHINE, min_length=1, max_length=255)
    round: int = Field(ge=1, le=store.MAX_ROUNDS)
    verdicts: dict[int, Literal["PASS", "REJECT", "REVIEW", "FAULT"]] = Field(min_length=1, max_length=store.MAX_ITEMS)


@router.get("", response_model=list[StudyShown])
def list_studies(
    plant: Here,
    _: Viewer,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="id of the last one seen")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[StudyShown]:
    """The newest studies first."""
    with plant.database.reading() as session:
        return [StudyShown.model_validate(one) for one in store.studies(session, before=before, most=limit)]


@router.post("", status_code=201, response_model=StudyShown)
def make_study(plant: Here, caller: Manager, given: StudyGiven) -> StudyShown:
    """A new study of chosen items, or of the challenge parts that a line was shown."""
    plan = store.Plan(name=given.name, kind=given.kind, product=given.product, rounds=given.rounds, note=given.note)
    with plant.database.writing() as session:
        if given.challenge is None:
            items = tuple(store.Item(**one.model_dump()) for one in given.items)
        else:
            items = store.challenge_items(session, _slice(given.challenge, plant))
        made = store.make(session, plan, items, who=caller.name, now_s=time.time())
        return StudyShown.model_validate(made)


def _slice(given: ShownTo, plant: Here) -> Slice:
    since_s, until_s = (moment(one, plant.quality.calendar) for one in (given.since, given.until))
    return Slice(since_s=since_s, until_s=until_s, station=given.station, line=given.line, product=given.product)


@router.get("/{id}", response_model=StudyShown)
def study(plant: Here, _: Viewer, id: Id) -> StudyShown:  # noqa: A002 - the name in the path
    """One study, and how far its raters are."""
    with plant.database.reading() as session:
        shown = StudyShown.model_validate(store.study(session, id))
        return shown.model_copy(update={"ratings": store.progress(session, id)})


@router.get("/{id}/items", response_model=list[ItemShown])
def items(plant: Here, _: Manager, id: Id) -> list[ItemShown]:  # noqa: A002
    """All items with their truth: not for those who rate."""
    with plant.database.reading() as session:
        return [ItemShown.model_validate(one) for one in store.items(session, id)]


@router.get("/{id}/next", response_model=NextShown)
def next_item(plant: Here, caller: Reviewer, id: Id) -> NextShown:  # noqa: A002
    """What the caller shall judge next, in a random order of his own for each round."""
    with plant.database.reading() as session:
        task = store.next_task(session, id, caller.name)
        return NextShown(task=None if task is None else TaskShown.model_validate(task))


@router.post("/{id}/ratings", response_model=NextShown)
def rate(plant: Here, caller: Reviewer, id: Id, given: RatingGiven) -> NextShown:  # noqa: A002
    """Judge the item that `next` gave; the answer is the next one."""
    with plant.database.writing() as session:
        store.rate(
            session,
            id,
            given.item,
            appraiser=caller.name,
            reject=given.reject,
            seconds=given.seconds,
            now_s=time.time(),
        )
        task = store.next_task(session, id, caller.name)
        return NextShown(task=None if task is None else TaskShown.model_validate(task))


@router.post("/{id}/machine", status_code=204)
def rate_by_machine(plant: Here, caller: Manager, id: Id, given: MachineGiven) -> None:  # noqa: A002
    """What a model said of items, or the same line once more."""
    with plant.database.writing() as session:
        store.rate_by_machine(
            session,
            id,
            dict(given.verdicts),
            appraiser=given.appraiser,
            round_=given.round,
            who=caller.name,
            now_s=time.time(),
        )


@router.post("/{id}/close", response_model=StudyShown)
def close(plant: Here, caller: Manager, id: Id) -> StudyShown:  # noqa: A002
    """End the rating; from here on the result is shown."""
    with plant.database.writing() as session:
        return StudyShown.model_validate(store.close(session, id, who=caller.name, now_s=time.time()))


@router.get("/{id}/result", response_model=ResultShown)
def result(plant: Here, _: Viewer, id: Id) -> ResultShown:  # noqa: A002
    """Attribute agreement analysis after AIAG MSA, and what each appraiser proved; only once the study is closed."""
    with plant.database.reading() as session:
        return ResultShown.model_validate(store.result(session, id))


@router.get("/{id}/disputed", response_model=list[DisputedShown])
def disputed(
    plant: Here,
    _: Viewer,
    id: Id,  # noqa: A002
    limit: Annotated[int, Query(ge=1, le=store.MAX_ITEMS)] = 100,
) -> list[DisputedShown]:
    """Items that somebody judged wrongly, with who said what; only once the study is closed."""
    with plant.database.reading() as session:
        return [DisputedShown.model_validate(one) for one in store.disputed(session, id, most=limit)]
