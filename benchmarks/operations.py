"""How many multiply-adds a graph needs, counted in the graph itself at the sizes that a run has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper

_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}  # operator -> which input holds the weights
_PRODUCTS = {"MatMul": 0, "Gemm": 0, "MatMulInteger": 0, "QLinearMatMul": 0}  # -> which input is the left factor
_OF_INTEGERS = {"ConvInteger", "QLinearConv", "MatMulInteger", "QLinearMatMul"}
_THROUGH = {"DequantizeLinear"}  # a convolution of dequantised values is computed in integers by the runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiplyAdds:
    """Counts of one run."""

    floats: int  # in float32
    integers: int  # in 8-bit integers

    @property
    def total(self) -> int:
        return self.floats + self.integers


def multiply_adds(model: onnx.ModelProto, feed: Mapping[str, NDArray[np.generic]]) -> MultiplyAdds:
    """Count Conv, Gemm and MatMul and their integer kin; everything else is left out, and is little beside them.

    The graph is run once, with what these operators take and give as outputs, so that no shape is guessed.
    Raises ValueError for a graph with branches, whose inside is not seen.
    """
    if any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute):
        raise ValueError("the graph has branches or loops; count what they hold apart.")
    counted = [node for node in model.graph.node if node.op_type in _CONVOLUTIONS | _PRODUCTS]
    shapes = _shapes(model, counted, feed)
    dequantised = {name for node in model.graph.node if node.op_type in _THROUGH for name in node.output}
    floats = integers = 0
    for node in counted:
        count = _count(node, shapes)
        if node.op_type in _OF_INTEGERS or set(node.input[:2]) <= dequantised:
            integers += count
        else:
            floats += count
    return MultiplyAdds(floats=floats, integers=integers)


def _count(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    given = prod(shapes[node.output[0]])
    if node.op_type in _CONVOLUTIONS:
        return given * prod(shapes[node.input[_CONVOLUTIONS[node.op_type]]][1:])  # (out, in / groups, ...)
    left = shapes[node.input[_PRODUCTS[node.op_type]]]
    turned = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return given * (left[0] if turned else left[-1])


def _shapes(
    model: onnx.ModelProto, counted: Sequence[onnx.NodeProto], feed: Mapping[str, NDArray[np.generic]]
) -> dict[str, tuple[int, ...]]:
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shapes |= {name: values.shape for name, values in feed.items()}
    wanted = {name for node in counted for name in (*node.input, *node.output) if name} - set(shapes)
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    present = {output.name for output in seen.graph.output}
    seen.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in sorted(wanted - present))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # fused nodes would hide values
    options.log_severity_level = 3
    session = ort.InferenceSession(seen.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = sorted(wanted)
    for name, value in zip(names, session.run(names, dict(feed)), strict=True):
        shapes[name] = np.shape(value)
    return shapes
