"""The stations that report, and where their records do not join."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from sightline.service.access import needs
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.store.stations import broken, standings

_SHOWN = ConfigDict(from_attributes=True)

router = APIRouter(prefix="/api/v1/stations", tags=["stations"], dependencies=[Depends(needs(Right.VIEW))])


class Station(BaseModel):
    """A station as the plant knows it."""

    model_config = _SHOWN
    name: str = Field(examples=["line-1"])
    line: str = Field(examples=["A"])
    first_seen_s: float = Field(examples=[1767225600.0])
    last_seen_s: float = Field(description="When it last reported", examples=[1767229200.0])
    clock_ahead_s: float | None = Field(description="Its clock less ours; null: it did not tell", examples=[0.02])
    last_sequence: int = Field(description="Of its records that are here", examples=[17])
    last_at_s: float = Field(description="When its last part was triggered", examples=[1767229199.0])
    breaks: int = Field(description="Places where its records do not join", examples=[0])
    status: dict[str, Any] = Field(description="What it last told of itself", examples=[{"state": "running"}])


class Break(BaseModel):
    """A place where a station's records do not join."""

    model_config = _SHOWN
    inspection_id: str = Field(examples=["01934f6e-8c00-7000-8000-000000000001"])
    sequence: int = Field(description="Of the record that does not join", examples=[17])
    before: int = Field(description="Sequence of the record before it", examples=[12])
    what: str = Field(description="missing, altered, restarted or differs", examples=["missing"])
    received_s: float = Field(examples=[1767229200.0])


@router.get("", summary="List stations")
def list_(plant: Here) -> list[Station]:
    """All that ever reported, by name."""
    with plant.database.reading() as session:
        return [Station.model_validate(standing) for standing in standings(session)]


@router.get("/breaks", summary="Where records do not join")
def breaks(
    plant: Here,
    station: Annotated[str, Query(max_length=255, pattern=r"^[^\x00]*$", examples=["line-1"])],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Break]:
    """Where something was lost or altered before it came here, newest first."""
    with plant.database.reading() as session:
        return [Break.model_validate(place) for place in broken(session, station, limit=limit)]
