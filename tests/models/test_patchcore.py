"""PatchCore: the graph's distances are the true ones, and no frame is calibrated by its own patches."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from sightline.errors import OptionError
from sightline.models.backbone import Backbone, load_backbone
from sightline.models.detector import FittedDetector
from sightline.models.features import FeatureConfig, Features, fit_features
from sightline.models.folds import folds_of
from sightline.models.patchcore import PatchCoreConfig, fit
from sightline.records import FloatArray, Frame

MakeMap = Callable[[NDArray[Any]], NDArray[np.float64]]
SMALL = FeatureConfig(height=64, width=96, dimensions=8)  # 8 x 12 patches
# every patch is kept, and nothing but the distance to the nearest counts
WHOLE = PatchCoreConfig(bank_fraction=1, bank_limits=(1, 10**6), position_prior=False)


def all_patches(features: Features, frames: list[Frame]) -> list[FloatArray]:
    return list(features.extract(frames, range(len(frames))))


def nearest(patches: FloatArray, bank: FloatArray) -> NDArray[np.float64]:
    """Brute force in float64."""
    distances: NDArray[np.float64] = cdist(patches.astype(np.float64), bank.astype(np.float64)).min(axis=1)
    return distances


@pytest.fixture(scope="module")
def keeping_all(patchy: Backbone, parts: list[Frame]) -> FittedDetector:
    return fit(parts, patchy, SMALL, WHOLE)


def test_the_graph_finds_the_nearest_of_all_good_patches(
    patchy: Backbone, parts: list[Frame], scratched: Frame, keeping_all: FittedDetector, map_in_float64: MakeMap
) -> None:
    features = fit_features(parts, patchy, SMALL)
    bank = np.concatenate(all_patches(features, parts))
    (patches,) = all_patches(features, [scratched])
    expected = map_in_float64(nearest(patches, bank).reshape(8, 12))
    anomaly = keeping_all.detector().score(scratched)
    np.testing.assert_allclose(anomaly.values, expected, atol=1e-4)
    assert anomaly.score == pytest.approx(expected.max(), abs=1e-4)


def test_more_patches_than_one_block_holds_are_all_compared(
    patchy: Backbone, parts: list[Frame], scratched: Frame, map_in_float64: MakeMap
) -> None:
    size = FeatureConfig(height=192, width=272, dimensions=8)  # 24 x 34 = 816 patches: not whole blocks
    features = fit_features(parts[:5], patchy, size)
    bank = np.concatenate(all_patches(features, parts[:5]))
    (patches,) = all_patches(features, [scratched])
    expected = map_in_float64(nearest(patches, bank).reshape(24, 34))
    values = fit(parts[:5], patchy, size, WHOLE).detector().score(scratched).values
    np.testing.assert_allclose(values, expected, atol=1e-4)


def test_a_frame_all_of_whose_patches_are_kept_is_as_good_as_its_own_copy(
    parts: list[Frame], keeping_all: FittedDetector
) -> None:
    # not exactly zero: |x|^2 + |b|^2 - 2 x b in float32 leaves the root of its rounding
    assert keeping_all.detector().score(parts[3]).score < 1e-2 * keeping_all.good_scores.min()


@pytest.mark.parametrize("folds", [2, 5, 12])
def test_each_frame_is_calibrated_by_the_patches_of_the_other_folds_alone(
    patchy: Backbone, parts: list[Frame], map_in_float64: MakeMap, folds: int
) -> None:
    config = replace(WHOLE, folds=folds, seed=3)
    patches = all_patches(fit_features(parts, patchy, SMALL), parts)
    expected = np.empty(len(parts))
    for members in folds_of(len(parts), folds, 3):
        others = np.concatenate([patches[i] for i in range(len(parts)) if i not in members])
        for member in members:
            expected[member] = map_in_float64(nearest(patches[member], others).reshape(8, 12)).max()
    fitted = fit(parts, patchy, SMALL, config)
    np.testing.assert_allclose(fitted.good_scores, expected, atol=1e-4)
    assert fitted.calibration == f"{folds}-fold cross-calibration over all 12 good images"


def test_a_frame_unlike_all_others_has_a_high_calibration_score_though_its_patches_are_in_the_bank(
    patchy: Backbone, parts: list[Frame], scratched: Frame
) -> None:
    frames = [*parts[:4], scratched, *parts[4:]]
    fitted = fit(frames, patchy, SMALL, WHOLE)
    odd = fitted.good_scores[4]
    assert fitted.good_scores.argmax() == 4
    assert odd > 2 * np.delete(fitted.good_scores, 4).max()
    assert fitted.detector().score(scratched).score < 0.01 * odd  # in the bank, so by the final model it is normal


@pytest.mark.parametrize(
    ("fraction", "limits", "expected"),
    [
        pytest.param(0.1, (1, 1000), 115, id="the share asked for: 10 % of 12 x 96"),
        pytest.param(0.1, (200, 1000), 200, id="at least"),
        pytest.param(0.1, (1, 50), 50, id="at most"),
        pytest.param(0.01, (10**6, 10**6), 1152, id="never more than there are"),
    ],
)
def test_the_bank_has_the_size_asked_for(
    patchy: Backbone, parts: list[Frame], fraction: float, limits: tuple[int, int], expected: int
) -> None:
    fitted = fit(parts, patchy, SMALL, PatchCoreConfig(bank_fraction=fraction, bank_limits=limits))
    assert fitted.settings["bank"] == expected
    assert fitted.settings["patches"] == 12 * 96
    assert fitted.settings["reduced_first"] == 0


@pytest.fixture(scope="module")
def ample_and_tight(
    network: Callable[..., onnx.ModelProto],
    part: Callable[..., Frame],
    scratched: Frame,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[FittedDetector]:
    """The same fit with 2 GiB and with 64 MiB: 22 x 64 x 64 patches of 64 numbers, a copy and the choice, are 79 MB."""
    path = tmp_path_factory.mktemp("fine") / "fine.onnx"
    onnx.save(network((4, 8)), path)
    size = FeatureConfig(height=256, width=256, dimensions=64)
    frames = [*(part(seed) for seed in range(21)), scratched]
    config = PatchCoreConfig(bank_limits=(30, 30), folds=2, position_prior=False)
    return [
        fit(frames, load_backbone(path), size, replace(config, memory_bytes=memory))
        for memory in (2 * 2**30, 64 * 2**20)
    ]


def test_little_memory_gives_a_bank_of_the_same_size_and_much_the_same_scores(
    ample_and_tight: list[FittedDetector], scratched: Frame
) -> None:
    ample, tight = ample_and_tight
    assert (ample.settings["reduced_first"], tight.settings["reduced_first"]) == (0, 1)
    assert ample.settings["bank"] == tight.settings["bank"] == 30
    # a choice from choices could cover a few times worse (Indyk et al. 2014); here it is a fifth
    np.testing.assert_allclose(np.sort(tight.good_scores), np.sort(ample.good_scores), rtol=0.3)
    assert np.median(tight.good_scores) == pytest.approx(np.median(ample.good_scores), rel=0.25)
    assert tight.detector().score(scratched).score == pytest.approx(ample.detector().score(scratched).score, rel=0.15)


def test_with_little_memory_too_an_odd_frame_is_calibrated_without_its_own_patches(
    ample_and_tight: list[FittedDetector], scratched: Frame
) -> None:
    for fitted in ample_and_tight:
        assert fitted.good_scores[-1] > 2 * fitted.good_scores[:-1].max()
        assert fitted.detector().score(scratched).score < 0.5 * fitted.good_scores[-1]


def test_a_bank_that_the_memory_cannot_hold_is_refused_in_the_users_terms(patchy: Backbone, parts: list[Frame]) -> None:
    size = FeatureConfig(height=128, width=256, dimensions=1024)
    config = PatchCoreConfig(bank_limits=(6000, 6000), memory_bytes=64 * 2**20)
    with pytest.raises(
        OptionError, match=r"^memory 64 MiB is too little for a bank of 6000 patches of 1024 dimensions"
    ):
        fit(parts, patchy, size, config)


def test_another_seed_deals_other_folds(patchy: Backbone, parts: list[Frame], keeping_all: FittedDetector) -> None:
    other = fit(parts, patchy, SMALL, replace(WHOLE, seed=1))
    assert not np.array_equal(other.good_scores, keeping_all.good_scores)


def test_progress_tells_of_every_bank(patchy: Backbone, parts: list[Frame]) -> None:
    told: list[tuple[str, int, int]] = []
    fit(parts, patchy, SMALL, PatchCoreConfig(bank_limits=(20, 20), folds=2), lambda *state: told.append(state))
    last = {stage: (done, total) for stage, done, total in told}
    assert last == {
        "projection": (12, 12),
        "features": (12, 12),
        "calibration bank 1/2": (20, 20),
        "calibration bank 2/2": (20, 20),
        "bank": (40, 40),  # twice the bank is remembered
    }


@pytest.mark.parametrize("sides", [(90, 120), (60, 300), (200, 64)], ids=str)
def test_with_one_scale_for_all_shapes_map_and_score_keep_the_working_size(
    patchy: Backbone, part: Callable[..., Frame], sides: tuple[int, int]
) -> None:
    frames = [part(seed, *shape) for seed, shape in enumerate([(90, 120), (60, 300), (200, 64)] * 4)]
    size = FeatureConfig(height=64, width=64, scale=0.7, dimensions=8)
    fitted = fit(frames, patchy, size, PatchCoreConfig(bank_limits=(60, 60)))
    anomaly = fitted.detector().score(part(50, *sides))
    assert anomaly.values.shape == (64, 64)
    assert anomaly.score == anomaly.values.max()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: PatchCoreConfig(bank_fraction=0), "make no bank"),
        (lambda: PatchCoreConfig(bank_fraction=1.5), "make no bank"),
        (lambda: PatchCoreConfig(bank_fraction=float("nan")), "make no bank"),
        (lambda: PatchCoreConfig(bank_limits=(0, 10)), "make no bank"),
        (lambda: PatchCoreConfig(bank_limits=(20, 10)), "make no bank"),
        (lambda: PatchCoreConfig(memory_bytes=2**20), "memory 1 MiB is too little"),
    ],
    ids=["fraction 0", "fraction over 1", "fraction nan", "limit 0", "limits crossed", "memory"],
)
def test_a_configuration_that_makes_no_bank_is_refused(make: Callable[[], object], expected: str) -> None:
    with pytest.raises(OptionError, match=expected):
        make()


def test_a_single_fold_is_refused(patchy: Backbone, parts: list[Frame]) -> None:
    with pytest.raises(OptionError, match="1 folds cannot calibrate"):
        fit(parts, patchy, SMALL, replace(WHOLE, folds=1))


@pytest.mark.parametrize(("count", "folds"), [(5, 5), (5, 9), (12, 5), (101, 5), (7, 2)])
def test_folds_hold_every_frame_once_and_differ_by_one_at_most(count: int, folds: int) -> None:
    dealt = folds_of(count, folds, seed=4)
    assert sorted(chain.from_iterable(dealt)) == list(range(count))
    assert len(dealt) == min(count, folds)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert dealt == folds_of(count, folds, seed=4)
