"""What the routes of one server share; the application holds it as `request.app.state.plant`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sightline.service.jobs import Jobs
from sightline.service.protocols.label_tasks import LabelStudio
from sightline.service.webhooks import Sender
from sightline.store.database import Database


@dataclass(slots=True, kw_only=True)
class Plant:
    """One server's resources, opened by the application and closed with it."""

    database: Database
    jobs: Jobs
    sender: Sender
    label_studio: LabelStudio


def plant_of(request: Request) -> Plant:
    """The dependency by which a route reaches them."""
    plant: Plant = request.app.state.plant
    return plant


Here = Annotated[Plant, Depends(plant_of)]
