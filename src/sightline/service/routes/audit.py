"""Who changed what: to be read, to be proven, and to be kept elsewhere."""

import json
import math
import tempfile
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.texts import Moment
from sightline.store import audit
from sightline.store.audit import Wanted

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
Administrator = Annotated[Caller, Depends(needs(Right.ADMINISTER))]
Text = Annotated[str, Query(max_length=512, pattern=r"^[^\x00]*$")]
_CHUNK = 65_536
_IN_MEMORY = 1_000_000  # bytes of an export; what is more goes to a temporary file


class AuditRow(BaseModel):
    """One change."""

    number: int = Field(description="From 1, without gaps", examples=[17])
    at_s: float = Field(examples=[1790000000.0])
    who: str = Field(examples=["ada"])
    action: str = Field(examples=["change user"])
    subject: str = Field(examples=["user:bob"])
    before: object = Field(description="Null: there was nothing", examples=[{"role": "operator"}])
    after: object = Field(examples=[{"role": "quality engineer"}])
    signed: bool = Field(description="Whether the password was given again for it", examples=[False])
    digest: str = Field(
        description="SHA-256 of this row, which holds that of the row before", examples=["5f70bf18a086"]
    )


class Proof(BaseModel):
    """Whether the trail is as it was written."""

    whole: bool = Field(examples=[True])
    rows: int = Field(description="That were looked at", examples=[17])
    digest: str = Field(description="Of the last of them that is as it was written", examples=["5f70bf18a086"])
    damage: str = Field(description="What was found; empty: nothing", examples=[""])


@router.get("")
def list_changes(
    _: Administrator,
    here: Here,
    before: Annotated[int, Query(ge=1, le=2**53, description="Only rows with a smaller number")] = 2**53,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    who: Text = "",
    subject: Text = "",
    action: Text = "",
    since_s: Moment = 0.0,
    until_s: Moment | None = None,
) -> list[AuditRow]:
    """Changes, the newest first; `who`, `subject` and `action` must be equal where they are given."""
    wanted = Wanted(
        before=before,
        limit=limit,
        who=who,
        subject=subject,
        action=action,
        since_s=since_s,
        until_s=math.inf if until_s is None else until_s,
    )
    return [
        AuditRow.model_validate({**row, "before": json.loads(row["before"]), "after": json.loads(row["after"])})
        for row in audit.changes(here.database, wanted)
    ]


@router.get("/proof")
def prove(_: Administrator, here: Here) -> Proof:
    """Look through the whole trail."""
    checked = audit.verify(here.database)
    damage = f"row {checked.number} {checked.damage}" if checked.number else ""
    return Proof(whole=not damage, rows=checked.rows, digest=checked.digest, damage=damage)


@router.get(
    "/export", response_class=StreamingResponse, responses={200: {"content": {"application/jsonl": {"example": "{}"}}}}
)
def export(_: Administrator, here: Here) -> StreamingResponse:
    """The whole trail as lines of JSON; `sightline serve audit verify --file FILE` needs nothing else to prove it."""
    file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed below
        _IN_MEMORY, "w+", encoding="ascii", newline="\n", dir=str(here.scratch)
    )
    try:
        audit.export(here.database, file)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(_chunks(file), media_type="application/jsonl", headers=headers)


def _chunks(file: "tempfile.SpooledTemporaryFile[str]") -> Iterator[str]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
