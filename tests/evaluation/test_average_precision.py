"""Average precision, by hand and beside pycocotools."""

import numpy as np
import pytest

from sightline.evaluation.average_precision import LEVELS, average_precision, figures, overlaps
from sightline.records import Boxes


def boxes(*rows: tuple[float, float, float, float, int, float]) -> Boxes:
    """Each row: left, top, right, bottom, class, confidence."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Boxes(corners=table[:, :4], classes=table[:, 4].astype(np.int64), confidences=table[:, 5])


SQUARE = (0.0, 0.0, 10.0, 10.0)
FAR = (50.0, 50.0, 60.0, 60.0)


def test_overlap_is_the_share_of_the_union() -> None:
    found = overlaps(np.array([SQUARE, (3, 3, 3, 3)], np.float32), np.array([(5, 0, 15, 10), FAR], np.float32))
    assert found[0] == pytest.approx([1 / 3, 0])
    assert found[1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(boxes((*SQUARE, 0, 0.9)), 1.0, id="found"),
        pytest.param(boxes(), 0.0, id="nothing"),
        pytest.param(boxes((*SQUARE, 1, 0.9)), 0.0, id="another class"),
        pytest.param(boxes((*SQUARE, 0, 0.5), (*FAR, 0, 0.9)), 0.5, id="a surer one is wrong"),
        pytest.param(boxes((*SQUARE, 0, 0.9), (*SQUARE, 0, 0.8), (*FAR, 0, 0.1)), 1.0, id="doubles after it"),
    ],
)
def test_one_box_to_find(found: Boxes, expected: float) -> None:
    precisions = average_precision([boxes((*SQUARE, 0, 1))], [found], 2, [0.5])
    assert precisions.values[0, 0] == pytest.approx(expected)
    assert np.isnan(precisions.values[0, 1])
    assert precisions.mean == pytest.approx(expected)


def test_half_of_the_boxes_without_a_wrong_one_are_half_the_area() -> None:
    truth = boxes((*SQUARE, 0, 1), (*FAR, 0, 1))
    precisions = average_precision([truth], [boxes((*SQUARE, 0, 0.9))], 1, [0.5])
    assert precisions.at(0) == pytest.approx(51 / 101)  # recalls 0, 0.01, ..., 0.5


def test_no_true_box_at_all_has_no_precision() -> None:
    assert average_precision([boxes()], [boxes((*SQUARE, 0, 0.9))], 1).mean == 0


def test_precision_and_recall_count_the_boxes_that_reach_their_class_limit() -> None:
    truths = [boxes((*SQUARE, 0, 1), (*FAR, 1, 1)), boxes()]
    found = [boxes((*SQUARE, 0, 0.5), (*FAR, 1, 0.4)), boxes((*SQUARE, 0, 0.7), (*FAR, 0, 0.2))]
    precisions = average_precision(truths, found, 2)
    shown = figures(["a", "b"], truths, found, [0.5, 0.5], precisions, "hand")
    first, second = shown.classes
    assert (first.boxes, first.precision.count, first.precision.total, first.recall.value) == (1, 1, 2, 1.0)
    assert (second.precision.total, second.recall.value, second.ap50) == (0, 0.0, 1.0)
    assert (shown.by, len(LEVELS)) == ("hand", 10)


def crowd(rng: np.random.Generator, count: int, *, sure: bool) -> Boxes:
    """Boxes on a coarse grid, so that many overlap, and confidences with ties."""
    low = rng.integers(0, 12, (count, 2)) * 5
    corners = np.concatenate([low, low + rng.integers(1, 6, (count, 2)) * 5], axis=1).astype(np.float32)
    confidences = np.ones(count) if sure else rng.integers(1, 20, count) / 20
    return Boxes(corners=corners, classes=rng.integers(0, 3, count), confidences=confidences.astype(np.float32))


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_pycocotools_on_random_boxes(seed: int) -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed: pip install 'sightline[train]'")
    from sightline.evaluation.coco_precision import coco_precision

    rng = np.random.default_rng(seed)
    truths = [crowd(rng, int(rng.integers(0, 12)), sure=True) for _ in range(12)]
    found = [crowd(rng, int(rng.integers(0, 400 if seed == 0 else 30)), sure=False) for _ in range(12)]
    ours, theirs = average_precision(truths, found, 4), coco_precision(truths, found, 4)
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-9)
    assert ours.mean == pytest.approx(theirs.mean)


def test_pycocotools_takes_pictures_in_which_nothing_was_found() -> None:
    pytest.importorskip("pycocotools", reason="pycocotools is not installed: pip install 'sightline[train]'")
    from sightline.evaluation.coco_precision import coco_precision

    assert coco_precision([boxes((*SQUARE, 0, 1))], [boxes()], 1).values.tolist() == [[0.0]] * 10
