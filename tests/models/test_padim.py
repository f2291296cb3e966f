"""PaDiM: the graph's Mahalanobis distances and the closed-form leave-one-out are those of the definition."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.models.backbone import Backbone
from sightline.models.features import FeatureConfig, fit_features
from sightline.models.padim import fit
from sightline.records import Frame

MakeMap = Callable[[NDArray[Any]], NDArray[np.float64]]
DoubleArray = NDArray[np.float64]
SMALL = FeatureConfig(height=64, width=96, dimensions=8)


def ridge_of(x: DoubleArray) -> float:
    """A hundredth of a feature's mean variance, over positions and dimensions; x is (n, P, D)."""
    return 0.01 * float(x.var(axis=0, ddof=1).mean())


def mahalanobis(frame: DoubleArray, good: DoubleArray, ridge: float) -> DoubleArray:
    """(P,) by the definition, eq. 1 and 2: numpy's covariance per position, inverted; good is (n, P, D)."""
    distances = np.empty(frame.shape[0])
    for position in range(frame.shape[0]):
        covariance = np.cov(good[:, position], rowvar=False) + ridge * np.eye(frame.shape[1])
        delta = frame[position] - good[:, position].mean(axis=0)
        distances[position] = np.sqrt(delta @ np.linalg.inv(covariance) @ delta)
    return distances


@pytest.fixture(scope="module")
def patches(patchy: Backbone, parts: list[Frame], scratched: Frame) -> DoubleArray:
    """(13, P, D): the twelve good frames, then the scratched one."""
    features = fit_features(parts, patchy, SMALL)
    return np.stack(list(features.extract([*parts, scratched], range(13)))).astype(np.float64)


def test_the_graph_computes_the_mahalanobis_distance(
    patchy: Backbone, parts: list[Frame], scratched: Frame, patches: DoubleArray, map_in_float64: MakeMap
) -> None:
    fitted = fit(parts, patchy, SMALL)
    ridge = ridge_of(patches[:12])
    assert fitted.settings["ridge"] == pytest.approx(ridge, rel=1e-6)
    detector = fitted.detector()
    for frame, x in ((scratched, patches[12]), (parts[0], patches[0])):
        expected = map_in_float64(mahalanobis(x, patches[:12], ridge).reshape(8, 12))
        np.testing.assert_allclose(detector.score(frame).values, expected, rtol=1e-4)


@pytest.mark.parametrize("count", [5, 12])
def test_calibration_is_that_of_as_many_fits_each_without_one_frame(
    patchy: Backbone, parts: list[Frame], map_in_float64: MakeMap, count: int
) -> None:
    frames = parts[:count]
    features = fit_features(frames, patchy, SMALL)
    x = np.stack(list(features.extract(frames, range(count)))).astype(np.float64)
    ridge = ridge_of(x)
    expected = [
        map_in_float64(mahalanobis(x[i], np.delete(x, i, axis=0), ridge).reshape(8, 12)).max() for i in range(count)
    ]
    fitted = fit(frames, patchy, SMALL)
    np.testing.assert_allclose(fitted.good_scores, expected, rtol=1e-4)
    assert fitted.calibration == f"exact leave-one-out over all {count} good images"


def test_a_frame_unlike_all_others_has_a_high_calibration_score_though_it_is_in_the_gaussians(
    patchy: Backbone, parts: list[Frame], scratched: Frame
) -> None:
    fitted = fit([*parts, scratched], patchy, SMALL)
    assert fitted.good_scores.argmax() == 12
    assert fitted.good_scores[12] > 2 * fitted.good_scores[:12].max()
    assert fitted.detector().score(scratched).score < 0.5 * fitted.good_scores[12]


def test_frames_that_are_all_the_same_still_give_finite_scores(patchy: Backbone, parts: list[Frame]) -> None:
    fitted = fit([parts[0]] * 5, patchy, SMALL)
    assert np.isfinite(fitted.good_scores).all()
    assert np.isfinite(fitted.detector().score(parts[1]).score)


def test_progress_tells_of_every_pass(patchy: Backbone, parts: list[Frame]) -> None:
    told: list[tuple[str, int, int]] = []
    fit(parts, patchy, SMALL, lambda *state: told.append(state))
    last = {stage: (done, total) for stage, done, total in told}
    assert last == {"projection": (12, 12), "features": (12, 12), "calibration": (12, 12)}
