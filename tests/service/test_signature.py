"""Electronic signatures: the password again, and where two must sign, another person's, too."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import Depends
from tests.service.conftest import PASSWORD, Opening, Server, as_header, started

from sightline.service.access import Caller, signed
from sightline.service.rights import Right, Role
from sightline.service.settings import AccessSettings

SIGN = "/sign"


def serving(folder, *, signature: bool, two_people: bool) -> Iterator[Server]:  # type: ignore[no-untyped-def]
    access = AccessSettings(signature=signature, two_people=two_people)
    for server in started(Opening(folder=folder, access=access)):

        @server.app.post(SIGN)
        def sign(caller: Annotated[Caller, Depends(signed(Right.MANAGE))]) -> list[object]:
            return [caller.name, caller.signed]

        for role, name in [(Role.QUALITY_ENGINEER, "ada"), (Role.QUALITY_ENGINEER, "bob"), (Role.OPERATOR, "eve")]:
            server.add(role, name)
        yield server


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(tmp_path_factory.mktemp("plant"), signature=True, two_people=False)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(tmp_path_factory.mktemp("plant"), signature=True, two_people=True)


def test_without_the_option_nothing_is_asked(server: Server) -> None:
    for other in serving(server.settings.store.folder / "other", signature=False, two_people=False):
        assert other.person("ada").post(SIGN).json() == ["ada", False]


def test_the_password_signs(one: Server) -> None:
    ada = one.person("ada")
    assert ada.post(SIGN, headers={"X-Signature": as_header(PASSWORD)}).json() == ["ada", True]


@pytest.mark.parametrize("given", [None, as_header("wrong"), "no base 64", as_header("")])
def test_anything_else_does_not(one: Server, given: str | None) -> None:
    headers = {} if given is None else {"X-Signature": given}
    assert one.person("ada").post(SIGN, headers=headers).status_code == 403


def test_neither_a_key_nor_somebody_without_the_right_signs(one: Server) -> None:
    headers = {"X-Signature": as_header(PASSWORD)}
    assert one.program(Role.QUALITY_ENGINEER).post(SIGN, headers=headers).status_code == 403
    assert one.person("eve").post(SIGN, headers=headers).status_code == 403


def test_two_people_sign(two: Server) -> None:
    headers = {"X-Signature": as_header(PASSWORD), "X-Witness": as_header(f"bob:{PASSWORD}")}
    assert two.person("ada").post(SIGN, headers=headers).json() == ["ada and bob", True]


@pytest.mark.parametrize(
    "witness", [f"ada:{PASSWORD}", f"eve:{PASSWORD}", f"nobody:{PASSWORD}", "bob:wrong", "bob", None]
)
def test_a_witness_is_somebody_else_with_the_right_and_the_password(two: Server, witness: str | None) -> None:
    headers = {"X-Signature": as_header(PASSWORD)} | ({} if witness is None else {"X-Witness": as_header(witness)})
    assert two.person("ada").post(SIGN, headers=headers).status_code == 403


def test_passwords_are_not_guessed_by_signing(one: Server) -> None:
    bob = one.person("bob")
    for _ in range(5):
        assert bob.post(SIGN, headers={"X-Signature": as_header("wrong")}).status_code == 403
    assert bob.post(SIGN, headers={"X-Signature": as_header(PASSWORD)}).status_code == 429
