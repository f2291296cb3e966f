"""The shift report, as a page and as PDF."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import HTMLResponse, Response

from sightline.evaluation.periods import moment
from sightline.evaluation.shift_pdf import to_pdf
from sightline.evaluation.shift_report import Shift, to_html
from sightline.evaluation.wording import Language, language_of
from sightline.service.access import Caller, needs
from sightline.service.plant import Here, Plant
from sightline.service.rights import Right
from sightline.store.shift import gather
from sightline.store.tallied import Slice

router = APIRouter(prefix="/api/v1/reports", tags=["reports"])

Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
At = Annotated[
    str, Query(description="a time within the shift; empty: the one that runs", examples=["2026-11-17T08:00"])
]
Name = Annotated[str, Query(max_length=255)]


def _language(
    language: Annotated[Literal["", "en", "de"], Query(description="empty: the browser's, by Accept-Language")] = "",
    accept_language: Annotated[str, Header(include_in_schema=False)] = "",
) -> Language:
    return language_of(language, accept_language)


Spoken = Annotated[Language, Depends(_language)]
_PAGE = {200: {"content": {"text/html": {"example": "<!doctype html>..."}}, "description": "One self-contained page."}}
_PDF = {200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}, "description": "A4."}}


@router.get("/shift", response_class=HTMLResponse, responses=_PAGE)  # type: ignore[arg-type]
def shift_page(
    plant: Here, caller: Viewer, spoken: Spoken, at: At = "", line: Name = "", station: Name = "", product: Name = ""
) -> HTMLResponse:
    """The shift report: parts, yield, Pareto, control chart in words, challenge, escapes, faults, stops, alerts."""
    shift = _gathered(plant, caller, at, Slice(since_s=0, until_s=0, line=line, station=station, product=product))
    csp = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"}
    return HTMLResponse(to_html(shift, spoken), headers=csp)


@router.get("/shift.pdf", response_class=Response, responses=_PDF)  # type: ignore[arg-type]
def shift_pdf(
    plant: Here, caller: Viewer, spoken: Spoken, at: At = "", line: Name = "", station: Name = "", product: Name = ""
) -> Response:
    """The shift report as PDF."""
    shift = _gathered(plant, caller, at, Slice(since_s=0, until_s=0, line=line, station=station, product=product))
    name = f"shift-{plant.quality.calendar.local(shift.period.begin_s):%Y-%m-%d-%H%M}.pdf"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(to_pdf(shift, spoken), media_type="application/pdf", headers=headers)


def _gathered(plant: Plant, caller: Caller, at: str, where: Slice) -> Shift:
    now_s, calendar = time.time(), plant.quality.calendar
    period = calendar.shift_at(moment(at, calendar) if at else now_s)
    with plant.database.reading() as session:
        return gather(session, where, period, plant.quality, now_s=now_s, by=caller.name)
