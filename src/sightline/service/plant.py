"""What the routes of one server share; the application holds it as `request.app.state.plant`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from sightline.service.alerts import Watch
from sightline.service.candidates import Candidates
from sightline.service.hosting import Hosting
from sightline.service.jobs import Jobs
from sightline.service.looks import Looks
from sightline.service.protocols.label_tasks import LabelStudio
from sightline.service.protocols.lookout_projects import Projects
from sightline.service.serving import Serving
from sightline.service.thumbnails import Thumbnails
from sightline.service.tiles import Tiles
from sightline.service.webhooks import Sender
from sightline.store.database import Database
from sightline.store.models import ModelFiles
from sightline.store.pictures import Pictures
from sightline.store.shift import Settings


@dataclass(slots=True, kw_only=True)
class Plant:
    """One server's resources, opened by the application and closed with it."""

    database: Database
    quality: Settings  # shifts, prices
    scratch: Path  # for files on their way in and out
    disks: Mapping[str, Path]  # name -> a folder on it
    pictures: Pictures
    thumbnails: Thumbnails
    tiles: Tiles
    looks: Looks  # of collected pictures
    models: ModelFiles
    serving: Serving
    hosting: Hosting
    candidates: Candidates
    projects: Projects  # of Lookout's clients
    jobs: Jobs
    sender: Sender
    watch: Watch
    label_studio: LabelStudio


async def plant_of(request: Request) -> Plant:
    """The dependency by which a route reaches them; a coroutine, as a function would take a thread."""
    plant: Plant = request.app.state.plant
    return plant


Here = Annotated[Plant, Depends(plant_of)]
