"""Recipes: saved in versions, released, fetched by stations."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from sightline.service.access import Caller, needs, signed
from sightline.service.plant import Here
from sightline.service.rights import Right
from sightline.service.routes.texts import EXAMPLE_DIGEST, Limit, Name, Number, Reason
from sightline.store import recipes
from sightline.store.recipes import KnownRecipe

router = APIRouter(prefix="/api/v1/recipes", tags=["recipes"])
Viewer = Annotated[Caller, Depends(needs(Right.VIEW))]
Station = Annotated[Caller, Depends(needs(Right.REPORT))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]
Signer = Annotated[Caller, Depends(signed(Right.MANAGE))]


class NewRecipe(BaseModel):
    """A recipe's text."""

    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(max_length=1_000_000, pattern=r"^[^\x00]*$", examples=['product = "cap"\nnumber = 3\n'])]


class Release(BaseModel):
    """Whether stations may fetch a version, and why."""

    model_config = ConfigDict(extra="forbid")
    released: bool = Field(default=True, description="false: take it back")
    reason: Reason = Field(examples=["tried on 200 parts"])


class RecipeSummary(BaseModel):
    """One version of a recipe, without its text."""

    name: str = Field(examples=["cap"])
    version: int = Field(examples=[3])
    digest: str = Field(examples=[EXAMPLE_DIGEST])
    released: bool
    author: str = Field(examples=["ada"])
    created_s: float = Field(examples=[1790000000.0])


class RecipeRecord(RecipeSummary):
    """One version of a recipe."""

    text: str = Field(description="TOML", examples=['product = "cap"\nnumber = 3\n'])


class Difference(BaseModel):
    """What differs between two versions."""

    diff: str = Field(description="As `diff -u` shows it; empty: nothing", examples=["-number = 3\n+number = 4"])


@router.get("", summary="Recipes")
def list_recipes(plant: Here, _: Viewer, after: Name = "", limit: Limit = 100) -> list[RecipeSummary]:
    """The newest version of each name, by name; `after` is the last name of the page before."""
    return [_summary(recipe) for recipe in recipes.newest(plant.database, after=after, limit=limit)]


@router.get("/{name}/versions", summary="Versions of a recipe")
def list_versions(
    name: Name, plant: Here, _: Viewer, before: Number | None = None, limit: Limit = 100
) -> list[RecipeSummary]:
    """The newest first; `before` is the version of the last one of the page before."""
    return [_summary(recipe) for recipe in recipes.versions(plant.database, name, before=before, limit=limit)]


@router.post("/{name}/versions", summary="Save a recipe", status_code=201)
def save(name: Name, new: NewRecipe, plant: Here, caller: Manager) -> RecipeRecord:
    """Save a text as the next version, not yet released; all that is wrong with it is told, line by line."""
    saved = recipes.add(plant.database, name=name, text=new.text, author=caller.name, now_s=time.time())
    return _record(saved)


@router.get("/{name}/versions/{version}", summary="One version")
def get_version(name: Name, version: Number, plant: Here, _: Viewer) -> RecipeRecord:
    """A version with its text."""
    return _record(recipes.one(plant.database, name, version))


@router.get("/{name}/versions/{old}/compared-with/{new}", summary="Compare")
def compare(name: Name, old: Number, new: Number, plant: Here, _: Viewer) -> Difference:
    """The lines that differ between two versions."""
    return Difference(diff=recipes.difference(plant.database, name, old, new))


@router.post("/{name}/versions/{version}/release", summary="Release, or take back")
def release(name: Name, version: Number, wish: Release, plant: Here, caller: Signer) -> RecipeRecord:
    """Let stations fetch a version, or no longer."""
    changed = recipes.release(
        plant.database,
        name,
        version,
        by=caller.name,
        reason=wish.reason,
        released=wish.released,
        signed=caller.signed,
        now_s=time.time(),
    )
    return _record(changed)


@router.get(
    "/{name}/released",
    summary="What a station runs",
    response_class=PlainTextResponse,
    responses={304: {"description": "It is what the station has"}},
)
def get_released(name: Name, plant: Here, _: Station, if_none_match: Annotated[str, Header()] = "") -> Response:
    """The text of the newest version that is released; its version is in X-Sightline-Version."""
    found = recipes.one(plant.database, name)
    headers = {"ETag": f'"{found.digest}"', "X-Sightline-Version": str(found.version), "Cache-Control": "no-cache"}
    if found.digest in if_none_match:
        return Response(status_code=304, headers=headers)
    return PlainTextResponse(found.text, headers=headers)


def _record(recipe: KnownRecipe) -> RecipeRecord:
    return RecipeRecord.model_validate(recipe, from_attributes=True)


def _summary(recipe: KnownRecipe) -> RecipeSummary:
    return RecipeSummary.model_validate(recipe, from_attributes=True)
