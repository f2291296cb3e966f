"""The description of the API: what each operation asks for, and what it answers when it does not do it."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from sightline.service.access import SIGNATURE, WITNESS, Asks
from sightline.service.examples import EXAMPLES
from sightline.service.problems import MEDIA_TYPE, Problem
from sightline.service.recognition import COOKIE, CSRF

_ANSWERS = {
    "401": "Nobody who is known",
    "403": "Without the right, or without its CSRF token or signature",
    "422": "Not as it should be",
    "429": "Too much at once; Retry-After says when to try again",
    "503": "The database is away; Retry-After says when to try again",
    "507": "The server's disk is full",
}
SCHEMES: dict[str, Any] = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key: Authorization: Bearer KEY"},
    "login": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"The cookie of a login; changes take {CSRF}, too, which GET /api/v1/account tells",
    },
}


def operations(routers: Sequence[APIRouter]) -> Iterator[tuple[str, str, APIRoute, Asks | None]]:
    """(method in lower case, path, route, what it asks for or None) of everything that routers offer."""
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                for method in sorted(route.methods or ()):
                    yield method.lower(), route.path_format, route, _asks(route.dependant)


def operation_id(route: APIRoute) -> str:
    """Stable, as it comes from names in the source: `users_add`."""
    return f"{'_'.join(str(tag) for tag in route.tags)}_{route.name}".replace(" ", "_").replace("-", "_")


def describe(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Let the application say of itself what FastAPI cannot know."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                license_info=app.license_info,
            )
            app.openapi_schema = _completed(found, routers)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's own documentation has it


def _completed(document: dict[str, Any], routers: Sequence[APIRouter]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    components["securitySchemes"] = SCHEMES
    described = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= described.pop("$defs") | {"Problem": described}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for name, example in EXAMPLES.items():
        schemas[name].setdefault("examples", [example])
    for method, path, _, asks in operations(routers):
        operation = document["paths"].get(path, {}).get(method)
        if operation is not None:
            _complete(operation, asks)
    return document


def _complete(operation: dict[str, Any], asks: Asks | None) -> None:
    answers = operation["responses"]
    answers.pop("422", None)
    takes = bool(operation.get("parameters") or operation.get("requestBody"))
    for status, told in _ANSWERS.items():
        if (status in ("401", "403") and asks is None) or (status == "422" and not takes):
            continue
        answers.setdefault(status, _problem(told))
    if asks is None:
        operation["security"] = []
        return
    operation["security"] = [{name: []} for name in SCHEMES]
    operation["x-right"] = asks.right or "known"
    if asks.signature:
        operation.setdefault("parameters", []).extend(_header(name) for name in (SIGNATURE, WITNESS))


def _problem(told: str) -> dict[str, Any]:
    return {"description": told, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _header(name: str) -> dict[str, Any]:
    told = {SIGNATURE: "One's password", WITNESS: "NAME:PASSWORD of a second person"}[name]
    return {
        "name": name,
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": f"{told}, as Base64 of UTF-8, where the server asks for signatures",
    }


def _asks(dependant: Dependant) -> Asks | None:
    """The strictest of the dependencies of a route; where one asks for a right, that one."""
    found = [call for call in _calls(dependant) if isinstance(call, Asks)]
    return max(found, key=lambda asks: (asks.right is not None, asks.signature), default=None)


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)
