"""Logging in: what ends a session, what cannot be guessed, forged or carried over, and how often one may try."""

import json
import time

import pytest
from sqlalchemy import select, text, update
from tests.service.conftest import Server
from tests.store.lines import Teller

from sightline.errors import AccessError, BusyError, OptionError
from sightline.service.rights import Role
from sightline.service.tries import PER_ACCOUNT, PER_ADDRESS, WINDOW_S, Tries
from sightline.store.ingest import ingest
from sightline.store.passwords import refuse_weak
from sightline.store.schema import Audit, Login, User
from sightline.store.users import digest_of, open_setup

PASSWORD = "seven quiet herons"
LOGIN, ACCOUNT, USERS = "/api/v1/login", "/api/v1/account", "/api/v1/users"


def credentials(name: str, password: str = PASSWORD) -> dict[str, str]:
    return {"name": name, "password": password}


def test_somebody_logs_in_and_out(server: Server) -> None:
    client = server.person(server.add(Role.OPERATOR))
    assert client.get(ACCOUNT).json()["rights"] == ["inspect", "review", "view"]
    cookie = client.cookies["sightline"]
    assert client.post("/api/v1/logout").status_code == 204
    assert "sightline" not in client.cookies
    client.cookies.set("sightline", cookie)
    assert client.get(ACCOUNT).status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(server: Server) -> None:
    server.add(Role.OPERATOR)
    plain = server.client().post(LOGIN, json=credentials("operator")).headers["set-cookie"].lower()
    assert "httponly" in plain
    assert "samesite=lax" in plain
    assert "secure" not in plain
    tls = server.client(base_url="https://localhost").post(LOGIN, json=credentials("operator"))
    assert "secure" in tls.headers["set-cookie"].lower()


def test_neither_passwords_nor_tokens_are_kept(server: Server) -> None:
    client = server.person(server.add(Role.OPERATOR))
    with server.database.reading() as session:
        login, user = session.scalars(select(Login)).one(), session.scalars(select(User)).one()
        trail = " ".join(str(row) for row in session.execute(select(Audit.before, Audit.after)))
    assert login.token == digest_of(client.cookies["sightline"])
    assert user.password.startswith("$argon2id$")
    assert PASSWORD not in trail


@pytest.mark.parametrize("name", ["operator", "nobody", "locked"])
def test_a_wrong_login_does_not_tell_what_was_wrong(server: Server, name: str) -> None:
    server.add(Role.OPERATOR)
    server.add(Role.OPERATOR, "locked")
    with server.database.writing() as session:
        session.execute(update(User).where(User.name == "locked").values(active=False))
    answer = server.client().post(LOGIN, json=credentials(name, PASSWORD if name == "locked" else "wrong"))
    assert answer.status_code == 401
    assert answer.json()["detail"] == "login: name or password is wrong."


def test_an_unknown_name_takes_as_long_as_a_wrong_password(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from sightline.store import passwords

    verified: list[str] = []
    hasher = passwords._hasher()

    class Counting:
        def verify(self, kept: str, password: bytes) -> bool:
            verified.append(kept.split("$")[3])
            return hasher.verify(kept, password)

    monkeypatch.setattr(passwords, "_hasher", Counting)
    server.client().post(LOGIN, json=credentials("nobody"))
    server.client().post(LOGIN, json=credentials("nobody again"))
    assert verified == ["m=64,t=1,p=1"] * 2


def test_a_session_given_by_another_is_not_taken_over(server: Server) -> None:
    victim, forged = server.client(), "f" * 43
    server.add(Role.OPERATOR)
    victim.cookies.set("sightline", forged)
    answer = victim.post(LOGIN, json=credentials("operator"))
    assert answer.cookies["sightline"] != forged
    attacker = server.client()
    attacker.cookies.set("sightline", forged)
    assert attacker.get(ACCOUNT).status_code == 401


def test_logging_in_anew_ends_the_session_before(server: Server) -> None:
    client = server.person(server.add(Role.OPERATOR))
    former = client.cookies["sightline"]
    assert client.post(LOGIN, json=credentials("operator")).status_code == 200
    with server.database.reading() as session:
        assert [row.token for row in session.scalars(select(Login))] != [digest_of(former)]


@pytest.mark.parametrize(("column", "hours"), [("expires_s", 12.0), ("used_s", 1.0)])
def test_a_session_expires(server: Server, column: str, hours: float) -> None:
    client = server.person(server.add(Role.OPERATOR))
    assert client.get(ACCOUNT).status_code == 200
    with server.database.writing() as session:
        session.execute(text(f"UPDATE logins SET {column} = {column} - :gone"), {"gone": hours * 3600 + 1})
    assert client.get(ACCOUNT).status_code == 401


def test_a_session_that_is_used_stays(server: Server) -> None:
    client = server.person(server.add(Role.OPERATOR))
    with server.database.writing() as session:
        session.execute(update(Login).values(used_s=time.time() - 1800))
    assert client.get(ACCOUNT).status_code == 200
    with server.database.reading() as session:
        assert session.scalars(select(Login.used_s)).one() > time.time() - 60


@pytest.mark.parametrize("token", [None, "", "0" * 64])
def test_a_change_without_the_csrf_token_is_refused(server: Server, token: str | None) -> None:
    client = server.person(server.add(Role.ADMINISTRATOR))
    del client.headers["X-CSRF-Token"]
    headers = {} if token is None else {"X-CSRF-Token": token}
    answer = client.post(USERS, json={**credentials("eve"), "role": "administrator"}, headers=headers)
    assert answer.status_code == 403
    assert client.get(USERS).json()[-1]["name"] == "administrator"


def test_the_csrf_token_of_another_session_does_not_do(server: Server) -> None:
    mine, other = server.person(server.add(Role.ADMINISTRATOR)), server.person("administrator")
    mine.headers["X-CSRF-Token"] = other.headers["X-CSRF-Token"]
    assert mine.post(USERS, json={**credentials("eve"), "role": "operator"}).status_code == 403


def test_a_locked_account_is_logged_out_at_once(server: Server) -> None:
    client, admin = server.person(server.add(Role.OPERATOR)), server.person(server.add(Role.ADMINISTRATOR))
    assert admin.patch(f"{USERS}/operator", json={"active": False}).json()["active"] is False
    assert client.get(ACCOUNT).status_code == 401


def test_one_changes_ones_own_password_and_is_logged_out(server: Server) -> None:
    client = server.person(server.add(Role.OPERATOR))
    change = "/api/v1/account/password"
    assert client.post(change, json={"old": "wrong", "new": "nine loud cranes"}).status_code == 403
    assert client.post(change, json={"old": PASSWORD, "new": "short"}).status_code == 422
    assert client.post(change, json={"old": PASSWORD, "new": "nine loud cranes"}).status_code == 204
    assert client.get(ACCOUNT).status_code == 401
    assert client.post(LOGIN, json=credentials("operator", "nine loud cranes")).status_code == 200


def test_the_last_administrator_stays(server: Server) -> None:
    client = server.person(server.add(Role.ADMINISTRATOR))
    assert client.patch(f"{USERS}/administrator", json={"role": "operator"}).status_code == 409
    assert client.patch(f"{USERS}/administrator", json={"active": False}).status_code == 409
    server.add(Role.ADMINISTRATOR, "second")
    assert client.patch(f"{USERS}/administrator", json={"role": "operator"}).status_code == 200


def test_somebody_is_renamed_and_stays_one_person(server: Server) -> None:
    for role, name in ((Role.OPERATOR, "olga"), (Role.OPERATOR, "bob"), (Role.ADMINISTRATOR, "ada")):
        server.add(role, name)
    olga, admin = server.person("olga"), server.person("ada")
    lines = Teller().parts(1, unix_s=time.time())
    ingest(server.database, lines, now_s=time.time())
    part = json.loads(lines[0])["id"]
    reviewed = f"/api/v1/inspections/{part}/reviews"
    assert olga.post(reviewed, json={"verdict": "REJECT", "label": "dent"}).is_success
    assert admin.patch(f"{USERS}/olga", json={"name": "bob"}).status_code == 409
    assert admin.patch(f"{USERS}/olga", json={"name": " olga"}).status_code == 422
    assert admin.patch(f"{USERS}/olga", json={"name": "olga berg"}).json()["name"] == "olga berg"
    assert olga.get(ACCOUNT).status_code == 401
    assert server.client().post(LOGIN, json=credentials("olga")).status_code == 401
    olga = server.person("olga berg")
    assert olga.post(reviewed, json={"verdict": "PASS"}).is_success  # in place of her own, not a second person's
    standing = [one["reviewer"] for one in olga.get(reviewed).json()["reviews"] if one["undone_s"] is None]
    assert {*standing} == {"olga berg"}

    assert admin.post(USERS, json={**credentials("olga"), "role": "operator"}).status_code == 409
    assert admin.patch(f"{USERS}/bob", json={"name": "olga"}).status_code == 409
    assert admin.patch(f"{USERS}/olga%20berg", json={"name": "olga"}).is_success  # her own, again
    told = [(one["who"], one["action"], one["subject"]) for one in admin.get("/api/v1/audit").json()]
    assert ("ada", "rename user", "user:olga") in told
    assert ("olga", "review", f"inspection:{part}") in told
    assert admin.get("/api/v1/audit/proof").json()["whole"]


@pytest.mark.parametrize(
    "password", ["short", "Password123", "1234567890", "aaaaaaaaaaaa", "adalovelace123", "x" * 1001, "QWERTYUIOP"]
)
def test_a_password_that_others_try_first_is_refused(password: str) -> None:
    with pytest.raises(OptionError):
        refuse_weak(password, "AdaLovelace")


def test_the_right_password_is_not_looked_at_after_too_many_wrong_ones(server: Server) -> None:
    server.add(Role.OPERATOR)
    client = server.client()
    for _ in range(5):
        assert client.post(LOGIN, json=credentials("operator", "wrong")).status_code == 401
    answer = client.post(LOGIN, json=credentials("operator"))
    assert answer.status_code == 429
    assert 200 < int(answer.headers["retry-after"]) <= WINDOW_S
    assert client.post(LOGIN, json=credentials(server.add(Role.OPERATOR, "other"))).status_code == 200


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def fail(tries: Tries, account: str, address: str) -> None:
    with pytest.raises(AccessError), tries.counted(account, address):
        raise AccessError("wrong")


def limited(tries: Tries, account: str, address: str) -> bool:
    try:
        with tries.counted(account, address):
            return False
    except BusyError:
        return True


def test_tries_are_forgotten_after_the_window() -> None:
    clock = Clock()
    tries = Tries(2, clock)
    fail(tries, "ada", "10.0.0.1")
    fail(tries, "ada", "10.0.0.1")
    assert limited(tries, "ada", "10.0.0.1")
    clock.now_s += WINDOW_S
    assert not limited(tries, "ada", "10.0.0.1")


def test_many_addresses_are_no_way_around() -> None:
    tries = Tries()
    for number in range(PER_ACCOUNT):
        fail(tries, "ada", f"10.0.0.{number}")
    assert limited(tries, "ada", "10.0.1.1")


def test_many_names_are_no_way_around() -> None:
    tries = Tries()
    for number in range(PER_ADDRESS):
        fail(tries, f"user {number}", "2001:db8::1")
    assert limited(tries, "ada", "2001:db8::ffff")
    assert not limited(tries, "ada", "2001:db8:0:1::1")


def test_success_gives_the_tries_back() -> None:
    tries = Tries(2)
    for _ in range(2 * PER_ACCOUNT):
        with tries.counted("ada", "10.0.0.1"):
            pass
    assert not limited(tries, "ada", "10.0.0.1")


def test_counting_takes_bounded_memory() -> None:
    tries = Tries(most=100)
    for number in range(200):
        fail(tries, f"user {number}", f"10.0.0.{number}")
    assert len(tries) == 100


def test_the_first_administrator_is_made_by_a_link_once(server: Server) -> None:
    token = open_setup(server.database, administrator=Role.ADMINISTRATOR, now_s=time.time(), valid_s=3600)
    body = {"token": token, "name": "ada", "password": PASSWORD}
    assert server.client().post("/api/v1/setup", json={**body, "token": "guess"}).status_code == 403
    assert server.client().post("/api/v1/setup", json={**body, "password": "short"}).status_code == 422
    assert server.client().post("/api/v1/setup", json=body).json()["role"] == "administrator"
    assert server.client().post("/api/v1/setup", json={**body, "name": "eve"}).status_code == 403
    assert open_setup(server.database, administrator=Role.ADMINISTRATOR, now_s=0.0, valid_s=3600) is None
    assert server.person("ada").get(USERS).status_code == 200


def test_a_setup_link_gets_old_and_gives_way_to_a_newer(server: Server) -> None:
    old = open_setup(server.database, administrator=Role.ADMINISTRATOR, now_s=time.time() - 7200, valid_s=3600)
    body = {"token": old, "name": "ada", "password": PASSWORD}
    assert server.client().post("/api/v1/setup", json=body).status_code == 403
    first, second = (
        open_setup(server.database, administrator=Role.ADMINISTRATOR, now_s=time.time(), valid_s=3600) for _ in range(2)
    )
    assert server.client().post("/api/v1/setup", json={**body, "token": first}).status_code == 403
    assert server.client().post("/api/v1/setup", json={**body, "token": second}).status_code == 201


def test_nobody_is_there_before_the_first_administrator(server: Server) -> None:
    with server.database.reading() as session:
        assert session.scalars(select(User)).all() == []
    for name in ("admin", "administrator", "root", "sightline"):
        for password in ("", "admin", "password", "sightline"):
            assert server.client().post(LOGIN, json=credentials(name, password)).status_code in (401, 429)


def test_behind_tls_browsers_are_told_to_stay_there(server: Server) -> None:
    assert "strict-transport-security" in server.client(base_url="https://localhost").get("/healthz").headers
    assert "strict-transport-security" not in server.client().get("/healthz").headers
