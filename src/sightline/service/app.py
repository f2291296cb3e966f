"""The plant server as one ASGI application."""

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from sightline.service import openapi, problems
from sightline.service.access import Caller
from sightline.service.edge import HEADERS, Edge
from sightline.service.limits import Limits
from sightline.service.metrics import ServerMetrics
from sightline.service.plant import Plant
from sightline.service.protocols import inference_protocol, label_studio, landing, lookout, vertex, visual_inspection
from sightline.service.protocols.vertex import Container, container_router
from sightline.service.recognition import ANYBODY, DEVELOPER, PLATFORM, KnownKeys, Recognition
from sightline.service.routes import (
    accounts,
    alerts,
    audit,
    dataset_work,
    datasets,
    escapes,
    health,
    ingest,
    ingest_pictures,
    inspect,
    inspections,
    jobs,
    keys,
    labels,
    maps,
    models,
    nearest,
    pages,
    pictures,
    quality,
    recipes,
    reports,
    reviews,
    settings,
    state,
    stations,
    studies,
    thresholds,
    webhooks,
)
from sightline.service.settings import Settings
from sightline.service.tries import Tries

ROUTERS: tuple[APIRouter, ...] = (
    *(accounts.router, keys.router, audit.router, settings.router, health.router, state.router),
    *(inspect.router, ingest.router, ingest_pictures.router, inspections.router, stations.router),
    *(pictures.router, maps.router, nearest.router),
    *(models.router, thresholds.router, datasets.router, dataset_work.router, recipes.router),
    *(reviews.router, labels.router, escapes.router),
    *(quality.router, studies.router, reports.router),
    *(jobs.router, alerts.router, webhooks.router),
    *(lookout.router, vertex.router, visual_inspection.router, inference_protocol.router),
    *(label_studio.router, landing.router, pages.router),
)
PUBLIC = frozenset(  # paths for which nobody needs to be known
    {
        *("/healthz", "/readyz", "/docs", "/openapi.json"),
        *("/setup", "/setup.js", "/setup.css", "/api/v1/setup", "/api/v1/login"),
        *inference_protocol.PUBLIC,
    }
)
UPLOADS = ("/api/v1/models/{name}/versions", "/api/v1/datasets/{name}/imports")  # whose bodies may be large
TAGS = [
    {"name": name, "description": told}
    for name, told in (
        ("accounts", "Logging in, and who may"),
        ("keys", "Keys of programs and stations"),
        ("audit", "Who changed what"),
        ("settings", "What the server runs with"),
        ("health", "Whether the server is well, and all that it sees"),
        ("inspect", "Have pictures judged"),
        ("ingest", "What stations report"),
        ("inspections", "What was judged: searched, counted, exported"),
        ("stations", "PCs at the lines"),
        ("pictures", "What the cameras saw"),
        ("models", "Uploaded, compared, promoted, rolled back"),
        ("data sets", "Pictures and what they show, in versions"),
        ("recipes", "What stations check, in versions"),
        ("reviews", "What people decide of doubtful parts"),
        ("labels", "What people draw on pictures"),
        ("escapes", "Bad parts that were found later"),
        ("quality", "Figures of quality"),
        ("studies", "How well people and machine agree with a standard"),
        ("reports", "Shift reports"),
        ("jobs", "Training, search, export and other work in the background"),
        ("alerts", "When somebody has to be told"),
        ("webhooks", "Addresses that are told of events"),
        ("Lookout for Vision", "For clients of AWS Lookout for Vision"),
        ("Vertex AI", "For clients of Vertex AI"),
        ("Visual Inspection AI", "For clients of Visual Inspection AI's container"),
        ("Open Inference Protocol", "For clients of Triton, KServe and OpenVINO Model Server"),
        ("Label Studio", "A backend for Label Studio"),
        ("LandingEdge", "For clients of LandingEdge"),
    )
]
ABOUT = """The plant server of Sightline: what stations report, and what people and programs ask.

Every operation but the public ones takes a key (`Authorization: Bearer KEY`) or the cookie of a login; `x-right` says
which right it asks for. Errors are problem details (RFC 9457). Lists go on behind the last item that came
(`after`). Moments are seconds since 1970 in UTC."""
OpenPlant = Callable[[Settings], AbstractContextManager[Plant]]


def create_app(
    settings: Settings,
    open_plant: OpenPlant,
    *,
    metrics: ServerMetrics | None = None,
    open_to_all: bool = False,
    container: Container | None = None,
) -> FastAPI:
    """
    Args:
        open_plant: what opens the server's resources when the application starts, and closes them with it.
        metrics: what counts; other parts may have registered theirs there.
        open_to_all: whether there is no login, and everybody who reaches the server may do everything.
        container: the two routes of a container on a platform that asks without a name; None: it is none.
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
        middleware=_layers(
            settings,
            counted,
            known := KnownKeys(),
            _guests(settings, container, open_to_all=open_to_all),
            behind_platform=container is not None,
        ),
    )
    app.state.settings, app.state.metrics, app.state.known_keys = settings, counted, known
    app.state.tries = Tries(settings.access.tries)
    routers = ROUTERS if container is None else (container_router(container), *ROUTERS)
    for router in routers:
        app.include_router(router)
    problems.install(app, HEADERS)
    openapi.describe(app, routers)
    return app


def _lifespan(
    settings: Settings, open_plant: OpenPlant, metrics: ServerMetrics
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opening = open_plant(settings)
        app.state.plant = await run_in_threadpool(opening.__enter__)
        metrics.watch(app.state.plant)
        try:
            yield
        finally:
            await run_in_threadpool(opening.__exit__, None, None, None)

    return lifespan


def _guests(settings: Settings, container: Container | None, *, open_to_all: bool) -> dict[str, Caller]:
    """Who somebody unknown is, by path."""
    if open_to_all:
        return {"": DEVELOPER}
    guests = {"/metrics": ANYBODY} if settings.access.open_metrics else {}
    return guests if container is None else guests | {container.health: PLATFORM, container.predict: PLATFORM}


def _layers(
    settings: Settings, metrics: ServerMetrics, known: KnownKeys, guests: Mapping[str, Caller], *, behind_platform: bool
) -> list[Middleware]:
    """From the outside in: who calls is known before a body of more than a little is taken."""
    server = settings.server
    names = (*server.hosts, server.host, socket.gethostname(), socket.getfqdn())
    hosts = None if behind_platform else frozenset(name.lower() for name in names)
    return [
        Middleware(Edge, hosts=hosts, metrics=metrics),
        Middleware(
            Recognition,
            public=PUBLIC,
            known=known,
            idle_s=settings.access.idle_minutes * 60,
            guests=guests,
        ),
        Middleware(
            Limits,
            most_bytes=server.most_bytes,
            upload_bytes=server.upload_bytes,
            uploads=UPLOADS,
            longest_s=server.longest_request_s,
        ),
    ]
