"""EfficientAD: who learns from which loss, the hard feature loss, the normalised maps, and the graph beside torch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.models.backbone import Backbone
from sightline.models.detector import GraphDetector
from sightline.models.features import FeatureConfig, Features, fit_features
from sightline.records import Frame

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")

from sightline.models import efficientad  # noqa: E402  # it imports torch
from sightline.models.efficientad import Networks, hard_loss, textures, training_loss  # noqa: E402
from sightline.models.gradient import Lessons, as_planes, seeded  # noqa: E402

SMALL = FeatureConfig(height=64, width=96, dimensions=8)


@pytest.fixture(scope="module")
def networks() -> Networks:
    with seeded(1):
        return Networks(8, 64, 96, 8).eval()


@pytest.fixture(scope="module")
def features(patchy: Backbone, parts: list[Frame]) -> Features:
    return fit_features(parts, patchy, SMALL)


def test_the_hard_loss_is_the_mean_of_the_largest_tenth() -> None:
    taught = torch.zeros(2, 10, 1, 1)
    student = torch.zeros_like(taught)
    student.view(-1)[[5, 13, 17]] = torch.tensor([3.0, 0.5, -1.0])  # 2 of 20 are a tenth
    assert float(hard_loss(student, taught)) == pytest.approx((9 + 1) / 2)


def test_each_network_learns_from_its_own_losses_and_the_teacher_from_none(networks: Networks) -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(2, 3, 64, 96, generator=generator)
    taught = torch.randn(2, 8, 8, 12, generator=generator).requires_grad_()
    _, second, composed = networks(picture)
    imitation = (composed.detach() - second).square().mean()
    own = [p for name, p in networks.named_parameters() if name.startswith("autoencoder")]
    assert torch.autograd.grad(imitation, own, allow_unused=True) == (None,) * len(own)
    whole = training_loss(networks, picture, taught.detach(), picture)
    alone = (networks(picture)[2] - taught.detach()).square().mean()
    for of_whole, of_alone in zip(torch.autograd.grad(whole, own), torch.autograd.grad(alone, own), strict=True):
        torch.testing.assert_close(of_whole, of_alone)  # nothing of the student's reaches the autoencoder


def test_textures_are_drawn_by_the_generator_and_differ_from_one_another() -> None:
    drawn = textures(6, 32, 48, np.random.default_rng(3))
    assert drawn.shape == (6, 3, 32, 48)
    assert drawn.dtype == np.float32
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert (drawn.std(axis=(1, 2, 3)) > 0.02).all()
    assert len({picture.tobytes() for picture in drawn}) == 6
    np.testing.assert_array_equal(drawn, textures(6, 32, 48, np.random.default_rng(3)))


def test_good_quantiles_become_0_and_a_tenth_and_the_graph_computes_what_torch_does(
    features: Features,
    networks: Networks,
    parts: list[Frame],
    scratched: Frame,
    map_in_float64: Callable[[NDArray[Any]], NDArray[np.float64]],
) -> None:
    lessons = Lessons([*parts, scratched], efficientad._teacher_model(features), SMALL, 2**30)
    moments = lessons.moments(range(7), 1)[0]
    offset, scale = torch.from_numpy(as_planes(moments[0])), torch.from_numpy(as_planes(1 / moments[1]))
    scales = efficientad._scales(networks, lessons, tuple(range(7, 12)), offset, scale)

    def maps(index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        picture, taught = lessons.batch([index], torch.device("cpu"))
        with torch.inference_mode():
            first, second, composed = networks(picture)
            details = ((taught - offset) * scale - first).square().mean(1)
            return details[0].numpy(), (composed - second).square().mean(1)[0].numpy()

    good = [np.concatenate([maps(index)[which].ravel() for index in range(7, 12)]) for which in (0, 1)]
    for values, found in zip(good, scales, strict=True):
        low, high = np.quantile(values, [0.9, 0.995])
        assert found.factor * low + found.offset == pytest.approx(0, abs=1e-4)
        assert found.factor * high + found.offset == pytest.approx(0.1, abs=1e-4)
    graph = efficientad._whole_model(features, networks, moments, scales)
    anomaly = GraphDetector(graph.SerializeToString(), 8).score(scratched)
    combined = sum(0.5 * (s.factor * values + s.offset) for s, values in zip(scales, maps(12), strict=True))
    expected = map_in_float64(np.asarray(combined))
    # the lessons are float16, so that torch sees slightly other values than the graph
    np.testing.assert_allclose(anomaly.values, expected, atol=5e-3 * np.abs(expected).max())
