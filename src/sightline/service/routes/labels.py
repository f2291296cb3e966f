"""Labels: what people draw on pictures."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.texts import EXAMPLE_DIGEST, Digest, Long, Name
from sightline.store import labels
from sightline.store.labels import KnownLabel

router = APIRouter(prefix="/api/v1", tags=["labels"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Reviewer = Annotated[Caller, Depends(needs(Right.REVIEW))]
_GEOMETRY = (
    "In px of the picture. {}: the whole picture; {box: [left, top, right, bottom]}; {parts: [{outline: [[x, y], ...], "
    "holes: [...]}]}; {size: [height, width], runs: [unmarked, marked, ...]}, column after column as COCO counts; or a "
    "brush's {stroke: [[x, y], ...], width}, kept as the mask that it paints"
)


class NewLabel(BaseModel):
    """A label."""

    model_config = ConfigDict(extra="forbid")
    label: Annotated[Name, Field(min_length=1, examples=["scratch"])]
    geometry: dict[str, Any] = Field(default={}, description=_GEOMETRY, examples=[{"box": [10.0, 20.0, 60.0, 40.0]}])


class LabelRecord(NewLabel):
    """A label as it is kept."""

    id: int = Field(examples=[12])
    picture: str = Field(examples=[EXAMPLE_DIGEST])
    kind: str = Field(description="class, box, polygon or mask", examples=["box"])
    author: str = Field(examples=["ada"])
    at_s: float = Field(examples=[1790000000.0])
    removed_s: float | None = Field(description="None: it stands", examples=[None])


@router.get("/pictures/{digest}/labels", summary="Labels of a picture")
def list_labels(
    digest: Digest,
    plant: Here,
    _: Viewer,
    removed: Annotated[bool, Query(description="Those that were removed as well")] = False,
) -> list[LabelRecord]:
    """Those that stand, in the order in which they were made."""
    with plant.database.reading() as session:
        return [_record(label) for label in labels.of_picture(session, digest, removed=removed)]


@router.post("/pictures/{digest}/labels", summary="Label a picture", status_code=201)
def add_label(digest: Digest, new: NewLabel, plant: Here, caller: Reviewer) -> LabelRecord:
    """Draw a box, outlines or a mask on a picture, or name the whole of it."""
    added = labels.add(
        plant.pictures, digest, label=new.label, geometry=new.geometry, author=caller.name, now_s=time.time()
    )
    return _record(added)


@router.delete("/labels/{label_id}", summary="Remove a label")
def remove_label(label_id: Long, plant: Here, caller: Reviewer) -> LabelRecord:
    """Take a label away; it can be restored."""
    return _record(labels.remove(plant.pictures, label_id, by=caller.name, now_s=time.time()))


@router.post("/labels/{label_id}/restore", summary="Restore a label")
def restore_label(label_id: Long, plant: Here, caller: Reviewer) -> LabelRecord:
    """Undo a removal."""
    return _record(labels.restore(plant.pictures, label_id, by=caller.name))


def _record(label: KnownLabel) -> LabelRecord:
    return LabelRecord.model_validate(label, from_attributes=True)
