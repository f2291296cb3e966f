"""Whether the server is well: for orchestrators, load balancers and Prometheus."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from sightline.service.access import Caller, needs
from sightline.service.metrics import CONTENT_TYPE
from sightline.service.plant import Here
from sightline.service.readiness import OK, readiness
from sightline.service.rights import Right

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: str = Field(default="alive", examples=["alive"])


class Ready(BaseModel):
    """Whether requests can be served, and what is in the way."""

    ready: bool = Field(examples=[True])
    parts: dict[str, str] = Field(
        description="`ok`, or what is the matter, by part",
        examples=[{"database": "ok", "storage": "ok", "model": "ok"}],
    )


@router.get("/healthz")
async def healthz() -> Alive:
    """Whether the process is alive; asks nothing of anybody else, so that a lost database restarts nothing."""
    return Alive()


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready, "description": "Not now"}})
def readyz(here: Here, request: Request) -> Response:
    """Whether the database answers, the disk can be written, and each promoted model judges."""
    parts = readiness(here, request.app.state.settings)
    ready = all(state == OK for state in parts.values())
    return JSONResponse(Ready(ready=ready, parts=parts).model_dump(), 200 if ready else 503)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(_: Annotated[Caller, Depends(needs(Right.VIEW))], request: Request) -> Response:
    """What the server counts, in Prometheus' text format; with `open_metrics` in the settings no key is needed."""
    return Response(request.app.state.metrics.page(), media_type=CONTENT_TYPE)
