"""The audit trail over the API: read, proven, exported."""

from sqlalchemy import text
from tests.service.conftest import Server

from sightline.service.rights import Role
from sightline.store.audit import check_export

AUDIT = "/api/v1/audit"


def test_every_change_of_an_account_is_in_the_trail(server: Server) -> None:
    admin = server.person(server.add(Role.ADMINISTRATOR))
    admin.post("/api/v1/users", json={"name": "bob", "password": "nine loud cranes", "role": "operator"})
    admin.patch("/api/v1/users/bob", json={"role": "quality engineer", "password": "nine loud cranes!"})
    rows = admin.get(AUDIT, params={"subject": "user:bob"}).json()
    assert [(row["who"], row["action"]) for row in rows] == [
        ("administrator", "change user"),
        ("administrator", "add user"),
    ]
    assert rows[0]["before"]["role"] == "operator"
    assert rows[0]["after"] == {**rows[1]["after"], "role": "quality engineer", "password": "changed"}
    assert "cranes" not in str(rows)
    older = admin.get(AUDIT, params={"before": rows[0]["number"], "limit": 1}).json()
    assert [row["number"] for row in older] == [rows[1]["number"]]


def test_an_export_proves_itself_and_damage_is_told(server: Server) -> None:
    admin = server.person(server.add(Role.ADMINISTRATOR))
    lines = admin.get(f"{AUDIT}/export").text.splitlines()
    assert check_export(lines).rows == len(lines) - 1
    assert admin.get(f"{AUDIT}/proof").json()["whole"] is True
    with server.database.writing() as session:
        session.execute(text("UPDATE audit SET who = 'eve' WHERE number = 1"))
    proof = admin.get(f"{AUDIT}/proof").json()
    assert (proof["whole"], proof["damage"]) == (False, "row 1 was changed: its digest is another")
