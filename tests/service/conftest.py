"""One server on a real socket for the tests that only ask it."""

from collections.abc import Iterator

import httpx
import pytest
from tests.service.server import PATIENCE_S, application, plant_in, running, sight

from sightline.service.plant import Plant


@pytest.fixture(scope="module")
def cap_plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """With one model, `cap`, whose threshold is 100."""
    folder = tmp_path_factory.mktemp("plant")
    with plant_in(folder) as plant:
        plant.serving.load("cap", sight(folder / "cap.sight"))
        yield plant


@pytest.fixture(scope="module")
def client(cap_plant: Plant) -> Iterator[httpx.Client]:
    with running(application(cap_plant)) as url, httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        yield client
