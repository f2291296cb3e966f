"""STFPM: the student alone learns, the loss is 1 - cos, and the graph's map is the product of the levels'."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.errors import OptionError
from sightline.models.backbone import Backbone
from sightline.models.detector import GraphDetector
from sightline.models.features import FeatureConfig
from sightline.records import Frame

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")

from sightline.models import stfpm  # noqa: E402  # it imports torch
from sightline.models.gradient import GradientConfig, Lessons, seeded  # noqa: E402

SMALL = FeatureConfig(height=64, width=96)


def drawn_student(backbone: Backbone) -> stfpm.Student:
    with seeded(1):
        return stfpm.Student(backbone.strides, backbone.channels).eval()


def test_the_loss_is_one_minus_the_cosine_and_only_the_student_learns_from_it() -> None:
    student = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1).requires_grad_()
    half_turn, quarter = torch.tensor([[-1.0, 0.0], [0.0, 1.0]]).reshape(2, 1, 2, 1, 1)
    loss = stfpm.matching_loss((student, student), (half_turn, quarter))
    assert loss.item() == pytest.approx(2 + 1)
    (slope,) = torch.autograd.grad(loss, student)
    assert slope.flatten().tolist() == [3.0, -1.0]


def test_the_student_says_unit_vectors_at_the_teachers_strides(patchy: Backbone) -> None:
    with torch.inference_mode():
        found = drawn_student(patchy)(torch.rand(2, 3, 64, 96))
    assert [tuple(level.shape) for level in found] == [(2, 12, 8, 12), (2, 13, 4, 6)]
    for level in found:
        torch.testing.assert_close(level.square().sum(1), torch.ones_like(level[:, 0]))


def test_the_graphs_map_is_the_product_of_the_levels_distances(
    patchy: Backbone, scratched: Frame, map_in_float64: Callable[[NDArray[Any]], NDArray[np.float64]]
) -> None:
    student = drawn_student(patchy)
    moments = [(np.linspace(-1, 1, c).astype(np.float32), np.linspace(1, 2, c).astype(np.float32)) for c in (12, 13)]
    graph = stfpm._whole_model(patchy, SMALL, student, moments)
    anomaly = GraphDetector(graph.SerializeToString(), 8).score(scratched)
    lessons = Lessons([scratched], stfpm._teacher_model(patchy, SMALL), SMALL, 0)
    picture, *levels = lessons.batch([0], torch.device("cpu"))
    with torch.inference_mode():
        pairs = zip(student(picture), stfpm._directions(tuple(levels), moments), strict=True)
        gaps = [0.5 * (s - t).square().sum(1, keepdim=True) for s, t in pairs]
        product = gaps[0] * torch.nn.functional.interpolate(gaps[1], (8, 12), mode="bilinear")
    expected = map_in_float64(product[0, 0].numpy())
    np.testing.assert_allclose(anomaly.values, expected, rtol=5e-3)  # the lessons are float16


def test_tiles_are_refused(patchy: Backbone, parts: list[Frame]) -> None:
    with pytest.raises(OptionError, match="leave the tile out"):
        stfpm.fit(parts, patchy, FeatureConfig(height=192, width=192, tile=96), GradientConfig(steps=1))
