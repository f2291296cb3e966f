"""POST /api/v1/ingest: what stations report; docs/store-and-forward.md says what they do with the answer."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from pydantic import BaseModel, Field

from sightline.errors import AccessError
from sightline.service.access import Caller, needs
from sightline.service.body import body_of, json_of
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.texts import Name
from sightline.store.ingest import ingest
from sightline.store.stations import tell

MOST_BYTES = 8_000_000  # of a batch; a station sends 1 MB
MOST_STATUS_BYTES = 65_536
MEDIA_TYPE = "application/x-ndjson"
EXAMPLE = (
    '{"cause":null,"durations_ms":{"total":84.2},"encoder":null,"id":"01934f6e-8c00-7000-8000-000000000001",'
    '"kind":"production","late":false,"part_id":17,"previous":'
    '"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","product":"cap","reason":null,"recipe":3,'
    '"score":0.31,"sequence":17,"serial":"A-0017","station":"line-1","unix_s":1767225600.0,"verdict":"PASS",'
    '"views":[{"cause":null,"defects":[],"model":"","more_defects":0,"reason":null,"score":0.31,"threshold":1.0,'
    '"verdict":"PASS","view":"top"}]}\n'
)

STATUS: dict[str, Any] = {
    "state": "ready",
    "reason": "taking parts",
    "backlog": 0,
    "devices": [{"name": "PLC", "state": "connected"}, {"name": "disk", "state": "41% free"}],
    "alarms": [],
}

router = APIRouter(prefix="/api/v1/ingest", tags=["ingest"])


class Confirmation(BaseModel):
    """All records of the batch are here for good."""

    through: str = Field(description="Id of the last record", examples=["01934f6e-8c00-7000-8000-000000000001"])


async def _batch(request: Request) -> bytes:
    """The body, refused as soon as it is too long."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != MEDIA_TYPE:
        raise HTTPException(415, f"Content-Type: send {MEDIA_TYPE}, one record in each line.")
    return await body_of(request, MOST_BYTES)


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


async def _status(request: Request) -> dict[str, Any]:
    return await json_of(request, MOST_STATUS_BYTES)


@router.put(
    "/status",
    summary="Tell of the station itself",
    status_code=204,
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"example": STATUS}}}},
)
def tell_status(
    plant: Here,
    caller: Annotated[Caller, Depends(needs(Right.REPORT))],
    told: Annotated[dict[str, Any], Depends(_status)],
    station: Annotated[Name, Query(min_length=1, examples=["line-1"])],
) -> None:
    """How the station is: state, devices, backlog, alarms; the last word counts. Stations do so every few seconds."""
    if caller.station and caller.station != station:
        raise AccessError(f"status of station {station!r}: the key is {caller.station}'s.")
    with plant.database.writing() as session:
        tell(session, station, told, now_s=time.time())
