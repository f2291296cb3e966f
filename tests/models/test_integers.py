"""Graphs in 8-bit integers: what a convolution needs to compute in them, and that it computes nearly the same."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sightline.models.convolutions import HEAD, in_float, with_named_nodes
from sightline.models.graph import open_session
from sightline.models.integers import quantised

IMAGES = [np.random.default_rng(seed).random((1, 3, 16, 16)).astype(np.float32) for seed in range(3)]


def network(weight: str = "w1") -> onnx.ModelProto:
    """Two convolutions of one bias, which the second gets by Identity, as torch writes equal ones."""
    rng = np.random.default_rng(4)
    stored = {
        "w0": rng.normal(0, 0.2, (40, 3, 3, 3)),
        weight: rng.normal(0, 0.05, (40, 40, 1, 1)),
        "bias": rng.normal(0, 0.1, 40),
    }
    nodes = [
        helper.make_node("Identity", ["bias"], ["same"]),
        helper.make_node("Conv", ["image", "w0", "bias"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", weight, "same"], ["c"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture(scope="module")
def integers() -> onnx.ModelProto:
    named = with_named_nodes(network())
    content = quantised(named, in_float(named, ends=True), iter([{"image": image} for image in IMAGES]))
    return onnx.load_model_from_string(content)


def test_every_bias_is_in_integers_also_one_that_two_share(integers: onnx.ModelProto) -> None:
    kinds = [tensor.data_type for tensor in integers.graph.initializer if list(tensor.dims) == [40]]
    assert kinds.count(TensorProto.INT32) >= 2


def test_no_relu_is_left_behind_a_convolution_in_integers(integers: onnx.ModelProto) -> None:
    assert "Relu" not in {node.op_type for node in integers.graph.node}


def test_weights_have_seven_bits_and_a_sign(integers: onnx.ModelProto) -> None:
    stored = [numpy_helper.to_array(tensor) for tensor in integers.graph.initializer]
    weights = [values for values in stored if values.ndim == 4]
    assert {values.dtype for values in weights} == {np.dtype(np.int8)}
    assert max(np.abs(values.astype(int)).max() for values in weights) <= 64


def test_what_it_computes_is_nearly_the_same(integers: onnx.ModelProto) -> None:
    found, expected = (
        open_session(model, threads=1).run(None, {"image": IMAGES[0]})[0] for model in (integers, network())
    )
    assert np.abs(found - expected).mean() < 0.03 * expected.std()


def test_a_head_is_no_part_of_the_network() -> None:
    assert in_float(with_named_nodes(network(f"{HEAD}0_mean")), ends=True) == ["a"]


def test_the_first_and_the_last_convolution_are_left_unless_asked_for() -> None:
    named = with_named_nodes(network())
    assert in_float(named) == []
    assert in_float(named, ends=True) == ["a", "c"]
