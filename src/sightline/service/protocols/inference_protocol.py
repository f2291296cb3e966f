"""Open Inference Protocol v2, as Triton, KServe and OpenVINO Model Server speak it, with binary tensors.

One input, whatever its name: BYTES [N], each element a PNG, JPEG, BMP, TIFF or WebP file (in JSON: in base64), or
UINT8 or UINT16 [height, width, channels] or [N, height, width, channels], RGB or grey.
Outputs, N of each: verdict, score, threshold, confidence, anomalous, defects (JSON) and, where asked for, map.
"""

import asyncio
import base64
import binascii
import json
from http import HTTPStatus
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from sightline.errors import FrameError, NotFoundError, OptionError
from sightline.records import Defect, Frame
from sightline.service.access import needs
from sightline.service.answer import Answer
from sightline.service.body import MOST_FILES, body_of
from sightline.service.plant import Here, Plant
from sightline.service.protocols.replies import json_reply, route_telling, sound
from sightline.service.protocols.tensors import Input, Tensor, asked, parse, written
from sightline.service.rights import Right
from sightline.service.serving import Served, State

PUBLIC = ("/v2", "/v2/health/live", "/v2/health/ready")
_HEADER = "Inference-Header-Content-Length"
_OUTPUTS = {"verdict": "BYTES", "score": "FP32", "threshold": "FP32", "confidence": "FP32", "anomalous": "BOOL"}
_OUTPUTS |= {"defects": "BYTES", "map": "FP32"}
_USUAL = tuple(name for name in _OUTPUTS if name != "map")
_MODEL = "/v2/models/{name}"
_VERSION = _MODEL + "/versions/{version}"


def _tell(status: HTTPStatus, message: str) -> Response:
    return json_reply({"error": message}, status)


router = APIRouter(tags=["Open Inference Protocol"], route_class=route_telling(_tell))
_MAY = [Depends(needs(Right.INSPECT))]


@router.get("/v2")
async def server() -> Response:
    """What this server is."""
    return json_reply({"name": "sightline", "version": "2", "extensions": ["binary_tensor_data"]})


@router.get("/v2/health/live")
async def live() -> Response:
    """It answers."""
    return json_reply({"live": True})


@router.get("/v2/health/ready")
async def ready(plant: Here) -> Response:
    """All models can judge."""
    done = all(served.state is State.READY for served in plant.serving.models())
    return json_reply({"ready": done}, 200 if done else 503)


@router.get(_MODEL + "/ready", dependencies=_MAY)
@router.get(_VERSION + "/ready", dependencies=_MAY, name="version_ready")
async def model_ready(name: str, plant: Here, version: str = "") -> Response:
    """One model can judge."""
    served = _served(plant, name, version)
    return json_reply({"name": name, "ready": served.state is State.READY}, 200 if served.state is State.READY else 400)


@router.get(_MODEL, dependencies=_MAY)
@router.get(_VERSION, dependencies=_MAY, name="version_metadata")
async def metadata(name: str, plant: Here, version: str = "") -> Response:
    """Inputs and outputs of a model."""
    served = _served(plant, name, version)
    height, width = plant.serving.manifest(name).working_size
    shapes = {"map": [-1, height, width]}
    return json_reply(
        {
            "name": name,
            "versions": [str(served.version)],
            "platform": "sightline",
            "inputs": [{"name": "image", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [{"name": n, "datatype": kind, "shape": shapes.get(n, [-1])} for n, kind in _OUTPUTS.items()],
        }
    )


@router.post(_MODEL + "/infer", dependencies=_MAY)
@router.post(_VERSION + "/infer", dependencies=_MAY, name="infer_version")
async def infer(name: str, request: Request, plant: Here, version: str = "") -> Response:
    """Judge the pictures of the one input."""
    served = _served(plant, name, version)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise OptionError("Content-Encoding: bodies are taken as they are; switch off compression.")
    document, inputs = parse(await body_of(request), _length(request))
    outputs = asked(document, _USUAL, tuple(_OUTPUTS))
    places = asyncio.Semaphore(2 * plant.serving.workers)

    async def one(picture: bytes | Frame) -> Answer:
        async with places:
            return sound(await plant.serving.answer_soon(name, picture))

    answers = await asyncio.gather(*map(one, _pictures(inputs, plant.serving.max_megapixels)))
    head: dict[str, Any] = {"model_name": name, "model_version": str(served.version)}
    spent = [answer.inspection.timings.total_ms for answer in answers if answer.inspection.timings is not None]
    head["parameters"] = {"model_ms": sum(spent)}
    if isinstance(document.get("id"), str):
        head["id"] = document["id"]
    body, length = written(head, {o.name: _output(o.name, answers) for o in outputs}, outputs)
    if any(output.binary for output in outputs):
        return Response(body, headers={_HEADER: str(length)}, media_type="application/octet-stream")
    return Response(body, media_type="application/json")


def _length(request: Request) -> int | None:
    given = request.headers.get(_HEADER)
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 12):
        raise OptionError(f"{_HEADER}: is not a number of bytes.")
    return int(given)


def _served(plant: Plant, name: str, version: str) -> Served:
    served = plant.serving.model(name)
    if version and version != str(served.version):
        raise NotFoundError(f"model {name}: version {version[:20]} is not loaded; {served.version} is.")
    return served


def _pictures(inputs: list[Input], max_megapixels: float) -> list[bytes | Frame]:
    if len(inputs) != 1:
        raise OptionError(f"inputs: are {len(inputs)}; give one, with the pictures.")
    given = inputs[0]
    if isinstance(given.values, list):
        pictures: list[bytes | Frame] = [_unwrapped(element) for element in given.values]
    elif given.datatype in ("UINT8", "UINT16") and len(given.shape) in (3, 4):
        values = given.values if len(given.shape) == 4 else given.values[None]
        if values.shape[1] * values.shape[2] > max_megapixels * 1e6:
            raise FrameError(f"inputs[0]: pictures have more than {max_megapixels:g} megapixels. Cut them into tiles.")
        depth = 8 if given.datatype == "UINT8" else 16
        pictures = [Frame(pixels=pixels, bit_depth=depth, source="inputs[0]") for pixels in values]
    else:
        raise OptionError("inputs[0]: give BYTES [N], or UINT8 or UINT16 [N, height, width, channels].")
    if not 1 <= len(pictures) <= MOST_FILES:
        raise OptionError(f"inputs[0]: holds {len(pictures)} pictures; give 1 to {MOST_FILES}.")
    return pictures


def _unwrapped(element: bytes) -> bytes:
    """The picture in an element; in JSON, which cannot carry bytes, it is written in base64."""
    if element[:1].isalnum() or element[:1] in (b"/", b"+"):
        try:
            return base64.b64decode(element, validate=True)
        except (binascii.Error, ValueError):
            return element  # a BMP or TIFF file begins with a letter
    return element


def _output(name: str, answers: list[Answer]) -> Tensor | list[bytes]:
    found = [answer.inspection for answer in answers]
    if name == "verdict":
        return [one.verdict.value.encode() for one in found]
    if name == "defects":
        return [json.dumps([_defect(defect) for defect in one.defects]).encode() for one in found]
    if name == "anomalous":
        return np.array([answer.is_anomalous for answer in answers], np.bool_)
    if name == "map":
        maps = [one.map for one in found if one.map is not None]
        if len(maps) < len(found):
            raise OptionError("outputs: this model has no map.")
        return np.stack(maps).astype("<f4", copy=False)
    values = {
        "score": [one.score for one in found],
        "threshold": [one.threshold for one in found],
        "confidence": [answer.confidence for answer in answers],
    }
    return np.array(values[name], "<f4")


def _defect(defect: Defect) -> dict[str, Any]:
    box = defect.box
    return {
        "label": defect.label,
        "confidence": defect.confidence,
        "box": {"x": box.x, "y": box.y, "width": box.width, "height": box.height},
        "area_px": defect.area_px,
        "peak": defect.peak,
    }
