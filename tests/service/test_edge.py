"""What holds for every request: the server's name, foreign pages, headers, sizes and times; and how faults are told."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import Depends, Request
from tests.service.conftest import Opening, Server, started

from sightline.errors import BusyError, InspectionError, NotFoundError, StoreAway
from sightline.service.access import needs
from sightline.service.edge import HEADERS
from sightline.service.limits import UNKNOWN_BYTES
from sightline.service.rights import Right, Role
from sightline.service.settings import ServerSettings
from sightline.store.database import Database

SMALL = 200_000
LOGIN = "/api/v1/login"


SETTINGS = ServerSettings(largest_body_mb=SMALL / 1e6, hosts=("plant.example.com",))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    for server in started(Opening(folder=tmp_path_factory.mktemp("plant"), server=SETTINGS)):
        _add_routes(server)
        yield server


def _add_routes(server: Server) -> None:
    """As routes of other files would be."""

    @server.app.get("/fails/{kind}")
    def fails(kind: str) -> None:
        errors: dict[str, Exception] = {
            "404": NotFoundError("part: is not there."),
            "429": BusyError("queue: is full."),
            "503": StoreAway("database: is away."),
            "500": InspectionError("something: else."),
        }
        raise errors.get(kind, ZeroDivisionError("secret"))

    @server.app.post("/stream", dependencies=[Depends(needs(Right.INSPECT))])
    async def stream(request: Request) -> int:
        return len([chunk async for chunk in request.stream()])


@pytest.mark.parametrize(
    "path", ["/healthz", "/docs", "/setup", "/setup.js", "/nothing", "/api/v1/users", "/fails/bug"]
)
def test_every_answer_has_the_headers(server: Server, path: str) -> None:
    answer = server.client().get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "server" not in answer.headers


def test_pages_need_nothing_from_elsewhere(server: Server) -> None:
    for path in ("/docs", "/setup", "/setup.js", "/setup.css"):
        text = server.client().get(path).text
        assert "//" not in text.replace("<!doctype html>", "").replace("http://www.w3.org", ""), path
        assert "<script>" not in text
        assert " style=" not in text
        assert " on" not in [word[:3] for word in text.split("<") if "=" in word and word.startswith(" on")]


@pytest.mark.parametrize("host", ["evil.example.com", "localhost:80@evil.com", "", "a b", "plant.example.com.evil.com"])
def test_a_name_that_somebody_else_made_up_is_refused(server: Server, host: str) -> None:
    assert server.client({"Host": host}).get("/healthz").status_code == 400


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "[::1]:8000", "localhost", "PLANT.example.com", "plant", "192.168.1.7"]
)
def test_the_servers_own_names_are_taken(server: Server, host: str) -> None:
    assert server.client({"Host": host}).get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example.com", "null", "http://localhost:99", "https://localhost.evil.com"]
)
def test_another_sites_page_may_change_nothing(server: Server, origin: str) -> None:
    answer = server.client({"Origin": origin}).post(LOGIN, json={"name": "ada", "password": "x"})
    assert answer.status_code == 403
    assert server.client({"Origin": "http://localhost"}).post(LOGIN, json={}).status_code == 422


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(0, size, 1000):
        yield b"x" * 1000


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(("path", "media_type"), [("/stream", "image/png"), ("/api/v1/keys", "application/json")])
def test_a_body_that_is_too_large_is_refused(server: Server, declared: bool, path: str, media_type: str) -> None:
    client = server.program(Role.ADMINISTRATOR)
    body = b"x" * (SMALL + 1000) if declared else chunks(SMALL + 1000)
    answer = client.post(path, content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 413
    assert client.post("/stream", content=chunks(SMALL)).status_code == 200


@pytest.mark.parametrize("declared", [True, False])
def test_a_form_that_is_too_large_is_refused(server: Server, declared: bool) -> None:
    client = server.program(Role.ADMINISTRATOR)
    head = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n'
    body = head + b"x" * SMALL
    given = body if declared else iter([head, *chunks(SMALL)])
    answer = client.post("/api/v1/keys", content=given, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/models/cap/versions", "/api/v1/datasets/cap/imports"])
def test_a_file_that_is_brought_may_be_large(server: Server, path: str) -> None:
    size = SMALL + 1000
    assert server.program(Role.STATION).post(path, content=chunks(size)).status_code == 403
    assert server.program(Role.QUALITY_ENGINEER).post(path, content=chunks(size)).status_code in (202, 422)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/models/cap/roll-back"),
        ("PATCH", "/api/v1/models/cap/versions/1/figures"),
        ("POST", "/api/v1/datasets/cap/versions"),
    ],
)
def test_what_is_no_file_may_not_be_large(server: Server, method: str, path: str, declared: bool) -> None:
    body = b"1" * (SMALL + 1000) if declared else chunks(SMALL + 1000)
    headers = {"Content-Type": "application/json"}
    assert server.program(Role.STATION).request(method, path, content=body, headers=headers).status_code == 413


def test_somebody_unknown_may_send_little(server: Server) -> None:
    body = b"x" * (UNKNOWN_BYTES + 1)
    assert server.client().post("/stream", content=body).status_code == 413
    assert server.client().post("/stream", content=body[:100]).status_code == 401
    assert server.client().post(LOGIN, content=chunks(UNKNOWN_BYTES + 1000)).status_code == 413


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "9" * 30])
def test_a_length_that_is_none_is_refused(server: Server, length: str) -> None:
    assert server.client({"Content-Length": length}).post(LOGIN).status_code == 400


def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    release = threading.Event()
    settings = ServerSettings(longest_request_s=0.3)
    for server in started(Opening(folder=tmp_path, server=settings, open_to_all=True)):
        server.app.get("/slow")(lambda: release.wait(60))
        answer = server.client().get("/slow")
        assert not release.is_set()
        release.set()
        assert (answer.status_code, answer.json()["detail"]) == (503, "request: took longer than 0.3 s.")


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("404", "Not Found"),
        ("429", "Too Many Requests"),
        ("503", "Service Unavailable"),
        ("500", "Internal Server Error"),
    ],
)
def test_our_errors_are_problem_details(server: Server, kind: str, title: str) -> None:
    answer = server.client().get(f"/fails/{kind}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"], answer.json()["title"]) == (int(kind), int(kind), title)
    assert ("retry-after" in answer.headers) == (kind in ("429", "503"))


def test_a_fault_of_the_server_is_logged_with_what_its_answer_names(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    answer = server.client().get("/fails/bug")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    number = answer.json()["instance"].removeprefix("urn:uuid:")
    assert [record.exc_info is not None for record in caplog.records if number in record.getMessage()] == [True]


def test_what_does_not_fit_is_named_without_what_was_sent(server: Server) -> None:
    answer = server.client().post(LOGIN, json={"name": "", "password": "x" * 5000, "more": 1})
    assert answer.status_code == 422
    assert {fault["where"] for fault in answer.json()["errors"]} == {"body.name", "body.password", "body.more"}
    assert "xxx" not in answer.text
    assert server.client().post(LOGIN, content=b"{", headers={"Content-Type": "application/json"}).status_code == 422


@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/account"])
def test_a_database_that_is_away_means_later(server: Server, path: str) -> None:
    key = server.key(Role.ADMINISTRATOR)
    alive, server.app.state.plant.database = server.database, Database("postgresql+psycopg://x@127.0.0.1:1/x")
    try:
        answer = server.client({"Authorization": f"Bearer {key}"}).get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert server.client().get("/healthz").status_code == 200
        ready = server.client().get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["database"]) == (503, "does not answer")
    finally:
        server.database.close()
        server.app.state.plant.database = alive


def test_a_promoted_model_that_cannot_be_loaded_is_told(server: Server) -> None:
    assert server.client().get("/readyz").json()["parts"]["model"] == "ok"  # nothing is promoted
    hosting = server.app.state.plant.hosting
    hosting.close()  # its next round would find that nothing has failed
    hosting.failed = {"cap": "its file is not there"}
    ready = server.client().get("/readyz")
    assert (ready.status_code, ready.json()["parts"]["model"]) == (503, "does not judge: cap")


def test_metrics_tell_of_requests_and_the_store(server: Server) -> None:
    client = server.program(Role.OPERATOR)
    client.get("/api/v1/account")
    server.client().get("/healthz")
    page = client.get("/metrics").text
    assert 'sightline_server_requests_total{method="GET",route="/healthz",status="200"}' in page
    assert 'route="/api/v1/account",status="200"' in page
    assert "sightline_server_database_up 1.0" in page
    assert "sightline_server_inspections 0.0" in page
    assert "sightline_server_disk_free_ratio" in page


def test_metrics_are_not_for_everybody(server: Server) -> None:
    assert server.client().get("/metrics").status_code == 401
    assert server.program(Role.STATION).get("/metrics").status_code == 403
