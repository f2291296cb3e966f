"""PatchCore's prior on position: the sum defined by hand, calibrated fold by fold, and a part in the wrong place."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from sightline.models import pools
from sightline.models.backbone import Backbone
from sightline.models.detector import FittedDetector
from sightline.models.features import FeatureConfig, fit_features
from sightline.models.folds import folds_of
from sightline.models.gaussians import RIDGE
from sightline.models.patchcore import PatchCoreConfig, fit
from sightline.models.window import Prior
from sightline.records import Frame

MakeMap = Callable[[NDArray[Any]], NDArray[np.float64]]
Doubles = NDArray[np.float64]
SMALL = FeatureConfig(height=64, width=96, dimensions=8)  # 8 x 12 patches
WHOLE = PatchCoreConfig(bank_fraction=1, bank_limits=(1, 10**6), seed=3)  # every patch is kept


def distances(frame: Doubles, good: Doubles) -> Doubles:
    """(2, P): from each patch to the nearest of the good frames' (n, P, D), and to its place's Gaussian."""
    nearest = cdist(frame, good.reshape(-1, good.shape[2])).min(axis=1)
    mean = good.mean(axis=0)
    covariance = np.einsum("npd,npe->pde", good - mean, good - mean) / len(good)
    dimensions = good.shape[2]
    covariance += RIDGE * np.trace(covariance, axis1=1, axis2=2).mean() / dimensions * np.eye(dimensions)
    delta = frame - mean
    place = np.sqrt(np.einsum("pd,pde,pe->p", delta, np.linalg.inv(covariance), delta))
    return np.stack([nearest, place])


@pytest.fixture(scope="module")
def patches(patchy: Backbone, parts: list[Frame]) -> Doubles:
    """(n, P, D) of the good parts."""
    features = fit_features(parts, patchy, SMALL)
    return np.stack(list(features.extract(parts, range(len(parts))))).astype(np.float64)


@pytest.fixture(scope="module")
def fitted(patchy: Backbone, parts: list[Frame]) -> FittedDetector:
    return fit(parts, patchy, SMALL, WHOLE)


@pytest.fixture(scope="module")
def calibrated(patches: Doubles) -> Doubles:
    """(n, 2, P) distances of each part by what was learnt from the other folds alone."""
    found = np.empty((len(patches), 2, patches.shape[1]))
    for members in folds_of(len(patches), 5, 3):
        others = np.delete(patches, members, axis=0)
        for member in members:
            found[member] = distances(patches[member], others)
    return found


def prior_of(fitted: FittedDetector) -> Prior:
    assert fitted.memory is not None
    assert fitted.memory.prior is not None
    return fitted.memory.prior


def test_each_distance_is_weighed_by_its_spread_over_good_patches_and_a_usual_one_scores_one(
    fitted: FittedDetector, calibrated: Doubles
) -> None:
    weights = np.array(prior_of(fitted).weights)
    spread = calibrated.std(axis=(0, 2))
    assert weights * spread == pytest.approx(np.full(2, (weights * spread).mean()), rel=1e-2)
    assert (weights[:, None] * calibrated).sum(axis=1).mean() == pytest.approx(1, rel=1e-2)


def test_the_score_is_the_weighted_sum_of_both_distances(
    patchy: Backbone,
    parts: list[Frame],
    scratched: Frame,
    fitted: FittedDetector,
    patches: Doubles,
    map_in_float64: MakeMap,
) -> None:
    (seen,) = fit_features(parts, patchy, SMALL).extract([scratched], [0])
    nearest, place = prior_of(fitted).weights
    to_bank, to_place = distances(seen.astype(np.float64), patches)
    expected = map_in_float64((nearest * to_bank + place * to_place).reshape(8, 12))
    anomaly = fitted.detector().score(scratched)
    np.testing.assert_allclose(anomaly.values, expected, rtol=5e-3, atol=1e-3)
    assert anomaly.score == anomaly.values.max()


def test_each_frame_is_calibrated_by_neither_its_own_patches_in_the_bank_nor_those_in_the_gaussians(
    fitted: FittedDetector, calibrated: Doubles, map_in_float64: MakeMap
) -> None:
    weights = np.array(prior_of(fitted).weights)
    sums = (weights[:, None] * calibrated).sum(axis=1)
    expected = [map_in_float64(one.reshape(8, 12)).max() for one in sums]
    np.testing.assert_allclose(fitted.good_scores, expected, rtol=5e-3)


def test_the_prior_knows_every_frame_once(fitted: FittedDetector, patches: Doubles) -> None:
    moments = prior_of(fitted).moments
    assert moments.count == len(patches)
    np.testing.assert_allclose(moments.total, patches.sum(axis=0), atol=1e-3)
    np.testing.assert_allclose(moments.squares, np.einsum("npd,npe->pde", patches, patches), rtol=1e-3, atol=1e-2)


def test_without_the_prior_nothing_of_it_is_kept(patchy: Backbone, parts: list[Frame]) -> None:
    plain = fit(parts, patchy, SMALL, replace(WHOLE, position_prior=False))
    assert plain.memory is not None
    assert plain.memory.prior is None
    assert plain.settings["position_prior"] is False


def test_with_little_memory_too_the_prior_knows_every_frame_once(
    patchy: Backbone, parts: list[Frame], patches: Doubles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "MOST_WHOLE", 500)  # of 1,152
    reduced = fit(parts, patchy, SMALL, replace(WHOLE, bank_limits=(20, 20)))
    assert reduced.settings["reduced_first"] == 1
    assert prior_of(reduced).moments.count == len(parts)
    np.testing.assert_allclose(prior_of(reduced).moments.total, patches.sum(axis=0), atol=1e-3)


def with_hole(seed: int, column: int) -> Frame:
    """A rough surface with a hole of 16 x 16 px, at whole cells."""
    pixels = np.random.default_rng(seed).normal(120, 4, (64, 96, 3))
    pixels[32:48, column : column + 16] = 20
    return Frame(pixels=pixels.clip(0, 255).astype(np.uint8))


def test_a_hole_in_the_wrong_place_is_found_with_the_prior_and_missed_without(patchy: Backbone) -> None:
    good = [with_hole(seed, 16) for seed in range(20)]
    moved = with_hole(100, 64)
    config = replace(WHOLE, bank_limits=(200, 200))
    by_both, by_bank = (
        fit(good, patchy, SMALL, replace(config, position_prior=position_prior)) for position_prior in (True, False)
    )
    assert by_both.detector().score(moved).score > 2 * by_both.good_scores.max()
    assert by_bank.detector().score(moved).score < 1.2 * by_bank.good_scores.max()
    assert by_both.detector().score(with_hole(101, 16)).score < 1.2 * by_both.good_scores.max()
