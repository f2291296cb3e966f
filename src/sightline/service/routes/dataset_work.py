"""Data sets: formats, archives that are brought in by a job, and what people labelled made into a version."""

import shutil
import time
import uuid
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from sightline.datasets.formats.table import FORMATS
from sightline.service.access import Caller, needs
from sightline.service.job_data import UPLOADS, tidy
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.datasets import VersionRecord
from sightline.service.routes.texts import EXAMPLE_DIGEST, Name, Note, Number
from sightline.service.uploads import body_of, in_a_file, raw
from sightline.store import datasets, relabelling
from sightline.store.datasets import Making, Wanted
from sightline.store.pictures import MOST_BYTES
from sightline.store.retention import Kept

MOST_ARCHIVE_BYTES = 4 << 30
router = APIRouter(prefix="/api/v1/datasets", tags=["data sets"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Reviewer = Annotated[Caller, Depends(needs(Right.REVIEW))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]
Archive = Annotated[Path, Depends(in_a_file(MOST_ARCHIVE_BYTES, ".zip"))]
Picture = Annotated[bytes, Depends(raw(MOST_BYTES))]
Place = Annotated[int, Field(ge=0, le=2**31 - 1)]


class FormatRecord(BaseModel):
    """A format in which data sets come and go."""

    name: str = Field(examples=["coco"])
    title: str = Field(description="For people", examples=["COCO"])
    carries: list[str] = Field(description="What it has room for", examples=[["boxes", "masks"]])


class Brought(BaseModel):
    """A picture that is stored."""

    digest: str = Field(description="SHA-256 of the file", examples=[EXAMPLE_DIGEST])


class Begun(BaseModel):
    """A job that does it."""

    job: str = Field(description="Its id", examples=["5f0c6b0e-9c0e-4a39-8f57-2f6c7e1f5d11"])


class TakenOver(BaseModel):
    """What came with a picture is labels now."""

    labels: int = Field(description="How many; 0: it has its own already, or nothing came with it", examples=[2])


class FromLabels(BaseModel):
    """Why there is a new version."""

    model_config = ConfigDict(extra="forbid")
    note: Note = Field(default="", examples=["scratches drawn"])


@router.get("/formats", summary="Formats")
def list_formats(_: Viewer) -> list[FormatRecord]:
    """All in which a data set is exported and imported."""
    return [
        FormatRecord(name=one.name, title=one.title, carries=sorted(str(what) for what in one.carries))
        for one in FORMATS.values()
    ]


@router.post(
    "/pictures",
    summary="Bring a picture",
    status_code=201,
    openapi_extra=body_of("image/*", "The picture's file"),
)
def bring_picture(plant: Here, _: Manager, body: Picture) -> Brought:
    """Store a picture that a version is to have; it goes again when its time is over, unless one has it by then."""
    return Brought(digest=plant.pictures.keep(body, kept=Kept.PASS, now_s=time.time()))


@router.post(
    "/{name}/imports",
    summary="Import an archive",
    status_code=202,
    openapi_extra=body_of("application/zip", "A data set in any format that `sightline data convert` reads"),
)
def import_archive(
    name: Name, plant: Here, caller: Manager, archive: Archive, product: Name = "", note: Note = ""
) -> Begun:
    """Store a ZIP, and make the next version of the data set in it by a job, which tells how far it is."""
    upload, now_s = uuid.uuid4().hex, time.time()
    folder = plant.jobs.site.results / UPLOADS
    tidy(folder, now_s)
    params = {"dataset": name, "upload": upload, "product": product, "note": note}
    shutil.move(archive, folder / f"{upload}.zip")
    try:
        return Begun(job=plant.jobs.submit("import", params, author=caller.name, now_s=now_s))
    except BaseException:
        (folder / f"{upload}.zip").unlink()
        raise


@router.post("/{name}/versions/{version}/from-labels", summary="Make a version of labels", status_code=201)
def add_labels(name: Name, version: Number, wish: FromLabels, plant: Here, caller: Manager) -> VersionRecord:
    """Make the next version: these pictures, with what people drew and said in place of what came with them."""
    with plant.database.reading() as session:
        known = datasets.one(session, name, version)
        items = list(relabelling.relabelled(session, datasets.every_item(session, name, version)))
    making = Making(dataset=known.dataset, product=known.product, note=wish.note, author=caller.name)
    made = datasets.add_version(plant.pictures, making, items, now_s=time.time())
    return VersionRecord.model_validate(made, from_attributes=True)


@router.post("/{name}/versions/{version}/items/{place}/take-over", summary="Take labels over")
def take_over(name: Name, version: Number, place: Place, plant: Here, caller: Reviewer) -> TakenOver:
    """Make labels of what came with a picture, so that it can be changed; nothing where it had labels at any time."""
    with plant.database.reading() as session:
        found = datasets.items(session, name, version, Wanted(after=place - 1, limit=1))
    if not found or found[0][0] != place:
        return TakenOver(labels=0)
    taken = relabelling.take_over(plant.pictures, found[0][1], author=caller.name, now_s=time.time())
    return TakenOver(labels=taken)
