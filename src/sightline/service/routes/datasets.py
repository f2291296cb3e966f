"""Data sets: brought as archives, made of reviews, compared, exported."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from sightline.datasets.conversion import Conversion
from sightline.datasets.dataset import GOOD
from sightline.datasets.formats.table import FORMATS
from sightline.datasets.oddities import Odd
from sightline.feedback.reviewed import Choice, reviewed_items
from sightline.service.access import Caller, needs
from sightline.service.looks import MOST as MOST_COMPARED
from sightline.service.plant import Here, Plant
from sightline.service.rights import Right
from sightline.service.routes.texts import EXAMPLE_DIGEST, Digest, Limit, Moment, Name, Note, Number
from sightline.store import dataset_files, datasets
from sightline.store.datasets import Item, KnownVersion, Making, Wanted
from sightline.store.scratch import scratch

MOST_REVISED = 1000  # pictures of one revision
router = APIRouter(prefix="/api/v1/datasets", tags=["data sets"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]
Needed = Annotated[int, Field(ge=1, le=5, description="People who have to agree")]


class VersionRecord(BaseModel):
    """One version of a data set."""

    dataset: str = Field(examples=["cap"])
    product: str = Field(examples=["cap"])
    version: int = Field(examples=[3])
    digest: str = Field(description="Of its items; equal where they are", examples=[EXAMPLE_DIGEST])
    items: int = Field(examples=[761])
    note: str = Field(examples=["with the night shift's pictures"])
    author: str = Field(examples=["ada"])
    created_s: float = Field(examples=[1790000000.0])


class Tally(BaseModel):
    """Pictures of one split and label."""

    split: str = Field(examples=["train"])
    label: str = Field(examples=["good"])
    pictures: int = Field(examples=[209])


class VersionDetail(VersionRecord):
    """One version with what is in it."""

    tally: list[Tally]


class NewItem(BaseModel):
    """One picture of a version."""

    model_config = ConfigDict(extra="forbid")
    picture: Digest = Field(examples=[EXAMPLE_DIGEST])
    name: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f]*$", examples=["test/a.png"])]
    split: str = Field(default="", max_length=16, description="train, validation, test or empty", examples=["train"])
    label: Name = Field(default="", examples=["good"])
    annotations: dict[str, Any] = Field(default={}, examples=[{"annotations": []}])


class ItemRecord(NewItem):
    """One picture of a version, with its place."""

    place: int = Field(examples=[0])


class Addition(BaseModel):
    """What a version is made of."""

    model_config = ConfigDict(extra="forbid")
    product: Name = Field(default="", examples=["cap"])
    note: Note = Field(default="", examples=["night shift"])
    base: Number | None = Field(default=None, description="Version whose pictures it has as well", examples=[2])


class NewVersion(Addition):
    """Pictures that are stored already."""

    items: list[NewItem] = Field(min_length=1, max_length=datasets.MOST_ITEMS)


class FromReviews(Addition):
    """Which reviewed inspections."""

    product: Name = Field(default="", description="Empty: any", examples=["cap"])
    since_s: Moment = Field(default=0.0, examples=[1790000000.0])
    needed: Needed = 1


class Revision(BaseModel):
    """What the next version has more and less than the newest."""

    model_config = ConfigDict(extra="forbid")
    product: Name = Field(default="", examples=["cap"])
    note: Note = Field(default="", examples=["two blurred ones left out"])
    add: list[NewItem] = Field(default=[], max_length=MOST_REVISED)
    remove: list[Digest] = Field(default=[], max_length=MOST_REVISED, examples=[[EXAMPLE_DIGEST]])


class OddRecord(BaseModel):
    """A picture that was not taken as the others."""

    picture: str = Field(examples=[EXAMPLE_DIGEST])
    what: list[Odd] = Field(examples=[["blurred"]])


class ChangeRecord(BaseModel):
    """One way in which a picture differs."""

    kind: str = Field(description="added, removed, label, split or drawing", examples=["label"])
    picture: str = Field(examples=[EXAMPLE_DIGEST])
    name: str = Field(examples=["test/a.png"])
    before: str = Field(examples=["good"])
    after: str = Field(examples=["scratch"])


class ComparisonRecord(BaseModel):
    """What differs between two versions."""

    counts: dict[str, int] = Field(examples=[{"label": 1}])
    changes: list[ChangeRecord] = Field(description="The first thousand")


@router.get("", summary="Data sets")
def list_datasets(plant: Here, _: Viewer, after: Name = "", limit: Limit = 100) -> list[VersionRecord]:
    """The newest version of each, by name; `after` is the last name of the page before."""
    return [_record(one) for one in datasets.listed(plant.database, after=after, limit=limit)]


@router.get("/{name}/versions", summary="Versions of a data set")
def list_versions(
    name: Name, plant: Here, _: Viewer, before: Number | None = None, limit: Limit = 100
) -> list[VersionRecord]:
    """The newest first; `before` is the version of the last one of the page before."""
    return [_record(one) for one in datasets.versions(plant.database, name, before=before, limit=limit)]


@router.post("/{name}/versions", summary="Make a version", status_code=201)
def add_version(name: Name, new: NewVersion, plant: Here, caller: Manager) -> VersionRecord:
    """Make the next version of pictures that are stored already; the newest one's items again are that version."""
    making = Making(dataset=name, product=new.product, note=new.note, author=caller.name)
    items = [Item(**item.model_dump()) for item in new.items]
    return _record(_added(plant, making, new.base, items))


@router.post("/{name}/versions/from-newest", summary="Add and take out pictures", status_code=201)
def revise(name: Name, wish: Revision, plant: Here, caller: Manager) -> VersionRecord:
    """Make the next version of the newest one, or the first; a picture that is there already is not added again."""
    making = Making(dataset=name, product=wish.product, note=wish.note, author=caller.name)
    added = [Item(**item.model_dump()) for item in wish.add]
    return _record(datasets.revise(plant.pictures, making, added, frozenset(wish.remove), now_s=time.time()))


@router.post("/{name}/versions/from-reviews", summary="Make a version of reviews", status_code=201)
def add_reviews(name: Name, wish: FromReviews, plant: Here, caller: Manager) -> VersionRecord:
    """Make the next version of the pictures of inspections that people have settled."""
    making = Making(dataset=name, product=wish.product, note=wish.note, author=caller.name)
    choice = Choice(product=wish.product, since_s=wish.since_s, needed=wish.needed)
    with plant.database.reading() as session:
        items = reviewed_items(session, choice)
    return _record(_added(plant, making, wish.base, items))


@router.get("/reviewed", summary="What reviews would give")
def get_reviewed(plant: Here, _: Manager, product: Name = "", since_s: Moment = 0.0, needed: Needed = 1) -> list[Tally]:
    """How many pictures of each label a version of reviews would have."""
    with plant.database.reading() as session:
        items = reviewed_items(session, Choice(product=product, since_s=since_s, needed=needed))
    counted = Counter(item.label for item in items)
    return [Tally(split="", label=label, pictures=counted[label]) for label in sorted(counted)]


@router.get("/{name}/versions/{version}", summary="One version")
def get_version(name: Name, version: Number, plant: Here, _: Viewer) -> VersionDetail:
    """What is in a version."""
    with plant.database.reading() as session:
        known = datasets.one(session, name, version)
        found = datasets.tally(session, name, version)
    tally = [Tally(split=split, label=label, pictures=number) for split, label, number in found]
    return VersionDetail(**_record(known).model_dump(), tally=tally)


@router.get("/{name}/versions/{version}/items", summary="Pictures of a version")
def list_items(
    name: Name,
    version: Number,
    plant: Here,
    _: Viewer,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="place of the last one of the page before")] = -1,
    before: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="those in front, the nearest first")] = None,
    limit: Limit = 100,
    split: Annotated[Literal["", "train", "validation", "test", "none"], Query(description="none: not split")] = "",
    label: Annotated[Name, Query(description="as the version has it; empty: any", examples=["good"])] = "",
    labelled: Annotated[bool | None, Query(description="whether the version or a label says what it shows")] = None,
    picture: Annotated[Digest | None, Query(description="digest of one")] = None,
) -> list[ItemRecord]:
    """In their order."""
    wanted = Wanted(
        after=after,
        before=before,
        limit=limit,
        split={"": None, "none": ""}.get(split, split),
        label=label or None,
        labelled=labelled,
        picture=picture or "",
    )
    with plant.database.reading() as session:
        found = datasets.items(session, name, version, wanted)
    return [
        ItemRecord(
            place=place,
            picture=item.picture,
            name=item.name,
            split=item.split,
            label=item.label,
            annotations=item.annotations,
        )
        for place, item in found
    ]


@router.get("/{name}/versions/{version}/oddities", summary="Odd pictures of a version")
def list_oddities(name: Name, version: Number, plant: Here, _: Viewer) -> list[OddRecord]:
    """Good pictures that are blurred, dark, bright, of another size or there twice, among the first 2,000."""
    with plant.database.reading() as session:
        items = datasets.items(session, name, version, datasets.Wanted(limit=MOST_COMPARED))
    good = [item.picture for _, item in items if item.label == GOOD and item.split in ("", "train")]
    found = plant.looks.oddities(good)
    return [OddRecord(picture=picture, what=list(what)) for picture, what in found.items() if what]


@router.get("/{name}/versions/{old}/compared-with/{new}", summary="Compare")
def compare(name: Name, old: Number, new: Number, plant: Here, _: Viewer) -> ComparisonRecord:
    """What became of each picture between two versions."""
    with plant.database.reading() as session:
        found = datasets.compare(session, name, old, new)
    return ComparisonRecord.model_validate(found, from_attributes=True)


@router.get(
    "/{name}/versions/{version}/export",
    summary="Export",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def export(
    name: Name,
    version: Number,
    plant: Here,
    _: Manager,
    form: Annotated[str, Query(alias="format", description=", ".join(FORMATS), examples=["coco"])],
    lossy: Annotated[bool, Query(description="Also where the format cannot carry everything")] = False,
) -> FileResponse:
    """A version as a ZIP in any format."""
    conversion, given_up = Conversion(format=form, lossy=lossy), threading.Event()
    try:
        path, held = await run_in_threadpool(_exported, plant, name, version, conversion, given_up)
    except BaseException:  # the request took too long: the thread goes on until it is told
        given_up.set()
        raise
    after = BackgroundTask(held.close)
    return FileResponse(path, media_type="application/zip", filename=path.name, background=after)


def _exported(
    plant: Plant, name: str, version: int, conversion: Conversion, given_up: threading.Event
) -> tuple[Path, ExitStack]:
    """The ZIP, and what is to be closed when nobody needs it any more."""
    with plant.database.reading() as session:
        known = datasets.one(session, name, version)
        items = datasets.every_item(session, name, version)
    with ExitStack() as held:
        folder = held.enter_context(scratch(plant.scratch))
        title = f"{known.dataset}-{version}"
        done = dataset_files.export(
            plant.pictures, title, items, folder, conversion, wanted=lambda: not given_up.is_set()
        )
        return done.path, held.pop_all()


def _added(plant: Plant, making: Making, base: int | None, items: Sequence[Item]) -> KnownVersion:
    """The next version: these items, and of the base those that have no name of these."""
    before: list[Item] = []
    if base is not None:
        names = {item.name for item in items}
        with plant.database.reading() as session:
            before = [item for item in datasets.every_item(session, making.dataset, base) if item.name not in names]
    return datasets.add_version(plant.pictures, making, [*before, *items], now_s=time.time())


def _record(known: KnownVersion) -> VersionRecord:
    return VersionRecord.model_validate(known, from_attributes=True)
