"""Having pictures judged: as the raw body, as a form, or in base64; one, or several at once."""

import asyncio
import base64
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from sightline.errors import FrameError, OptionError
from sightline.imaging.heat import heat_scale
from sightline.records import Defect, FloatArray, Inspection
from sightline.service.access import Caller, needs
from sightline.service.answer import Answer, Wish
from sightline.service.body import MOST_FILES, body_of, decoded, files_of, json_object
from sightline.service.keeping import keep, may_keep
from sightline.service.plant import Here, Plant
from sightline.service.rights import Right
from sightline.service.routes.nearest import NearestReply, nearest_reply
from sightline.service.routes.texts import Name, Number
from sightline.store import models

router = APIRouter(prefix="/api/v1", tags=["inspect"], dependencies=[Depends(needs(Right.INSPECT))])
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_ONE = {
    "requestBody": {
        "required": True,
        "description": "PNG, JPEG, BMP, TIFF or WebP: as it is, as the one file of a form, or in base64.",
        "content": {
            "image/jpeg": _BINARY,
            "image/png": _BINARY,
            "application/octet-stream": _BINARY,
            "multipart/form-data": {"schema": {"type": "object", "properties": {"file": _BINARY["schema"]}}},
            "application/json": {
                "schema": {"type": "object", "properties": {"image": {"type": "string"}}, "required": ["image"]},
                "example": {"image": "iVBORw0KGgo..."},
            },
        },
    }
}
_MANY = {
    "requestBody": {
        "required": True,
        "description": f"Up to {MOST_FILES} pictures: the files of a form, or in base64.",
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"files": {"type": "array", "items": _BINARY["schema"]}}}
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"images": {"type": "array", "items": {"type": "string"}, "maxItems": MOST_FILES}},
                    "required": ["images"],
                },
                "example": {"images": ["iVBORw0KGgo...", "iVBORw0KGgo..."]},
            },
        },
    }
}


class BoxReply(BaseModel):
    """A rectangle in the picture's pixels; `x`, `y` is the top left pixel."""

    x: int
    y: int
    width: int
    height: int


class DefectReply(BaseModel):
    """One finding."""

    label: str
    confidence: float | None = Field(description="of the label, 0 to 1; null where nothing names the defect")
    box: BoxReply
    area_px: int
    area_mm2: float | None
    peak: float = Field(description="the region's highest value, in units of the score")
    severity: float | None


class MapReply(BaseModel):
    """How unusual each place is, over the whole picture."""

    height: int
    width: int
    values: str = Field(description="height x width float32, little-endian, row by row, in base64")
    start: float = Field(description="where a tint by which it is shown begins; half way up it is the threshold")
    full: float = Field(description="where that is strongest")


class TimingsReply(BaseModel):
    """Where the time went, milliseconds."""

    queued_ms: float
    decode_ms: float | None
    graph_ms: float | None
    total_ms: float | None


class InspectionReply(BaseModel):
    """One picture judged."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "cap",
                "version": 3,
                "model_id": "0f3c9a",
                "source": "0001.jpg",
                "verdict": "REJECT",
                "score": 7.25,
                "threshold": 4.5,
                "review_threshold": None,
                "p_value": 0.013,
                "confidence": 0.93,
                "width": 1600,
                "height": 1200,
                "product": None,
                "named": None,
                "probabilities": None,
                "defects": [
                    {
                        "label": "anomaly",
                        "confidence": None,
                        "box": {"x": 412, "y": 300, "width": 61, "height": 44},
                        "area_px": 1820,
                        "area_mm2": None,
                        "peak": 7.25,
                        "severity": None,
                    }
                ],
                "fault": None,
                "timings": {"queued_ms": 0.1, "decode_ms": 6.0, "graph_ms": 11.0, "total_ms": 17.4},
                "overlay": None,
                "map": None,
                "nearest": None,
                "stored": None,
            }
        }
    )

    model: str
    version: int
    model_id: str
    source: str = Field(description="name of the file as sent; empty where it had none")
    verdict: str = Field(description="PASS, REJECT, REVIEW, or FAULT: it could not be judged, and is not good")
    score: float | None
    threshold: float = Field(description="a score that reaches it is a REJECT")
    review_threshold: float | None
    p_value: float | None
    confidence: float = Field(description="in the picture being good, or not; 0 to 1")
    width: int | None
    height: int | None
    product: str | None
    named: str | None
    probabilities: dict[str, float] | None
    defects: list[DefectReply]
    fault: str | None
    timings: TimingsReply
    overlay: str | None = Field(default=None, description="PNG in base64, where it was asked for")
    map: MapReply | None = None
    nearest: NearestReply | None = Field(default=None, description="where it was asked for")
    stored: str | None = Field(default=None, description="Id of the inspection in the plant's lists, where it is kept")


class BatchReply(BaseModel):
    """Several pictures judged, in the order in which they were sent."""

    inspections: list[InspectionReply]


class Options(BaseModel):
    """What may be asked for."""

    model_config = ConfigDict(extra="forbid")

    product: str | None = Field(default=None, max_length=100, description="for a model with a bank for each product")
    overlay: bool = Field(default=False, description="draw heat, contours and boxes on the picture")
    map: bool = Field(default=False, description="give the map of how unusual each place is")
    nearest: bool = Field(default=False, description="give the good places that the unusual ones looked most like")
    min_confidence: float = Field(default=0.0, ge=0, le=1, description="leave out defects named less surely")
    timeout_s: float | None = Field(default=None, gt=0, le=600)
    store: bool = Field(
        default=False, description="keep it as a part in the plant's lists and figures, with its picture"
    )
    serial: str = Field(default="", max_length=255, pattern=r"^[^\x00]*$", description="of the part, where it is kept")


Asked = Annotated[Options, Query()]
By = Annotated[Caller, Depends(needs(Right.INSPECT))]


@router.post("/inspect", openapi_extra=_ONE)
async def inspect(request: Request, plant: Here, options: Asked, caller: By) -> InspectionReply:
    """Judge one picture by the current model, where there is one only."""
    return await inspect_with(plant.serving.current(), request, plant, options, caller)


@router.post("/models/{name}/inspect", openapi_extra=_ONE)
async def inspect_with(name: str, request: Request, plant: Here, options: Asked, caller: By) -> InspectionReply:
    """Judge one picture by a model."""
    source, picture = await _picture(request)
    return await _judged(plant, name, source, picture, options, caller)


@router.post("/models/{name}/versions/{version}/inspect", openapi_extra=_ONE)
async def inspect_with_version(
    name: Name, version: Number, request: Request, plant: Here, options: Asked
) -> InspectionReply:
    """Judge one picture by any version of a model, current or not: to try it. Production goes first."""
    if options.store:
        raise OptionError(
            "store: what a version says that is tried is not kept; ask the current one, without versions."
        )
    source, picture = await _picture(request)
    known = await run_in_threadpool(models.one, plant.database, name, version)
    wish = Wish(product=options.product, overlay=options.overlay, nearest=options.nearest)
    return reply_of(await plant.candidates.answer(known, picture, wish), source, options)


@router.post("/inspect/batch", openapi_extra=_MANY)
async def inspect_batch(request: Request, plant: Here, options: Asked, caller: By) -> BatchReply:
    """Judge several pictures by the current model, where there is one only."""
    return await inspect_batch_with(plant.serving.current(), request, plant, options, caller)


@router.post("/models/{name}/inspect/batch", openapi_extra=_MANY)
async def inspect_batch_with(name: str, request: Request, plant: Here, options: Asked, caller: By) -> BatchReply:
    """Judge several pictures by a model; one that cannot be judged is a FAULT with its reason, and is not kept."""
    if options.serial:
        raise OptionError("serial: is of one part; send its picture to .../inspect.")
    pictures = await _pictures(request)
    places = asyncio.Semaphore(2 * plant.serving.workers)  # one batch must not fill the queue for everybody

    async def one(source: str, picture: bytes) -> InspectionReply:
        async with places:
            try:
                return await _judged(plant, name, source, picture, options, caller)
            except FrameError as error:
                return _unreadable(plant, name, source, str(error))

    return BatchReply(inspections=await asyncio.gather(*(one(*picture) for picture in pictures)))


async def _judged(
    plant: Plant, name: str, source: str, picture: bytes, options: Options, caller: Caller
) -> InspectionReply:
    if options.store:
        may_keep(caller)
    wish = Wish(product=options.product, overlay=options.overlay, nearest=options.nearest)
    answer = await plant.serving.answer_soon(name, picture, wish, timeout_s=options.timeout_s)
    reply = reply_of(answer, source, options)
    if options.store:  # before it is told: what a caller acts on is on record
        reply.stored = await run_in_threadpool(keep, plant, caller, answer, picture, serial=options.serial)
    return reply


async def _picture(request: Request) -> tuple[str, bytes]:
    kind = _kind(request)
    if kind == "multipart/form-data":
        files = await files_of(request)
        if len(files) > 1:
            raise OptionError(f"the form holds {len(files)} files; send several to .../inspect/batch.")
        return files[0]
    body = await body_of(request)
    return "", decoded(json_object(body).get("image"), "image") if kind == "application/json" else body


async def _pictures(request: Request) -> list[tuple[str, bytes]]:
    if _kind(request) == "multipart/form-data":
        return await files_of(request)
    images = json_object(await body_of(request)).get("images")
    if not isinstance(images, list) or not 1 <= len(images) <= MOST_FILES:
        raise OptionError(f"images: is not a list of 1 to {MOST_FILES} pictures in base64.")
    return [("", decoded(image, f"images[{place}]")) for place, image in enumerate(images)]


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def reply_of(answer: Answer, source: str, options: Options) -> InspectionReply:
    """An answer as it is sent."""
    inspection = answer.inspection
    timings = inspection.timings
    return InspectionReply(
        model=answer.model,
        version=answer.version,
        model_id=inspection.model_id,
        source=source,
        verdict=inspection.verdict,
        score=inspection.score,
        threshold=inspection.threshold,
        review_threshold=inspection.review_threshold,
        p_value=inspection.p_value,
        confidence=answer.confidence,
        width=inspection.width,
        height=inspection.height,
        product=inspection.product,
        named=inspection.named,
        probabilities=inspection.probabilities,
        defects=[
            _defect(defect)
            for defect in inspection.defects
            if defect.confidence is None or defect.confidence >= options.min_confidence
        ],
        fault=inspection.fault,
        timings=TimingsReply(
            queued_ms=answer.queued_ms,
            decode_ms=timings.decode_ms if timings else None,
            graph_ms=timings.graph_ms if timings else None,
            total_ms=timings.total_ms if timings else None,
        ),
        overlay=base64.b64encode(answer.overlay).decode() if answer.overlay else None,
        map=_map(inspection.map, inspection) if options.map and inspection.map is not None else None,
        nearest=nearest_reply(answer.nearest, answer.model, answer.version) if answer.nearest else None,
    )


def _unreadable(plant: Plant, name: str, source: str, reason: str) -> InspectionReply:
    return reply_of(plant.serving.fault(name, reason), source, Options())


def _defect(defect: Defect) -> DefectReply:
    box = defect.box
    return DefectReply(
        label=defect.label,
        confidence=defect.confidence,
        box=BoxReply(x=box.x, y=box.y, width=box.width, height=box.height),
        area_px=defect.area_px,
        area_mm2=defect.area_mm2,
        peak=defect.peak,
        severity=defect.severity,
    )


def _map(values: FloatArray, inspection: Inspection) -> MapReply:
    height, width = values.shape
    content: Any = np.ascontiguousarray(values, "<f4")
    scale = heat_scale(inspection.threshold, inspection.review_threshold)
    return MapReply(
        height=height,
        width=width,
        values=base64.b64encode(content.tobytes()).decode(),
        start=scale.start,
        full=scale.full,
    )
