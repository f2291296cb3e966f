"""Who calls, and whether they may: what every route depends on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request

from sightline.errors import AccessError
from sightline.service.rights import Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody, or a station, that was recognised."""

    name: str
    rights: frozenset[Right]
    station: str = ""  # the only one it may report for; empty: any
    signed: bool = False  # the password was given again for this very request


def needs(right: Right) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that lets a caller with this right through; raises AccessError for others.

    Used as `caller: Annotated[Caller, Depends(needs(Right.VIEW))]`; the application has put who it is on the request.
    """

    async def check(request: Request) -> Caller:
        caller: Caller | None = getattr(request.state, "caller", None)
        if caller is None:
            raise AccessError("log in, or send a key: Authorization: Bearer KEY", known=False)
        if right not in caller.rights:
            raise AccessError(f"{caller.name} may not do this: the right to {right} is missing.")
        return caller

    return check


def signed(right: Right) -> Callable[[Request], Caller]:
    """As `needs`, for what is signed where the server asks for electronic signatures."""
    return needs(right)
