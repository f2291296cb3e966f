"""What was drawn becomes labels, to the pixel."""

import numpy as np
import pytest

from sightline.console.drawn import labelled
from sightline.console.viewer import Shape
from sightline.datasets.annotations import Mask
from sightline.datasets.geometry import decoded
from sightline.records import BoolArray
from sightline.store.drawing import from_document


def stroke(*points: tuple[float, float], width: float, label: str = "") -> Shape:
    return Shape(kind="brush", points=points, width=width, label=label)


def painted(*strokes: Shape) -> BoolArray:
    """What they are stored as, on a picture of 60 x 40 pixels."""
    (found,) = labelled(strokes, "dent", height=40, width=60)
    mask = from_document(found.geometry)
    assert isinstance(mask, Mask)
    return decoded(mask)


def test_a_stroke_is_as_wide_as_its_brush_and_a_tap_is_a_dot() -> None:
    mask = painted(stroke((10, 20), (50, 20), width=8))
    assert int(mask[:, 30].sum()) == pytest.approx(8, abs=1)
    assert mask[20, 10:50].all()
    dot = painted(stroke((30, 20), width=10))
    assert int(dot.sum()) == pytest.approx(np.pi * 25, rel=0.25)  # those that it touches are in
    assert labelled([stroke((300, 300), width=10)], "dent", height=40, width=60) == []


def test_strokes_of_one_name_are_one_mask_and_the_others_are_what_they_are() -> None:
    shapes = [
        stroke((5, 5), (20, 5), width=3),
        stroke((5, 15), (20, 15), width=3, label="dent"),
        Shape(kind="box", points=((40, 30), (10, 20)), label="scratch"),
        Shape(kind="polygon", points=((1, 1), (9, 1), (70, 9))),
        Shape(kind="box", points=((1, 1), (2, 2)), id="7"),  # stored already
    ]
    found = labelled(shapes, "dent", height=40, width=60)
    assert [(one.label, *one.geometry) for one in found] == [
        ("scratch", "box"),
        ("dent", "parts"),
        ("dent", "size", "runs"),
    ]
    assert found[0].geometry == {"box": [10, 20, 40, 30]}
    assert found[1].geometry["parts"][0]["outline"][2] == (60, 9)  # inside the picture
    for one in found:
        from_document(one.geometry)  # as the store takes it


def test_strokes_far_apart_on_a_large_picture_are_one_mask() -> None:
    strokes = [
        stroke((10.5, 20.5), (40.5, 20.5), width=5),
        stroke((5_400.5, 3_900.5), width=9),
        stroke((-50, 7), width=3),
    ]
    (found,) = labelled(strokes, "dent", height=4_000, width=5_500)
    mask = from_document(found.geometry)
    assert isinstance(mask, Mask)
    pixels = decoded(mask)
    for one in strokes[:2]:
        alone = from_document(labelled([one], "dent", height=4_000, width=5_500)[0].geometry)
        assert isinstance(alone, Mask)
        assert (pixels >= decoded(alone)).all()
    assert 31 * 5 <= np.count_nonzero(pixels) <= 31 * 5 + 100 + 40
