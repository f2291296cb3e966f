"""Picture and depth judged together: what one of them sees is seen, and nothing passes for want of a depth map."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from sightline.errors import FrameError, OptionError
from sightline.models.backbone import Backbone
from sightline.models.depth import LEVEL_SLOPE, fit, scale_of, typical_gain
from sightline.models.detector import FittedDetector
from sightline.models.features import FeatureConfig
from sightline.models.patchcore import PatchCoreConfig
from sightline.models.patchcore import fit as fit_patchcore
from sightline.records import Frame

SMALL = FeatureConfig(height=64, width=96, dimensions=8)
BANK = PatchCoreConfig(bank_limits=(150, 150))


def part(seed: int, *, dent: float = 0, stain: int = 0, hole: bool = False) -> Frame:
    """A ribbed surface in grey, its heights in micrometres with lost points; defects at x 72..88, y 24..40."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:90, :120]
    pixels = 120 + 30 * np.sin(x / 7) * np.cos(y / 9) + rng.normal(0, 3, x.shape)
    height = 20_000 + 300 * np.sin(x / 7) * np.cos(y / 9) + rng.normal(0, 4, x.shape) + rng.uniform(-200, 200)
    height -= dent * np.exp(-((x - 80) ** 2 + (y - 32) ** 2) / 50)
    depth = np.where(rng.random(x.shape) < 0.003, 0, np.rint(height)).astype(np.uint16)
    pixels[24:40, 72:88] += stain
    if hole:
        depth[24:40, 72:88] = 0
    return Frame(pixels=pixels.clip(0, 255).astype(np.uint8)[:, :, None], depth=depth, source=f"part {seed}")


@pytest.fixture(scope="module")
def good() -> list[Frame]:
    return [part(seed) for seed in range(15)]


@pytest.fixture(scope="module")
def fitted(good: list[Frame], patchy: Backbone) -> FittedDetector:
    return fit(good, patchy, SMALL, BANK)


@pytest.fixture(scope="module")
def by_picture(good: list[Frame], patchy: Backbone) -> FittedDetector:
    return fit_patchcore(good, patchy, SMALL, BANK)


def test_a_dent_that_shows_in_height_only_is_found_and_missed_by_the_picture_alone(
    fitted: FittedDetector, by_picture: FittedDetector
) -> None:
    dented = part(50, dent=400)
    assert fitted.detector().score(dented).score > fitted.good_scores.max() + 2
    assert by_picture.detector().score(replace(dented, depth=None)).score < by_picture.good_scores.max()


def test_a_stain_that_shows_in_the_picture_only_is_found(fitted: FittedDetector) -> None:
    assert fitted.detector().score(part(51, stain=90)).score > fitted.good_scores.max() + 2


def test_the_map_says_where(fitted: FittedDetector) -> None:
    for bad in (part(52, dent=400), part(52, stain=90), part(52, hole=True)):
        anomaly = fitted.detector().score(bad)
        row, column = np.unravel_index(anomaly.values.argmax(), anomaly.values.shape)
        assert 24 * 64 / 90 - 12 <= row <= 40 * 64 / 90 + 12
        assert 72 * 96 / 120 - 12 <= column <= 88 * 96 / 120 + 12
        assert anomaly.score == anomaly.values.max()


def test_unseen_good_parts_score_as_the_calibration_says(fitted: FittedDetector) -> None:
    detector = fitted.detector()
    scores = np.array([detector.score(part(seed)).score for seed in range(100, 120)])
    assert np.median(scores) < fitted.good_scores.max()
    assert (scores > fitted.good_scores.max()).mean() <= 0.3  # 1 in 16 is expected of 15 good frames


def test_a_hole_in_the_data_is_never_silently_fine(fitted: FittedDetector) -> None:
    assert fitted.detector().score(part(53, hole=True)).score > fitted.good_scores.max() + 5


def test_a_hole_counts_even_where_good_parts_have_holes_that_look_alike(patchy: Backbone) -> None:
    def holed(seed: int, *more: tuple[int, int]) -> Frame:
        frame = part(seed)
        assert frame.depth is not None
        for y, x in ((10, 10), (60, 10), *more):
            frame.depth[y : y + 20, x : x + 20] = 0
        return frame

    fitted = fit([holed(seed) for seed in range(15)], patchy, SMALL, BANK)
    assert fitted.detector().score(holed(60, (60, 80))).score > fitted.good_scores.max() + 5


def test_the_graph_is_plain_onnx_and_gives_the_same_in_any_runtime(fitted: FittedDetector) -> None:
    onnx.checker.check_model(fitted.graph, full_check=True)
    assert [(port.name, len(port.type.tensor_type.shape.dim)) for port in fitted.graph.graph.input] == [
        ("image", 3),
        ("depth", 2),
    ]
    assert [port.name for port in fitted.graph.graph.output] == ["score", "map"]
    bad = part(54, dent=400)
    bare = ort.InferenceSession(fitted.graph.SerializeToString(), providers=["CPUExecutionProvider"])
    score, values = bare.run(["score", "map"], {"image": bad.pixels, "depth": bad.depth})
    assert score == fitted.detector().score(bad).score == values.max()


def test_the_backbone_is_in_the_graph_once(
    fitted: FittedDetector, by_picture: FittedDetector, patchy: Backbone
) -> None:
    for weight in patchy.model.graph.initializer:
        values = numpy_helper.to_array(weight)
        for model in (fitted.graph, by_picture.graph):
            held = [numpy_helper.to_array(other) for other in model.graph.initializer]
            assert sum(np.array_equal(values, other) for other in held) == 1


def test_the_same_frames_and_seed_give_the_same_bytes(good: list[Frame], patchy: Backbone) -> None:
    one, two = (fit(good, patchy, SMALL, BANK) for _ in range(2))
    assert one.graph.SerializeToString(deterministic=True) == two.graph.SerializeToString(deterministic=True)
    np.testing.assert_array_equal(one.good_scores, two.good_scores)
    assert one.settings == two.settings


def test_a_frame_without_depth_is_refused_by_a_model_with_it_and_the_reverse(
    fitted: FittedDetector, by_picture: FittedDetector
) -> None:
    with pytest.raises(FrameError, match=r"^part 3: the model needs a depth map"):
        fitted.detector().score(replace(part(3), depth=None))
    with pytest.raises(FrameError, match=r"^part 3: has a depth map, but the model learned from pictures alone"):
        by_picture.detector().score(part(3))


def test_a_frame_without_depth_stops_the_fit(good: list[Frame], patchy: Backbone) -> None:
    with pytest.raises(FrameError, match=r"^part 14: has no depth map"):
        fit([*good[:14], replace(good[14], depth=None)], patchy, SMALL, BANK)


def test_flat_depth_maps_are_refused(good: list[Frame], patchy: Backbone) -> None:
    flat = [replace(frame, depth=np.full((90, 120), 700, np.uint16)) for frame in good]
    with pytest.raises(OptionError, match="depth maps are flat"):
        fit(flat, patchy, SMALL, BANK)


def test_the_unit_of_the_depth_does_not_matter(good: list[Frame]) -> None:
    doubled = [replace(frame, depth=2 * frame.depth) for frame in good if frame.depth is not None]
    gain = typical_gain(good, 64, 96)
    assert gain > 0
    assert typical_gain(doubled, 64, 96) == pytest.approx(gain / 2, rel=1e-3)
    assert LEVEL_SLOPE / gain < 100  # counts per pixel


def test_scores_are_put_at_zero_in_their_median_and_divided_by_their_spread() -> None:
    # the quantile function of Gumbel's distribution, middle 5 and scale 0.5
    gumbel = (5 - 0.5 * np.log(-np.log((np.arange(2_000) + 0.5) / 2_000))).astype(np.float32)
    scale = scale_of(gumbel)
    assert scale.middle == pytest.approx(5 + 0.5 * 0.3665, rel=1e-3)
    assert scale.spread == pytest.approx(0.5, rel=1e-2)


def test_scores_that_are_all_alike_have_a_spread_all_the_same() -> None:
    assert scale_of(np.full(9, 2, np.float32)).spread == pytest.approx(0.01)
    assert scale_of(np.zeros(9, np.float32), least=0.1).spread == 0.1
