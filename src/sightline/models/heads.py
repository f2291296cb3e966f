"""A network's outputs projected: where it ends in 1 x 1 convolutions, these and the projection become one.

Linear after linear is linear. The shipped backbone's heads make 192 and 256 channels of 96 and 192; a projection to 64
that is folded into them costs a fifth of both one after the other.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from sightline.records import FloatArray

DoubleArray = NDArray[np.float64]


def projected(model: onnx.ModelProto, bases: Sequence[FloatArray]) -> onnx.ModelProto:
    """The model with outputs (N, D, h, w) instead of (N, C, h, w).

    Args:
        bases: per output (C, D).
    """
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    makers = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for place, basis in enumerate(bases):
        source, weight, bias = _folded(graph.output[place].name, basis.astype(np.float64), makers, stored)
        names = [f"projection{place}_{part}" for part in ("weight", "bias", "output")]
        graph.initializer.extend(
            [
                numpy_helper.from_array(weight.T[:, :, None, None].astype(np.float32), names[0]),
                numpy_helper.from_array(bias.astype(np.float32), names[1]),
            ]
        )
        graph.node.append(helper.make_node("Conv", [source, *names[:2]], [names[2]], kernel_shape=[1, 1]))
        graph.output[place].CopyFrom(
            helper.make_tensor_value_info(names[2], onnx.TensorProto.FLOAT, [None, len(bias), None, None])
        )
    prune(graph)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _folded(
    output: str, basis: DoubleArray, makers: Mapping[str, onnx.NodeProto], stored: Mapping[str, onnx.TensorProto]
) -> tuple[str, DoubleArray, DoubleArray]:
    """Of what to project instead of `output`: its name, the weight (C', D) and the bias (D,)."""
    plain = output, basis, np.zeros(basis.shape[1])
    node = makers.get(output)
    while node is not None and node.op_type == "Identity":
        node = makers.get(node.input[0])
    if node is None or node.op_type != "Conv":
        return plain
    weight = stored_value(node.input[1], makers, stored)
    if weight is None or weight.shape[0] != basis.shape[0] or weight.shape[2:] != (1, 1) or not is_plain(node):
        return plain
    bias = stored_value(node.input[2], makers, stored) if len(node.input) > 2 else np.zeros(len(weight))
    if bias is None:
        return plain
    return node.input[0], weight[:, :, 0, 0].T @ basis, bias @ basis


def is_plain(node: onnx.NodeProto) -> bool:
    """Whether a 1 x 1 convolution is one matrix at every place."""
    usual = {"group": 1, "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "auto_pad": b"NOTSET"}
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return all(given.get(name, value) == value for name, value in usual.items())


def stored_value(
    name: str, makers: Mapping[str, onnx.NodeProto], stored: Mapping[str, onnx.TensorProto]
) -> DoubleArray | None:
    """The value of a weight, stored as it is, in half precision, or in 8-bit integers; None: it is computed."""
    if name in stored:
        return np.asarray(numpy_helper.to_array(stored[name]), np.float64)
    node = makers.get(name)
    if node is not None and node.op_type == "Constant" and node.attribute[0].name == "value":
        return np.asarray(numpy_helper.to_array(node.attribute[0].t), np.float64)
    if node is None or node.op_type not in ("Cast", "DequantizeLinear"):
        return None
    parts = [stored_value(part, makers, stored) for part in node.input if part]
    if any(part is None for part in parts):
        return None
    value, *rest = (part for part in parts if part is not None)
    if node.op_type == "Cast":
        return value
    axis = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "axis"), 1)
    shape = [-1 if place == axis % value.ndim else 1 for place in range(value.ndim)]
    scale, *zero = (part.reshape(shape if part.size > 1 else ()) for part in rest)
    return np.asarray((value - (zero[0] if zero else 0.0)) * scale, np.float64)


def prune(graph: onnx.GraphProto) -> None:
    """Take out what no output needs any more."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)
