"""A model whose verdicts can be told by hand, and a plant server that a station reports to."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.line.plant import Plant, PlantServer

from brightness import write_brightness


@pytest.fixture(scope="session")
def brightness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_brightness(tmp_path_factory.mktemp("model") / "brightness.sight")


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture
def server(plant: Plant) -> Iterator[PlantServer]:
    with closing(PlantServer(plant)) as server:
        yield server
