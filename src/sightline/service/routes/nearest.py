"""What the unusual places of a part looked most like among the good pictures of its model."""

import base64

import cv2
import numpy as np
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from sightline.errors import NotFoundError
from sightline.explaining import Resemblance
from sightline.imaging.heat import Rgb
from sightline.records import Box
from sightline.service.access import needs
from sightline.service.answer import Nearest
from sightline.service.plant import Here, Plant
from sightline.service.rights import Right
from sightline.service.routes.texts import InspectionId, Name
from sightline.store import models
from sightline.store.inspections import one
from sightline.store.models import KnownModel

router = APIRouter(prefix="/api/v1", tags=["pictures"], dependencies=[Depends(needs(Right.VIEW))])
_QUALITY = 85
_NO_MODEL = "the model that judged it is not among the models here."
_NO_PICTURE = "there is no picture of this view, or it has not come yet."


class PlaceReply(BaseModel):
    """A rectangle; `x`, `y` is the top left pixel."""

    x: int = Field(examples=[96])
    y: int = Field(examples=[72])
    width: int = Field(examples=[24])
    height: int = Field(examples=[24])


class PieceReply(BaseModel):
    """A square piece of a picture."""

    jpeg: str = Field(description="In base64", examples=["/9j/4AAQSkZJRg..."])
    place: PlaceReply = Field(description="What is compared, px of the piece; around it is what lies beside it")


class ResemblanceReply(BaseModel):
    """A region of a part, and the good place that its most unusual place looked most like."""

    region: PlaceReply = Field(description="px of the picture")
    peak: float = Field(description="The region's highest value, in units of the score", examples=[7.25])
    part: PieceReply
    good: PieceReply
    distance: float = Field(
        description="Between the two as the model sees them; 0: the same. It compares within one model",
        examples=[25.6],
    )
    source: str = Field(description="Name of the good picture's file at training", examples=["041.png"])


class NearestReply(BaseModel):
    """What a part looked most like, or why that is not known."""

    regions: list[ResemblanceReply] = Field(description="The most unusual first, three at most")
    reason: str = Field(description="Why there are none, in one line; empty: nothing hinders it", examples=[""])
    model: str = Field(description="That says so; empty: none does", examples=["cap"])
    version: int | None = Field(examples=[3])


@router.get("/inspections/{inspection_id}/views/{view}/nearest", summary="What a view looked most like")
async def get_nearest(inspection_id: InspectionId, view: Name, plant: Here) -> NearestReply:
    """The most unusual places of a view, each beside the good place that it looked most like.

    The model that judged the view looks at its picture once more, whether or not it is current; production goes first.
    """
    asked = await run_in_threadpool(_asked, plant, inspection_id, view)
    if isinstance(asked, str):
        return nearest_reply(Nearest(reason=asked))
    known, picture = asked
    return nearest_reply(await plant.candidates.nearest(known, picture), known.name, known.version)


def _asked(plant: Plant, inspection_id: str, view: str) -> tuple[KnownModel, bytes] | str:
    """The model that judged a view, and its picture; or why there are none."""
    with plant.database.reading() as session:
        found = one(session, inspection_id)
    seen = next((each for each in found.summary.views if each.view == view), None)
    if seen is None:
        raise NotFoundError(f"inspection {inspection_id}: has no view {view!r:.80}.")
    if seen.picture is None:
        return _NO_PICTURE
    known = models.by_model_id(plant.database, seen.model_id)
    if known is None:
        return _NO_MODEL
    return known, plant.pictures.read(seen.picture)


def nearest_reply(nearest: Nearest, model: str = "", version: int | None = None) -> NearestReply:
    """What was found, as it is sent."""
    regions = [_resemblance(each) for each in nearest.resemblances]
    return NearestReply(regions=regions, reason=nearest.reason, model=model, version=version)


def _resemblance(found: Resemblance) -> ResemblanceReply:
    return ResemblanceReply(
        region=_place(found.region),
        peak=found.peak,
        part=PieceReply(jpeg=_jpeg(found.part), place=_place(found.part_place)),
        good=PieceReply(jpeg=_jpeg(found.good), place=_place(found.good_place)),
        distance=found.distance,
        source=found.source,
    )


def _place(box: Box) -> PlaceReply:
    return PlaceReply(x=box.x, y=box.y, width=box.width, height=box.height)


def _jpeg(piece: Rgb) -> str:
    made, content = cv2.imencode(".jpg", np.ascontiguousarray(piece[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert made, "JPEG takes pictures of 8 bits"
    return base64.b64encode(content.tobytes()).decode()
