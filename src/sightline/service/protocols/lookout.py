"""Lookout for Vision (API 2020-11-20), as boto3's client `lookoutvision` speaks it; a project is a model's name.

`IsAnomalous` is true for anything but a PASS. `Confidence` is in that boolean, whichever it is: it comes from the
model's calibration, the share of good parts that are at least as unusual (see `answer.anomalous`), and is one half at
the threshold. A picture that could not be judged is an InternalServerException and never an answer. Model packages are
refused: a `.sight` file runs on a PC as it is. Tags are taken and not kept.

Who calls is known by the key that is given as the access key's id. Its secret is not looked at: of a key the server
keeps a digest only, so that it cannot compute a signature.
"""

import base64
import binascii
import time
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from sightline.datasets.dataset import GOOD
from sightline.errors import OptionError
from sightline.service.access import Caller, needs
from sightline.service.answer import BACKGROUND, Mask, Wish
from sightline.service.body import body_of, json_object
from sightline.service.plant import Here, Plant
from sightline.service.protocols.lookout_entries import Filter
from sightline.service.protocols.lookout_projects import DatasetInfo, ModelInfo, Project
from sightline.service.protocols.replies import json_reply, route_telling, sound, timing
from sightline.service.rights import Right
from sightline.store.audit import note

_TYPES = {
    HTTPStatus.BAD_REQUEST: "ValidationException",
    HTTPStatus.UNAUTHORIZED: "AccessDeniedException",
    HTTPStatus.FORBIDDEN: "AccessDeniedException",
    HTTPStatus.NOT_FOUND: "ResourceNotFoundException",
    HTTPStatus.CONFLICT: "ConflictException",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "ValidationException",
    HTTPStatus.TOO_MANY_REQUESTS: "ThrottlingException",
}
_MOST_CHANGES = 14 << 20  # 10 MiB in base64, and the JSON around them
_MOST_MASK_BYTES = 5 << 20


def _tell(status: HTTPStatus, message: str) -> Response:
    kind = _TYPES.get(status, "InternalServerException")
    words = message.partition(":")[0].split()  # what our messages are about, say "model cap/2:"
    what = words[0].upper() if words and words[0] in ("project", "dataset", "model") else "MODEL"
    named = words[1] if len(words) > 1 else ""
    said = {"Message": message, "ResourceId": named, "ResourceType": what}
    code = HTTPStatus.FORBIDDEN if status is HTTPStatus.UNAUTHORIZED else status
    return json_reply(said, code, {"x-amzn-ErrorType": kind})


router = APIRouter(prefix="/2020-11-20", tags=["Lookout for Vision"], route_class=route_telling(_tell))
_P, _D, _M = "/projects/{project}", "/projects/{project}/datasets/{kind}", "/projects/{project}/models/{version}"
_SEEN = [Depends(needs(Right.VIEW))]
_DONE = [Depends(needs(Right.INSPECT))]
Manager = Annotated[Caller, Depends(needs(Right.MANAGE))]
Most = Annotated[int, Query(alias="maxResults", ge=1, le=100)]
Next = Annotated[str, Query(alias="nextToken", max_length=2048)]


async def _sent(request: Request) -> dict[str, Any]:
    body = await body_of(request, _MOST_CHANGES)
    return json_object(body) if body.strip() else {}


Sent = Annotated[dict[str, Any], Depends(_sent)]


@router.post(_M + "/detect", dependencies=_DONE)
async def detect_anomalies(project: str, version: str, request: Request, plant: Here) -> Response:
    """Judge the picture in the body."""
    picture = await body_of(request)
    if not plant.serving.has(project, version):
        await run_in_threadpool(plant.projects.hosted, project, version)  # tells what there is instead
    answer = sound(await plant.serving.answer_soon(project, picture, Wish(mask=True)))
    result: dict[str, Any] = {
        "Source": {"Type": "direct"},
        "IsAnomalous": answer.is_anomalous,
        "Confidence": answer.confidence,
    }
    if answer.mask is not None:
        result["Anomalies"] = _anomalies(answer.mask)
        if len(answer.mask.content) <= _MOST_MASK_BYTES:
            result["AnomalyMask"] = base64.b64encode(answer.mask.content).decode()
    return json_reply({"DetectAnomalyResult": result}, headers=timing(answer))


def _anomalies(mask: Mask) -> list[dict[str, Any]]:
    names = ("background", *mask.labels)
    shares = (max(0.0, 1.0 - sum(mask.shares)), *mask.shares)
    return [
        {"Name": name, "PixelAnomaly": {"TotalPercentageArea": share, "Color": f"#{bytes(colour).hex().upper()}"}}
        for name, share, colour in zip(names, shares, (BACKGROUND, *mask.colours), strict=True)
    ]


@router.post("/projects")
def create_project(plant: Here, caller: Manager, sent: Sent) -> Response:
    """A project without data sets and models."""
    project = plant.projects.create(_text(sent, "ProjectName"), time.time())
    _noted(plant, caller, "create project", f"project:{project.name}", None, project)
    return json_reply({"ProjectMetadata": _project(project)})


@router.get("/projects", dependencies=_SEEN)
def list_projects(plant: Here, most: Most = 100, after: Next = "") -> Response:
    """All projects, by name."""
    found = [project for project in plant.projects.projects() if project.name > after]
    more = {"NextToken": found[most - 1].name} if len(found) > most else {}
    return json_reply({"Projects": [_project(project) for project in found[:most]]} | more)


@router.get(_P, dependencies=_SEEN)
def describe_project(project: str, plant: Here) -> Response:
    """A project and its data sets."""
    found = plant.projects.project(project)
    datasets = [_dataset(kind, info) for kind, info in found.datasets.items()]
    return json_reply({"ProjectDescription": _project(found) | {"Datasets": datasets}})


@router.delete(_P)
def delete_project(project: str, plant: Here, caller: Manager) -> Response:
    """Of a project without models."""
    found = plant.projects.project(project)
    plant.projects.delete(project)
    _noted(plant, caller, "delete project", f"project:{project}", found, None)
    return json_reply({"ProjectArn": _arn("project", project)})


@router.post(_P + "/datasets")
def create_dataset(project: str, plant: Here, caller: Manager, sent: Sent) -> Response:
    """By a manifest in a bucket, or empty."""
    kind, source = _text(sent, "DatasetType"), None
    if sent.get("DatasetSource") is not None:
        place = _object(_object(_object(sent, "DatasetSource"), "GroundTruthManifest"), "S3Object")
        source = (_text(place, "Bucket"), _text(place, "Key"))
    info = plant.projects.create_dataset(project, kind, source, time.time())
    _noted(plant, caller, "create dataset", f"dataset:{project}/{kind}", None, source)
    return json_reply({"DatasetMetadata": _dataset(kind, info)}, 202)


@router.get(_D, dependencies=_SEEN)
def describe_dataset(project: str, kind: str, plant: Here) -> Response:
    """How many pictures it has, and of what."""
    info, entries = plant.projects.dataset(project, kind)
    labels = [entry.label for entry in entries if entry.label is not None]
    normal = labels.count(GOOD)
    stats = {"Total": len(entries), "Labeled": len(labels), "Normal": normal, "Anomaly": len(labels) - normal}
    told = _dataset(kind, info) | {"ProjectName": project, "LastUpdatedTimestamp": info.updated_s, "ImageStats": stats}
    return json_reply({"DatasetDescription": told})


@router.delete(_D)
def delete_dataset(project: str, kind: str, plant: Here, caller: Manager) -> Response:
    """The list alone; pictures stay."""
    _, entries = plant.projects.dataset(project, kind)
    plant.projects.delete_dataset(project, kind)
    _noted(plant, caller, "delete dataset", f"dataset:{project}/{kind}", {"entries": len(entries)}, None)
    return json_reply({}, 202)


@router.patch(_D + "/entries")
def update_dataset_entries(project: str, kind: str, plant: Here, caller: Manager, sent: Sent) -> Response:
    """Add lines, or change those of the same picture."""
    try:
        changes = base64.b64decode(_text(sent, "Changes"), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OptionError("Changes: is not base64 of UTF-8 lines of JSON.") from error
    plant.projects.update_dataset(project, kind, changes, time.time())
    after = {"changed": len(changes.splitlines())}
    _noted(plant, caller, "update dataset", f"dataset:{project}/{kind}", None, after)
    return json_reply({"Status": "UPDATE_COMPLETE"}, 202)


@router.get(_D + "/entries", dependencies=_SEEN)
def list_dataset_entries(  # the query is Lookout's
    project: str,
    kind: str,
    plant: Here,
    most: Most = 100,
    after: Next = "0",
    labeled: bool | None = None,
    anomaly_class: Annotated[str | None, Query(alias="anomalyClass", pattern="^(normal|anomaly)$")] = None,
    before: Annotated[datetime | None, Query(alias="createdBefore")] = None,
    since: Annotated[datetime | None, Query(alias="createdAfter")] = None,
    contains: Annotated[str, Query(alias="sourceRefContains", max_length=2048)] = "",
) -> Response:
    """Lines, in the order in which they came."""
    wanted = Filter(
        labelled=labeled,
        anomaly=None if anomaly_class is None else anomaly_class == "anomaly",
        before_s=before.timestamp() if before else None,
        after_s=since.timestamp() if since else None,
        contains=contains,
    )
    if not (after.isascii() and after.isdecimal() and len(after) < 10):
        raise OptionError("nextToken: is not one that this server gave.")
    _, entries = plant.projects.dataset(project, kind)
    found = [
        (place, entry) for place, entry in enumerate(entries, start=1) if place > int(after) and wanted.takes(entry)
    ]
    more = {"NextToken": str(found[most - 1][0])} if len(found) > most else {}
    return json_reply({"DatasetEntries": [entry.text for _, entry in found[:most]]} | more)


@router.post(_P + "/models")
def create_model(project: str, request: Request, plant: Here, caller: Manager, sent: Sent) -> Response:
    """Begin training by the project's data sets."""
    place = _object(_object(sent, "OutputConfig"), "S3Location")
    wanted = ModelInfo(
        version=0,
        created_s=time.time(),
        description=str(sent.get("Description") or "")[:500],
        token=request.headers.get("x-amzn-client-token", "")[:64],
        bucket=_text(place, "Bucket"),
        prefix=str(place.get("Prefix") or ""),
    )
    model = plant.projects.create_model(project, wanted)
    _noted(plant, caller, "create model", f"model:{project}/{model.version}", None, model)
    return json_reply({"ModelMetadata": _model(plant, project, model)}, 202)


@router.get(_P + "/models", dependencies=_SEEN)
def list_models(project: str, plant: Here, most: Most = 100, after: Next = "0") -> Response:
    """All versions, from the first."""
    if not (after.isascii() and after.isdecimal() and len(after) < 10):
        raise OptionError("nextToken: is not one that this server gave.")
    models = sorted(plant.projects.project(project).models, key=lambda model: model.version)
    found = [model for model in models if model.version > int(after)]
    more = {"NextToken": str(found[most - 1].version)} if len(found) > most else {}
    return json_reply({"Models": [_model(plant, project, model) for model in found[:most]]} | more)


@router.get(_M, dependencies=_SEEN)
def describe_model(project: str, version: str, plant: Here) -> Response:
    """How far a version is, and how good."""
    model = plant.projects.model(project, version)
    told = _model(plant, project, model)
    if model.bucket:
        told["OutputConfig"] = {"S3Location": {"Bucket": model.bucket, "Prefix": model.prefix}}
    return json_reply({"ModelDescription": told})


@router.delete(_M)
def delete_model(project: str, version: str, plant: Here, caller: Manager) -> Response:
    """Of a version that is not hosted."""
    model = plant.projects.model(project, version)
    plant.projects.delete_model(project, version)
    _noted(plant, caller, "delete model", f"model:{project}/{model.version}", model, None)
    return json_reply({"ModelArn": _arn("model", f"{project}/{model.version}")}, 202)


@router.post(_M + "/start")
def start_model(project: str, version: str, plant: Here, caller: Manager) -> Response:
    """Make this version the current one and load it; when this answers it is hosted, whatever the answer is called.

    Where what becomes current is signed by people, only the version that is current already is loaded.
    """
    plant.projects.start(project, version, by=caller.name)
    _noted(plant, caller, "start model", f"model:{project}/{version}", None, None)
    return json_reply({"Status": "STARTING_HOSTING"}, 202)


@router.post(_M + "/stop")
def stop_model(project: str, version: str, plant: Here, caller: Manager) -> Response:
    """Let go of this version, which is not the current one from then on; refused where people sign that."""
    plant.projects.stop(project, version, by=caller.name)
    _noted(plant, caller, "stop model", f"model:{project}/{version}", None, None)
    return json_reply({"Status": "STOPPING_HOSTING"}, 202)


@router.get("/tags/{_arn:path}", dependencies=_SEEN)
def list_tags() -> Response:
    """None are kept."""
    return json_reply({"Tags": []})


@router.get("/projects/{project}/modelpackagingjobs", dependencies=_SEEN, name="list_packaging")
@router.post("/projects/{project}/modelpackagingjobs", dependencies=_SEEN, name="start_packaging")
@router.get("/projects/{project}/modelpackagingjobs/{job}", dependencies=_SEEN, name="describe_packaging")
def packaging() -> Response:
    """Refused."""
    raise OptionError("models are not packaged here: a .sight file runs on a PC as it is.")


def _project(project: Project) -> dict[str, Any]:
    return {
        "ProjectArn": _arn("project", project.name),
        "ProjectName": project.name,
        "CreationTimestamp": project.created_s,
    }


def _dataset(kind: str, info: DatasetInfo) -> dict[str, Any]:
    status = "CREATE_COMPLETE" if info.created_s == info.updated_s else "UPDATE_COMPLETE"
    return {"DatasetType": kind, "CreationTimestamp": info.created_s, "Status": status, "StatusMessage": ""}


def _model(plant: Plant, project: str, model: ModelInfo) -> dict[str, Any]:
    status, message, figures = plant.projects.status(project, model)
    told = {
        "CreationTimestamp": model.created_s,
        "ModelVersion": str(model.version),
        "ModelArn": _arn("model", f"{project}/{model.version}"),
        "Description": model.description,
        "Status": status,
        "StatusMessage": message,
    }
    names = {"f1": "F1Score", "recall": "Recall", "precision": "Precision"}
    performance = {said: figures[name] for name, said in names.items() if name in figures}
    return told | ({"Performance": performance} if performance else {})


def _arn(kind: str, place: str) -> str:
    return f"arn:aws:lookoutvision:local:000000000000:{kind}/{place}"


def _noted(plant: Plant, caller: Caller, action: str, subject: str, before: object, after: object) -> None:
    with plant.database.writing() as session:
        note(session, who=caller.name, action=action, subject=subject, before=before, after=after)


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise OptionError(f"{key}: is missing or is no text.")
    return value


def _object(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise OptionError(f"{key}: is missing or is no object.")
    return value
