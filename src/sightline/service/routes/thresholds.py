"""Thresholds of models: the scores behind them, and versions with another one."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from sightline.feedback.scored import ids_with_graph_of, reviewed_scores
from sightline.service.access import Caller, needs, signed
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.models import ModelRecord
from sightline.service.routes.texts import EXAMPLE_DIGEST, EXAMPLE_ID, Name, Number, Reason
from sightline.store import models
from sightline.store.thresholds import Wish, limits_known, set_threshold

router = APIRouter(prefix="/api/v1/models", tags=["models"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Signer = Annotated[Caller, Depends(signed(Right.MANAGE))]
Product = Annotated[str, Query(max_length=100, description="For a model with a bank for each of several")]
Score = Annotated[float, Field(allow_inf_nan=False, ge=-1e30, le=1e30, examples=[1.93])]


class ScoreRecord(BaseModel):
    """A view whose truth people have settled."""

    model_config = ConfigDict(from_attributes=True)
    inspection_id: str = Field(examples=[EXAMPLE_ID])
    picture: str | None = Field(description="Digest; null: none was stored", examples=[EXAMPLE_DIGEST])
    score: float = Field(examples=[1.42])
    label: str = Field(description="good, or the defect's name", examples=["scratch"])


class ScoresRecord(BaseModel):
    """What a threshold is chosen by."""

    reject: float = Field(description="A score that reaches it is a REJECT", examples=[2.04])
    review: float | None = Field(description="From which a person decides; null: there is no such band", examples=[1.8])
    calibration: list[float] = Field(
        description="Of good pictures from a model that had not seen them, ascending", examples=[[1.25, 1.41]]
    )
    reviewed: list[ScoreRecord] = Field(description="From the line, by any version that scores as this one, the newest")
    currency: str = Field(description="Of the prices; empty: none are set", examples=["EUR"])
    price_escape: float | None = Field(examples=[150.0])
    price_overkill: float | None = Field(examples=[2.0])


class NewThreshold(BaseModel):
    """What the threshold shall be; one of `reject` and `max_overkill`."""

    model_config = ConfigDict(extra="forbid")
    reject: Score | None = None
    review: Score | None = Field(
        default=None,
        description="Goes with reject. Left out: a REVIEW band stays, from reject on at most; equal to reject: none",
    )
    max_overkill: Annotated[float, Field(gt=0, lt=1, examples=[0.01])] | None = Field(
        default=None, description="Share of good parts that may be rejected"
    )
    product: str = Field(default="", max_length=100)
    reason: Reason = Field(examples=["cheapest on the reviews of week 47"])


@router.get("/{name}/versions/{version}/scores", summary="Scores behind the threshold")
def get_scores(name: Name, version: Number, plant: Here, _: Viewer, product: Product = "") -> ScoresRecord:
    """The scores of good pictures it was calibrated with, and those of parts that people have decided."""
    limits = limits_known(plant.models, models.one(plant.database, name, version), product)
    with plant.database.reading() as session:
        reviewed = reviewed_scores(session, ids_with_graph_of(session, name, version))
    prices = plant.quality.prices
    return ScoresRecord(
        reject=limits.thresholds.reject,
        review=limits.thresholds.review,
        calibration=limits.good_scores.tolist(),
        reviewed=[ScoreRecord.model_validate(one) for one in reviewed],
        currency=prices.currency if prices else "",
        price_escape=prices.escape if prices else None,
        price_overkill=prices.overkill if prices else None,
    )


@router.post("/{name}/versions/{version}/thresholds", summary="Set another threshold", status_code=201)
def add_threshold(name: Name, version: Number, new: NewThreshold, plant: Here, caller: Signer) -> ModelRecord:
    """Make a new version, a candidate, that scores the same and has another threshold; no file is changed.

    A REVIEW band stays unless `review` says otherwise, and begins at the new threshold at most.
    """
    wish = Wish(
        reject=new.reject,
        review=new.review,
        max_overkill=new.max_overkill,
        product=new.product,
        by=caller.name,
        reason=new.reason,
        signed=caller.signed,
    )
    made = set_threshold(plant.database, plant.models, name, version, wish, now_s=time.time(), work=plant.scratch)
    return ModelRecord.model_validate(made, from_attributes=True)
