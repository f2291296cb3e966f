"""Keys of programs and stations."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import OptionError
from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.rights import RIGHTS, Right, Role
from sightline.store import keys
from sightline.store.keys import Known, Wanted

router = APIRouter(prefix="/api/v1/keys", tags=["keys"])
Administrator = Annotated[Caller, Depends(needs(Right.ADMINISTER))]
Text = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class NewKey(BaseModel):
    """What a key may do."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[Text, Field(min_length=1, examples=["press line 3"])]
    role: Role = Field(examples=[Role.STATION])
    scopes: list[Right] = Field(
        default=[], max_length=len(Right), description="Rights of the role; empty: all of them", examples=[["report"]]
    )
    station: Text = Field(default="", description="The only one it may report for; empty: any", examples=["press-3"])
    days: float | None = Field(
        default=None, gt=0, le=36_500, description="For which it holds; none: for ever", examples=[365]
    )


class KeyRecord(BaseModel):
    """A key, without what is secret."""

    id: int = Field(examples=[4])
    shown: str = Field(description="Its first characters", examples=["sk_0a1b2c3d4e5f"])
    name: str = Field(examples=["press line 3"])
    role: str = Field(examples=["station"])
    scopes: list[str] = Field(examples=[["report"]])
    station: str = Field(examples=["press-3"])
    author: str = Field(examples=["ada"])
    created_s: float = Field(examples=[1790000000.0])
    expires_s: float | None = Field(examples=[1821536000.0])
    revoked_s: float | None = Field(examples=[None])
    used_s: float | None = Field(description="Within a minute; None: never", examples=[1790000500.0])


class MadeKey(KeyRecord):
    """A key that was just made."""

    key: str = Field(description="The key itself; it is never shown again", examples=["sk_0a1b2c3d4e5f_..."])


@router.get("")
def list_keys(
    _: Administrator,
    here: Here,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Go on behind this one")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[KeyRecord]:
    """All keys in the order in which they were made, revoked ones too."""
    return [KeyRecord.model_validate(_told(found)) for found in keys.keys(here.database, after=after, limit=limit)]


@router.post("", status_code=201)
def make_key(body: NewKey, caller: Administrator, here: Here) -> MadeKey:
    """Make a key; it is shown this once."""
    beyond = set(body.scopes) - RIGHTS[body.role]
    if beyond:
        raise OptionError(f"scopes: {', '.join(sorted(beyond))} is no right of the role {body.role}.")
    now_s = time.time()
    wanted = Wanted(
        name=body.name,
        role=body.role,
        scopes=tuple(sorted(set(body.scopes))),
        station=body.station,
        expires_s=None if body.days is None else now_s + body.days * 86_400,
    )
    known, secret = keys.make(here.database, wanted, by=caller.name, now_s=now_s)
    return MadeKey.model_validate({**_told(known), "key": secret})


@router.delete("/{number}", status_code=204)
def revoke_key(
    number: Annotated[int, Path(ge=1, le=2**31 - 1)], caller: Administrator, here: Here, request: Request
) -> None:
    """Let a key no longer work: here at once, on other servers of the plant within five seconds."""
    keys.revoke(here.database, number, by=caller.name, now_s=time.time())
    request.app.state.known_keys.forget()


def _told(known: Known) -> dict[str, object]:
    wanted = known.wanted
    return {
        "id": known.id,
        "shown": known.shown,
        "name": wanted.name,
        "role": wanted.role,
        "scopes": list(wanted.scopes),
        "station": wanted.station,
        "author": known.author,
        "created_s": known.created_s,
        "expires_s": wanted.expires_s,
        "revoked_s": known.revoked_s,
        "used_s": known.used_s,
    }
