"""In which arithmetic a classifier computes: 8 bits where they lose nothing, else float, and it says so."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sightline.errors import OptionError
from sightline.precision import Answers, Judge, choose

TRUTH = np.arange(6) % 2


def network(op: str = "Conv") -> onnx.ModelProto:
    """One convolution worth quantising, or none."""
    weight = np.random.default_rng(0).normal(size=(40, 3, 3, 3)).astype(np.float32)
    node = helper.make_node(op, ["image", "w"] if op == "Conv" else ["image"], ["maps"])
    graph = helper.make_graph(
        [node],
        "network",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")] if op == "Conv" else [],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def pictures() -> Iterator[Mapping[str, NDArray[Any]]]:
    for seed in range(2):
        yield {"image": np.random.default_rng(seed).random((1, 3, 8, 8)).astype(np.float32)}


def answers(wrong: int) -> Answers:
    shares = np.eye(2, dtype=np.float32)[TRUTH]
    shares[:wrong] = shares[:wrong, ::-1].copy()
    return shares, shares


def judge(in_float: int, in_integers: int) -> Judge:
    """Graphs of either kind have so many pictures wrong."""
    return lambda graph: answers(in_integers if b"QuantizeLinear" in graph else in_float)


def test_integers_are_taken_where_they_lose_nothing() -> None:
    found = choose(network(), "auto", pictures(), judge(1, 1), TRUTH)
    assert (found.precision, found.warnings) == ("int8", ())
    kinds = [tensor.data_type for tensor in onnx.load_model_from_string(found.graph).graph.initializer]
    assert TensorProto.INT8 in kinds
    assert found.macro_f1 == pytest.approx(0.829, abs=0.001)
    np.testing.assert_array_equal(found.answers[0], answers(1)[0])


def test_float_is_kept_with_a_note_where_integers_lose() -> None:
    model = network()
    before = model.SerializeToString(deterministic=True)
    found = choose(model, "auto", pictures(), judge(0, 1), TRUTH)
    assert (found.precision, found.graph) == ("fp32", before)
    assert "8 bits lose 0.171 of the macro F1" in found.warnings[0]


def test_integers_that_are_asked_for_and_lose_are_refused() -> None:
    with pytest.raises(OptionError, match=r"8 bits lose 0\.171 .* Use --precision fp32"):
        choose(network(), "int8", pictures(), judge(0, 1), TRUTH)


def test_float_is_float() -> None:
    assert choose(network(), "fp32", iter(()), judge(1, 0), TRUTH).precision == "fp32"


def test_a_network_without_a_convolution_worth_it_stays_in_float() -> None:
    assert choose(network("Relu"), "auto", iter(()), judge(0, 0), TRUTH).precision == "fp32"
    with pytest.raises(OptionError, match="no convolution worth 8 bits"):
        choose(network("Relu"), "int8", iter(()), judge(0, 0), TRUTH)
