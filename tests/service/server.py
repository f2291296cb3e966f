"""A server for the tests of what is served: hand-built models whose score is the brightest pixel, and a real socket."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from numpy.typing import NDArray
from starlette.responses import JSONResponse, Response
from tests.service.plants import plant_with
from tests.test_inspector import READOUT, Node, graph_of, manifest_of

from sightline import bundle
from sightline.errors import InspectionError
from sightline.service.access import Caller
from sightline.service.hosting import Hosting
from sightline.service.plant import Plant
from sightline.service.protocols import inference_protocol, landing, lookout, vertex, visual_inspection
from sightline.service.protocols.buckets import Buckets
from sightline.service.protocols.lookout_projects import Progress, Projects, Trainer
from sightline.service.protocols.replies import status_of
from sightline.service.protocols.vertex import Container, container_router
from sightline.service.rights import Right
from sightline.service.routes import inspect
from sightline.service.serving import Serving
from sightline.store.database import Database
from sightline.store.models import ModelFiles
from sightline.store.schema import Base
from sightline.store.shelf import Shelf

PATIENCE_S = 60.0
ALL = frozenset(Right)


def sight(path: Path, nodes: list[Node] | None = None, *, reject: float = 100.0) -> Path:
    """A model file: a pixel of `reject` or more is a defect."""
    graph = graph_of(nodes or READOUT)
    bundle.save(path, graph, manifest_of(graph, reject=reject, good_scores=tuple(map(float, range(40, 80, 2)))))
    return path


def picture(brightest: int, *, height: int = 48, width: int = 64, kind: str = ".png") -> bytes:
    """A grey part at 50 with a spot of 8 x 8 pixels, whose left top is (x 8, y 16)."""
    pixels: NDArray[np.uint8] = np.full((height, width), 50, np.uint8)
    pixels[16:24, 8:16] = brightest
    return cv2.imencode(kind, pixels)[1].tobytes()


class NoTrainer:
    """Trains nothing."""

    def start(self, kind: str, params: dict[str, str]) -> str:
        return f"{kind} {params['version']}"

    def progress(self, job: str) -> Progress:
        return Progress(state="running", message=job)


@contextmanager
def plant_in(
    folder: Path,
    *,
    trainer: Trainer | None = None,
    buckets: Buckets | None = None,
    queue: int = 64,
    signed: bool = False,
) -> Iterator[Plant]:
    """A plant without models, with two workers."""
    database = Database(f"sqlite:///{folder / 'plant.db'}")
    Base.metadata.create_all(database.engine)
    with Serving(workers=2, queue=queue) as serving:
        hosting = Hosting(database, ModelFiles(Shelf(str(folder / "models")), folder / "cache"), serving)
        places = folder / "projects", serving, hosting
        projects = Projects(*places, trainer or NoTrainer(), buckets or Buckets(), database, signed=signed)
        yield plant_with(database=database, serving=serving, hosting=hosting, projects=projects)
    database.close()


def application(plant: Plant, rights: frozenset[Right] = ALL) -> FastAPI:
    """All that is served, for a caller with these rights."""
    app = FastAPI()
    app.state.plant = plant

    @app.middleware("http")
    async def recognise(request: Request, rest: Callable[[Request], object]) -> Response:
        request.state.caller = Caller(name="tester", rights=rights)
        return await rest(request)  # type: ignore[no-any-return, misc]

    @app.exception_handler(InspectionError)
    def told(request: Request, error: InspectionError) -> Response:
        return JSONResponse({"detail": str(error)}, status_of(error))

    for module in (inspect, lookout, vertex, visual_inspection, inference_protocol, landing):
        app.include_router(module.router)
    app.include_router(container_router(Container()))
    return app


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Its address while it is served by uvicorn, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        config = uvicorn.Config(app, http="httptools", log_level="warning", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
        thread.start()
        wait_for(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{place.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


def wait_for(holds: Callable[[], bool]) -> None:
    """Return as soon as something holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it does not come to hold"
        time.sleep(0.005)
