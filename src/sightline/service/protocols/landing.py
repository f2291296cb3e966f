"""LandingEdge: `POST /images` with the picture as the form's `file`, by the only model that is loaded."""

from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from sightline.service.access import needs
from sightline.service.answer import Answer
from sightline.service.body import files_of
from sightline.service.plant import Here
from sightline.service.protocols.replies import json_reply, route_telling, sound
from sightline.service.rights import Right


def _tell(status: HTTPStatus, message: str) -> Response:
    return json_reply({"message": message}, status)


router = APIRouter(tags=["LandingEdge"], route_class=route_telling(_tell))


@router.post("/images", dependencies=[Depends(needs(Right.INSPECT))])
async def images(request: Request, plant: Here) -> Response:
    """Boxes of a model that finds them; what the whole picture shows, of any other."""
    name = plant.serving.current()
    _, picture = (await files_of(request))[0]
    answer = sound(await plant.serving.answer_soon(name, picture))
    labels = plant.serving.manifest(name).labels
    if answer.inspection.boxes is not None:
        return json_reply({"type": "ObjectDetectionPrediction", "predictions": _boxes(answer, labels)})
    return json_reply({"type": "ClassificationPrediction", "predictions": _whole(answer, labels)})


def _whole(answer: Answer, labels: tuple[str, ...]) -> dict[str, Any]:
    good = labels[0]
    named = {label: sure for label, sure in answer.classes.items() if (label != good) == answer.is_anomalous}
    label, sure = max((named or answer.classes).items(), key=lambda item: item[1])
    return {"score": sure, "labelIndex": _place(label, labels), "labelName": label}


def _boxes(answer: Answer, labels: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for defect in answer.inspection.defects:
        box, place = defect.box, _place(defect.label, labels)
        corners = {"xmin": box.x, "ymin": box.y, "xmax": box.x + box.width, "ymax": box.y + box.height}
        sure = answer.anomalous if defect.confidence is None else defect.confidence
        told = {"score": sure, "defect_id": place, "coordinates": corners}
        found[str(uuid4())] = told | {"labelIndex": place, "labelName": defect.label}
    return found


def _place(label: str, labels: tuple[str, ...]) -> int:
    return labels.index(label) if label in labels else len(labels)
