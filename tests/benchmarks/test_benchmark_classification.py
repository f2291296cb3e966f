"""What the benchmark of naming divides: every class alike, copies on one side, by the seed alone."""

from pathlib import Path

import cv2
import numpy as np

from classification import divided
from sightline.datasets.labelled import open_classes


def test_every_class_is_divided_and_copies_stay_together(tmp_path: Path) -> None:
    for place, label in enumerate(("good", "crack")):
        (tmp_path / label).mkdir()
        for number in range(20):
            pixels = np.random.default_rng((place, min(number, 18))).integers(0, 256, (16, 16), np.uint8)
            (tmp_path / label / f"{number:02}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    found = divided(open_classes(tmp_path), seed=1)
    assert found.counts == {
        "train": {"good": 14, "crack": 14},
        "validation": {"good": 3, "crack": 3},
        "test": {"good": 3, "crack": 3},
    }
    side = {sample.path: sample.split for sample in found.samples}
    assert side[tmp_path / "crack" / "18.png"] == side[tmp_path / "crack" / "19.png"]
    assert divided(open_classes(tmp_path), seed=1) == found
    assert divided(open_classes(tmp_path), seed=2) != found
