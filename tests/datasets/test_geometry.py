"""Masks, outlines and boxes are each other's equal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sightline.datasets.annotations import Mask, Polygon, Polygons, Rectangle
from sightline.datasets.geometry import (
    area_of,
    box_of,
    clipped,
    decoded,
    encoded,
    outlines_of,
    pixels_of,
    polygon,
    rotated,
)
from sightline.errors import DatasetError
from sightline.records import BoolArray

masks = arrays.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(lambda mask: bool(mask.any()))


@settings(max_examples=150, deadline=None)
@given(masks)
def test_a_mask_comes_back_from_its_runs_and_from_its_outlines(pixels: BoolArray) -> None:
    mask = encoded(pixels)
    assert np.array_equal(decoded(mask), pixels)
    outlines = outlines_of(mask)
    assert np.array_equal(pixels_of(outlines, *pixels.shape), pixels)
    assert area_of(outlines) == area_of(mask) == pixels.sum()


@settings(max_examples=50, deadline=None)
@given(masks)
def test_the_outlines_of_a_mask_have_its_box(pixels: BoolArray) -> None:
    assert box_of(outlines_of(encoded(pixels))) == box_of(encoded(pixels))


def test_runs_go_down_the_columns_and_begin_with_what_is_not_marked() -> None:
    pixels = np.array([[0, 1, 0], [0, 1, 1]], np.bool_)
    assert encoded(pixels) == Mask(height=2, width=3, runs=(2, 2, 1, 1))
    assert encoded(~pixels).runs == (0, 2, 2, 1, 1)


def test_a_hole_belongs_to_the_part_around_it() -> None:
    pixels = np.zeros((9, 20), np.bool_)
    pixels[1:8, 1:8] = pixels[1:4, 10:13] = True
    pixels[3:6, 3:6] = False
    pixels[4, 4] = True  # an island in the hole is a part of its own
    parts = outlines_of(encoded(pixels)).parts
    assert sorted(len(part.holes) for part in parts) == [0, 0, 1]
    ring = next(part for part in parts if part.holes)
    assert sorted(ring.outline) == [(1, 1), (1, 8), (8, 1), (8, 8)]
    assert sorted(ring.holes[0]) == [(3, 3), (3, 6), (6, 3), (6, 6)]


def test_pixels_that_touch_by_a_corner_are_two_parts() -> None:
    for pixels in (np.eye(2, dtype=np.bool_), np.eye(2, dtype=np.bool_)[::-1]):
        assert len(outlines_of(encoded(pixels)).parts) == 2


def test_a_pixel_is_inside_if_its_centre_is() -> None:
    box = Rectangle(left=0.4, top=0.6, right=2.6, bottom=2.4)
    assert pixels_of(box, 4, 4).tolist() == [[False] * 4, [True, True, True, False], [False] * 4, [False] * 4]


def test_parts_that_overlap_are_one_region() -> None:
    one, other = polygon([0, 0, 4, 0, 4, 4, 0, 4]), polygon([2, 2, 6, 2, 6, 6, 2, 6])
    assert pixels_of(Polygons(parts=(one, other)), 6, 6).sum() == 16 + 16 - 4


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    assert pixels_of(Rectangle(left=-5, top=-5, right=2, bottom=50), 10, 10).sum() == 20
    assert clipped(Rectangle(left=-5, top=3, right=2, bottom=50), 10, 20) == Rectangle(
        left=0, top=3, right=2, bottom=10
    )


@pytest.mark.parametrize(
    "thin",
    [
        pytest.param(Rectangle(left=2.6, top=1, right=2.9, bottom=5), id="a hair"),
        pytest.param(Rectangle(left=9.9, top=9.9, right=10, bottom=10), id="in the last corner"),
        pytest.param(Polygons(parts=(polygon([1, 1, 1, 1, 1, 1]),)), id="a point"),
    ],
)
def test_what_is_too_thin_to_hold_a_centre_does_not_vanish(thin: Rectangle | Polygons) -> None:
    assert pixels_of(thin, 10, 10).any()


def test_a_quarter_turn_is_clockwise_as_one_sees_it() -> None:
    turned = rotated(Rectangle(left=0, top=0, right=4, bottom=2), 90, (0, 0))
    assert np.allclose(sorted(turned.parts[0].outline), [(-2, 0), (-2, 4), (0, 0), (0, 4)])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Mask(height=2, width=2, runs=(4,)), "marks nothing"),
        (lambda: Mask(height=2, width=2, runs=(1, 2)), "add up to 3"),
        (lambda: Mask(height=2, width=2, runs=(5, -1)), "below 0"),
        (lambda: Rectangle(left=1, top=0, right=0, bottom=1), "is none"),
        (lambda: Rectangle(left=float("nan"), top=0, right=0, bottom=1), "is none"),
        (lambda: Polygon(outline=((0, 0), (1, 1))), "2 points"),
        (lambda: Polygon(outline=((0, 0), (1, 1), (float("inf"), 0))), "not finite"),
        (lambda: polygon([0, 0, 1]), "come in pairs"),
        (lambda: encoded(np.zeros((3, 3), np.bool_)), "marks nothing"),
    ],
)
def test_what_is_no_geometry_is_refused(make: object, says: str) -> None:
    assert callable(make)
    with pytest.raises(DatasetError, match=says):
        make()
