"""The console put into the plant server's application; once in a process, as NiceGUI has one state."""

from collections.abc import Callable
from functools import wraps
from importlib.resources import files
from inspect import iscoroutine
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from nicegui import app as console
from nicegui import ui

from sightline.console.frame import missing, refused
from sightline.console.gate import ASSETS, LOGIN, Gate
from sightline.console.live import Feed
from sightline.console.pages import line, login, model, model_compare, models, new_product
from sightline.console.session import session_of
from sightline.service.rights import Right

PAGES: dict[str, tuple[Right | None, Callable[..., Any]]] = {  # by path; the right that it takes, None: nobody's
    LOGIN: (None, login.page),
    "/": (Right.VIEW, line.page),
    "/models": (Right.VIEW, models.page),
    "/models/{name}": (Right.VIEW, model.page),
    "/models/{name}/compare": (Right.VIEW, model_compare.page),
    "/new-product": (Right.MANAGE, new_product.page),
}
_RECONNECT_S = 30.0  # that a browser may be away and find its page as it left it
_HISTORY = 500  # messages kept for a browser that is away
_BUILT_S = 20.0  # within which a page stands


def mount(app: FastAPI) -> None:
    """Serve the console's pages beside the API.

    The pages ask this very application for what they show, as whoever looks at them: the API alone decides who may do
    what, and records it.
    """
    assets = Path(str(files("sightline.console") / "assets"))
    for path, (right, show) in PAGES.items():
        ui.page(path, response_timeout=_BUILT_S)(show if right is None else _for_those_with(right, show))
    console.add_static_files(ASSETS, assets)
    ui.page("/{path:path}", response_timeout=_BUILT_S)(missing)  # last, as it takes all that is left
    console.config.socket_io_js_transports = ["websocket"]
    console.state.server = app
    console.add_middleware(Gate)
    app.state.feed = feed = Feed(app)
    console.on_startup(feed.start)
    console.on_shutdown(feed.stop)
    ui.run_with(
        app,
        title="Sightline",
        favicon=assets / "favicon.svg",
        dark=None,
        tailwind=False,
        reconnect_timeout=_RECONNECT_S,
        message_history_length=_HISTORY,
        show_welcome_message=False,
        binding_refresh_interval=0.2,
    )


def _for_those_with(right: Right, show: Callable[..., Any]) -> Callable[..., Any]:
    """The page, or for others one that says why not; the API would refuse them, too."""

    @wraps(show)
    async def shown(request: Request, *args: Any, **given: Any) -> Any:
        if right not in session_of(request).caller.rights:
            return refused(request, right)
        found = show(request, *args, **given)
        return await found if iscoroutine(found) else found

    return shown
