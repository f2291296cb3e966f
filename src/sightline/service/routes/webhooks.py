"""Who is told of events: add, change, test and remove webhooks."""

import json
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import DeliveryError, OptionError
from sightline.service.access import Caller, needs
from sightline.service.outbound import LONGEST_URL
from sightline.service.plant import Here, Plant
from sightline.service.rights import Right
from sightline.service.webhooks import check_target, new_secret, post
from sightline.store import webhooks as store
from sightline.store.webhooks import EVENTS, TEST, Target

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])
Administrator = Annotated[Caller, Depends(needs(Right.ADMINISTER))]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Event = Literal[
    "inspection.rejected",
    "alert.raised",
    "alert.acknowledged",
    "alert.ended",
    "model.promoted",
    "recipe.released",
    "job.ended",
    "review.decided",
    "escape.reported",
    "escape.withdrawn",
]
_EXAMPLE: dict[str, Any] = {"url": "https://mes.example.com/sightline", "events": ["alert.raised", "job.ended"]}


class WebhookIn(BaseModel):
    """A web address, or one that Apprise knows, such as mailtos://..., and what it is told."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})
    url: str = Field(min_length=1, max_length=LONGEST_URL)
    events: list[Event] = Field(min_length=1, max_length=len(EVENTS))
    active: bool = True


class WebhookChange(BaseModel):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"active": False}})
    url: str | None = Field(default=None, min_length=1, max_length=LONGEST_URL)
    events: list[Event] | None = Field(default=None, min_length=1, max_length=len(EVENTS))
    active: bool | None = None
    new_secret: bool = Field(default=False, description="make a new one; the answer shows it")


class WebhookOut(BaseModel):
    """A webhook; of its address only the host is shown."""

    id: int
    url: str = Field(examples=["https://mes.example.com/..."])
    events: list[str]
    active: bool
    author: str
    created_s: float
    waiting: int = Field(description="deliveries that have not arrived yet")
    given_up: int = Field(description="deliveries that will not be tried again")
    secret: str | None = Field(default=None, description="with which messages are signed; shown only when it was made")


class Tried(BaseModel):
    """What came of a test."""

    delivered: bool
    detail: str = Field(examples=["answered 200"])
    seconds: float


@router.get("")
def listed(_: Administrator, plant: Here) -> list[WebhookOut]:
    """All webhooks."""
    with plant.database.reading() as session:
        return [_out(target) for target in store.targets(session)]


@router.post("", status_code=201)
def add(given: WebhookIn, caller: Administrator, plant: Here) -> WebhookOut:
    """Add one; the answer shows the secret, once."""
    _check(plant, given.url)
    secret = new_secret()
    with plant.database.writing() as session:
        made = store.add(
            session,
            url=given.url,
            events=given.events,
            secret=secret,
            active=given.active,
            author=caller.name,
            now_s=time.time(),
        )
    return _one(plant, made).model_copy(update={"secret": secret})


@router.patch("/{webhook_id}")
def change(webhook_id: Number, given: WebhookChange, caller: Administrator, plant: Here) -> WebhookOut:
    """Change one."""
    if given.url is not None:
        _check(plant, given.url)
    secret = new_secret() if given.new_secret else None
    with plant.database.writing() as session:
        store.change(
            session,
            webhook_id,
            url=given.url,
            events=given.events,
            secret=secret,
            active=given.active,
            by=caller.name,
        )
    return _one(plant, webhook_id).model_copy(update={"secret": secret})


@router.delete("/{webhook_id}", status_code=204)
def remove(webhook_id: Number, caller: Administrator, plant: Here) -> None:
    """Remove one, with what is on its way to it."""
    with plant.database.writing() as session:
        store.remove(session, webhook_id, by=caller.name)


@router.post("/{webhook_id}/test")
def test(webhook_id: Number, caller: Administrator, plant: Here) -> Tried:
    """Send it a message now, past its queue, and say what came of it."""
    now_s = time.time()
    body = json.dumps({"event": TEST, "at_s": now_s, "data": {"from": "Sightline", "asked by": caller.name}})
    with plant.database.reading() as session:
        parcel = store.parcel_for_test(session, webhook_id, body=body)
    started = time.monotonic()
    try:
        status = post(plant.sender.reach, parcel, now_s=now_s)
        return Tried(delivered=True, detail=f"answered {status}", seconds=time.monotonic() - started)
    except (DeliveryError, OptionError) as error:
        return Tried(delivered=False, detail=str(error), seconds=time.monotonic() - started)


def _check(plant: Plant, url: str) -> None:
    try:
        check_target(url, plant.sender.reach)
    except DeliveryError as error:  # a name that is not known now may be later, but more likely it is misspelt
        raise OptionError(str(error)) from error


def _one(plant: Plant, webhook_id: int) -> WebhookOut:
    with plant.database.reading() as session:
        return next(_out(target) for target in store.targets(session) if target.id == webhook_id)


def _out(target: Target) -> WebhookOut:
    return WebhookOut(
        id=target.id,
        url=store.shown(target.url),
        events=list(target.events),
        active=target.active,
        author=target.author,
        created_s=target.created_s,
        waiting=target.waiting,
        given_up=target.given_up,
    )
