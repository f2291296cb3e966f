"""Overlap of outlines: counted over pixels, for each class, and for single defects by size; worked out by hand."""

import numpy as np
import pytest

from sightline.evaluation.overlap import OverlapTally


def classes(**regions: tuple[slice, slice, int]) -> np.ndarray:
    picture = np.zeros((20, 20), np.uint8)
    for rows, columns, place in regions.values():
        picture[rows, columns] = place
    return picture


def test_known_answers_over_two_pictures() -> None:
    tally = OverlapTally(("crack", "dent"))
    true = classes(a=(slice(0, 4), slice(0, 5), 1), b=(slice(10, 20), slice(10, 20), 2))
    found = classes(a=(slice(0, 4), slice(0, 5), 2), b=(slice(10, 20), slice(10, 15), 2))
    tally.add(found, true)
    tally.add(None, np.zeros((20, 20), np.uint8))
    overlap = tally.overlap()
    assert overlap is not None
    assert overlap.pooled.iou == pytest.approx(70 / 120)
    assert overlap.pooled.dice == pytest.approx(140 / 190)
    assert overlap.background_iou == pytest.approx(680 / 730)
    assert overlap.mean_iou == pytest.approx((70 / 120 + 680 / 730) / 2)
    assert overlap.picture_iou == pytest.approx(70 / 120)
    assert [one.iou for one in overlap.classes] == [0.0, pytest.approx(50 / 120)]
    assert [(one.from_px, one.recall.count, one.recall.total) for one in overlap.instances] == [(0, 1, 1), (8, 1, 1)]


def test_a_defect_of_which_too_little_is_outlined_is_not_found() -> None:
    tally = OverlapTally(("crack",))
    tally.add(classes(a=(slice(0, 2), slice(0, 10), 1)), classes(a=(slice(0, 10), slice(0, 10), 1)))
    overlap = tally.overlap()
    assert overlap is not None
    assert overlap.instances[0].recall.count == 0
    assert overlap.instances[0].recall.high is not None


def test_outlines_of_a_coarser_grid_are_brought_to_the_pictures_size() -> None:
    tally = OverlapTally(("crack",))
    tally.add(np.array([[1, 0], [0, 0]], np.uint8), classes(a=(slice(0, 10), slice(0, 10), 1)))
    overlap = tally.overlap()
    assert overlap is not None
    assert overlap.pooled.iou == 1.0


def test_without_a_defect_there_is_nothing_to_say() -> None:
    tally = OverlapTally(("crack",))
    tally.add(None, np.zeros((4, 4), np.uint8))
    assert tally.overlap() is None
