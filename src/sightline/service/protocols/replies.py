"""How routes of other systems' protocols answer: in that system's own words, errors too."""

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sightline.errors import (
    AccessError,
    BundleError,
    BusyError,
    ConflictError,
    DatasetError,
    FrameError,
    InspectionError,
    NotFoundError,
    OptionError,
    StoreAway,
    StoreFull,
)
from sightline.service.answer import Answer

_STATUS: tuple[tuple[type[InspectionError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (BusyError, HTTPStatus.TOO_MANY_REQUESTS),
    (StoreAway, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (OptionError, HTTPStatus.BAD_REQUEST),
    (FrameError, HTTPStatus.BAD_REQUEST),
    (DatasetError, HTTPStatus.BAD_REQUEST),
    (BundleError, HTTPStatus.BAD_REQUEST),
)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Telling = Callable[[HTTPStatus, str], Response]  # an error as the protocol writes it


class FaultError(InspectionError):
    """A picture was a FAULT, in a protocol that knows good and not good only: an error is neither."""


def sound(answer: Answer) -> Answer:
    """The answer; raises FaultError where the picture could not be judged."""
    if answer.inspection.fault is not None:
        raise FaultError(answer.inspection.fault)
    return answer


def json_reply(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Compact JSON, without a detour over models: these replies are made to a foreign pattern."""
    content = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Response(content, status, headers, media_type="application/json")


def timing(answer: Answer) -> dict[str, str]:
    """Where the time went, as the header that W3C's Server Timing names; milliseconds."""
    timings = answer.inspection.timings
    model_ms = timings.total_ms if timings else 0.0
    return {"Server-Timing": f"queue;dur={answer.queued_ms:.2f}, model;dur={model_ms:.2f}"}


def status_of(error: InspectionError) -> HTTPStatus:
    """What says the same in HTTP as these protocols use it: 400 for anything wrong with what was sent."""
    if isinstance(error, AccessError):
        return HTTPStatus.FORBIDDEN if error.known else HTTPStatus.UNAUTHORIZED
    known = (status for kind, status in _STATUS if isinstance(error, kind))
    return next(known, HTTPStatus.INTERNAL_SERVER_ERROR)


def route_telling(tell: Telling) -> type[APIRoute]:
    """A kind of route whose errors are told by `tell`; 429 and 503 say when to come back."""

    class Route(APIRoute):
        """See `route_telling`."""

        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def told(request: Request) -> Response:
                try:
                    return await handle(request)
                except InspectionError as error:
                    response = tell(status_of(error), str(error))
                except HTTPException as error:
                    response = tell(HTTPStatus(error.status_code), str(error.detail))
                except RequestValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(map(str, first["loc"][1:]))
                    response = tell(HTTPStatus.BAD_REQUEST, f"{where}: {first['msg']}.")
                if response.status_code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
                    response.headers["Retry-After"] = "1"
                return response

            return told

    return Route
