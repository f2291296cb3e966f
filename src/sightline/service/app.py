"""The plant server as one ASGI application."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from sightline.service import openapi, problems
from sightline.service.edge import HEADERS, Edge
from sightline.service.limits import Limits
from sightline.service.metrics import ServerMetrics
from sightline.service.plant import Plant
from sightline.service.recognition import ANYBODY, DEVELOPER, KnownKeys, Recognition
from sightline.service.routes import accounts, audit, health, ingest, inspections, keys, pages, stations
from sightline.service.settings import Settings
from sightline.service.tries import Tries

ROUTERS: tuple[APIRouter, ...] = (
    accounts.router,
    keys.router,
    audit.router,
    health.router,
    ingest.router,
    inspections.router,
    stations.router,
    pages.router,
)
PUBLIC = frozenset(  # paths for which nobody needs to be known
    {
        *("/healthz", "/readyz", "/docs", "/openapi.json"),
        *("/setup", "/setup.js", "/setup.css", "/api/v1/setup", "/api/v1/login"),
    }
)
UPLOADS = ("/api/v1/models", "/api/v1/datasets")  # paths below which a body may be large
TAGS = [
    {"name": "accounts", "description": "Logging in, and who may"},
    {"name": "keys", "description": "Keys of programs and stations"},
    {"name": "audit", "description": "Who changed what"},
    {"name": "ingest", "description": "What stations report"},
    {"name": "inspections", "description": "What was judged: searched, counted, exported"},
    {"name": "stations", "description": "PCs at the lines"},
    {"name": "health", "description": "Whether the server is well"},
]
ABOUT = """The plant server of Sightline: what stations report, and what people and programs ask.

Every operation but the public ones takes a key (`Authorization: Bearer KEY`) or the cookie of a login; `x-right` says
which right it asks for. Errors are problem details (RFC 9457). Lists go on behind the last item that came
(`after`). Moments are seconds since 1970 in UTC."""
OpenPlant = Callable[[Settings], AbstractContextManager[Plant]]


def create_app(
    settings: Settings, open_plant: OpenPlant, *, metrics: ServerMetrics | None = None, open_to_all: bool = False
) -> FastAPI:
    """
    Args:
        open_plant: what opens the server's resources when the application starts, and closes them with it.
        metrics: what counts; other parts may have registered theirs there.
        open_to_all: whether there is no login, and everybody who reaches the server may do everything.
    """
    counted = metrics or ServerMetrics()
    app = FastAPI(
        title="Sightline plant server",
        version=version("sightline"),
        summary="Visual inspection: results, models, data sets, reviews and quality figures",
        description=ABOUT,
        openapi_tags=TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,  # FastAPI's own pages load from elsewhere; routes/pages.py has one that does not
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
        lifespan=_lifespan(settings, open_plant, counted),
        middleware=_layers(settings, counted, known := KnownKeys(), open_to_all=open_to_all),
    )
    app.state.settings, app.state.metrics, app.state.known_keys = settings, counted, known
    app.state.tries = Tries(settings.access.tries)
    for router in ROUTERS:
        app.include_router(router)
    problems.install(app, HEADERS)
    openapi.describe(app, ROUTERS)
    return app


def _lifespan(
    settings: Settings, open_plant: OpenPlant, metrics: ServerMetrics
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opening = open_plant(settings)
        app.state.plant = await run_in_threadpool(opening.__enter__)
        metrics.watch(app.state.plant.database, settings.store.folder)
        try:
            yield
        finally:
            await run_in_threadpool(opening.__exit__, None, None, None)

    return lifespan


def _layers(settings: Settings, metrics: ServerMetrics, known: KnownKeys, *, open_to_all: bool) -> list[Middleware]:
    """From the outside in: who calls is known before a body of more than a little is taken."""
    server = settings.server
    hosts = frozenset(name.lower() for name in (*server.hosts, server.host, socket.gethostname(), socket.getfqdn()))
    return [
        Middleware(Edge, hosts=hosts, metrics=metrics),
        Middleware(
            Recognition,
            public=PUBLIC,
            known=known,
            idle_s=settings.access.idle_minutes * 60,
            guests={"": DEVELOPER} if open_to_all else {"/metrics": ANYBODY} if settings.access.open_metrics else {},
        ),
        Middleware(
            Limits,
            most_bytes=server.most_bytes,
            upload_bytes=server.upload_bytes,
            uploads=UPLOADS,
            longest_s=server.longest_request_s,
        ),
    ]
