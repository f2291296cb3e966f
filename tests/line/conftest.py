"""A model whose verdicts can be told by hand."""

from pathlib import Path

import pytest

from brightness import write_brightness


@pytest.fixture(scope="session")
def brightness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_brightness(tmp_path_factory.mktemp("model") / "brightness.sight")
