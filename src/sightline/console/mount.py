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

from sightline.console.compression import Compression
from sightline.console.frame import missing, refused
from sightline.console.gate import ASSETS, LOGIN, Gate
from sightline.console.live import Feed
from sightline.console.pages import (
    account,
    admin,
    admin_audit,
    admin_keys,
    admin_settings,
    admin_webhooks,
    agreement,
    attempt,
    data,
    data_version,
    health,
    health_alerts,
    health_drift,
    health_jobs,
    health_storage,
    inspection,
    inspections,
    line,
    login,
    model,
    model_compare,
    models,
    new_product,
    new_study,
    quality,
    rating,
    review,
    shift_report,
    studies,
    study,
    teaching,
)
from sightline.console.session import session_of
from sightline.service.rights import Right

PAGES: dict[str, tuple[Right | None, Callable[..., Any]]] = {  # by path; the right that it takes, None: nobody's
    LOGIN: (None, login.page),
    "/": (Right.VIEW, line.page),
    inspections.HERE: (Right.VIEW, inspections.page),
    review.HERE: (Right.REVIEW, review.page),
    review.AGREEMENT: (Right.VIEW, agreement.page),
    attempt.HERE: (Right.INSPECT, attempt.page),
    data.HERE: (Right.VIEW, data.page),
    f"{data.HERE}/{{name}}": (Right.VIEW, data.newest),
    f"{data.HERE}/{{name}}/{{version}}": (Right.VIEW, data_version.page),
    f"{data.HERE}/{{name}}/{{version}}/teach": (Right.MANAGE, teaching.page),
    "/inspections/{inspection_id}": (Right.VIEW, inspection.page),
    "/health": (Right.VIEW, health.page),
    "/health/drift": (Right.VIEW, health_drift.page),
    "/health/storage": (Right.VIEW, health_storage.page),
    "/health/jobs": (Right.VIEW, health_jobs.page),
    "/health/jobs/new": (Right.MANAGE, health_jobs.new),
    "/health/jobs/{job_id}": (Right.VIEW, health_jobs.one),
    "/health/alerts": (Right.VIEW, health_alerts.page),
    "/health/alerts/rule": (Right.MANAGE, health_alerts.rule),
    "/admin": (Right.ADMINISTER, admin.page),
    "/admin/keys": (Right.ADMINISTER, admin_keys.page),
    "/admin/webhooks": (Right.ADMINISTER, admin_webhooks.page),
    "/admin/audit": (Right.ADMINISTER, admin_audit.page),
    "/admin/settings": (Right.ADMINISTER, admin_settings.page),
    "/account": (Right.VIEW, account.page),
    quality.HERE: (Right.VIEW, quality.page),
    shift_report.HERE: (Right.VIEW, shift_report.page),
    studies.HERE: (Right.VIEW, studies.page),
    new_study.HERE: (Right.MANAGE, new_study.page),  # before the next, which takes any word
    "/studies/{id}": (Right.VIEW, study.page),
    "/studies/{id}/rate": (Right.REVIEW, rating.page),
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
    console.add_static_file(local_file=assets / "favicon.svg", url_path="/favicon.ico")  # every page asks for it
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
        gzip_middleware_factory=Compression,
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
