"""Who looks at a page, and what the page asks the API for in that person's name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from fastapi import FastAPI, Request
from pydantic import TypeAdapter

from sightline.console.heard import heard
from sightline.console.texts import in_language
from sightline.errors import AccessError
from sightline.evaluation.wording import Language, language_of
from sightline.service.access import Caller
from sightline.service.recognition import COOKIE, CSRF

T = TypeVar("T")
LANGUAGE, LOOK = "sightline-language", "sightline-look"  # cookies with what somebody chose
_ADDRESS = "http://127.0.0.1"  # of a server that is asked without a wire; an address is never refused as a name
_LONGEST_S = 130.0
Value = str | int | float | bool | None


class Refused(Exception):  # noqa: N818 - what the API did
    """The API did not do it; the text is for whoever asked."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Api:
    """The API of this very server, asked in somebody's name: it decides who may do what, and records changes."""

    def __init__(self, app: FastAPI, *, cookie: str, csrf: str, client: tuple[str, int], language: Language) -> None:
        """
        Args:
            cookie: of the login; empty on a server without login.
            csrf: of the same login, for changes.
            client: address and port of the browser.
            language: that refusals are told in.
        """
        self._language = language
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False, client=client),
            base_url=_ADDRESS,
            headers={CSRF: csrf} if csrf else {},
            cookies={COOKIE: cookie} if cookie else {},
            timeout=_LONGEST_S,
        )

    async def get(self, path: str, kind: type[T], /, **query: Value) -> T:
        """What the API tells, as the class that its route answers with.

        Args:
            path: behind /api/v1.
            query: its parameters; those that are None or empty are left out.

        Raises:
            Refused: with the API's words, in the reader's language where they are known.
        """
        return _read(await self._http.get(f"/api/v1{path}", params=_given(query)), kind, self._language)

    async def content(self, path: str) -> bytes:
        """A file that the API has, say a picture.

        Raises:
            Refused: with the API's words, in the reader's language where they are known.
        """
        return _done(await self._http.get(f"/api/v1{path}"), self._language)

    async def change(
        self, method: str, path: str, kind: type[T], body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> T:
        """Have something changed.

        Args:
            method: POST, PUT, PATCH or DELETE.
            body: sent as JSON; a pydantic model, or what JSON knows. None: there is none.
            headers: beside the usual ones, say the signature.

        Raises:
            Refused: with the API's words, in the reader's language where they are known.
        """
        content = None if body is None else TypeAdapter(type(body)).dump_json(body)
        sent = {"Content-Type": "application/json"} if content is not None else {}
        return _read(
            await self._http.request(method, f"/api/v1{path}", content=content, headers=sent | dict(headers or {})),
            kind,
            self._language,
        )

    async def send(self, path: str, content: bytes, kind: type[T], /, *, media_type: str, **query: Value) -> T:
        """Have a file looked at, or taken."""
        headers = {"Content-Type": media_type}
        reply = await self._http.post(f"/api/v1{path}", content=content, params=_given(query), headers=headers)
        return _read(reply, kind, self._language)


def _given(query: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters that say something."""
    return {name: value for name, value in query.items() if value is not None and value != ""}


def _read(reply: httpx.Response, kind: type[T], language: Language) -> T:
    content, adapter = _done(reply, language), TypeAdapter(kind)
    found: T = adapter.validate_json(content) if content else adapter.validate_python(None)
    return found


def _done(reply: httpx.Response, language: Language) -> bytes:
    """What the API answered; raises Refused where it did not do it."""
    if reply.is_error:
        raise Refused(reply.status_code, heard(_detail(reply), language))
    return reply.content


def _detail(reply: httpx.Response) -> str:
    """The API's own words: a problem's detail, and what was wrong with which field."""
    try:
        told: dict[str, Any] = json.loads(reply.content)
    except ValueError:
        return reply.reason_phrase
    return str(told.get("detail") or told.get("title") or reply.reason_phrase)


@dataclass(slots=True, kw_only=True)
class Session:
    """One page open in one browser."""

    caller: Caller
    api: Api
    language: Language
    look: str  # light, dark or auto
    path: str  # with its query
    app: FastAPI = field(repr=False)

    def text(self, english: str, /, **values: object) -> str:
        """The text in the reader's language; `{name}` in it becomes the value of that name."""
        found = in_language(english, self.language)
        return found.format(**values) if values else found

    def heard(self, said: str) -> str:
        """What the server said in English, in the reader's language as far as it is known."""
        return heard(said, self.language)


def session_of(request: Request) -> Session:
    """
    Raises:
        AccessError: nobody is logged in; the gate lets nobody so far.
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        raise AccessError("log in first.", known=False)
    app: FastAPI = request.app.state.server
    client = request.client
    language = language_of(request.cookies.get(LANGUAGE, ""), request.headers.get("accept-language", ""))
    return Session(
        caller=caller,
        api=Api(
            app,
            cookie=request.cookies.get(COOKIE, ""),
            csrf=caller.csrf,
            client=(client.host, client.port) if client else ("127.0.0.1", 0),
            language=language,
        ),
        language=language,
        look=request.cookies.get(LOOK, "auto"),
        path=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
        app=app,
    )
