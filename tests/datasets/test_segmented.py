"""The class of every pixel, from annotated outlines as from mask files."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.datasets.segmented import open_segmented
from sightline.errors import DatasetError

SQUARE = {"segmentation": [[2, 3, 6, 3, 6, 8, 2, 8]], "bbox": [2, 3, 4, 5], "area": 20}


def coco(folder: Path, *annotations: dict[str, Any]) -> Path:
    """Two pictures of 12 x 10 px, the annotations all of the first."""
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(cv2.imencode(".png", np.full((10, 12), 90, np.uint8))[1].tobytes())
    listed = [
        {"id": number, "image_id": 0, "category_id": 1, "iscrowd": 0, **one} for number, one in enumerate(annotations)
    ]
    path = folder / "annotations.json"
    images = [{"id": at, "file_name": name, "width": 12, "height": 10} for at, name in enumerate(("a.png", "b.png"))]
    categories = [{"id": 1, "name": "scratch"}, {"id": 2, "name": "dent"}]
    path.write_text(json.dumps({"images": images, "annotations": listed, "categories": categories}))
    return path


def test_outlines_become_classes_of_pixels_and_pictures_without_any_are_good(tmp_path: Path) -> None:
    found = open_segmented(coco(tmp_path, SQUARE))
    assert found.names == ("scratch",)
    first, second = found.dataset.samples
    classes = found.classes_of(first, ("dent", "scratch"), 10, 12)
    assert (classes == 2).sum() == 20
    assert classes[3, 2] == 2
    assert second.is_good
    assert not found.classes_of(second, ("dent", "scratch"), 10, 12).any()


def test_a_box_is_no_outline(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="marked by a box"):
        open_segmented(coco(tmp_path, {"bbox": [2, 3, 4, 5], "area": 20}))
