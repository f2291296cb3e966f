"""The backbone as a torch module: the same features as in ONNX Runtime, and weights that can learn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from sightline.errors import OptionError
from sightline.models.backbone import Backbone, load_backbone
from sightline.models.graph import open_session
from sightline.models.network import GraphNetwork
from sightline.records import FloatArray, Frame


def picture(part: Callable[..., Frame]) -> FloatArray:
    pixels = part(0, 64, 96).pixels.transpose(2, 0, 1)[None]
    return np.ascontiguousarray(pixels, np.float32) / np.float32(255)


def in_runtime(backbone: Backbone, images: FloatArray) -> list[FloatArray]:
    name = backbone.model.graph.input[0].name
    return list(open_session(backbone.model, threads=1).run(None, {name: images}))


def in_torch(network: GraphNetwork, images: FloatArray) -> list[FloatArray]:
    with torch.no_grad():
        return [level.numpy() for level in network(torch.from_numpy(images))]


def test_features_agree_with_the_shipped_8_bit_graph_within_its_rounding(
    shipped: Backbone, part: Callable[..., Frame]
) -> None:
    images = picture(part)
    found = in_torch(GraphNetwork(shipped, heads=True), images)
    for ours, theirs in zip(found, in_runtime(shipped, images), strict=True):
        assert ours.shape == theirs.shape
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.995
        assert np.abs(ours - theirs).mean() < 0.08 * theirs.std()


def test_features_agree_with_a_floating_point_graph_to_rounding(patchy: Backbone, part: Callable[..., Frame]) -> None:
    images = picture(part)
    for ours, theirs in zip(in_torch(GraphNetwork(patchy), images), in_runtime(patchy, images), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_the_last_mixing_convolution_is_left_out(shipped: Backbone) -> None:
    network = GraphNetwork(shipped)
    assert (network.strides, network.channels) == ((8, 16), (96, 192))


def test_the_finest_map_does_not_depend_on_the_last_blocks(shipped: Backbone) -> None:
    network = GraphNetwork(shipped)
    images = np.full((1, 3, 32, 32), 0.4, np.float32)
    fine, coarse = in_torch(network, images)
    with torch.no_grad():
        for weight in network.late_parameters():
            weight.mul_(0.5)
    fine_after, coarse_after = in_torch(network, images)
    assert np.array_equal(fine, fine_after)
    assert not np.allclose(coarse, coarse_after)


def test_gradients_reach_the_first_convolution(shipped: Backbone) -> None:
    network = GraphNetwork(shipped)
    network(torch.rand(1, 3, 32, 32))[1].sum().backward()
    with_gradient = [weight for weight in network.parameters() if weight.requires_grad]
    assert with_gradient
    assert all(weight.grad is not None for weight in with_gradient)


def test_an_operator_that_cannot_learn_here_is_refused(saved: Callable[[onnx.ModelProto], Path]) -> None:
    weight = numpy_helper.from_array(np.ones((4, 3, 8, 8), np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], strides=[8, 8]), helper.make_node("Softsign", ["y"], ["z"])]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    output = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 4, "p", "q"])
    graph = helper.make_graph(nodes, "odd", [image], [output], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    with pytest.raises(OptionError, match="operator Softsign, which cannot be trained here"):
        GraphNetwork(load_backbone(saved(model)))
