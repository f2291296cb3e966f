"""Who calls, and whether they may: what every route depends on."""

import base64
import binascii
from dataclasses import dataclass, replace

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from sightline.errors import AccessError
from sightline.service.rights import RIGHTS, Right, Role
from sightline.store.database import Database
from sightline.store.users import is_password, role_of

SIGNATURE, WITNESS = "X-Signature", "X-Witness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody, or a station, that was recognised."""

    name: str
    rights: frozenset[Right]
    station: str = ""  # the only one it may report for; empty: any
    role: str = ""  # empty: a server without login
    csrf: str = ""  # what changes must bring beside the cookie; empty: a key, and not a person
    signed: bool = False  # the password was given again for this very request


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """A route's dependency: lets through who has the right; raises AccessError for others."""

    right: Right | None  # None: whoever is known
    signature: bool = False  # where the server asks for signatures, this is one of the things to be signed

    async def __call__(self, request: Request) -> Caller:
        caller: Caller | None = getattr(request.state, "caller", None)
        if caller is None:
            raise AccessError("log in, or send a key: Authorization: Bearer KEY", known=False)
        if self.right is not None and self.right not in caller.rights:
            raise AccessError(f"{caller.name} may not do this: the right to {self.right} is missing.")
        if self.signature and request.app.state.settings.access.signature:
            return await self._signed(request, caller)
        return caller

    async def _signed(self, request: Request, caller: Caller) -> Caller:
        """The caller, with the witness where two must agree."""
        if not caller.csrf:
            raise AccessError("this must be signed by a person: log in, a key cannot sign.")
        database: Database = request.app.state.plant.database
        address = request.client.host if request.client else ""
        names = [caller.name]
        given = [(caller.name, _decoded(request, SIGNATURE))]
        if request.app.state.settings.access.two_people:
            witness, _, password = _decoded(request, WITNESS).partition(":")
            given.append((witness, password))
            if witness == caller.name:
                raise AccessError(f"{WITNESS}: two people must sign, and this is the same one.")
            names.append(witness)
        for name, password in given:
            with request.app.state.tries.counted(name, address):
                if not await run_in_threadpool(is_password, database, name, password):
                    raise AccessError(f"signature of {name}: the password is not right.")
        for witness in names[1:]:
            await run_in_threadpool(self._refuse_unable, database, witness)
        return replace(caller, name=" and ".join(names), signed=True)

    def _refuse_unable(self, database: Database, name: str) -> None:
        role = role_of(database, name)
        if self.right is not None and (role is None or self.right not in RIGHTS[Role(role)]):
            raise AccessError(f"{name} may not sign this: the right to {self.right} is missing.")


def needs(right: Right | None) -> Asks:
    """A dependency that lets a caller with this right through, or with None whoever is known.

    Used as `caller: Annotated[Caller, Depends(needs(Right.VIEW))]`; the application has put who it is on the request.
    """
    return Asks(right=right)


def signed(right: Right) -> Asks:
    """As `needs`; where the server asks for electronic signatures, the caller gave the password again.

    The password comes in the header X-Signature as Base64 of UTF-8. Where two people must sign, X-Witness has
    NAME:PASSWORD of the other one in the same way, and the caller's name becomes both. A route hands `caller.signed` to
    `note`.
    """
    return Asks(right=right, signature=True)


def _decoded(request: Request, header: str) -> str:
    given = request.headers.get(header, "")
    if not given:
        raise AccessError(f"{header}: is missing; this must be signed. Give the password again, as Base64 of UTF-8.")
    try:
        return base64.b64decode(given, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise AccessError(f"{header}: is no Base64 of UTF-8.") from error
