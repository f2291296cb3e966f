"""schemathesis sends what the OpenAPI document allows, and what it does not: nothing is answered with 500."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, BaseSchema, GenerationMode
from tests.service.conftest import Opening, Server, started

from sightline.service.app import ROUTERS
from sightline.service.openapi import operation_id, operations

MOST_S = float(os.environ.get("SIGHTLINE_SCHEMA_S", "25"))  # of processor time, for all operations together
EXAMPLES = int(os.environ.get("SIGHTLINE_SCHEMA_EXAMPLES", "2"))  # of each operation, allowed and not
OPERATIONS = sorted(
    (operation_id(route), method, path) for method, path, route, _ in operations(ROUTERS) if route.include_in_schema
)
BEGUN: list[float] = []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from started(Opening(folder=tmp_path_factory.mktemp("plant"), open_to_all=True))


@schemathesis.serializer("application/zip")
def archive(_: schemathesis.SerializationContext, value: object) -> bytes:
    """What is no archive."""
    return value if isinstance(value, bytes) else repr(value).encode()


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: object) -> bytes:
    """A body that schemathesis does not know, as one line or as it is."""
    return value if isinstance(value, bytes) else json.dumps(value, default=str).encode()


@schemathesis.serializer("application/vnd.sightline.pictures")
def pictures(_: schemathesis.SerializationContext, value: object) -> bytes:
    """A list that is none, or of nothing."""
    return value if isinstance(value, bytes) else b'{"pictures":[]}\n'


@pytest.fixture(scope="module")
def schema(server: Server) -> BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", server.app)


@pytest.mark.parametrize(("method", "path"), [one[1:] for one in OPERATIONS], ids=[one[0] for one in OPERATIONS])
def test_no_request_is_answered_with_a_fault_of_the_server(
    server: Server, schema: BaseSchema, method: str, path: str
) -> None:
    BEGUN.append(time.process_time())
    if BEGUN[-1] - BEGUN[0] > MOST_S:
        pytest.skip(f"{MOST_S:g} s are over; the others were sent theirs")
    operation = schema[path][method.upper()]
    both = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))
    client = server.client()
    wrong: list[str] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=both)
    def send(case: "schemathesis.Case[APIOperation[Any, Any, Any, Any]]") -> None:
        sent = case.as_transport_kwargs(base_url="http://localhost")
        content = sent.get("data")
        answer = client.request(
            sent["method"],
            sent["url"],
            headers={name: str(value).encode("utf-8") for name, value in (sent["headers"] or {}).items()},
            params=sent.get("params"),
            json=sent.get("json"),
            content=content if isinstance(content, str | bytes) else None,
        )
        if answer.status_code >= 500:
            wrong.append(f"{case.as_curl_command()} -> {answer.status_code} {answer.text[:200]}")

    send()
    assert wrong == []
