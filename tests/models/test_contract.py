"""What every anomaly model promises."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from sightline.errors import FrameError, OptionError
from sightline.models import padim, patchcore
from sightline.models.backbone import Backbone
from sightline.models.detector import FittedDetector
from sightline.models.features import FeatureConfig, Progress
from sightline.records import Frame

Fit = Callable[..., FittedDetector]
MakePart = Callable[..., Frame]
SMALL = FeatureConfig(height=64, width=96, dimensions=8)


def fit_patchcore(
    frames: list[Frame], backbone: Backbone, config: FeatureConfig = SMALL, progress: Progress | None = None
) -> FittedDetector:
    return patchcore.fit(frames, backbone, config, patchcore.PatchCoreConfig(bank_limits=(150, 150)), progress)


def fit_padim(
    frames: list[Frame], backbone: Backbone, config: FeatureConfig = SMALL, progress: Progress | None = None
) -> FittedDetector:
    return padim.fit(frames, backbone, config, progress)


METHODS = {"patchcore": fit_patchcore, "padim": fit_padim}


@pytest.fixture(params=METHODS, scope="module")
def fit(request: pytest.FixtureRequest) -> Fit:
    return METHODS[request.param]


@pytest.fixture(scope="module")
def fitted(fit: Fit, shipped: Backbone, parts: list[Frame]) -> FittedDetector:
    """With the backbone that ships."""
    return fit(parts, shipped)


def test_a_defect_scores_above_every_good_frame_and_is_where_the_map_says(
    fitted: FittedDetector, parts: list[Frame], scratched: Frame
) -> None:
    anomaly = fitted.detector().score(scratched)
    assert anomaly.score > fitted.good_scores.max()
    assert anomaly.score > max(fitted.detector().score(frame).score for frame in parts)
    row, column = np.unravel_index(anomaly.values.argmax(), anomaly.values.shape)
    # the square at x 72..88, y 24..40 of 120 x 90, in the working size of 96 x 64; one cell and the 3 x 3 mean beside
    assert 24 * 64 / 90 - 12 <= row <= 40 * 64 / 90 + 12
    assert 72 * 96 / 120 - 12 <= column <= 88 * 96 / 120 + 12


def test_the_score_is_the_highest_value_of_the_map(fitted: FittedDetector, parts: list[Frame]) -> None:
    for frame in parts[:3]:
        anomaly = fitted.detector().score(frame)
        assert anomaly.values.shape == (64, 96)
        assert anomaly.values.dtype == np.float32
        assert anomaly.score == anomaly.values.max()


def test_there_is_one_finite_calibration_score_for_each_frame(fitted: FittedDetector, parts: list[Frame]) -> None:
    assert fitted.good_scores.shape == (len(parts),)
    assert fitted.good_scores.dtype == np.float32
    assert np.isfinite(fitted.good_scores).all()
    assert (fitted.good_scores > 0).all()


def test_the_graph_is_plain_onnx_with_the_ports_of_a_sight_file(fitted: FittedDetector) -> None:
    onnx.checker.check_model(fitted.graph, full_check=True)
    assert [port.name for port in fitted.graph.graph.input] == ["image"]
    assert [port.name for port in fitted.graph.graph.output] == ["score", "map"]
    assert {node.domain for node in fitted.graph.graph.node} <= {"", "ai.onnx"}


def test_frames_of_any_size_and_colour_are_judged(fitted: FittedDetector, part: MakePart) -> None:
    detector = fitted.detector()
    for height, width in ((64, 96), (300, 40), (31, 517), (1, 1), (7, 1200)):
        pixels = np.asarray(part(1, height, width).pixels, np.uint8)
        for frame in (Frame(pixels=pixels), Frame(pixels=pixels[:, :, :1].astype(np.uint8))):
            anomaly = detector.score(frame)
            assert np.isfinite(anomaly.score)
            assert anomaly.values.shape == (64, 96)


def test_pixels_that_do_not_lie_one_after_another_in_memory_are_read_rightly(
    fitted: FittedDetector, scratched: Frame
) -> None:
    detector = fitted.detector()
    mirrored = np.asarray(scratched.pixels, np.uint8)[:, ::-1]
    expected = detector.score(Frame(pixels=np.ascontiguousarray(mirrored)))
    assert detector.score(Frame(pixels=mirrored)).score == expected.score


def test_a_frame_of_another_depth_is_refused(fitted: FittedDetector) -> None:
    with pytest.raises(FrameError, match="has 12 bits per channel, the model was trained on 8"):
        fitted.detector().score(Frame(pixels=np.ones((64, 96, 1), np.uint16), bit_depth=12))


def test_the_same_frames_and_seed_give_the_same_bytes_and_scores(
    fit: Fit, patchy: Backbone, parts: list[Frame]
) -> None:
    one, two = fit(parts, patchy), fit(parts, patchy)
    assert one.graph.SerializeToString(deterministic=True) == two.graph.SerializeToString(deterministic=True)
    np.testing.assert_array_equal(one.good_scores, two.good_scores)
    assert one.settings == two.settings


def test_tiles_change_the_graph_and_hardly_the_scores_where_a_cell_sees_only_itself(
    fit: Fit, patchy: Backbone, parts: list[Frame], scratched: Frame
) -> None:
    whole = fit(parts, patchy, FeatureConfig(height=128, width=192, dimensions=8))
    tiled = fit(parts, patchy, FeatureConfig(height=128, width=192, dimensions=8, tile=96))
    assert len(tiled.graph.graph.node) > 2 * len(whole.graph.graph.node)
    assert tiled.detector().score(scratched).score == pytest.approx(whole.detector().score(scratched).score, rel=1e-3)
    np.testing.assert_allclose(tiled.good_scores, whole.good_scores, rtol=1e-3)


def test_sixteen_bit_frames_are_learnt_from(fit: Fit, patchy: Backbone, parts: list[Frame], scratched: Frame) -> None:
    def deep(frame: Frame) -> Frame:
        return Frame(pixels=frame.pixels.astype(np.uint16) * 257, bit_depth=16)  # white stays white

    config = FeatureConfig(height=64, width=96, dimensions=8, bit_depth=16)
    fitted = fit([deep(frame) for frame in parts], patchy, config)
    assert fitted.detector().score(deep(scratched)).score > 2 * fitted.good_scores.max()


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_frames_are_refused_with_the_least_number(
    fit: Fit, patchy: Backbone, parts: list[Frame], count: int
) -> None:
    with pytest.raises(OptionError, match=rf"^{count} good .* too few .*at least 5"):
        fit(parts[:count], patchy)


def test_five_frames_are_enough(fit: Fit, patchy: Backbone, parts: list[Frame]) -> None:
    assert len(fit(parts[:5], patchy).good_scores) == 5


def test_a_frame_that_cannot_be_used_stops_the_fit(fit: Fit, patchy: Backbone, parts: list[Frame]) -> None:
    deep = Frame(pixels=np.ones((64, 96, 1), np.uint16), bit_depth=16, source="deep.png")
    with pytest.raises(FrameError, match=r"^deep\.png: "):
        fit([*parts[:5], deep], patchy)


def test_ctrl_c_ends_a_fit_at_once(fit: Fit, patchy: Backbone, parts: list[Frame]) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(parts, patchy, SMALL, interrupt)
