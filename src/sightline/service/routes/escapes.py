"""Escapes: bad parts that were passed and found later."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.texts import EXAMPLE_ID, InspectionId, Limit, Long, Moment, Name, Note, Number, Reason
from sightline.store import escapes
from sightline.store.escapes import Finding, KnownEscape

router = APIRouter(prefix="/api/v1/escapes", tags=["escapes"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Reviewer = Annotated[Caller, Depends(needs(Right.REVIEW))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]


class NewEscape(BaseModel):
    """What was found."""

    model_config = ConfigDict(extra="forbid")
    product: Name = Field(default="", description="Empty: that of the inspection", examples=["cap"])
    serial: Name = Field(default="", examples=["A-0017"])
    inspection_id: InspectionId | None = Field(
        default=None, description="None: the newest pass of the serial number", examples=[EXAMPLE_ID]
    )
    label: Name = Field(default="", examples=["crack"])
    found_s: Moment | None = Field(default=None, description="None: now", examples=[1790000000.0])
    found_where: Name = Field(default="", examples=["customer"])
    note: Note = Field(default="", examples=["8D report 17"])


class Mistake(BaseModel):
    """Why a report is taken back."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason = Field(examples=["it was the part of another line"])


class EscapeRecord(BaseModel):
    """An escape."""

    id: int = Field(examples=[2])
    product: str = Field(examples=["cap"])
    serial: str = Field(examples=["A-0017"])
    inspection_id: str | None = Field(description="None: which one is not known", examples=[EXAMPLE_ID])
    label: str = Field(examples=["crack"])
    found_s: float = Field(examples=[1790000000.0])
    found_where: str = Field(examples=["customer"])
    note: str = Field(examples=["8D report 17"])
    reported_by: str = Field(examples=["ada"])


@router.get("", summary="Escapes")
def list_escapes(
    plant: Here,
    _: Viewer,
    product: Name = "",
    before_s: Annotated[Moment | None, Query(description="found_s of the last one of the page before")] = None,
    before_id: Annotated[Long, Query(description="Its id")] = 0,
    limit: Limit = 100,
) -> list[EscapeRecord]:
    """Those found last first."""
    before = None if before_s is None else (before_s, before_id)
    with plant.database.reading() as session:
        return [_record(one) for one in escapes.listed(session, product=product, before=before, limit=limit)]


@router.post("", summary="Report an escape", status_code=201)
def report(new: NewEscape, plant: Here, caller: Reviewer) -> EscapeRecord:
    """Tell of a bad part that was passed."""
    now_s = time.time()
    finding = Finding(
        product=new.product,
        serial=new.serial,
        inspection_id=new.inspection_id,
        label=new.label,
        found_s=now_s if new.found_s is None else new.found_s,
        found_where=new.found_where,
        note=new.note,
    )
    return _record(escapes.report(plant.pictures, finding, by=caller.name, now_s=now_s))


@router.post("/{number}/take-back", summary="Take a report back")
def take_back(number: Number, mistake: Mistake, plant: Here, caller: Manager) -> EscapeRecord:
    """Remove a report that was a mistake; it stays in the audit trail, and the pictures stay as they are kept."""
    return _record(escapes.take_back(plant.database, number, by=caller.name, reason=mistake.reason, now_s=time.time()))


def _record(escape: KnownEscape) -> EscapeRecord:
    return EscapeRecord.model_validate(escape, from_attributes=True)
