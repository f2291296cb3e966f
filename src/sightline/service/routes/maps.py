"""How unusual each place of a stored picture is, by the model that is current now."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from sightline.errors import ConflictError
from sightline.imaging.heat import heat_levels, heat_scale
from sightline.imaging.writing import png
from sightline.manifest import model_id
from sightline.service.access import Caller, needs
from sightline.service.answer import Answer, Wish
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.texts import Digest, Name

router = APIRouter(prefix="/api/v1", tags=["pictures"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
TOLD = "Sightline-Map"  # header with the MapRecord


class MapRecord(BaseModel):
    """What the model said, and what the map's values stand for."""

    model: str = Field(examples=["cap"])
    version: int = Field(examples=[3])
    model_id: str = Field(examples=["0f3c9a"])
    verdict: str = Field(examples=["REJECT"])
    score: float | None = Field(examples=[7.25])
    start: float = Field(description="This and less is 0: the tint begins", examples=[2.7])
    threshold: float = Field(description="127 and less is below it, 128 and more reaches it", examples=[4.5])
    full: float = Field(description="This and more is 255, as is what is not finite", examples=[7.2])
    named: str | None = Field(
        description="By a model that names defects; its map is what speaks for it", examples=[None]
    )


@router.get(
    "/pictures/{digest}/map",
    summary="The anomaly map of a picture",
    response_class=Response,
    responses={
        200: {
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            "headers": {TOLD: {"description": "A MapRecord as JSON", "schema": {"type": "string"}}},
        },
        304: {"description": "It is what the browser has"},
    },
)
async def get_map(
    digest: Digest,
    plant: Here,
    _: Viewer,
    model: Annotated[Name, Query(min_length=1, examples=["cap"])],
    product: Annotated[Name, Query(description="For a model with a bank for each of several")] = "",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """An 8-bit grey PNG over the whole picture, mostly smaller than it.

    Its values are on the scale of the model, so that an equal grey means the same in all pictures: linear from `start`
    to `threshold` and from there to `full`, which are told in the header `Sightline-Map`. For a model that names
    defects it is the class activation. 409: the model makes no map, or is not loaded.
    """
    manifest = plant.serving.manifest(model)
    etag = f'"{digest}-{model_id(manifest)}-{product.encode().hex()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if etag in if_none_match:
        return Response(status_code=304, headers=headers)
    picture = await run_in_threadpool(plant.pictures.read, digest)
    wish = Wish(product=product if manifest.separate and product else None)
    answer = await plant.serving.answer_soon(model, picture, wish)
    return await run_in_threadpool(_drawn, answer, headers)


def _drawn(answer: Answer, headers: dict[str, str]) -> Response:
    found = answer.inspection
    if found.map is None:
        why = found.fault or "it finds regions without one"
        raise ConflictError(f"model {answer.model}: has no map of this picture ({why}).")
    scale = heat_scale(found.threshold, found.review_threshold)
    told = MapRecord(
        model=answer.model,
        version=answer.version,
        model_id=found.model_id,
        verdict=found.verdict,
        score=found.score,
        start=scale.start,
        threshold=scale.threshold,
        full=scale.full,
        named=found.named,
    )
    headers |= {TOLD: json.dumps(told.model_dump())}
    return Response(png(heat_levels(found.map, scale)), media_type="image/png", headers=headers)
