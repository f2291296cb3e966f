"""Models: brought, promoted, rolled back, withdrawn."""

import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from sightline.service.access import Caller, needs, signed
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.texts import EXAMPLE_DIGEST, Limit, Name, Note, Number, Reason
from sightline.service.uploads import body_of, in_a_file
from sightline.store import models
from sightline.store.models import Change, KnownModel, Upload

MOST_BYTES = 1 << 30
router = APIRouter(prefix="/api/v1/models", tags=["models"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]
Signer = Annotated[Caller, Depends(signed(Right.MANAGE))]
File = Annotated[Path, Depends(in_a_file(MOST_BYTES, ".sight"))]
_FILE = body_of("application/octet-stream", "A .sight file")
Figure = float | int | Name | None


class ModelRecord(BaseModel):
    """One version of a model."""

    id: int = Field(examples=[7])
    name: str = Field(examples=["cap"])
    version: int = Field(examples=[3])
    model_id: str = Field(description="Of the file's own manifest", examples=["3f2a9c51d07b"])
    digest: str = Field(examples=[EXAMPLE_DIGEST])
    graph: str = Field(
        description="SHA-256 of what scores; versions that differ in their thresholds alone have it in common",
        examples=[EXAMPLE_DIGEST],
    )
    size_bytes: int = Field(examples=[4200000])
    status: str = Field(description="candidate, current, former or withdrawn", examples=["current"])
    method: str = Field(examples=["patchcore"])
    figures: dict[str, Any] = Field(examples=[{"auroc": 0.993}])
    note: str = Field(examples=["with the new lamp"])
    author: str = Field(examples=["ada"])
    created_s: float = Field(examples=[1790000000.0])


class PromotionRecord(BaseModel):
    """A model became the current one."""

    name: str = Field(examples=["cap"])
    version: int = Field(examples=[3])
    before: int | None = Field(description="None: there was none", examples=[2])
    by: str = Field(examples=["ada"])
    reason: str = Field(examples=["half the overkill on the golden set"])
    at_s: float = Field(examples=[1790000000.0])


class Why(BaseModel):
    """Why something changes."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason = Field(examples=["half the overkill on the golden set"])


class Figures(BaseModel):
    """Figures of an evaluation."""

    model_config = ConfigDict(extra="forbid")
    figures: Annotated[dict[Name, Figure], Field(max_length=models.MOST_FIGURES, examples=[{"auroc": 0.993}])]


@router.post("/{name}/versions", summary="Upload a model", status_code=201, openapi_extra=_FILE)
def upload(
    name: Name, plant: Here, caller: Manager, file: File, note: Annotated[Note, Query(examples=["new lamp"])] = ""
) -> ModelRecord:
    """Bring a `.sight` file as the next version of a name; the same file again is the version that it is already."""
    told = Upload(name=name, author=caller.name, note=note)
    return _record(models.add(plant.database, plant.models, file, told, now_s=time.time()))


@router.get("", summary="Models")
def list_models(
    plant: Here, _: Viewer, name: Name = "", before: Number | None = None, limit: Limit = 100
) -> list[ModelRecord]:
    """The newest first; `before` is the id of the last one of the page before."""
    return [_record(model) for model in models.listed(plant.database, name=name, before=before, limit=limit)]


@router.get("/{name}/current", summary="The current version")
def get_current(name: Name, plant: Here, _: Viewer) -> ModelRecord:
    """The version that is used now."""
    return _record(models.one(plant.database, name))


@router.get("/{name}/history", summary="Promotions")
def get_history(name: Name, plant: Here, _: Viewer, limit: Limit = 100) -> list[PromotionRecord]:
    """Which version was current since when, and why; the newest first."""
    found = models.history(plant.database, name, limit=limit)
    return [PromotionRecord.model_validate(one, from_attributes=True) for one in found]


@router.get("/{name}/versions/{version}", summary="One version")
def get_version(name: Name, version: Number, plant: Here, _: Viewer) -> ModelRecord:
    """What is known of a version."""
    return _record(models.one(plant.database, name, version))


@router.get("/{name}/versions/{version}/manifest", summary="What its file says")
def get_manifest(name: Name, version: Number, plant: Here, _: Viewer) -> dict[str, Any]:
    """The manifest of the file, without the scores it was calibrated on."""
    return models.manifest_of(plant.database, name, version)


@router.get(
    "/{name}/versions/{version}/file",
    summary="Its file",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_file(name: Name, version: Number, plant: Here, _: Manager) -> FileResponse:
    """The `.sight` file, as it was brought."""
    found = models.one(plant.database, name, version)
    path = plant.models.path_of(found.digest)
    return FileResponse(path, media_type="application/octet-stream", filename=f"{found.name}-{found.version}.sight")


@router.post("/{name}/versions/{version}/promote", summary="Promote")
def promote(name: Name, version: Number, why: Why, plant: Here, caller: Signer) -> ModelRecord:
    """Make a version the current one, in one step."""
    known = models.promote(plant.database, name, version, _change(caller, why), now_s=time.time())
    plant.hosting.wake()
    return _record(known)


@router.post("/{name}/roll-back", summary="Roll back")
def roll_back(name: Name, why: Why, plant: Here, caller: Signer) -> ModelRecord:
    """Make current what was so before; asked again, what was so before that."""
    known = models.roll_back(plant.database, name, _change(caller, why), now_s=time.time())
    plant.hosting.wake()
    return _record(known)


@router.post("/{name}/versions/{version}/withdraw", summary="Withdraw")
def withdraw(name: Name, version: Number, why: Why, plant: Here, caller: Signer) -> ModelRecord:
    """Never use a version again; the current one cannot be withdrawn."""
    return _record(models.withdraw(plant.database, name, version, _change(caller, why)))


@router.patch("/{name}/versions/{version}/figures", summary="Attach figures")
def attach(name: Name, version: Number, figures: Figures, plant: Here, caller: Manager) -> ModelRecord:
    """Put figures of an evaluation beside a version, in place of those of the same names."""
    return _record(models.attach(plant.database, name, version, figures.figures, by=caller.name))


def _change(caller: Caller, why: Why) -> Change:
    return Change(by=caller.name, reason=why.reason, signed=caller.signed)


def _record(model: KnownModel) -> ModelRecord:
    return ModelRecord.model_validate(model, from_attributes=True)
