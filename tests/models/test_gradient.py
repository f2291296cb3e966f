"""What the methods trained by gradient share: who is held out, what is kept, that nothing is left to chance."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from sightline.errors import OptionError
from sightline.models.backbone import Backbone, load_backbone
from sightline.models.detector import FittedDetector
from sightline.models.features import FeatureConfig
from sightline.records import Frame

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")

from sightline.models import efficientad, fastflow, stfpm  # noqa: E402  # they import torch
from sightline.models.gradient import (  # noqa: E402
    GradientConfig,
    Lessons,
    descend,
    downsampling,
    exported,
    hold_out,
)
from sightline.models.graph import open_session  # noqa: E402

Fit = Callable[..., FittedDetector]
SMALL = FeatureConfig(height=64, width=96, dimensions=8)
QUICK = GradientConfig(steps=30)
METHODS: dict[str, Fit] = {"efficientad": efficientad.fit, "fastflow": fastflow.fit, "stfpm": stfpm.fit}


@pytest.fixture(params=METHODS, scope="module")
def fit(request: pytest.FixtureRequest) -> Fit:
    return METHODS[request.param]


@pytest.fixture(scope="module")
def fitted(fit: Fit, shipped: Backbone, parts: list[Frame]) -> FittedDetector:
    """With the backbone that ships."""
    return fit(parts, shipped, SMALL, QUICK)


# --- what every one of them promises


def test_a_defect_scores_above_every_good_frame_and_is_where_the_map_says(
    fitted: FittedDetector, parts: list[Frame], scratched: Frame
) -> None:
    detector = fitted.detector()
    anomaly = detector.score(scratched)
    assert anomaly.score > fitted.good_scores.max()
    assert anomaly.score > max(detector.score(frame).score for frame in parts)
    row, column = np.unravel_index(anomaly.values.argmax(), anomaly.values.shape)
    # the square at x 72..88, y 24..40 of 120 x 90, in the working size of 96 x 64; a cell and a half beside
    assert 24 * 64 / 90 - 12 <= row <= 40 * 64 / 90 + 12
    assert 72 * 96 / 120 - 12 <= column <= 88 * 96 / 120 + 12


def test_good_scores_are_those_the_graph_gives_the_frames_held_out(fitted: FittedDetector, parts: list[Frame]) -> None:
    assert fitted.held_out == hold_out(12, 0).held_out
    assert fitted.calibration == "held-out 5 of 12 good images"
    detector = fitted.detector()
    assert fitted.good_scores.tolist() == [detector.score(parts[index]).score for index in fitted.held_out or ()]


def test_the_graph_is_plain_onnx_with_the_ports_of_a_sight_file(fitted: FittedDetector) -> None:
    onnx.checker.check_model(fitted.graph, full_check=True)
    assert [port.name for port in fitted.graph.graph.input] == ["image"]
    assert [port.name for port in fitted.graph.graph.output] == ["score", "map"]
    assert {node.domain for node in fitted.graph.graph.node} <= {"", "ai.onnx"}


def test_frames_of_any_size_and_colour_are_judged(fitted: FittedDetector, part: Callable[..., Frame]) -> None:
    detector = fitted.detector()
    for height, width in ((300, 40), (1, 1)):
        pixels = np.asarray(part(1, height, width).pixels, np.uint8)
        for frame in (Frame(pixels=pixels), Frame(pixels=pixels[:, :, :1].astype(np.uint8))):
            anomaly = detector.score(frame)
            assert anomaly.values.shape == (64, 96)
            assert anomaly.score == anomaly.values.max()


def test_a_seed_gives_the_same_bytes_whatever_the_memory_and_leaves_torchs_generator_alone(
    fit: Fit, patchy: Backbone, parts: list[Frame]
) -> None:
    one = fit(parts, patchy, SMALL, GradientConfig(steps=2))
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    without_memory = fit(parts, patchy, SMALL, GradientConfig(steps=2, memory_bytes=0))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.graph.SerializeToString(deterministic=True) == without_memory.graph.SerializeToString(deterministic=True)
    np.testing.assert_array_equal(one.good_scores, without_memory.good_scores)
    other = fit(parts, patchy, SMALL, GradientConfig(steps=2, seed=1))
    assert set(other.good_scores.tolist()) != set(one.good_scores.tolist())


def test_sixteen_bit_frames_and_other_strides_are_learnt_from(
    fit: Fit, network: Callable[..., onnx.ModelProto], saved: Callable[[onnx.ModelProto], Path], parts: list[Frame]
) -> None:
    backbone = load_backbone(saved(network((4, 16))))
    deep = [Frame(pixels=frame.pixels.astype(np.uint16) * 16, bit_depth=12) for frame in parts[:10]]
    config = FeatureConfig(height=32, width=48, dimensions=4, bit_depth=12)
    assert np.isfinite(fit(deep, backbone, config, GradientConfig(steps=2)).good_scores).all()


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_frames_are_refused_with_the_least_number(
    fit: Fit, patchy: Backbone, parts: list[Frame], count: int
) -> None:
    with pytest.raises(OptionError, match=rf"^{count} good .* too few .*at least 10"):
        fit(parts[:count], patchy, SMALL, QUICK)


def test_ctrl_c_ends_a_fit_at_once(fit: Fit, patchy: Backbone, parts: list[Frame]) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(parts, patchy, SMALL, QUICK, interrupt)


def test_progress_tells_of_the_descent_and_of_the_calibration(fit: Fit, patchy: Backbone, parts: list[Frame]) -> None:
    told: list[tuple[str, int, int]] = []
    fit(parts, patchy, SMALL, GradientConfig(steps=2), lambda *state: told.append(state))
    last = {stage: (done, total) for stage, done, total in told if stage != "projection"}
    assert last == {"features": (7, 7), "training": (2, 2), "calibration": (5, 5)}


# --- the parts they share


@pytest.mark.parametrize(("count", "held"), [(10, 5), (25, 5), (26, 5), (28, 6), (761, 152)])
def test_a_fifth_is_held_out_and_at_least_five(count: int, held: int) -> None:
    split = hold_out(count, 3)
    assert len(split.held_out) == held
    assert sorted(split.learn + split.held_out) == list(range(count))
    assert hold_out(count, 4).held_out != split.held_out
    assert split.calibration == f"held-out {held} of {count} good images"


@pytest.mark.parametrize(
    ("stride", "steps"), [(1, [1]), (2, [2]), (4, [4]), (8, [4, 2]), (16, [4, 2, 2]), (32, [4, 2, 2, 2])]
)
def test_a_student_comes_down_to_any_stride(stride: int, steps: list[int]) -> None:
    assert downsampling(stride) == steps


def lessons_of(patchy: Backbone, parts: list[Frame], memory_bytes: int) -> Lessons:
    return Lessons(parts, stfpm._teacher_model(patchy, SMALL), SMALL, memory_bytes)


def test_moments_are_those_of_all_positions_of_the_chosen_frames(patchy: Backbone, parts: list[Frame]) -> None:
    lessons = lessons_of(patchy, parts, 2**30)
    level = np.concatenate([lessons[index][1] for index in (2, 5, 7)]).astype(np.float64)
    mean, spread = lessons.moments((2, 5, 7), 1)[0]
    np.testing.assert_allclose(mean, level.mean(axis=(0, 2, 3)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(spread, level.std(axis=(0, 2, 3)), rtol=1e-3)


def test_no_more_than_the_memory_allows_is_kept(patchy: Backbone, parts: list[Frame]) -> None:
    one = sum(values.nbytes for values in lessons_of(patchy, parts, 0)[0])
    lessons = lessons_of(patchy, parts, 3 * one + 1)
    for index in range(6):
        np.testing.assert_array_equal(lessons[index][1], lessons_of(patchy, parts, 0)[index][1])
    kept = [index for index in range(6) if lessons[index] is lessons[index]]
    assert kept == [0, 1, 2]


def test_a_loss_that_is_not_finite_ends_the_training(patchy: Backbone, parts: list[Frame]) -> None:
    network = torch.nn.Conv2d(3, 1, 1)
    lessons = lessons_of(patchy, parts, 2**30)
    with pytest.raises(OptionError, match="diverged at step 1"):
        descend(
            network,
            lambda picture, *_: network(picture).mean() * float("nan"),
            lessons,
            range(7),
            steps=3,
            learning_rate=0.1,
            seed=0,
        )


def test_an_exported_network_gives_what_torch_gives() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.BatchNorm2d(5), torch.nn.ReLU()).eval()
    x = torch.randn(1, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    session = open_session(exported(network, x.shape, ["y"]))
    with torch.inference_mode():
        np.testing.assert_allclose(session.run(["y"], {"x": x.numpy()})[0], network(x).numpy(), atol=1e-5)


def test_steps_below_one_are_refused() -> None:
    with pytest.raises(OptionError, match="steps must be at least 1, got 0"):
        GradientConfig(steps=0)


def test_training_and_the_command_line_load_no_torch() -> None:
    program = "import sys, sightline.training, sightline.cli.main; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
