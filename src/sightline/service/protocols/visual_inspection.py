"""Visual Inspection AI: the call that its exported containers answer.

    POST /v1/visualInspection:predict (and /v1beta1/...)           {"image_bytes": "<base64>"}
    POST /v1/models/visualinspection:predict, of the camera client {"instances": [{"image_bytes": {"b64": ...}}]}

The model is the only one that is loaded, as a container held one.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from sightline.errors import OptionError
from sightline.service.access import needs
from sightline.service.answer import Answer
from sightline.service.body import decoded, json_of
from sightline.service.plant import Here
from sightline.service.protocols.replies import json_reply, route_telling, sound
from sightline.service.rights import Right


def _tell(status: HTTPStatus, message: str) -> Response:
    return json_reply({"error": {"code": int(status), "message": message, "status": status.phrase}}, status)


router = APIRouter(
    tags=["Visual Inspection AI"], route_class=route_telling(_tell), dependencies=[Depends(needs(Right.INSPECT))]
)


@router.post("/v1/visualInspection:predict")
@router.post("/v1beta1/visualInspection:predict", name="predict_beta")
@router.post("/v1/models/visualinspection:predict", name="predict_model")
async def predict(request: Request, plant: Here) -> Response:
    """One picture, as the container of a classification solution answers."""
    picture = _picture(await json_of(request))
    answer = await plant.serving.answer_soon(plant.serving.current(), picture)
    return json_reply(_prediction(sound(answer)))


def _picture(document: dict[str, Any]) -> bytes:
    given: Any = document
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, list) or len(instances) != 1 or not isinstance(instances[0], dict):
            raise OptionError("instances: is not a list of one picture.")
        given = instances[0]
    written = given.get("image_bytes")
    return decoded(written.get("b64") if isinstance(written, dict) else written, "image_bytes")


def _prediction(answer: Answer) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    timings = answer.inspection.timings
    took_s = (answer.queued_ms + (timings.total_ms if timings else 0.0)) / 1e3
    kind = {"name": "localAnnotationSets/0", "displayName": "Predicted Classification Labels"}
    kind |= {"createTime": now, "updateTime": now}
    annotations = [
        {
            "name": f"localAnnotations/{place}",
            "annotationSpecId": label,
            "annotationSetId": "0",
            "classificationLabel": {"confidenceScore": sure},
            "source": {"type": "MACHINE_PRODUCED", "sourceModel": f"{answer.model}/{answer.version}"},
        }
        for place, (label, sure) in enumerate(answer.classes.items())
    ]
    group = {"annotationSet": kind | {"classificationLabel": {}}, "annotations": annotations}
    return {"predictionResult": {"annotationsGroups": [group]}, "predictionLatency": f"{took_s:.9f}s"}
