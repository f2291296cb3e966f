"""POST /api/v1/ingest/pictures: several pictures of one station at once, so that the disk is waited for once.

The body is one line of JSON that lists the pictures, then their files, one right after the other, in that order.
"""

import time
from itertools import accumulate, pairwise
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from sightline.errors import InspectionError, OptionError
from sightline.service import body
from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.problems import status_of
from sightline.service.rights import Right
from sightline.service.routes.texts import EXAMPLE_DIGEST, EXAMPLE_ID, Digest, InspectionId, Name
from sightline.store.pictures import Sent, ViewOf

MOST_PICTURES = 64  # in one request; a station sends 32
MOST_BYTES = 32_000_000  # of one request; a station sends 8 MB
MEDIA_TYPE = "application/vnd.sightline.pictures"
_LONGEST_LIST, _LONGEST_DETAIL = 131_072, 300  # bytes, characters
EXAMPLE = (
    f'{{"pictures":[{{"inspection":"{EXAMPLE_ID}","view":"top","size_bytes":204800,"digest":"{EXAMPLE_DIGEST}",'
    '"media_type":"image/png"}]}\n(204800 bytes of PNG)'
)

router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"])


class ListedPicture(BaseModel):
    """One of the files of the body."""

    inspection: InspectionId
    view: Name
    which: Literal["picture", "overlay"] = "picture"
    size_bytes: Annotated[int, Field(ge=1, le=MOST_BYTES)]
    digest: Digest
    media_type: Annotated[str, Field(max_length=100)] = ""


class PictureList(BaseModel):
    """The first line of the body."""

    pictures: list[ListedPicture]


class Receipt(BaseModel):
    """What became of one picture."""

    digest: str = Field(description="As it was sent", examples=[EXAMPLE_DIGEST])
    status: int = Field(
        description="200: it is here for good; else what sending it alone would be answered: 403, 404, 409, 422",
        examples=[200],
    )
    detail: str = Field(description="Why it is not taken; empty where it is", examples=[""])


class Receipts(BaseModel):
    """What became of each picture, in the order in which they came."""

    pictures: list[Receipt]


async def _pictures(request: Request) -> list[tuple[ListedPicture, bytes]]:
    """Each picture with its file."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != MEDIA_TYPE:
        raise HTTPException(
            415, f"Content-Type: send {MEDIA_TYPE}, a line that lists the pictures and then their files."
        )
    content = await body.body_of(request, MOST_BYTES)
    end = content.find(b"\n", 0, _LONGEST_LIST)
    if end < 0:
        raise OptionError(f"the body does not begin with a line of at most {_LONGEST_LIST:,} bytes. List the pictures.")
    try:
        listed = PictureList.model_validate_json(content[:end]).pictures
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
    if len(listed) > MOST_PICTURES:
        raise HTTPException(413, f"pictures: are {len(listed)}; send at most {MOST_PICTURES} at once.")
    bounds = list(accumulate((one.size_bytes for one in listed), initial=end + 1))
    if bounds[-1] != len(content):
        raise OptionError(
            f"the files have {len(content) - end - 1:,} bytes, the list says {bounds[-1] - end - 1:,}. Send all of it."
        )
    return [(one, content[start:stop]) for one, (start, stop) in zip(listed, pairwise(bounds), strict=True)]


@router.post(
    "/pictures",
    summary="Store pictures of views",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}, "example": EXAMPLE}},
        }
    },
)
def take_pictures(
    plant: Here,
    caller: Annotated[Caller, Depends(needs(Right.REPORT))],
    sent: Annotated[list[tuple[ListedPicture, bytes]], Depends(_pictures)],
) -> Receipts:
    """Store what views of inspections saw: a line of JSON that lists the pictures, then their files in that order.

    At most 64 pictures and 32 MB at once. Each is answered for itself, one that is wrong stops no other, and the same
    again does no harm. The records of the inspections come first: 404 says that one is not here yet.
    """
    several = [
        Sent(
            content=content,
            view=ViewOf(
                inspection_id=one.inspection, view=one.view, overlay=one.which == "overlay", station=caller.station
            ),
            digest=one.digest,
            media_type=one.media_type.partition(";")[0].strip().lower(),
        )
        for one, content in sent
    ]
    kept = plant.pictures.link_all(several, now_s=time.time())
    return Receipts(pictures=[_receipt(one.digest, became) for one, became in zip(several, kept, strict=True)])


def _receipt(digest: str, became: str | InspectionError) -> Receipt:
    if isinstance(became, str):
        return Receipt(digest=digest, status=200, detail="")
    return Receipt(digest=digest, status=status_of(became), detail=" ".join(str(became).split())[:_LONGEST_DETAIL])
