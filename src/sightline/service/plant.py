"""What the routes of one server share; the application holds it as `request.app.state.plant`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sightline.store.database import Database


@dataclass(slots=True, kw_only=True)
class Plant:
    """One server's resources, opened by the application and closed with it."""

    database: Database


async def plant_of(request: Request) -> Plant:
    """The dependency by which a route reaches them; a coroutine, as a function would take a thread."""
    plant: Plant = request.app.state.plant
    return plant


Here = Annotated[Plant, Depends(plant_of)]
