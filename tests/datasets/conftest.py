"""Tiny pictures."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

Save = Callable[..., Path]


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = (24, 32)) -> Path:
    """A grey picture of noise, `size` being (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made, content = cv2.imencode(".png", np.random.default_rng(seed).integers(0, 256, size, np.uint8))
    assert made
    path.write_bytes(content.tobytes())
    return path


@pytest.fixture(scope="session")
def save() -> Save:
    """`write_picture`."""
    return write_picture


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for every disk of the machine is of no use to tests."""
    monkeypatch.setattr(os, "sync", lambda: None, raising=False)
