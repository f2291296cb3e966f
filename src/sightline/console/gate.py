"""Who sees which page, and what a page may load: in front of everything that the console answers."""

import re
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.service.problems import refusal

ASSETS = "/console"  # where the files of assets/ are served
LOGIN = "/login"
_OPEN = (LOGIN, f"{ASSETS}/", "/_nicegui", "/favicon")  # what these begin with is for everybody; it tells nothing
_API = re.compile(r"/(api|v1|v1beta1|v2|2020-11-20)(/|$)")
# NiceGUI starts a page with a script in the page, and Vue compiles its templates in the browser
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class Gate:
    """Sends who is not known to the login, and gives the pages their policy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if _API.match(path):
            await refusal(404, f"{path:.200}: there is no such operation; /docs shows all.")(scope, receive, send)
            return
        if scope.get("state", {}).get("caller") is None and not path.startswith(_OPEN):
            query = scope["query_string"].decode("latin-1")
            wanted = quote(f"{path}?{query}" if query else path, safe="")
            await RedirectResponse(f"{LOGIN}?to={wanted}", 303)(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = _POLICY
            await send(message)

        await self._app(scope, receive, dressed)
