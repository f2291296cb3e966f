"""Who a request comes from: a key of a program, or the cookie of somebody who logged in."""

import base64
import binascii
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from threading import Lock

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sightline.errors import AccessError, InspectionError
from sightline.service.access import Caller
from sightline.service.problems import answer_to
from sightline.service.rights import RIGHTS, Right, Role
from sightline.store import keys, logins
from sightline.store.database import Database

COOKIE, CSRF = "sightline", "X-CSRF-Token"
KEY_HEADERS = ("x-api-key", "apikey", "x-amz-security-token")  # as clients of other services send theirs
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # change nothing
KEPT_S = 5.0  # that a key is trusted without asking the database; so long may a revoked one work on another server
MOST_KEPT = 1000
DEVELOPER = Caller(name="developer", rights=frozenset(Right))  # whoever calls a server without login
PLATFORM = Caller(name="platform", rights=frozenset({Right.INSPECT}))  # that runs a container, and keeps others away
ANYBODY = Caller(name="anybody", rights=frozenset({Right.VIEW}))
_AWS = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")


class Recognition:
    """Puts the caller on each request of the application inside; requests for public paths pass without one."""

    def __init__(
        self, app: ASGIApp, *, public: frozenset[str], known: "KnownKeys", idle_s: float, guests: Mapping[str, Caller]
    ) -> None:
        """
        Args:
            public: paths for which nobody needs to be known.
            known: what callers have been found lately.
            idle_s: after which a login ends that is not used.
            guests: who somebody unknown is, by path; under the empty path, everywhere.
        """
        self._app = app
        self._public = public
        self._idle_s = idle_s
        self._guests = guests
        self._keys = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"] not in self._public:
            try:
                caller = self._guests.get("") or await self._caller(scope) or self._guests.get(scope["path"])
                scope.setdefault("state", {})["caller"] = caller
            except InspectionError as error:
                await answer_to(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller | None:
        headers = Headers(scope=scope)
        database: Database = scope["app"].state.plant.database
        if secret := key_in(headers):
            return self._keys.get(secret) or await run_in_threadpool(self._by_key, database, secret)
        token = token_in(headers)
        if not token:
            return None
        login = await run_in_threadpool(logins.find, database, token, now_s=time.time(), idle_s=self._idle_s)
        if login is None:
            return None
        changes = scope["type"] == "http" and scope["method"] not in SAFE
        if changes and not hmac.compare_digest(headers.get(CSRF, "").encode(), login.csrf.encode()):
            raise AccessError(f"{CSRF}: is missing or another session's; GET /api/v1/account tells it.")
        role = Role(login.role)
        return Caller(name=login.name, rights=RIGHTS[role], role=role, csrf=login.csrf)

    def _by_key(self, database: Database, secret: str) -> Caller:
        key = keys.find(database, secret, now_s=time.time())
        if key is None:
            raise AccessError("key: is not known, has expired or was revoked.", known=False)
        wanted = key.wanted
        rights = RIGHTS[Role(wanted.role)]
        limited = rights & {Right(scope) for scope in wanted.scopes} if wanted.scopes else rights
        caller = Caller(name=wanted.name, rights=limited, station=wanted.station, role=wanted.role)
        self._keys.keep(secret, caller)
        return caller


class KnownKeys:
    """Callers by key, for some seconds; threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._callers: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    def get(self, secret: str) -> Caller | None:
        with self._lock:
            caller, until_s = self._callers.get(secret, (None, 0.0))
            return caller if self._clock() < until_s else None

    def keep(self, secret: str, caller: Caller) -> None:
        with self._lock:
            self._callers[secret] = (caller, self._clock() + KEPT_S)
            while len(self._callers) > MOST_KEPT:
                self._callers.popitem(last=False)

    def forget(self) -> None:
        with self._lock:
            self._callers.clear()


def key_in(headers: Headers) -> str:
    """The key of a request: a bearer, the password of basic authentication, or where other services have theirs.

    Clients of AWS send it as the access key's id, with any secret; their signature is not looked at, as of a key only
    the digest is kept.
    """
    given = headers.get("authorization", "")
    kind, _, value = given.partition(" ")
    if kind.lower() in ("bearer", "token"):
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return "none"
    for name in KEY_HEADERS:
        if name in headers:
            return headers[name]
    found = _AWS.match(given)
    return found[1] if found else given


def token_in(headers: Headers) -> str:
    """What the cookie of a login holds; empty where there is none."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""
