"""What the server says when something cannot be done: problem details (RFC 9457), never a traceback."""

import logging
import math
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sightline.errors import (
    AccessError,
    BundleError,
    BusyError,
    ConflictError,
    DatasetError,
    DeliveryRefused,
    FrameError,
    InspectionError,
    NotFoundError,
    OptionError,
    StoreAway,
    StoreFull,
)

LOG = logging.getLogger("sightline.server")
MEDIA_TYPE = "application/problem+json"
_AWAY_S = 5.0  # after which a database that is away may be asked again
_MOST_ERRORS = 20  # told of one request
_STATUS: dict[type[InspectionError], int] = {
    NotFoundError: 404,
    ConflictError: 409,
    OptionError: 422,
    DatasetError: 422,
    BundleError: 422,
    FrameError: 422,
    DeliveryRefused: 422,  # of a station's records: it sets them aside
    BusyError: 429,
    StoreAway: 503,
    StoreFull: 507,
}


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(description="Where in the request", examples=["body.name"])
    what: str = Field(description="What is wrong there", examples=["Field required"])


class Problem(BaseModel):
    """Why something was not done."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:sightline:not-found",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "user ada: there is none.",
                }
            ]
        }
    )
    type: str = Field(description="Kind of problem, for programs")
    title: str = Field(description="The status in words")
    status: int = Field(description="HTTP status")
    detail: str = Field(description="What, what was found, and the cure")
    instance: str | None = Field(default=None, description="Of a fault of the server: by what its log is searched")
    errors: list[Fault] | None = Field(default=None, description="What is wrong with the request, one by one")


REFUSED: dict[str, Any] = {  # of the description of a public route that refuses by itself
    "description": "Refused",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def problem(
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    instance: str | None = None,
    errors: list[Fault] | None = None,
) -> Response:
    """A response that says so."""
    title = HTTPStatus(status).phrase
    kind = f"urn:sightline:{title.lower().replace(' ', '-').replace(chr(39), '')}"
    content = Problem(type=kind, title=title, status=status, detail=detail, instance=instance, errors=errors)
    return JSONResponse(
        content.model_dump(exclude_none=True), status, headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def refusal(status: int, detail: str) -> ASGIApp:
    """As `problem`, for what is no HTTP request yet, too: a web socket is closed."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": detail[:120]})
        else:
            await problem(status, detail)(scope, receive, send)

    return answer


def status_of(error: InspectionError) -> int:
    """By what the caller may do about it."""
    if isinstance(error, AccessError):
        return 403 if error.known else 401
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def answer_to(error: InspectionError) -> Response:
    """Our own errors: what the caller may do about it decides the status."""
    text = " ".join(str(error).split())
    status = status_of(error)
    if status == 401:
        return problem(401, text, headers={"WWW-Authenticate": "Bearer"})
    if status == 500:
        return _fault(text, error)
    again_s = error.retry_s if isinstance(error, BusyError) else _AWAY_S
    headers = {"Retry-After": str(math.ceil(again_s))} if status in (429, 503) else {}
    return problem(status, text, headers=headers)


def install(app: FastAPI, headers: Mapping[str, str]) -> None:
    """Answer whatever leaves a route.

    Args:
        headers: of every response; those to unforeseen errors are made outside of what else adds them.
    """

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, InspectionError)
        return answer_to(error)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, str(error.detail), headers=error.headers)

    async def unforeseen(_: Request, error: Exception) -> Response:
        answer = _fault("something went wrong inside the server; its log has more.", error)
        answer.headers.update(headers)
        return answer

    app.add_exception_handler(InspectionError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, unforeseen)


async def _invalid(_: Request, error: Exception) -> Response:
    """What does not fit, and where; never what was sent, which may be a password."""
    assert isinstance(error, RequestValidationError)
    faults = [_wrong(found) for found in error.errors()[:_MOST_ERRORS]]
    detail = "; ".join(f"{fault.where}: {fault.what}" for fault in faults)
    return problem(422, f"request: {detail}.", errors=faults)


def _wrong(found: Mapping[str, Any]) -> Fault:
    where = ".".join(str(part)[:100] for part in found["loc"][:10])
    return Fault(where=where, what=str(found["msg"])[:300])


def _fault(detail: str, error: Exception) -> Response:
    number = str(uuid.uuid4())
    LOG.error("%s: %s", number, error, exc_info=error)
    return problem(500, detail, instance=f"urn:uuid:{number}")
