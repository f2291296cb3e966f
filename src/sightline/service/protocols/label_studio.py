"""A machine learning backend for Label Studio: pre-annotations from our models, training from its annotations.

In a project's settings the address is http(s)://SERVER/label-studio/MODEL, with basic authentication: any user name and
an API key as the password. The access token that Label Studio sends is not looked at, kept or told.

Pictures of tasks come from Label Studio's own folders where the settings name them, else by `outbound` alone.
"""

import logging
import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from sightline.errors import BusyError, DatasetError, DeliveryError, FrameError, OptionError
from sightline.records import Verdict
from sightline.service.access import Caller, needs
from sightline.service.plant import Here
from sightline.service.protocols.label_config import Interface, read_interface, regions
from sightline.service.protocols.label_tasks import (
    LabelStudio,
    address_of,
    forget,
    keep,
    number_of,
    picture,
    start_training,
)
from sightline.service.rights import Right
from sightline.store.turns import alone

router = APIRouter(prefix="/label-studio/{model}", tags=["Label Studio"])
Inspecting = Annotated[Caller, Depends(needs(Right.INSPECT))]
Managing = Annotated[Caller, Depends(needs(Right.MANAGE))]
Given = Annotated[dict[str, Any], Body()]
MOST_TASKS = 200  # of one request
_log = logging.getLogger(__name__)


@router.get("/health")
@router.get("/", include_in_schema=False)
def health(model: str, _: Inspecting) -> dict[str, str]:
    """That it is there."""
    return {"status": "UP", "model_class": f"Sightline {model}"}


@router.post("/setup")
def setup(model: str, given: Given, _: Inspecting) -> dict[str, str]:
    """Check the project's labelling interface."""
    if given.get("schema"):
        read_interface(str(given["schema"]))
    return {"model_version": model}


@router.post("/predict")
async def predict(model: str, given: Given, _: Inspecting, plant: Here) -> dict[str, Any]:
    """Pre-annotations for some tasks.

    A picture that cannot be fetched or judged has an `error` in the place of the `result`, which would read as no
    defect: Label Studio stores no prediction for it, and its log has the error.
    """
    studio = plant.label_studio
    return {"results": await studio.aside.run(f"model {model}", _predictions, studio, model, given)}


def _predictions(studio: LabelStudio, model: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    interface = read_interface(str(given.get("label_config") or ""))
    tasks = given.get("tasks")
    if not isinstance(tasks, list) or len(tasks) > MOST_TASKS:
        raise OptionError(f"tasks: give a list of at most {MOST_TASKS}.")
    return [_predicted(studio, model, interface, task) for task in tasks]


@router.post("/webhook", status_code=201)
def webhook(model: str, given: Given, caller: Managing, plant: Here) -> dict[str, Any]:
    """Annotations are kept for training; START_TRAINING, and every few annotations, train anew in the background."""
    studio, action = plant.label_studio, str(given.get("action", ""))
    project = number_of(given.get("project"), "project")
    folder = studio.jobs.site.data / "label-studio" / str(project)
    with alone(studio.database, "label studio", studio.lock):
        if action in ("ANNOTATION_CREATED", "ANNOTATION_UPDATED"):
            annotated = keep(studio, folder, given)
            due = action.endswith("CREATED") and studio.train_every and annotated % studio.train_every == 0
            return {"job": start_training(studio, model, given, folder, caller.name) if due else None}
        if action in ("ANNOTATION_DELETED", "ANNOTATIONS_DELETED"):
            forget(folder, given)
        elif action == "START_TRAINING":
            return {"job": start_training(studio, model, given, folder, caller.name)}
        elif action == "PROJECT_DELETED":
            shutil.rmtree(folder, ignore_errors=True)
    return {"job": None}


def _predicted(studio: LabelStudio, model: str, interface: Interface, task: object) -> dict[str, Any]:
    try:
        found = studio.judge(model, picture(studio, address_of(task, interface)))
    except (DatasetError, DeliveryError, FrameError, OptionError, BusyError) as error:
        return _failed(model, str(error))
    if found.verdict is Verdict.FAULT:
        return _failed(model, str(found.fault))
    unusual = 1.0 - found.p_value if found.p_value is not None else float(found.verdict is not Verdict.PASS)
    shown = regions(found, interface, studio.classes(model))
    return {"model_version": found.model_id, "score": unusual, "result": shown}


def _failed(model: str, why: str) -> dict[str, Any]:
    _log.warning("Label Studio: a task of model %s: %s", model, why)
    return {"model_version": model, "error": why}
