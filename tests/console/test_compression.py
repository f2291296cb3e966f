"""Files of the installation are compressed once and kept; all else is answered anew."""

from collections import Counter

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from sightline.console import compression
from sightline.console.compression import Compression

FILE, PAGE = "/console/console.js", "/inspections"
KEPT = (FILE, "/_nicegui/3.18.0/static/quasar.js", "/_nicegui/3.18.0/components/ab12/line.js")
CHANGING = (PAGE, "/_nicegui/3.18.0/dynamic_resources/a", "/_nicegui/auto/static/a", "/api/v1/pictures/console/a")
TEXT = "one file " * 1000


@pytest.fixture
def asked() -> "Counter[str]":
    """How often the application itself was asked, by path."""
    return Counter()


@pytest.fixture
def middle(asked: "Counter[str]") -> Compression:
    def answer(request: Request) -> Response:
        asked[request.url.path] += 1
        if "missing" in request.url.path:
            return Response("no", 404)
        if "cookie" in request.url.path:
            return Response(TEXT, headers={"Set-Cookie": "session=olga"})
        return Response(f"{TEXT}{asked[request.url.path]}", headers={"Cache-Control": "public, max-age=60"})

    return Compression(Starlette(routes=[Route("/{path:path}", answer)]))


@pytest.fixture
def client(middle: Compression) -> TestClient:
    return TestClient(middle)


@pytest.mark.parametrize("path", KEPT)
def test_a_file_is_compressed_once(client: TestClient, middle: Compression, asked: "Counter[str]", path: str) -> None:
    first, second = client.get(path), client.get(path)
    assert asked[path] == 1
    assert (first.text, second.text) == (f"{TEXT}1", f"{TEXT}1")
    assert first.headers == second.headers
    told = {name: second.headers[name] for name in ("content-encoding", "vary", "cache-control")}
    assert told == {"content-encoding": "gzip", "vary": "Accept-Encoding", "cache-control": "public, max-age=60"}
    assert middle.kept_bytes == int(second.headers["content-length"]) < len(TEXT) / 10


@pytest.mark.parametrize("path", CHANGING)
def test_what_may_change_is_compressed_and_not_kept(client: TestClient, middle: Compression, path: str) -> None:
    assert [client.get(path).text for _ in range(2)] == [f"{TEXT}1", f"{TEXT}2"]
    assert client.get(path).headers["content-encoding"] == "gzip"
    assert middle.kept_bytes == 0


@pytest.mark.parametrize("name", ["Range", "If-None-Match", "If-Modified-Since"])
def test_whoever_has_some_of_a_file_is_answered_by_the_server_of_files(
    client: TestClient, asked: "Counter[str]", name: str
) -> None:
    for _ in range(3):
        client.get(FILE)
    client.get(FILE, headers={name: "bytes=0-3"})
    assert asked[FILE] == 2


def test_whoever_reads_no_gzip_gets_none(client: TestClient) -> None:
    client.get(FILE)
    plain = client.get(FILE, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text.startswith(TEXT)


@pytest.mark.parametrize(
    "ask", [("HEAD", FILE), *(("GET", path) for path in (f"{FILE}?v=2", "/console/missing.js", "/console/cookie.js"))]
)
def test_what_is_no_whole_file_for_everybody_is_not_kept(
    client: TestClient, middle: Compression, ask: tuple[str, str]
) -> None:
    client.request(*ask)
    assert middle.kept_bytes == 0


def test_no_more_is_kept_than_there_is_room_for(
    client: TestClient, middle: Compression, asked: "Counter[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(KEPT[0])
    monkeypatch.setattr(compression, "_MOST_BYTES", middle.kept_bytes + 1)
    for _ in range(2):
        for path in KEPT[:2]:
            assert client.get(path).text.startswith(TEXT)
    assert asked == {KEPT[0]: 1, KEPT[1]: 2}
