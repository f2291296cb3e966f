"""POST /api/v1/ingest: what stations report; docs/store-and-forward.md says what they do with the answer."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from pydantic import BaseModel, Field

from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.store.ingest import ingest

MOST_BYTES = 8_000_000  # of a batch; a station sends 1 MB
MEDIA_TYPE = "application/x-ndjson"
EXAMPLE = (
    '{"cause":null,"durations_ms":{"total":84.2},"encoder":null,"id":"01934f6e-8c00-7000-8000-000000000001",'
    '"kind":"production","late":false,"part_id":17,"previous":'
    '"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","product":"cap","reason":null,"recipe":3,'
    '"score":0.31,"sequence":17,"serial":"A-0017","station":"line-1","unix_s":1767225600.0,"verdict":"PASS",'
    '"views":[{"cause":null,"defects":[],"model":"","more_defects":0,"reason":null,"score":0.31,"threshold":1.0,'
    '"verdict":"PASS","view":"top"}]}\n'
)

router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"])


class Confirmation(BaseModel):
    """All records of the batch are here for good."""

    through: str = Field(description="Id of the last record", examples=["01934f6e-8c00-7000-8000-000000000001"])


async def _batch(request: Request) -> bytes:
    """The body, refused as soon as it is too long."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != MEDIA_TYPE:
        raise HTTPException(415, f"Content-Type: send {MEDIA_TYPE}, one record in each line.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"batch: is longer than {MOST_BYTES:,} bytes; send fewer records at once.")
    return bytes(body)


@router.post(
    "",
    summary="Report inspections",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": EXAMPLE}},
        }
    },
)
def report(
    plant: Here,
    caller: Annotated[Caller, Depends(needs(Right.REPORT))],
    body: Annotated[bytes, Depends(_batch)],
    x_sightline_clock: Annotated[
        float | None,
        Header(
            description="The station's own clock when it sent this, seconds since 1970; its error is put right",
            examples=[1767225600.25],
            allow_inf_nan=False,
        ),
    ] = None,
) -> Confirmation:
    """Take in the records of one station, each in a line, in the order in which they were made.

    A record that is here already is confirmed again. Where one is wrong none is taken: 422, and the answer names it.
    """
    lines = [line for line in body.decode("latin-1").split("\n") if line]  # what is not ASCII is refused by name
    receipt = ingest(plant.database, lines, now_s=time.time(), station=caller.station, clock_s=x_sightline_clock)
    return Confirmation(through=receipt.through)
