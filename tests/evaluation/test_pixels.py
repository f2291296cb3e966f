import math
from itertools import pairwise

import cv2
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from sightline.errors import FrameError
from sightline.evaluation import pixels
from sightline.evaluation.pixels import PixelTally, area_up_to
from sightline.evaluation.results import PixelMetrics
from sightline.records import BoolArray, FloatArray

Pictures = list[tuple[FloatArray, BoolArray]]


def measured(pictures: Pictures) -> PixelMetrics:
    tally = PixelTally()
    for values, mask in pictures:
        tally.add(values, mask)
    metrics = tally.metrics()
    assert metrics is not None
    return metrics


def naive_aupro(pictures: Pictures, limit: float = 0.3) -> float:
    """Threshold by threshold, region by region, straight from the definition."""
    regions = []
    for index, (_, mask) in enumerate(pictures):
        count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        regions += [(index, labels == label) for label in range(1, count)]
    points = [(0.0, 0.0)]
    for threshold in np.unique([values for values, _ in pictures])[::-1]:
        marked = [values >= threshold for values, _ in pictures]
        false = np.mean(np.concatenate([m[~mask] for m, (_, mask) in zip(marked, pictures, strict=True)]))
        overlap = np.mean([np.mean(marked[index][region]) for index, region in regions])
        points.append((float(false), float(overlap)))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            area += (end - x0) * (y0 + (y0 + (end - x0) * (y1 - y0) / (x1 - x0))) / 2
    return area / limit


def random_pictures(seed: int, levels: int | None = None, shift: float = 1.0) -> Pictures:
    rng = np.random.default_rng(seed)
    pictures: Pictures = []
    for blobs in (0, 1, 3, 6):
        mask = np.zeros((24, 31), np.uint8)
        for _ in range(blobs):
            cv2.circle(mask, (int(rng.integers(31)), int(rng.integers(24))), int(rng.integers(0, 4)), 1, -1)
        values = rng.gamma(4, 1, mask.shape) + shift * mask * rng.gamma(2, 1, mask.shape)
        values = np.round(values * levels / 20) if levels else values
        pictures.append((values.astype(np.float32), mask.astype(np.bool_)))
    return pictures


def test_a_hand_worked_picture() -> None:
    mask = np.array([[1, 1, 0, 0], [0, 0, 0, 1]], np.bool_)  # regions of 2 pixels and 1 pixel, 5 good pixels
    values = np.array([[9, 5, 7, 1], [1, 1, 1, 5]], np.float32)
    metrics = measured([(values, mask)])
    # >= 9: 1 defective; >= 7: and 1 good; >= 5: and 2 defective; >= 1: and 4 good
    assert metrics.auroc == pytest.approx((5 + 4 + 4) / 15)
    assert metrics.average_precision == pytest.approx(1 / 3 + 2 / 3 * 3 / 4)
    # overlap 1/4 at rate 0, 1/4 at 0.2, 1 at 0.2, 1 up to 0.3
    assert metrics.aupro == pytest.approx((0.2 * 0.25 + 0.1 * 1) / 0.3)
    assert metrics.pictures == 1


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    mask = np.zeros((5, 5), np.bool_)
    mask[0, 0] = mask[1, 1] = mask[4, 4] = True  # two regions; were the corner not a bridge, three
    values = np.zeros((5, 5), np.float32)
    values[4, 4] = 1
    # overlap 1/2 at rate 0, then in a straight line to (1, 1)
    assert measured([(values, mask)]).aupro == pytest.approx(0.575)


def test_every_region_weighs_the_same_whatever_its_size() -> None:
    mask = np.zeros((4, 40), np.bool_)
    mask[:, :10] = True  # 40 pixels, found
    mask[0, 20] = True  # 1 pixel, not found
    values = np.zeros((4, 40), np.float32)
    values[:, :10] = 1
    # overlap 1/2 at rate 0, then in a straight line to (1, 1): the mean height over 0..0.3 is 1/2 + 0.15/2
    assert measured([(values, mask)]).aupro == pytest.approx(0.575)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("levels", [8, 300], ids=["many ties", "few ties"])
def test_figures_are_exact_on_scores_that_the_histogram_tells_apart(seed: int, levels: int) -> None:
    pictures = random_pictures(seed, levels)
    truth = np.concatenate([mask.ravel() for _, mask in pictures])
    scores = np.concatenate([values.ravel() for values, _ in pictures])
    metrics = measured(pictures)
    assert metrics.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert metrics.average_precision == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert metrics.aupro == pytest.approx(naive_aupro(pictures), abs=1e-12)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [(1, 0), (1e-6, 0), (1, -8), (-1, 0), (1e-3, 1)],
    ids=["distances", "tiny", "around zero", "negative", "within one percent"],
)
def test_auroc_of_any_scores_is_exact_to_1e_4(scale: float, offset: float) -> None:
    pictures = [((scale * v + offset).astype(np.float32), mask) for v, mask in random_pictures(7)]
    truth = np.concatenate([mask.ravel() for _, mask in pictures])
    scores = np.concatenate([values.ravel() for values, _ in pictures])
    metrics = measured(pictures)
    assert metrics.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-4)
    assert metrics.aupro == pytest.approx(naive_aupro(pictures), abs=1e-4)


@pytest.mark.parametrize(("shift", "expected"), [(1e3, 1.0), (-1e3, 0.0)], ids=["perfect", "upside down"])
def test_the_ends_of_the_scale(shift: float, expected: float) -> None:
    pictures = [(v + np.float32(shift) * m, m) for v, m in random_pictures(3)]
    metrics = measured([(v.astype(np.float32), m) for v, m in pictures])
    assert metrics.auroc == pytest.approx(expected)
    assert metrics.aupro == pytest.approx(expected, abs=1e-9)


def test_zero_and_minus_zero_are_one_score() -> None:
    values = np.array([[0.0, -0.0]], np.float32)
    assert measured([(values, np.array([[True, False]]))]).auroc == 0.5
    assert measured([(values, np.array([[False, True]]))]).auroc == 0.5


def test_the_map_is_brought_to_the_size_of_the_mask_with_half_pixel_centres() -> None:
    values = np.array([[0, 1]], np.float32)  # over four columns: 0, 0.25, 0.75, 1
    mask = np.array([[False, True, False, True]])
    assert measured([(values, mask)]).auroc == 3 / 4  # 0.25 loses to 0.75, the other three pairs are won


def test_a_large_picture_is_measured_on_a_coarser_grid_that_loses_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "MAX_PIXELS", 5000)
    mask = np.zeros((200, 400), np.bool_)  # on a grid of 50 x 100
    mask[7, 13] = mask[199, 399] = mask[100:140, 200:280] = True
    metrics = measured([(np.random.default_rng(0).random((20, 40), np.float32), mask)])
    assert metrics.aupro is not None
    cells = pixels._reduced(mask)
    assert cells.shape == (50, 100)
    assert cv2.connectedComponents(cells.view(np.uint8))[0] - 1 == 3
    assert np.count_nonzero(cells) == 2 + 10 * 20


@pytest.mark.parametrize("shape", [(1, 30_000), (30_000, 1), (2, 9_000), (101, 103)])
def test_a_picture_of_any_shape_is_brought_under_the_cap(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "MAX_PIXELS", 5000)
    mask = np.zeros(shape, np.bool_)
    mask[-1, -1] = True
    cells = pixels._reduced(mask)
    assert 0 < cells.size <= 5000
    assert cells[-1, -1]
    assert np.count_nonzero(cells) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_map_that_is_not_finite_is_refused_by_name_and_not_counted(value: float) -> None:
    tally = PixelTally()
    mask = np.ones((2, 2), np.bool_)
    with pytest.raises(FrameError, match=r"^part7\.png: the anomaly map"):
        tally.add(np.array([[1, value]], np.float32), mask, "part7.png")
    assert tally.metrics() is None


def test_good_pictures_alone_have_no_pixel_figures() -> None:
    tally = PixelTally()
    tally.add(np.ones((2, 2), np.float32), np.zeros((4, 4), np.bool_))
    assert tally.metrics() is None


def test_a_picture_that_is_defect_all_over_has_no_figures_by_itself() -> None:
    metrics = measured([(np.ones((2, 2), np.float32), np.ones((4, 4), np.bool_))])
    assert (metrics.auroc, metrics.average_precision, metrics.aupro) == (None, None, None)


@pytest.mark.parametrize(
    ("x", "y", "area"),
    [
        pytest.param([1.0], [1.0], 0.045, id="one point far beyond the limit"),
        pytest.param([0.0, 1.0], [1.0, 1.0], 0.3, id="straight up, then along"),
        pytest.param([0.3, 1.0], [1.0, 1.0], 0.15, id="a point at the limit"),
        pytest.param([0.3], [1.0], 0.15, id="ends at the limit"),
        pytest.param([0.1, 0.5, 1.0], [0.4, 0.8, 1.0], 0.02 + 0.2 * 0.5, id="cut between two points"),
    ],
)
def test_the_area_stops_at_the_limit(x: list[float], y: list[float], area: float) -> None:
    assert area_up_to(np.array(x), np.array(y), 0.3) == pytest.approx(area)
