"""What was inspected: lists, one, the history of a part, what is new, counts, and export."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from sightline.line.outcome import Kind
from sightline.records import Verdict
from sightline.service.access import needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.store.export import MEDIA_TYPES, Format, export
from sightline.store.inspections import Filter, history, labels, neighbours, newest, one, page, place, products, since
from sightline.store.tallies import counts

_ID = "01934f6e-8c00-7000-8000-000000000001"
_SHOWN = ConfigDict(from_attributes=True)
_INT64 = 2**63 - 1

Name = Annotated[str, Query(max_length=255, pattern=r"^[^\x00]*$")]  # which no database can look for
Id = Annotated[str, Path(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples=[_ID])]
Moment = Annotated[float, Query(ge=0, le=1e11, description="Seconds since 1970", examples=[1767225600])]

router = APIRouter(prefix="/api/v1/inspections", tags=["inspections"], dependencies=[Depends(needs(Right.VIEW))])


class View(BaseModel):
    """What one view of a part came to."""

    model_config = _SHOWN
    view: str = Field(examples=["top"])
    verdict: Verdict
    score: float | None = Field(description="Raw, higher is more anomalous", examples=[1.42])
    threshold: float | None = Field(examples=[1.0])
    model_id: str = Field(examples=["9f" * 32])
    cause: str = Field(description="Of a FAULT, one word", examples=[""])
    reason: str = Field(examples=[""])
    picture: str | None = Field(
        description="Digest; null: none was stored, or it has not come yet", examples=["5f" * 32]
    )
    overlay: str | None = Field(examples=[None])
    shadow_verdict: str = Field(
        description="Of a model that decides nothing; empty: there was none, or it was silent", examples=["PASS"]
    )
    shadow_score: float | None = Field(examples=[0.4])
    shadow_model: str


class Inspection(BaseModel):
    """One part judged once."""

    model_config = _SHOWN
    id: str = Field(examples=[_ID])
    number: int = Field(description="In the order in which they came to the server", examples=[4711])
    station: str = Field(examples=["line-1"])
    sequence: int = Field(description="At the station", examples=[17])
    part_number: int = Field(description="The PLC's; 0: none", examples=[17])
    serial: str = Field(examples=["A-0017"])
    lot: str = Field(description="As the station was told; empty: not known", examples=["L-4711"])
    tool: str = Field(examples=["cavity 2"])
    product: str = Field(examples=["cap"])
    recipe: int = Field(examples=[3])
    kind: Kind
    verdict: Verdict
    judged: str = Field(
        description="By its views together, whatever was told, as `verdict`; empty: they did not say, or not in time",
        examples=["PASS"],
    )
    told: str = Field(description="To the PLC: ok, ng, fault; empty: nothing, or not known", examples=["ok"])
    score: float | None = Field(description="Of the view that decided", examples=[1.42])
    label: str = Field(description="Of the most anomalous defect; empty: there is none", examples=["dent"])
    cause: str = Field(examples=[""])
    late: bool = Field(description="The verdict came after its window, and the part was rejected")
    at_s: float = Field(description="When it was triggered, as the server sees it", examples=[1767225600.0])
    station_clock_s: float = Field(description="The same by the station's own clock", examples=[1767225600.0])
    received_s: float = Field(examples=[1767225601.5])
    total_ms: float | None = Field(description="From trigger to verdict", examples=[84.2])
    views: list[View]


class Inspections(BaseModel):
    """A page of a list."""

    items: list[Inspection]
    next: str | None = Field(
        description="Give it as `before` for the next page, also where this one is short; null: this is the last",
        examples=["1767225600.0_4711"],
    )


class News(BaseModel):
    """What came in after a number."""

    items: list[Inspection]
    newest: int = Field(description="Highest number that there is", examples=[4711])


class Finding(BaseModel):
    """One defect of a view."""

    model_config = _SHOWN
    view: str = Field(examples=["top"])
    label: str = Field(examples=["dent"])
    confidence: float | None = Field(examples=[0.93])
    x: int = Field(description="px of the frame, the left top pixel", examples=[120])
    y: int = Field(examples=[80])
    width: int = Field(examples=[24])
    height: int = Field(examples=[18])
    area_px: int = Field(examples=[311])
    area_mm2: float | None = Field(examples=[0.12])
    peak: float | None = Field(description="Highest value of the map; null: it was not finite", examples=[1.42])
    severity: float | None = Field(examples=[None])


class Detail(BaseModel):
    """All that is known of an inspection."""

    inspection: Inspection
    defects: list[Finding]
    document: dict[str, Any] = Field(description="The station's record as it came", examples=[{"id": _ID}])


class Neighbours(BaseModel):
    """The parts before and after one in a list."""

    older: str | None = Field(description="Id; null: there is none", examples=[_ID])
    newer: str | None = Field(examples=[None])


class Count(BaseModel):
    """How many parts came to one verdict in one period."""

    model_config = _SHOWN
    start_s: float = Field(description="Of the period", examples=[1767225600.0])
    verdict: Verdict
    parts: int = Field(examples=[1180])
    defects: int = Field(description="All findings of these parts", examples=[0])
    late: int = Field(examples=[0])


class Names(BaseModel):
    """What can be asked for."""

    products: list[str] = Field(examples=[["cap", "disc"]])
    labels: list[str] = Field(examples=[["dent", "scratch"]])


def _filter(
    since_s: Moment | None = None,
    until_s: Moment | None = None,
    product: Name = "",
    serial: Name = "",
    lot: Name = "",
    tool: Name = "",
    station: Name = "",
    verdict: Verdict | None = None,
    label: Name = "",
    kind: Kind | None = None,
    cause: Name = "",
    model: Name = "",
    late: bool | None = None,
) -> Filter:
    return Filter(
        since_s=since_s,
        until_s=until_s,
        product=product,
        serial=serial,
        lot=lot,
        tool=tool,
        station=station,
        verdict=verdict or "",
        label=label,
        kind=kind or "",
        cause=cause,
        model=model,
        late=late,
    )


Chosen = Annotated[Filter, Depends(_filter)]


@router.get("", summary="List inspections")
def list_(
    plant: Here,
    chosen: Chosen,
    before: Annotated[str, Query(max_length=60, description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Inspections:
    """Newest first; each condition that is given must be met."""
    with plant.database.reading() as session:
        found = page(session, chosen, before=place(before) if before else None, limit=limit)
    items = [Inspection.model_validate(item) for item in found.items]
    return Inspections(items=items, next=None if found.next is None else str(found.next))


@router.get(
    "/export",
    summary="Export inspections",
    response_class=StreamingResponse,
    responses={200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}}},
)
def export_(plant: Here, chosen: Chosen, format: Format = Format.CSV) -> StreamingResponse:  # noqa: A002 - its name outside
    """A file of all that the list would show, newest first; any number of rows."""
    headers = {"Content-Disposition": f'attachment; filename="inspections.{format}"'}
    return StreamingResponse(export(plant.database, chosen, format), media_type=MEDIA_TYPES[format], headers=headers)


@router.get("/history", summary="History of a part")
def history_(
    plant: Here,
    serial: Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^\x00]*$", examples=["A-0017"])],
    product: Name = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[Inspection]:
    """Every time that a part was judged, at all stations, newest first."""
    with plant.database.reading() as session:
        found = history(session, serial, product=product, limit=limit)
    return [Inspection.model_validate(item) for item in found]


@router.get("/since", summary="New inspections")
def since_(
    plant: Here,
    number: Annotated[int, Query(ge=0, le=_INT64, description="The last one that is known", examples=[4700])],
    station: Name = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
) -> News:
    """What came in after a number, in the order of its coming; none is missed in between."""
    with plant.database.reading() as session:
        found, last = since(session, number, station=station, limit=limit), newest(session)
    return News(items=[Inspection.model_validate(item) for item in found], newest=last)


@router.get("/counts", summary="Count inspections")
def counts_(
    plant: Here,
    since_s: Moment,
    until_s: Moment,
    hours: Annotated[int, Query(ge=1, le=168, description="Length of a period: 1, 8 for shifts, 24 for days")] = 1,
    offset_h: Annotated[
        int, Query(ge=0, le=23, description="Hours after midnight UTC at which the first period of a day begins")
    ] = 0,
    product: Name = "",
    station: Name = "",
    kind: Kind = Kind.PRODUCTION,
) -> list[Count]:
    """Parts by period and verdict, in the order of time; what did not occur is left out."""
    with plant.database.reading() as session:
        found = counts(
            session,
            since_s=since_s,
            until_s=until_s,
            step_h=hours,
            offset_h=offset_h,
            product=product,
            station=station,
            kind=kind,
        )
    return [Count.model_validate(count) for count in found]


@router.get("/names", summary="Products and kinds of defect")
def names_(plant: Here) -> Names:
    """What was ever inspected, and found."""
    with plant.database.reading() as session:
        return Names(products=products(session), labels=labels(session))


@router.get("/{inspection_id}/neighbours", summary="The inspections beside one")
def neighbours_(plant: Here, inspection_id: Id, chosen: Chosen) -> Neighbours:
    """Those before and after it in a list of the same conditions, whether it meets them itself or not."""
    with plant.database.reading() as session:
        older, newer = neighbours(session, chosen, one(session, inspection_id).summary.place)
    return Neighbours(older=older, newer=newer)


@router.get("/{inspection_id}", summary="One inspection")
def one_(plant: Here, inspection_id: Id) -> Detail:
    """With its views, its defects, and the record as the station wrote it."""
    with plant.database.reading() as session:
        found = one(session, inspection_id)
    return Detail(
        inspection=Inspection.model_validate(found.summary),
        defects=[Finding.model_validate(defect) for defect in found.defects],
        document=found.document,
    )
