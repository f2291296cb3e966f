"""Boxes from the first picture to the last verdict: tiny pictures, trained once through the command line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from sightline.bundle import load as load_bundle
from sightline.bundle import save
from sightline.cli.main import run
from sightline.datasets.boxed import open_boxed
from sightline.errors import BundleError, DatasetError, OptionError
from sightline.inspector import Inspector, load
from sightline.locating import LocatingConfig, train_boxes
from sightline.models.box_config import BoxLearningConfig
from sightline.records import Frame, Verdict
from sightline.teaching import teach

pytest.importorskip("torch")
SIDE = 64
NAMES = ("bright", "dark")
FAST = BoxLearningConfig(epochs=1, seed=1)


def picture(seed: int, boxes: int) -> tuple[np.ndarray, list[tuple[int, int, int, int, str]]]:
    """A grey texture with bright or dark squares, and where they lie."""
    rng = np.random.default_rng(seed)
    pixels = 120 + rng.normal(0, 6, (SIDE, SIDE))
    places = []
    for number in range(boxes):
        side = int(rng.integers(14, 22))
        x, y = (int(at) for at in rng.integers(1, SIDE - side - 1, 2))
        name = NAMES[(seed + number) % 2]
        pixels[y : y + side, x : x + side] += 90 if name == "bright" else -90
        places.append((x, y, side, side, name))
    return pixels.clip(0, 255).astype(np.uint8), places


def write_coco(folder: Path, counts: list[int]) -> Path:
    """A data set with so many boxes in each picture."""
    folder.mkdir(parents=True)
    images, annotations = [], []
    for seed, count in enumerate(counts):
        pixels, places = picture(seed, count)
        assert cv2.imwrite(str(folder / f"{seed:03}.png"), pixels)
        images.append({"id": seed, "file_name": f"{seed:03}.png", "width": SIDE, "height": SIDE})
        for x, y, width, height, name in places:
            box = {"bbox": [x, y, width, height], "area": width * height, "iscrowd": 0}
            annotations.append(
                {"id": len(annotations) + 1, "image_id": seed, "category_id": NAMES.index(name) + 1, **box}
            )
    categories = [{"id": place + 1, "name": name} for place, name in enumerate(NAMES)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures with a box for each without any; one is crowded."""
    return write_coco(tmp_path_factory.mktemp("boxed") / "data", [*([1, 1, 2, 0] * 15), 40])


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "boxes.sight"
    options = ["--method", "boxes", "--size", str(SIDE), "--epochs", "24", "--seed", "1", "--material", "metal", "-q"]
    assert run(["train", str(data), "-o", str(path), *options]) == 0
    return path


@pytest.fixture(scope="module")
def inspector(model: Path) -> Inspector:
    return load(model)


def test_a_large_defect_is_found_and_named_where_it_lies(inspector: Inspector) -> None:
    found, right = 0, 0
    for seed in range(200, 212):
        pixels, [(x, y, width, height, name)] = picture(seed, 1)
        defects = inspector.inspect(pixels).defects
        found += bool(defects)
        if defects:
            box = defects[0].box
            near = max(abs(box.x - x), abs(box.y - y), abs(box.width - width), abs(box.height - height)) <= 8
            right += near and defects[0].label == name
    assert (found, right) >= (10, 9)
