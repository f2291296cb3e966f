"""Several pictures in one request: each is answered for itself, and none is confirmed that is not there."""

import json
from collections.abc import Iterator

import httpx
import pytest
from tests.assets.conftest import inspected, png
from tests.service.conftest import Opening, Server, started

from sightline.service.rights import Role
from sightline.service.routes.ingest_pictures import MEDIA_TYPE, MOST_BYTES, MOST_PICTURES
from sightline.store.shelf import digest_of

PATH = "/api/v1/ingest/pictures"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from started(Opening(folder=tmp_path_factory.mktemp("plant")))


def listed(inspection: str, content: bytes, **changed: object) -> dict[str, object]:
    digest = digest_of(content)
    return {"inspection": inspection, "view": "top", "size_bytes": len(content), "digest": digest} | changed


def post(client: httpx.Client, pictures: list[dict[str, object]], *contents: bytes) -> httpx.Response:
    line = json.dumps({"pictures": pictures}).encode("ascii")
    return client.post(PATH, content=b"".join([line, b"\n", *contents]), headers={"Content-Type": MEDIA_TYPE})


def statuses(answer: httpx.Response) -> list[int]:
    return [one["status"] for one in answer.json()["pictures"]]


def test_good_ones_are_kept_and_bad_ones_told(server: Server) -> None:
    database = server.app.state.plant.database
    first, second, third = (inspected(database, number) for number in (1, 2, 3))
    contents = [png(number) for number in range(1, 6)]
    pictures = [
        listed(first, contents[0], media_type="image/png"),
        listed(second, contents[1], digest="0" * 64),
        listed("none", contents[2]),
        listed(second, contents[3], which="overlay"),
        listed(third, contents[4], media_type="image/jpeg"),
    ]
    client = server.program(Role.STATION)
    for _ in range(2):  # again does no harm
        answer = post(client, pictures, *contents)
        assert (answer.status_code, statuses(answer)) == (200, [200, 422, 404, 200, 422])
    told = answer.json()["pictures"]
    assert [one["digest"] for one in told] == [one["digest"] for one in pictures]
    assert (told[0]["detail"], "damaged on its way" in told[1]["detail"]) == ("", True)
    assert "send its record first" in told[2]["detail"]
    seen = server.program(Role.OPERATOR).get(f"/api/v1/pictures/{digest_of(contents[0])}")
    assert seen.content == contents[0]
    assert statuses(post(client, [listed(first, contents[1])], contents[1])) == [409]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        pytest.param(b"no line", 422, "does not begin with a line", id="no list"),
        pytest.param(b"{}\n", 422, "pictures", id="no pictures"),
        pytest.param(b'{"pictures":[{"inspection":"a/b"}]}\n', 422, "inspection", id="no inspection"),
        pytest.param(b'{"pictures":[]}\nmore', 422, "files have 4 bytes, the list says 0", id="too long"),
        pytest.param(json.dumps({"pictures": [listed("a", b"12")]}).encode() + b"\n1", 422, "says 2", id="cut short"),
        pytest.param(
            json.dumps({"pictures": [listed("a", b"1")] * (MOST_PICTURES + 1)}).encode() + b"\n",
            413,
            f"send at most {MOST_PICTURES} at once",
            id="too many",
        ),
        pytest.param(bytes(MOST_BYTES + 1), 413, "send less at once", id="too large"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused_as_a_whole(server: Server, body: bytes, status: int, told: str) -> None:
    answer = server.program(Role.STATION).post(PATH, content=body, headers={"Content-Type": MEDIA_TYPE})
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.text


def test_another_type_is_not_taken_and_nobody_else_may(server: Server) -> None:
    assert server.program(Role.STATION).post(PATH, content=b"{}").status_code == 415
    assert post(server.program(Role.OPERATOR), []).status_code == 403
