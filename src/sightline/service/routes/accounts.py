"""Logging in and out, one's own account, and everybody's for administrators."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from sightline.errors import AccessError, BusyError
from sightline.service.access import Caller, needs
from sightline.service.metrics import ServerMetrics
from sightline.service.plant import Here
from sightline.service.problems import REFUSED
from sightline.service.recognition import COOKIE, CSRF, token_in
from sightline.service.rights import RIGHTS, Right, Role
from sightline.service.tries import Tries
from sightline.store import logins, users
from sightline.store.users import LONGEST_NAME, Account, Change

router = APIRouter(prefix="/api/v1", tags=["accounts"])
Known = Annotated[Caller, Depends(needs(None))]
Administrator = Annotated[Caller, Depends(needs(Right.ADMINISTER))]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["ada"])]
Password = Annotated[str, Field(max_length=1000, examples=["seven quiet herons"])]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Credentials(_Body):
    """What one logs in with."""

    name: Name
    password: Password


class SetUp(Credentials):
    """The first administrator."""

    token: Annotated[
        str, Field(max_length=200, description="What stands behind the # of the set-up link", examples=["Zm9v"])
    ]


class NewUser(Credentials):
    """Somebody who may log in from now on."""

    role: Annotated[Role, Field(examples=[Role.OPERATOR])]


class UserChange(_Body):
    """What becomes of an account; what is left out stays as it is. It is logged out everywhere."""

    role: Role | None = Field(default=None, examples=[Role.QUALITY_ENGINEER])
    active: bool | None = Field(default=None, examples=[False])
    password: Password | None = None
    name: Name | None = Field(
        default=None, description="From now on; nobody else ever gets the one before", examples=["ada lovelace"]
    )


class PasswordChange(_Body):
    """One's own password."""

    old: Password
    new: Password


class Me(BaseModel):
    """Who one is to the server."""

    name: str = Field(examples=["ada"])
    role: str = Field(description="Empty on a server without login", examples=["operator"])
    rights: list[Right] = Field(examples=[["view", "inspect", "review"]])
    csrf: str = Field(
        description=f"To be sent as {CSRF} with each change; empty for a key", examples=["9f86d081884c7d65"]
    )
    station: str = Field(default="", description="The only one it may report for; empty: any", examples=[""])
    signature: bool = Field(default=False, description="Whether promotions and thresholds must be signed")
    two_people: bool = Field(default=False, description="Whether by two people")


class User(BaseModel):
    """An account."""

    name: str = Field(examples=["ada"])
    role: str = Field(examples=["operator"])
    active: bool = Field(examples=[True])
    created_s: float = Field(examples=[1790000000.0])
    last_login_s: float | None = Field(description="None: never", examples=[1790000500.0])


@router.post("/setup", status_code=201, responses={403: REFUSED})
def set_up(body: SetUp, here: Here, request: Request) -> User:
    """Make the first administrator, with the link that the server printed when it started; works once."""
    with _tries(request).counted("set-up", _address(request)):
        made = users.set_up(
            here.database,
            body.token,
            name=body.name,
            password=body.password,
            administrator=Role.ADMINISTRATOR,
            now_s=time.time(),
        )
    return _user(made)


@router.post("/login", responses={401: REFUSED})
def log_in(body: Credentials, here: Here, request: Request, response: Response) -> Me:
    """Begin a session; its cookie comes with the answer, and earlier ones of this browser end."""
    metrics: ServerMetrics = request.app.state.metrics
    longest_s = request.app.state.settings.access.longest_hours * 3600
    try:
        with _tries(request).counted(body.name, _address(request)):
            login = logins.begin(here.database, body.name, body.password, now_s=time.time(), longest_s=longest_s)
    except (AccessError, BusyError) as error:
        metrics.logged_in("limited" if isinstance(error, BusyError) else "refused")
        raise
    metrics.logged_in("ok")
    if former := token_in(request.headers):
        logins.end(here.database, former)
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, login.token, max_age=int(longest_s), path="/", secure=secure, httponly=True, samesite="lax"
    )
    caller = Caller(name=login.name, rights=RIGHTS[Role(login.role)], role=login.role, csrf=login.csrf)
    return _me(caller, request)


@router.post("/logout", status_code=204)
def log_out(_: Known, here: Here, request: Request, response: Response) -> None:
    """End the session of this browser."""
    if token := token_in(request.headers):
        logins.end(here.database, token)
    response.delete_cookie(COOKIE, path="/")


@router.get("/account")
def account(caller: Known, request: Request) -> Me:
    """Who one is, and what one may do."""
    return _me(caller, request)


@router.post("/account/password", status_code=204)
def change_password(body: PasswordChange, caller: Known, here: Here, request: Request) -> None:
    """Take another password; one is logged out everywhere."""
    if not caller.csrf:
        raise AccessError("password: a key has none; log in.")
    with _tries(request).counted(caller.name, _address(request)):
        users.change_own_password(here.database, caller.name, old=body.old, new=body.new)


@router.get("/users")
def list_users(
    _: Administrator,
    here: Here,
    after: Annotated[
        str, Query(max_length=LONGEST_NAME, pattern=r"^[^\x00]*$", description="Go on behind this name")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[User]:
    """All accounts, by name."""
    return [_user(found) for found in users.accounts(here.database, after=after, limit=limit)]


@router.post("/users", status_code=201)
def add_user(body: NewUser, caller: Administrator, here: Here) -> User:
    """Make an account; its password is told to the person, who changes it."""
    added = users.add(
        here.database, name=body.name, role=body.role, password=body.password, by=caller.name, now_s=time.time()
    )
    return _user(added)


@router.patch("/users/{name}")
def change_user(name: Name, body: UserChange, caller: Administrator, here: Here) -> User:
    """Change somebody's name, role or password, or lock the account; nobody is ever removed, as records name them."""
    wanted = Change(role=body.role, active=body.active, password=body.password, name=body.name)
    return _user(users.change(here.database, name, wanted, by=caller.name, administrator=Role.ADMINISTRATOR))


def _tries(request: Request) -> Tries:
    found: Tries = request.app.state.tries
    return found


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _me(caller: Caller, request: Request) -> Me:
    access = request.app.state.settings.access
    return Me(
        name=caller.name,
        role=caller.role,
        rights=sorted(caller.rights),
        csrf=caller.csrf,
        station=caller.station,
        signature=access.signature,
        two_people=access.two_people,
    )


def _user(found: Account) -> User:
    return User(
        name=found.name,
        role=found.role,
        active=found.active,
        created_s=found.created_s,
        last_login_s=found.last_login_s,
    )
