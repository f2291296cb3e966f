"""Vertex AI: `Endpoint.predict` and the custom container's contract.

    POST /v1/projects/P/locations/L/endpoints/E:predict    {"instances": [{"content": "<base64>"}], "parameters": {}}
    GET  /v1/projects/P/locations/L/endpoints/E            what the client asks first
    POST the path in AIP_PREDICT_ROUTE, GET the one in AIP_HEALTH_ROUTE; AIP_HTTP_PORT, or Cloud Run's PORT

The endpoint E is a model's name; where it is not, and only one model is loaded, it is that one: endpoints are numbers
in Google's cloud. `parameters.task` asks for another form than the model's own: classification, detection or
segmentation. Boxes are relative and in this order: xMin, xMax, yMin, yMax.
"""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from sightline.errors import OptionError
from sightline.imaging.writing import png
from sightline.manifest import Manifest
from sightline.records import UNNAMED
from sightline.service.access import needs
from sightline.service.answer import Answer, Wish
from sightline.service.body import MOST_FILES, decoded, json_of, number
from sightline.service.plant import Here, Plant
from sightline.service.protocols.replies import json_reply, route_telling, sound
from sightline.service.rights import Right
from sightline.service.serving import Serving, State

_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_STATUS |= {409: "FAILED_PRECONDITION", 413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
_ENDPOINT = "/v1/projects/{project}/locations/{location}/endpoints/{endpoint}"
_TASKS = ("classification", "detection", "segmentation")
_MAY = [Depends(needs(Right.INSPECT))]
Task = str
_TINY = 1e-30


def _tell(status: HTTPStatus, message: str) -> Response:
    said = _STATUS.get(status, "INTERNAL")
    return json_reply({"error": {"code": int(status), "message": message, "status": said}}, status)


router = APIRouter(tags=["Vertex AI"], route_class=route_telling(_tell))


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Where a custom container is to listen."""

    port: int = 8080
    health: str = "/health"
    predict: str = "/predict"


def container_of(environment: Mapping[str, str]) -> Container:
    """By AIP_HTTP_PORT, or PORT of Cloud Run, AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE.

    Raises:
        OptionError: one of them cannot be used.
    """
    usual = Container()
    port = environment.get("AIP_HTTP_PORT") or environment.get("PORT") or str(usual.port)
    if not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise OptionError(f"AIP_HTTP_PORT, or PORT, is {port!r:.40}; it must be a number from 1 to 65535.")
    routes = {key: environment.get(key, "") for key in ("AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE")}
    for key, route in routes.items():
        if route and (not route.startswith("/") or set("{}?#") & set(route)):
            raise OptionError(f"{key} is {route!r:.80}; it must be a path such as /health.")
    return Container(
        port=int(port),
        health=routes["AIP_HEALTH_ROUTE"] or usual.health,
        predict=routes["AIP_PREDICT_ROUTE"] or usual.predict,
    )


def container_router(container: Container) -> APIRouter:
    """The two routes of a custom container; health is public, as the platform asks without a name."""
    made = APIRouter(tags=["Vertex AI"], route_class=route_telling(_tell))

    @made.get(container.health, name="container_health")
    async def health(plant: Here) -> Response:
        """200 once all models are ready."""
        served = plant.serving.models()
        ready = bool(served) and all(one.state is State.READY for one in served)
        return json_reply({"ready": ready}, 200 if ready else 503)

    @made.post(container.predict, dependencies=_MAY, name="container_predict")
    async def predict(request: Request, plant: Here) -> Response:
        """Predictions of the only model."""
        name = plant.serving.current()
        return json_reply({"predictions": await _predictions(request, plant, name)})

    return made


@router.get(_ENDPOINT, dependencies=_MAY)
async def endpoint(project: str, location: str, endpoint: str, plant: Here) -> Response:
    """What the client looks up before it predicts."""
    name = model_called(plant.serving, endpoint)
    deployed = {"id": "1", "model": _model(project, location, name), "displayName": name}
    place = f"projects/{project}/locations/{location}/endpoints/{endpoint}"
    return json_reply({"name": place, "displayName": name, "deployedModels": [deployed]})


@router.post(_ENDPOINT + ":predict", dependencies=_MAY)
async def predict(project: str, location: str, endpoint: str, request: Request, plant: Here) -> Response:
    """Predictions, one for each instance."""
    name = model_called(plant.serving, endpoint)
    return json_reply(
        {
            "predictions": await _predictions(request, plant, name),
            "deployedModelId": "1",
            "model": _model(project, location, name),
            "modelVersionId": str(plant.serving.model(name).version),
            "modelDisplayName": name,
        }
    )


@router.post(_ENDPOINT + ":rawPredict", dependencies=_MAY)
async def raw_predict(endpoint: str, request: Request, plant: Here) -> Response:
    """What the container's predict route would say."""
    name = model_called(plant.serving, endpoint)
    return json_reply({"predictions": await _predictions(request, plant, name)})


def model_called(serving: Serving, asked: str) -> str:
    """The model of that name; else the only one there is, as other systems know it by a number.

    Raises:
        NotFoundError: there are several, and none is called so.
    """
    names = [served.name for served in serving.models()]
    if asked in names or len(names) != 1:
        return serving.model(asked).name
    return names[0]


def _model(project: str, location: str, name: str) -> str:
    return f"projects/{project}/locations/{location}/models/{name}"


async def _predictions(request: Request, plant: Plant, name: str) -> list[dict[str, Any]]:
    document = await json_of(request)
    instances, parameters = document.get("instances"), document.get("parameters") or {}
    if not isinstance(instances, list) or not 1 <= len(instances) <= MOST_FILES:
        raise OptionError(f"instances: is not a list of 1 to {MOST_FILES} pictures.")
    if not isinstance(parameters, dict):
        raise OptionError("parameters: is not an object.")
    least = number(parameters.get("confidenceThreshold"), "parameters.confidenceThreshold", 0.0)
    most = int(number(parameters.get("maxPredictions"), "parameters.maxPredictions", 100))
    task = parameters.get("task") or _task_of(plant.serving.manifest(name))
    if task not in _TASKS:
        raise OptionError(f"parameters.task: is none of {', '.join(_TASKS)}.")
    pictures = [_picture(instance, f"instances[{place}]") for place, instance in enumerate(instances)]
    places = asyncio.Semaphore(2 * plant.serving.workers)

    async def one(picture: bytes) -> Answer:
        async with places:
            return await plant.serving.answer_soon(name, picture, Wish(mask=task == "segmentation"))

    answers = await asyncio.gather(*map(one, pictures))
    made = [_FORMS[task](sound(answer), least, max(0, most)) for answer in answers]
    keys = [instance.get("key") for instance in instances]
    return [form if key is None else form | {"key": key} for form, key in zip(made, keys, strict=True)]


def _task_of(manifest: Manifest) -> Task:
    if manifest.locating is not None:
        return "detection"
    return "segmentation" if manifest.segments is not None else "classification"


def _picture(instance: object, where: str) -> bytes:
    if not isinstance(instance, dict):
        raise OptionError(f"{where}: is not an object with a picture.")
    if "content" in instance:
        return decoded(instance["content"], f"{where}.content")
    given = instance.get("image_bytes", instance.get("b64"))
    return decoded(given.get("b64") if isinstance(given, dict) else given, f"{where}.image_bytes.b64")


def _classification(answer: Answer, least: float, most: int) -> dict[str, Any]:
    found = sorted(answer.classes.items(), key=lambda named: -named[1])
    order = {label: str(place) for place, label in enumerate(answer.classes)}
    kept = [(label, sure) for label, sure in found if sure >= least][:most]
    return {
        "ids": [order[label] for label, _ in kept],
        "displayNames": [label for label, _ in kept],
        "confidences": [sure for _, sure in kept],
    }


def _detection(answer: Answer, least: float, most: int) -> dict[str, Any]:
    inspection = answer.inspection
    across, down = inspection.width or 1, inspection.height or 1
    sure = [answer.anomalous if defect.confidence is None else defect.confidence for defect in inspection.defects]
    kept = [pair for pair in zip(inspection.defects, sure, strict=True) if pair[1] >= least][:most]
    order = {label: str(place) for place, label in enumerate(sorted({defect.label for defect, _ in kept}))}
    return {
        "ids": [order[defect.label] for defect, _ in kept],
        "displayNames": [defect.label for defect, _ in kept],
        "confidences": [confidence for _, confidence in kept],
        "bboxes": [
            [
                defect.box.x / across,
                (defect.box.x + defect.box.width) / across,
                defect.box.y / down,
                (defect.box.y + defect.box.height) / down,
            ]
            for defect, _ in kept
        ],
    }


def _segmentation(answer: Answer, _least: float, _most: int) -> dict[str, Any]:
    """Places of the classes as colours of the one mask; how sure each pixel is, as 0..255, in the other."""
    inspection = answer.inspection
    if answer.mask is None:
        raise OptionError("parameters.task: this model outlines nothing; ask for classification.")
    sure = np.zeros((1, 1), np.float32)
    if inspection.map is not None and inspection.score is not None:
        # half at the threshold, as `anomalous` is
        above = inspection.map / max(abs(inspection.threshold), _TINY)
        sure = np.clip(above / (1 + np.abs(above)), 0, 1).astype(np.float32)
    size = (inspection.width or 1, inspection.height or 1)
    eighth = cv2.resize((sure * 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    labels = answer.mask.labels or (UNNAMED,)
    return {
        "categoryMask": base64.b64encode(answer.mask.content).decode(),
        "confidenceMask": base64.b64encode(png(eighth)).decode(),
        "displayNames": ["background", *labels],
    }


_FORMS = {"classification": _classification, "detection": _detection, "segmentation": _segmentation}
