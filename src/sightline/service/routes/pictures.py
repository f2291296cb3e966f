"""Pictures: stored by their content, shown in several sizes, held."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel, Field

from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.texts import EXAMPLE_DIGEST, Digest, InspectionId, Limit, Name, Number, Reason
from sightline.service.thumbnails import Size
from sightline.service.tiles import SIDE
from sightline.service.uploads import body_of, raw
from sightline.store import holds
from sightline.store.holds import KnownHold
from sightline.store.pictures import MOST_BYTES, ViewOf
from sightline.store.retention import Kept

router = APIRouter(prefix="/api/v1", tags=["pictures"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Reporter = Annotated[Caller, Depends(needs(Right.REPORT))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]
Administrator = Annotated[Caller, Depends(needs(Right.ADMINISTER))]
Body = Annotated[bytes, Depends(raw(MOST_BYTES))]
MediaType = Annotated[str, Header(description="image/png, image/jpeg, image/bmp, image/webp or image/tiff")]
Level = Annotated[int, Path(ge=0, le=20, examples=[0])]
Place = Annotated[int, Path(ge=0, le=1000, description="Counted from 0, from the left top", examples=[0])]
_FILE = body_of("image/*", "The picture's file")
_FOR_EVER = "private, max-age=31536000, immutable"


class StoredPicture(BaseModel):
    """A picture is here for good, or until its time is over."""

    digest: str = Field(description="SHA-256 of the file", examples=[EXAMPLE_DIGEST])


class PictureRecord(BaseModel):
    """What is known of a picture."""

    digest: str = Field(examples=[EXAMPLE_DIGEST])
    media_type: str = Field(examples=["image/jpeg"])
    size_bytes: int = Field(examples=[204800])
    tier: str = Field(description="hot, nearline or archive", examples=["hot"])
    kept_as: str = Field(description="pass, reject, reviewed, regulated or dataset", examples=["reject"])
    stored_s: float = Field(examples=[1790000000.0])
    keep_until_s: float | None = Field(description="None: for ever", examples=[1853072000.0])


class TilesRecord(BaseModel):
    """How a picture is cut into tiles."""

    width: int = Field(description="px of the picture at full size", examples=[5472])
    height: int = Field(examples=[3648])
    side: int = Field(description="px of a tile; at the right and lower edges it is smaller", examples=[SIDE])
    levels: int = Field(description="Each half the size of the one before; the last is one tile", examples=[5])


class NewHold(BaseModel):
    """Parts whose pictures must not be removed."""

    product: Annotated[Name, Field(min_length=1, examples=["cap"])]
    serial: Name = Field(default="", description="Empty: all parts of the product", examples=["A-0017"])
    reason: Reason = Field(examples=["complaint 4711"])


class HoldRecord(NewHold):
    """A hold."""

    id: int = Field(examples=[3])
    author: str = Field(examples=["ada"])
    at_s: float = Field(examples=[1790000000.0])
    lifted_s: float | None = Field(description="None: it is in force", examples=[None])


@router.post("/pictures", summary="Store a picture", status_code=201, openapi_extra=_FILE)
def post_picture(plant: Here, _: Manager, body: Body) -> StoredPicture:
    """Store a picture whose SHA-256 the sender does not know, as browsers without TLS; again does no harm."""
    return StoredPicture(digest=plant.pictures.keep(body, kept=Kept.PASS, now_s=time.time()))


@router.put("/pictures/{digest}", summary="Store a picture", openapi_extra=_FILE)
def put_picture(digest: Digest, plant: Here, _: Manager, body: Body, content_type: MediaType = "") -> StoredPicture:
    """Store a picture by its SHA-256; storing it again does no harm."""
    media_type = content_type.partition(";")[0].strip().lower()
    kept = plant.pictures.keep(body, kept=Kept.PASS, now_s=time.time(), digest=digest, media_type=media_type)
    return StoredPicture(digest=kept)


@router.put(
    "/inspections/{inspection_id}/views/{view}/{which}",
    summary="Store the picture of a view",
    openapi_extra=_FILE,
)
def put_view(
    inspection_id: InspectionId,
    view: Name,
    which: Literal["picture", "overlay"],
    plant: Here,
    caller: Reporter,
    body: Body,
    x_sightline_digest: Annotated[Digest, Header(description="SHA-256 of the body", examples=[EXAMPLE_DIGEST])],
    content_type: MediaType = "",
) -> StoredPicture:
    """Store what a view of an inspection saw, or its map drawn over that; the same again does no harm.

    The record of the inspection comes first: 404 says that it is not here yet.
    """
    kept = plant.pictures.link(
        body,
        ViewOf(inspection_id=inspection_id, view=view, overlay=which == "overlay", station=caller.station),
        digest=x_sightline_digest,
        media_type=content_type.partition(";")[0].strip().lower(),
        now_s=time.time(),
    )
    return StoredPicture(digest=kept)


@router.get(
    "/pictures/{digest}",
    summary="A picture",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "It is what the browser has"},
    },
)
def get_picture(
    digest: Digest,
    plant: Here,
    _: Viewer,
    size: Annotated[Size, Query(description="thumb: 256 px, medium: 1024 px, full: the file as it is")] = Size.FULL,
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """The file, or a JPEG of it that is at most so large; what lies under a digest never changes."""
    known = plant.pictures.known(digest)
    etag = f'"{digest}-{size}"'
    headers = {"ETag": etag, "Cache-Control": _FOR_EVER, "X-Content-Type-Options": "nosniff"}
    if etag in if_none_match:
        return Response(status_code=304, headers=headers)
    if size is Size.FULL:
        return Response(plant.pictures.read(digest), media_type=known.media_type, headers=headers)
    return Response(plant.thumbnails.jpeg(digest, size), media_type="image/jpeg", headers=headers)


@router.get("/pictures/{digest}/tiles", summary="How a picture is cut into tiles")
def get_tiles(digest: Digest, plant: Here, _: Viewer, response: Response) -> TilesRecord:
    """Its size, and how many levels there are; the picture is decoded for it."""
    found = plant.tiles.pyramid(digest)
    response.headers["Cache-Control"] = _FOR_EVER
    return TilesRecord(width=found.width, height=found.height, side=SIDE, levels=len(found.levels))


@router.get(
    "/pictures/{digest}/tiles/{level}/{column}/{row}",
    summary="A tile of a picture",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_tile(digest: Digest, level: Level, column: Place, row: Place, plant: Here, _: Viewer) -> Response:
    """A JPEG; level 0 is the full size, a pixel of level n the mean of 2**n x 2**n pixels. It never changes."""
    headers = {"Cache-Control": _FOR_EVER, "X-Content-Type-Options": "nosniff"}
    return Response(plant.tiles.pyramid(digest).tile(level, column, row), media_type="image/jpeg", headers=headers)


@router.get("/pictures/{digest}/record", summary="What is known of a picture")
def get_record(digest: Digest, plant: Here, _: Viewer) -> PictureRecord:
    """Its tier, why it is kept, and until when."""
    return PictureRecord.model_validate(plant.pictures.known(digest), from_attributes=True)


@router.get("/holds", summary="Holds")
def list_holds(plant: Here, _: Viewer, before: Number | None = None, limit: Limit = 100) -> list[HoldRecord]:
    """The newest first, those that were lifted as well; `before` is the id of the last one of the page before."""
    return [_hold(hold) for hold in holds.listed(plant.database, before=before, limit=limit)]


@router.post("/holds", summary="Place a hold", status_code=201)
def place_hold(new: NewHold, plant: Here, caller: Manager) -> HoldRecord:
    """Keep all pictures of a part or a product, whatever their age, until the hold is lifted."""
    placed = holds.place(
        plant.database, product=new.product, serial=new.serial, reason=new.reason, by=caller.name, now_s=time.time()
    )
    return _hold(placed)


@router.delete("/holds/{hold_id}", summary="Lift a hold")
def lift_hold(hold_id: Number, plant: Here, caller: Administrator) -> HoldRecord:
    """End a hold; the pictures then go as their class says."""
    return _hold(holds.lift(plant.database, hold_id, by=caller.name, now_s=time.time()))


def _hold(hold: KnownHold) -> HoldRecord:
    return HoldRecord.model_validate(hold, from_attributes=True)
