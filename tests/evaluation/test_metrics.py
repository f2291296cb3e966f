import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from sightline.errors import FrameError
from sightline.evaluation.metrics import image_metrics, pr_curve, reach, recall_at_overkill, roc_curve

Floats = list[float]

# by hand: pairs won (ties half) over all pairs; sum of (gain in recall) x precision; best F1 at its threshold
BY_HAND = [
    pytest.param([1, 2], [3, 4], 1.0, 1.0, 1.0, 3.0, id="separated"),
    pytest.param([3, 4], [1, 2], 0.0, 0.5 * (1 / 3) + 0.5 * (2 / 4), 2 * 2 / 6, 1.0, id="the wrong way round"),
    pytest.param([5, 5], [5, 5], 0.5, 0.5, 2 / 3, 5.0, id="all tied"),
    pytest.param([1, 3], [2, 3], 0.625, 0.5 * 0.5 + 0.5 * (2 / 3), 0.8, 2.0, id="one tie across the kinds"),
    pytest.param([0], [0, 1], 0.75, 0.5 * 1 + 0.5 * (2 / 3), 0.8, 0.0, id="equality with the only good one"),
]


@pytest.mark.parametrize(("good", "defects", "auroc", "ap", "f1", "threshold"), BY_HAND)
def test_hand_worked_figures(
    good: Floats, defects: Floats, auroc: float, ap: float, f1: float, threshold: float
) -> None:
    metrics = image_metrics(good, defects)
    assert metrics.auroc == pytest.approx(auroc)
    assert metrics.average_precision == pytest.approx(ap)
    assert metrics.best_f1 == pytest.approx(f1)
    assert metrics.best_f1_threshold == threshold


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("levels", [5, 40, None], ids=["many ties", "some ties", "no ties"])
def test_figures_and_curves_agree_with_scikit_learn(seed: int, levels: int | None) -> None:
    rng = np.random.default_rng(seed)
    good, defects = rng.normal(0, 1, 60), rng.normal(1, 1, 30)
    if levels:
        good, defects = np.round(good * levels / 6), np.round(defects * levels / 6)
    truth, scores = np.repeat([0, 1], [60, 30]), np.concatenate([good, defects])

    metrics = image_metrics(good, defects)
    assert metrics.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert metrics.average_precision == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert metrics.best_f1_threshold is not None
    assert metrics.best_f1 == pytest.approx(f1_score(truth, scores >= metrics.best_f1_threshold))
    assert metrics.best_f1 == pytest.approx(max(f1_score(truth, scores >= score) for score in np.unique(scores)))

    precision, recall, thresholds = precision_recall_curve(truth, scores)
    pr = pr_curve(good, defects)
    np.testing.assert_allclose(pr.precision[::-1], precision[:-1])  # theirs ends with a point without threshold
    np.testing.assert_allclose(pr.recall[::-1], recall[:-1])
    np.testing.assert_allclose(pr.thresholds[::-1], thresholds)

    overkill, caught, cuts = sklearn_roc_curve(truth, scores, drop_intermediate=False)
    roc = roc_curve(good, defects)
    np.testing.assert_allclose(roc.overkill, overkill)
    np.testing.assert_allclose(roc.recall, caught)
    np.testing.assert_allclose(roc.thresholds, cuts)


@pytest.mark.parametrize(
    ("max_overkill", "recall"),
    [
        pytest.param(0.0, 0.25, id="no good part rejected"),
        pytest.param(0.24, 0.25, id="less than one of four"),
        pytest.param(0.25, 0.75, id="exactly one of four"),
        pytest.param(1.0, 1.0, id="all of them"),
    ],
)
def test_recall_at_overkill_counts_what_reaches_the_threshold(max_overkill: float, recall: float) -> None:
    assert recall_at_overkill(reach([1, 2, 3, 7], [0, 6, 7, 9]), max_overkill) == recall


def test_a_rate_that_is_met_exactly_is_met_in_floating_point() -> None:
    good = np.arange(100)
    assert recall_at_overkill(reach(good, [71.0]), 0.29) == 1  # 71..99 are 29 of 100; 0.29 * 100 < 29


def test_no_threshold_catches_anything_when_a_good_part_scores_highest() -> None:
    assert image_metrics([9], [1, 2]).recall_at_1pct_overkill == 0


@pytest.mark.parametrize(("good", "defects"), [([1.0], []), ([], [1.0]), ([], [])])
def test_one_kind_alone_has_no_figures(good: Floats, defects: Floats) -> None:
    metrics = image_metrics(good, defects)
    assert (metrics.auroc, metrics.average_precision, metrics.best_f1, metrics.best_f1_threshold) == (None,) * 4
    assert metrics.recall_at_1pct_overkill is None


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_refused(score: float) -> None:
    with pytest.raises(FrameError, match="1 of 2 scores are NaN or infinite"):
        image_metrics([1.0, score], [2.0])
