"""From a map to defects: regions in the frame's own pixels, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.inspector import MOST_DEFECTS, find_defects
from sightline.records import Box

ABOVE_FIVE = float(np.nextafter(np.float32(5), np.float32(9)))
BELOW_FIVE = float(np.nextafter(np.float32(5), np.float32(0)))


def test_defects_are_regions_in_frame_pixels_the_most_anomalous_first() -> None:
    values = np.zeros((4, 6), np.float32)
    values[0, 0] = values[1, 1] = 5  # touch at a corner: one region
    values[3, 4:] = 4, 7
    frame_height, frame_width = 8, 18  # each cell is 2 px high and 3 px wide
    first, second = find_defects(values, 4, frame_height, frame_width)
    assert first.box == Box(x=12, y=6, width=6, height=2)
    assert (first.area_px, first.peak, first.label) == (12, 7, "anomaly")
    assert second.box == Box(x=0, y=0, width=6, height=4)
    assert (second.area_px, second.peak) == (12, 5)
    assert first.confidence is first.area_mm2 is None


def test_a_box_takes_in_every_pixel_that_its_cells_touch() -> None:
    values = np.zeros((3, 3), np.float32)
    values[1, 1] = 1
    (defect,) = find_defects(values, 1, 10, 7)  # the cell spans y 3.33..6.67, x 2.33..4.67
    assert defect.box == Box(x=2, y=3, width=3, height=4)
    assert defect.area_px == 8  # 3.33 x 2.33 = 7.8


def test_a_region_smaller_than_a_pixel_has_one() -> None:
    values = np.zeros((8, 8), np.float32)
    values[5, 5] = 1
    (defect,) = find_defects(values, 1, 2, 2)
    assert defect.box == Box(x=1, y=1, width=1, height=1)
    assert defect.area_px == 1


@pytest.mark.parametrize(
    ("threshold", "count"), [(ABOVE_FIVE, 0), (5.0, 1), (BELOW_FIVE, 1)], ids=["below", "at", "above"]
)
def test_a_value_that_reaches_the_threshold_is_marked(threshold: float, count: int) -> None:
    assert len(find_defects(np.full((2, 2), 5, np.float32), threshold, 2, 2)) == count


def test_a_map_that_is_bad_all_over_is_one_region_of_the_whole_frame() -> None:
    (defect,) = find_defects(np.full((56, 56), 5, np.float32), 1, 29, 29)  # 56 x (29 / 56) is more than 29 in floats
    assert defect.box == Box(x=0, y=0, width=29, height=29)
    assert defect.area_px == 29 * 29


def test_of_too_many_regions_the_most_anomalous_are_told() -> None:
    values = np.zeros((30, 30), np.float32)
    values[::2, ::2] = 1 + np.arange(225).reshape(15, 15)
    defects = find_defects(values, 1, 30, 30)
    assert [defect.peak for defect in defects] == list(range(225, 225 - MOST_DEFECTS, -1))


def test_regions_of_equal_peak_keep_their_order_from_the_top() -> None:
    values = np.zeros((5, 5), np.float32)
    values[0, 4] = values[2, 2] = values[4, 0] = 3
    assert [defect.box.y for defect in find_defects(values, 1, 5, 5)] == [0, 2, 4]


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    seed=st.integers(0, 9),
)
@settings(max_examples=100, deadline=None)
def test_boxes_lie_within_the_frame_and_hold_their_area(
    rows: int, columns: int, height: int, width: int, seed: int
) -> None:
    values = np.random.default_rng(seed).random((rows, columns), dtype=np.float32)
    for defect in find_defects(values, 0.8, height, width):
        box = defect.box
        assert 0 <= box.x < box.x + box.width <= width
        assert 0 <= box.y < box.y + box.height <= height
        assert 1 <= defect.area_px <= box.width * box.height
        assert defect.peak >= np.float32(0.8)
