"""Whether the files that a recipe names can do what it wants of them: each is opened, and told with its line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import FrameError, InspectionError, OptionError
from sightline.line import plan
from sightline.line.fitness import Reference
from sightline.line.recipe import Recipe, View
from sightline.line.toml_table import Key, place_in
from sightline.line.view import region_of
from sightline.line.worker import Work, load_model, refuse_threshold
from sightline.records import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    key: Key
    message: str


def refuse_unusable(path: Path, recipe: Recipe) -> None:
    """Open every model and set-up picture of a recipe, and judge the pictures; takes seconds and a model's memory.

    Raises:
        OptionError: all that cannot work, one line for each: file, line, key, what was found, cure.
    """
    told: list[str] = []
    for place, view in enumerate(recipe.views):
        troubles = _of_view(recipe, view)
        told += [f"{place_in(path, ('views', place, *one.key))}: {one.message}" for one in troubles]
    if told:
        raise OptionError("\n".join(told))


def _of_view(recipe: Recipe, view: View) -> Iterator[_Trouble]:
    reference = None
    try:
        reference = plan.reference_of_view(view)
    except OptionError as error:
        yield _Trouble(key=("reference",), message=str(error))
    try:
        chosen = plan.view_plan(recipe, view, reference)
    except OptionError as error:
        yield _Trouble(key=("region",), message=str(error))
        return
    yield from _of_model("model", chosen.work, view, reference)
    if chosen.shadow is not None:
        yield from _of_model("shadow", chosen.shadow, view, reference)


def _of_model(key: str, work: Work, view: View, reference: Reference | None) -> Iterator[_Trouble]:
    try:
        model = load_model(work)
    except InspectionError as error:
        yield _Trouble(key=(key,), message=str(error))
        return
    try:
        model.limits(work.product)
    except OptionError as error:
        yield _Trouble(key=("product",), message=str(error))
        return
    try:
        refuse_threshold(model, work)
    except OptionError as error:
        yield _Trouble(key=("reject_at",), message=str(error))
    if reference is None:
        return
    frame = region_of(reference.frame, None if view.region is None else view.region.box)
    assert frame is not None, "the plan refuses a region beyond the reference"
    try:
        inspection = model.inspect(frame, product=work.product)
    except FrameError as error:
        yield _Trouble(key=(key,), message=f"{work.model}: cannot judge {view.reference}: {error}")
        return
    if inspection.verdict is Verdict.FAULT:
        yield _Trouble(key=(key,), message=f"{work.model}: cannot judge {view.reference}: {inspection.fault}")
