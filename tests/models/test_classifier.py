"""The classifier's graph: probabilities, a score that keeps its digits, and exactly where they come from."""

import numpy as np
import onnx
import pytest
import torch

from sightline.models.backbone import Backbone
from sightline.models.classifier import Classifier, Head, embed, temperature, whole_model
from sightline.models.features import FeatureConfig, run_image
from sightline.models.graph import open_session
from sightline.models.network import GraphNetwork
from sightline.models.prototypes import Space, fit_space
from sightline.records import FloatArray, Frame

NAMES = ("good", "crack", "dent")
CONFIG = FeatureConfig(height=64, width=96)


def classifier_of(backbone: Backbone, classes: int = 3) -> Classifier:
    network = GraphNetwork(backbone)
    head = Head(network.channels, classes)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        head.linear.weight.copy_(torch.randn(head.linear.weight.shape, generator=generator))
        head.linear.bias.copy_(torch.arange(classes) * 0.1)
        head.mean.copy_(torch.rand(head.mean.shape, generator=generator))
        head.spread.copy_(torch.rand(head.spread.shape, generator=generator) + 0.5)
    return Classifier(network, head).eval()


def space_of(classifier: Classifier) -> Space:
    width = 2 * sum(classifier.network.channels)
    return fit_space(np.random.default_rng(0).normal(size=(12, width)).astype(np.float32), np.arange(12) % 3, 3)


def run(model: onnx.ModelProto, frame: Frame, config: FeatureConfig = CONFIG) -> dict[str, FloatArray]:
    names = [output.name for output in model.graph.output]
    return dict(zip(names, run_image(open_session(model, threads=1), frame, config), strict=True))


@pytest.fixture(scope="module")
def classifier(patchy: Backbone) -> Classifier:
    return classifier_of(patchy)


@pytest.fixture(scope="module")
def found(classifier: Classifier, scratched: Frame) -> dict[str, FloatArray]:
    return run(whole_model(classifier.network, classifier.head, space_of(classifier), CONFIG, NAMES, 2.0), scratched)


def softmax(logits: FloatArray) -> FloatArray:
    raised = np.exp(logits.astype(np.float64) - logits.max())
    return np.asarray(raised / raised.sum(), np.float32)


def test_the_graph_gives_the_networks_own_probabilities(
    classifier: Classifier, found: dict[str, FloatArray], scratched: Frame
) -> None:
    pixels = torch.from_numpy(np.ascontiguousarray(scratched.pixels.transpose(2, 0, 1)[None]))
    resized = torch.nn.functional.interpolate(pixels, (64, 96), mode="bilinear", antialias=True).float() / 255
    with torch.no_grad():
        logits = classifier(resized).numpy()[0]
    np.testing.assert_allclose(found["probabilities"], softmax(logits / 2), atol=0.02)


def test_activations_sum_up_to_the_logits(found: dict[str, FloatArray]) -> None:
    assert found["activations"].shape == (3, 8, 12)
    np.testing.assert_allclose(softmax(found["activations"].sum(axis=(1, 2))), found["probabilities"], atol=1e-5)


def test_the_score_is_that_of_all_defects_and_the_maximum_of_the_map(found: dict[str, FloatArray]) -> None:
    assert found["score"] == pytest.approx(found["probabilities"][1:].sum(), abs=1e-6)
    assert found["map"].shape == (64, 96)
    assert found["map"].max() == found["score"]
    assert found["map"].min() >= 0


def test_where_nothing_is_good_every_picture_is_a_defect(classifier: Classifier, scratched: Frame) -> None:
    names = ("bent", "crack", "dent")
    said = run(whole_model(classifier.network, classifier.head, space_of(classifier), CONFIG, names, 1.0), scratched)
    assert said["score"] == 1
    assert said["map"].max() == 1


def test_a_score_near_0_keeps_its_digits(patchy: Backbone, scratched: Frame) -> None:
    sure = classifier_of(patchy)
    with torch.no_grad():
        sure.head.linear.weight.zero_()
        sure.head.linear.bias.copy_(torch.tensor([40.0, 0.0, 0.0]))
    said = run(whole_model(sure.network, sure.head, space_of(sure), CONFIG, NAMES, 1.0), scratched)
    assert said["score"] == pytest.approx(2 * np.exp(-40), rel=1e-3)
    assert (said["map"] == said["score"]).all()  # no cell speaks for the defect more than another


def test_pictures_of_16_bits_and_of_any_size_are_taken(classifier: Classifier) -> None:
    config = FeatureConfig(height=64, width=96, bit_depth=12)
    model = whole_model(classifier.network, classifier.head, space_of(classifier), config, NAMES, 1.0)
    pixels = np.random.default_rng(0).integers(0, 4096, (33, 41, 1)).astype(np.uint16)
    said = run(model, Frame(pixels=pixels, bit_depth=12), config)
    assert said["probabilities"].sum() == pytest.approx(1, abs=1e-5)


def test_the_temperature_undoes_what_made_a_model_too_sure() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, (4000, 3)).astype(np.float32)
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row / row.sum()) for row in shares.astype(np.float64)])
    assert temperature(3 * honest, labels) == pytest.approx(3, rel=0.08)


def test_a_model_without_an_error_is_not_called_certain() -> None:
    labels = np.repeat([0, 1], 5)
    logits = np.where(np.arange(2)[None] == labels[:, None], 20.0, -20.0).astype(np.float32)
    sure = softmax((logits / temperature(logits, labels))[0])[0]
    assert sure == pytest.approx(6 / 7, abs=0.01)


def test_weights_count_in_the_graph_as_in_training(classifier: Classifier, scratched: Frame) -> None:
    model = whole_model(classifier.network, classifier.head, space_of(classifier), CONFIG, NAMES, 2.0, weighted=True)
    pixels = torch.from_numpy(np.ascontiguousarray(scratched.pixels.transpose(2, 0, 1)[None]))
    weights = np.zeros((scratched.height, scratched.width), np.uint8)
    weights[: scratched.height // 2] = 200
    weights[:, : scratched.width // 4] = 40
    planes = [
        torch.nn.functional.interpolate(plane, (64, 96), mode="bilinear", antialias=True).float() / 255
        for plane in (pixels, torch.from_numpy(weights)[None, None])
    ]
    with torch.no_grad():
        logits = classifier(torch.cat(planes, dim=1)).numpy()[0]
    names = [output.name for output in model.graph.output]
    said = dict(zip(names, run_image(open_session(model, threads=1), scratched, CONFIG, weights=weights), strict=True))
    np.testing.assert_allclose(said["probabilities"], softmax(logits / 2), atol=0.02)
    np.testing.assert_allclose(softmax(said["activations"].sum(axis=(1, 2))), said["probabilities"], atol=1e-5)


def test_weights_of_zero_are_weights_all_alike() -> None:
    maps = [torch.rand(2, 4, 8, 12), torch.rand(2, 5, 4, 6)]
    torch.testing.assert_close(embed(maps, torch.zeros(2, 1, 64, 96)), embed(maps))
