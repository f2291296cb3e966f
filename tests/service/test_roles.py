"""Every operation times every role, from the OpenAPI document: who may reach it is what this file's table says.

The right that an operation asks for is read from its dependency; the table below says by hand which role may reach
which tag, or which operation where one differs from its tag. So an operation without `needs`, or with a weaker right
than its tag has, fails here.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import APIRouter
from tests.service.conftest import Opening, Server, started

from sightline.service import app as application
from sightline.service import openapi
from sightline.service.access import Asks
from sightline.service.rights import RIGHTS, Right, Role

EVERYBODY = frozenset(Role)
PEOPLE = EVERYBODY - {Role.STATION}
STATIONS = frozenset({Role.STATION})
ENGINEERS = frozenset({Role.QUALITY_ENGINEER, Role.ADMINISTRATOR})
ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})
BY_TAG: dict[str, frozenset[Role]] = {
    "accounts": ADMINISTRATORS,
    "keys": ADMINISTRATORS,
    "audit": ADMINISTRATORS,
    "webhooks": ADMINISTRATORS,
    "settings": ADMINISTRATORS,
    "health": PEOPLE,
    "inspect": EVERYBODY,
    "ingest": STATIONS,
    "inspections": PEOPLE,
    "stations": PEOPLE,
    "pictures": PEOPLE,
    "models": ENGINEERS,
    "data sets": ENGINEERS,
    "recipes": ENGINEERS,
    "reviews": PEOPLE,
    "labels": PEOPLE,
    "escapes": PEOPLE,
    "quality": PEOPLE,
    "studies": PEOPLE,
    "reports": PEOPLE,
    "jobs": PEOPLE,
    "alerts": PEOPLE,
    "Lookout for Vision": ENGINEERS,
    "Vertex AI": EVERYBODY,
    "Visual Inspection AI": EVERYBODY,
    "Open Inference Protocol": EVERYBODY,
    "Label Studio": EVERYBODY,
    "LandingEdge": EVERYBODY,
}
_SEEN = (  # what is looked at where most of a tag changes something
    *("models_list_models", "models_get_current", "models_get_history", "models_get_version", "models_get_manifest"),
    *("models_get_scores", "data_sets_list_oddities"),
    *("data_sets_list_datasets", "data_sets_list_versions", "data_sets_get_version", "data_sets_list_items"),
    *("data_sets_list_formats", "data_sets_take_over"),
    *("data_sets_compare", "recipes_list_recipes", "recipes_list_versions", "recipes_get_version", "recipes_compare"),
    *(f"Lookout_for_Vision_list_{what}" for what in ("projects", "dataset_entries", "models", "tags", "packaging")),
    *(f"Lookout_for_Vision_describe_{what}" for what in ("project", "dataset", "model", "packaging")),
    "Lookout_for_Vision_start_packaging",  # which is refused for what it is
)
_CHANGED = (  # and the other way round
    *("pictures_put_picture", "pictures_post_picture", "pictures_place_hold", "jobs_start", "jobs_cancel"),
    *("studies_make_study", "studies_items", "studies_rate_by_machine", "studies_close"),
    *("alerts_set_rule", "alerts_remove_rule", "escapes_take_back", "Label_Studio_webhook"),
)
BY_OPERATION: dict[str, frozenset[Role]] = {
    "accounts_log_out": EVERYBODY,
    "accounts_account": EVERYBODY,
    "accounts_change_password": EVERYBODY,
    "pictures_put_view": STATIONS,
    "pictures_lift_hold": ADMINISTRATORS,
    "recipes_get_released": STATIONS,
    "Lookout_for_Vision_detect_anomalies": EVERYBODY,
    **dict.fromkeys(_SEEN, PEOPLE),
    **dict.fromkeys(_CHANGED, ENGINEERS),
}
PUBLIC = {
    *("accounts_set_up", "accounts_log_in", "health_healthz", "health_readyz"),
    *("Open_Inference_Protocol_server", "Open_Inference_Protocol_live", "Open_Inference_Protocol_ready"),
}
SILENT = re.compile(r"\{[^}]+\}")


def operations() -> Iterator[tuple[str, str, str, str, Asks | None]]:
    """(id, tag, method, path, what it asks for)."""
    for method, path, route, asks in openapi.operations(application.ROUTERS):
        if route.include_in_schema:
            yield openapi.operation_id(route), str(route.tags[0]), method, path, asks


OPERATIONS = sorted(operations())
GUARDED = [one for one in OPERATIONS if one[0] not in PUBLIC]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from started(Opening(folder=tmp_path_factory.mktemp("plant")))


def expected(name: str, tag: str) -> frozenset[Role]:
    return BY_OPERATION.get(name, BY_TAG.get(tag, frozenset()))


@pytest.mark.parametrize(("name", "tag", "method", "path", "asks"), GUARDED, ids=[one[0] for one in GUARDED])
def test_an_operation_is_for_the_roles_of_the_table(name: str, tag: str, method: str, path: str, asks: Asks) -> None:
    assert asks is not None, f"{method} {path}: has no needs(...), and is not among the public ones"
    may = {role for role in Role if asks.right is None or asks.right in RIGHTS[role]}
    assert may == expected(name, tag)


def test_public_operations_ask_for_nothing_and_are_known_to_the_application() -> None:
    public = {one for one in OPERATIONS if one[0] in PUBLIC}
    assert {name for name, *_ in public} == PUBLIC
    assert all(asks is None and path in application.PUBLIC for _, _, _, path, asks in public)
    assert [one[3] for one in GUARDED if one[3] in application.PUBLIC] == []


def ask(client: Any, method: str, path: str) -> int:
    """A request that the route's own rules refuse, if anything does before: nothing is changed by it."""
    status: int = client.request(method.upper(), SILENT.sub("0", path)).status_code
    return status


def refusal(path: str) -> int:
    """How somebody unknown is refused; Lookout for Vision has no 401."""
    return 403 if path.startswith("/2020-11-20/") else 401


def test_nobody_unknown_gets_in(server: Server) -> None:
    client = server.client()
    wrong = [path for _, _, method, path, _ in GUARDED if ask(client, method, path) != refusal(path)]
    assert wrong == []


@pytest.mark.parametrize(
    "credentials", ["Bearer sk_000000000000_x", "Basic eDp5", "Bearer", "AWS4-HMAC-SHA256 Credential=x/"]
)
def test_nobody_gets_in_with_a_made_up_key(server: Server, credentials: str) -> None:
    client = server.client({"Authorization": credentials})
    wrong = [path for _, _, method, path, _ in GUARDED if ask(client, method, path) not in (401, refusal(path))]
    assert wrong == []


@pytest.mark.parametrize("role", list(Role))
def test_a_role_reaches_what_the_table_says_and_nothing_else(server: Server, role: Role) -> None:
    client = server.program(role)
    wrong = {}
    for name, tag, method, path, _ in GUARDED:
        refused = ask(client, method, path) in (401, 403)
        if refused == (role in expected(name, tag)):
            wrong[name] = refused
    assert wrong == {}


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_a_person_reaches_the_same_as_a_key_of_the_role(server: Server, role: Role) -> None:
    client = server.person(server.add(role))
    last = [one for one in GUARDED if one[0] != "accounts_log_out"]
    for name, tag, method, path, _ in last:
        assert (ask(client, method, path) in (401, 403)) == (role not in expected(name, tag)), name


def test_a_key_can_do_no_more_than_its_scopes(server: Server) -> None:
    client = server.program(Role.ADMINISTRATOR, Right.VIEW)
    for name, _, method, path, asks in GUARDED:
        assert asks is not None
        assert (ask(client, method, path) not in (401, 403)) == (asks.right in (None, Right.VIEW)), name


def routers_of(package: str) -> set[str]:
    folder = Path(application.__file__).parent / package
    return {path.stem for path in folder.glob("*.py") if "router = APIRouter(" in path.read_text("utf-8")}


def test_every_routes_file_is_in_the_application() -> None:
    included = {id(router) for router in application.ROUTERS}
    imported = {
        name
        for name, module in vars(application).items()
        if isinstance(module, ModuleType)
        for name in [name]
        if isinstance(getattr(module, "router", None), APIRouter) and id(module.router) in included
    }
    assert routers_of("routes") | routers_of("protocols") <= imported


def test_operation_ids_are_unique_and_everything_is_described(server: Server) -> None:
    document = server.app.openapi()
    found = [operation for methods in document["paths"].values() for operation in methods.values()]
    ids = [operation["operationId"] for operation in found]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)
    assert [operation["operationId"] for operation in found if not operation.get("description")] == []
    assert {tag for operation in found for tag in operation["tags"]} == {tag["name"] for tag in document["tags"]}


def test_each_operation_says_which_right_it_asks_for(server: Server) -> None:
    paths = server.app.openapi()["paths"]
    for name, _, method, path, asks in OPERATIONS:
        operation = paths[path][method]
        assert bool(operation["security"]) == (name not in PUBLIC)
        assert operation.get("x-right") == (asks and (asks.right or "known"))


def test_every_body_and_answer_has_an_example(server: Server) -> None:
    schemas = server.app.openapi()["components"]["schemas"]
    bare = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, one in schema.get("properties", {}).items()
        if not ({"examples", "default", "$ref", "items", "anyOf", "allOf"} & set(one) or "examples" in schema)
        and one.get("type") != "boolean"
    ]
    assert bare == []
