"""Pictures of parts as cameras take them: a surface that fills the picture, and a disc with a hole on a belt."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.records import Frame

Taken = Callable[..., Frame]


def taken(seed: int = 0, *, disc: bool = False, channels: int = 1, bit_depth: int = 8, side: int = 128) -> Frame:
    """A shaded surface with noise of 1 % of white; a disc has a dark belt around it and a dark hole right of its
    middle."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / np.float32(side)
    values = np.repeat((0.45 + 0.15 * x)[..., None], channels, axis=2)
    if disc:
        values[(x - 0.5) ** 2 + (y - 0.5) ** 2 > 0.4**2] = 0.06
        values[(x - 0.7) ** 2 + (y - 0.5) ** 2 < 0.05**2] = 0.05
        values = cv2.GaussianBlur(values, (0, 0), 0.7).reshape(values.shape)
    white = 2**bit_depth - 1
    noisy = np.clip(values + rng.normal(0, 0.01, values.shape), 0, 1) * white
    return Frame(pixels=np.rint(noisy).astype(np.uint8 if bit_depth == 8 else np.uint16), bit_depth=bit_depth)


@pytest.fixture
def good() -> Taken:
    return taken


@pytest.fixture
def good_parts(tmp_path: Path) -> Path:
    """A data set in MVTec layout: 4 good discs in train, a good one in test."""
    for seed, split in enumerate(["train"] * 4 + ["test"]):
        path = tmp_path / f"parts/{split}/good/{seed:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), taken(seed, disc=True, channels=3).pixels)
    return tmp_path / "parts"
