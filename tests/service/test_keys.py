"""Keys of programs and stations."""

import base64
import time

import pytest
from sqlalchemy import select, update
from tests.service.conftest import Server

from sightline.service.access import Caller
from sightline.service.recognition import KEPT_S, MOST_KEPT, KnownKeys
from sightline.service.rights import Right, Role
from sightline.store.schema import Key
from sightline.store.users import digest_of

KEYS, ACCOUNT = "/api/v1/keys", "/api/v1/account"


def test_a_key_is_shown_once_and_works_until_it_is_revoked(server: Server) -> None:
    admin = server.person(server.add(Role.ADMINISTRATOR))
    made = admin.post(KEYS, json={"name": "press 3", "role": "station", "station": "press-3", "days": 1}).json()
    listed = admin.get(KEYS).json()[0]
    assert made["key"].startswith(listed["shown"])
    assert made["key"] not in str(listed)
    with server.database.reading() as session:
        assert session.scalars(select(Key.digest)).one() == digest_of(made["key"])
    program = server.client({"Authorization": f"Bearer {made['key']}"})
    assert program.get(ACCOUNT).json() | {"rights": []} == {
        **{"name": "press 3", "role": "station", "rights": [], "csrf": "", "station": "press-3"},
        **{"signature": False, "two_people": False},
    }
    assert admin.get(KEYS).json()[0]["used_s"] is not None
    assert admin.delete(f"{KEYS}/{made['id']}").status_code == 204
    assert program.get(ACCOUNT).status_code == 401
    assert admin.delete(f"{KEYS}/{made['id']}").status_code == 409
    assert admin.delete(f"{KEYS}/99").status_code == 404


def test_a_key_expires(server: Server) -> None:
    program = server.client({"X-API-Key": server.key(Role.OPERATOR, expires_s=time.time() + 3600)})
    assert program.get(ACCOUNT).status_code == 200
    with server.database.writing() as session:
        session.execute(update(Key).values(expires_s=time.time() - 1))
    server.app.state.known_keys.forget()
    assert program.get(ACCOUNT).status_code == 401


def test_a_key_has_the_rights_of_its_scopes(server: Server) -> None:
    assert server.program(Role.QUALITY_ENGINEER, Right.VIEW).get(ACCOUNT).json()["rights"] == ["view"]


def test_a_key_cannot_be_given_a_right_that_its_role_lacks(server: Server) -> None:
    admin = server.program(Role.ADMINISTRATOR)
    answer = admin.post(KEYS, json={"name": "x", "role": "operator", "scopes": ["administer"]})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "scopes: administer is no right of the role operator.",
    )


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(lambda key: {"Authorization": f"Bearer {key}"}, id="bearer"),
        pytest.param(lambda key: {"Authorization": f"Token {key}"}, id="token"),
        pytest.param(
            lambda key: {"Authorization": f"Basic {base64.b64encode(f'me:{key}'.encode()).decode()}"}, id="basic"
        ),
        pytest.param(lambda key: {"X-API-Key": key}, id="api key"),
        pytest.param(
            lambda key: {"Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/eu/x/aws4_request, Signature=0"},
            id="aws",
        ),
    ],
)
def test_a_key_comes_as_clients_send_theirs(server: Server, header) -> None:  # type: ignore[no-untyped-def]
    assert server.client(header(server.key(Role.OPERATOR))).get(ACCOUNT).status_code == 200


def test_a_change_by_key_needs_no_csrf_token(server: Server) -> None:
    answer = server.program(Role.ADMINISTRATOR).post(KEYS, json={"name": "x", "role": "operator"})
    assert answer.status_code == 201


def test_pages_of_keys_go_on_behind_the_last(server: Server) -> None:
    admin = server.program(Role.ADMINISTRATOR)
    for _ in range(4):
        server.key(Role.OPERATOR)
    first = admin.get(KEYS, params={"limit": 3}).json()
    rest = admin.get(KEYS, params={"limit": 3, "after": first[-1]["id"]}).json()
    assert [key["id"] for key in first + rest] == [1, 2, 3, 4, 5]


def test_known_keys_are_forgotten_in_time_and_bounded() -> None:
    now_s = 0.0
    known = KnownKeys(lambda: now_s)
    caller = Caller(name="a", rights=frozenset())
    for number in range(MOST_KEPT + 10):
        known.keep(str(number), caller)
    assert known.get("0") is None
    assert known.get(str(MOST_KEPT + 9)) is caller
    now_s = KEPT_S
    assert known.get(str(MOST_KEPT + 9)) is None
