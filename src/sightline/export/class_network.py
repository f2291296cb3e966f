"""A classifier without what shows where: from pixels to probabilities, of operators that small devices have.

The whole graph finds each cell's share by comparing floats, which integers cannot do. The logits alone are a linear
function of every channel's mean and maximum, so that a pooling and one matrix product give them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from sightline.bundle import Bundle
from sightline.errors import OptionError
from sightline.export.fixed_size import FixedSize
from sightline.models.convolutions import HEAD
from sightline.models.graph import open_session
from sightline.models.heads import prune
from sightline.models.prototypes import PROBABILITIES

Array = NDArray[Any]
NOTE = "gives probabilities alone: no map, and nothing is a REVIEW for being like no class"


def class_network(bundle: Bundle, cut: FixedSize) -> onnx.ModelProto:
    """`image` (height, width, 3) to `probabilities` (1, K), all in floating point.

    Raises:
        OptionError: the model was taught classes, which are found by similarity, or is older than this way.
    """
    naming = bundle.manifest.naming
    if naming is None or naming.weighted or naming.taught:
        raise OptionError(f"{bundle.path}: finds what it was taught by similarity, in float; export it to onnx.")
    graph = onnx.GraphProto()
    graph.CopyFrom(cut.graph.graph)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    heads = list(_heads(graph, stored))
    if not heads:
        raise OptionError(f"{bundle.path}: its graph has no head that is known here. Train it again.")
    kept = [node for node in graph.node if PROBABILITIES not in node.output]
    del graph.node[:]
    graph.node.extend(kept)
    parts, weights = [], []
    for (maps, of_mean, of_max), window in zip(heads, _windows(cut, [maps for maps, *_ in heads]), strict=True):
        for op, weight in (("AveragePool", of_mean), ("MaxPool", of_max)):
            pooled, flat = f"{maps}_{op}", f"{maps}_{op}_flat"
            # by poolings: the quantiser for LiteRT leaves ReduceMax in float, and an Edge TPU has means with conditions
            graph.node.append(helper.make_node(op, [maps], [pooled], kernel_shape=window, strides=window))
            graph.node.append(helper.make_node("Squeeze", [pooled, "pooled_axes"], [flat]))
            parts.append(flat)
            weights.append(weight)
    cells = next(port for port in graph.output if port.name == "activations").type.tensor_type.shape.dim[1:]
    bias = stored[f"{HEAD}bias"].reshape(-1) * np.float32(math.prod(side.dim_value for side in cells))
    graph.node.append(helper.make_node("Concat", parts, ["pooled"], axis=1))
    graph.node.append(helper.make_node("Gemm", ["pooled", "pooled_weight", "pooled_bias"], ["logits"]))
    graph.node.append(helper.make_node("Softmax", ["logits"], [PROBABILITIES], axis=1))
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([2, 3], np.int64), "pooled_axes"),
            numpy_helper.from_array(np.concatenate(weights, axis=1).T.copy(), "pooled_weight"),
            numpy_helper.from_array(bias.astype(np.float32), "pooled_bias"),
        ]
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(PROBABILITIES, onnx.TensorProto.FLOAT, [1, len(bias)]))
    _drop_levels(graph, stored)
    prune(graph)
    return helper.make_model(graph, opset_imports=cut.graph.opset_import, ir_version=cut.graph.ir_version)


def _heads(graph: onnx.GraphProto, stored: Mapping[str, Array]) -> Iterator[tuple[str, Array, Array]]:
    """For each feature map, finest first: its name, and the weights (K, C) of its channels' means and maxima."""
    takers = {node.input[1]: node for node in graph.node if node.op_type == "Conv"}
    makers = {name: node for node in graph.node for name in node.output}
    level = 0
    while (mean := f"{HEAD}{level}_mean") in takers:
        scaled = makers[takers[mean].input[0]]  # the map, divided by its number of cells
        of_mean, of_max = (stored[f"{HEAD}{level}_{kind}"][:, :, 0, 0] for kind in ("mean", "max"))
        yield scaled.input[0], of_mean, of_max
        level += 1


def _windows(cut: FixedSize, maps: Sequence[str]) -> list[list[int]]:
    """[rows, columns] of each feature map."""
    model = onnx.ModelProto()
    model.CopyFrom(cut.graph)
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in maps)
    image = np.zeros((cut.height, cut.width, 3), cut.dtype)
    return [list(found.shape[2:]) for found in open_session(model, threads=1).run(None, {"image": image})]


def _drop_levels(graph: onnx.GraphProto, stored: Mapping[str, Array]) -> None:
    """Float in the place of 8-bit activations; where 0 is the lowest level, they are the network's ReLU."""
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            zero = stored[node.input[2]]
            node.op_type = "Relu" if zero == np.iinfo(zero.dtype).min else "Identity"
        elif node.op_type == "DequantizeLinear" and node.input[0] not in stored:
            node.op_type = "Identity"
        else:
            continue
        del node.input[1:], node.attribute[:]
