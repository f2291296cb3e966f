"""Which convolutions of a graph are worth 8-bit arithmetic and do not have it yet.

As in the shipped backbone, of an anomaly model the first ones stay in float, because 8 bits of the whole brightness
range are too few for a dim picture, and the last ones, because detectors weigh weak components as much as strong ones
(backbone/quantise.py). A classifier asks less of its features, and its head is not among those worth it: there all are
quantised, as the first one of a ResNet takes a quarter of the time.
"""

import math
from collections.abc import Iterable, Sequence

import onnx
from onnx import helper, numpy_helper

_FEWEST_WEIGHTS = 1_000  # smaller ones cost nothing to leave, such as the smoothing of the map
HEAD = "head_"  # begins the names of the constants of a classifier's head
_WORTH = 0.1  # of all weights of convolutions; the shipped backbone keeps 2 % in float32, on purpose


def with_named_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose nodes have names, after their outputs, and whose constants are initializers.

    Each of its own: torch stores equal ones once and passes them on by Identity, and a bias that is not an initializer
    keeps its convolution from computing in integers.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    edge = {port.name for port in graph.output}
    for node in list(graph.node):
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            value = node.attribute[0].t
        elif node.op_type == "Identity" and node.input[0] in stored and node.output[0] not in edge:
            value = stored[node.input[0]]
        else:
            continue
        tensor = numpy_helper.from_array(numpy_helper.to_array(value), node.output[0])
        stored[tensor.name] = tensor
        graph.initializer.append(tensor)
        graph.node.remove(node)
    for node in graph.node:
        node.name = node.output[0]
    return copy


def in_float(model: onnx.ModelProto, *, ends: bool = False) -> list[str]:
    """Names of the convolutions to quantise; empty where hardly any weight is left in float.

    Args:
        model: its nodes have names.
        ends: the first and the last ones, too, except the head of a classifier.
    """
    sizes: dict[str, int] = {tensor.name: math.prod(tensor.dims) for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}

    def weights(node: onnx.NodeProto) -> int:
        maker = makers.get(node.input[1])  # of a weight in 8 bits, a DequantizeLinear
        return sizes.get(str(maker.input[0] if maker else node.input[1]), 0)

    nodes = list(model.graph.node)
    every = [node for node in nodes if node.op_type == "Conv"]
    large = [node for node in every if weights(node) >= _FEWEST_WEIGHTS]
    inner = _of_network(every) if ends else _behind(nodes, every) & _before(nodes, large)
    found = {node.name: weights(node) for node in large if node.input[1] in sizes and node.name in inner}
    return list(found) if sum(found.values()) >= _WORTH * sum(map(weights, large)) else []


def _of_network(convolutions: Iterable[onnx.NodeProto]) -> set[str]:
    return {node.name for node in convolutions if not node.input[1].startswith(HEAD)}


def _behind(nodes: Iterable[onnx.NodeProto], chosen: Sequence[onnx.NodeProto]) -> set[str]:
    """Names of the nodes that get something from one of the chosen."""
    names = {node.name for node in chosen}
    values: set[str] = set()
    behind: set[str] = set()
    for node in nodes:
        if values.intersection(node.input):
            behind.add(node.name)
        if node.name in names or node.name in behind:
            values.update(node.output)
    return behind


def _before(nodes: Sequence[onnx.NodeProto], chosen: Sequence[onnx.NodeProto]) -> set[str]:
    """Names of the nodes that give something to one of the chosen."""
    names = {node.name for node in chosen}
    values: set[str] = set()
    before: set[str] = set()
    for node in reversed(nodes):
        if values.intersection(node.output):
            before.add(node.name)
        if node.name in names or node.name in before:
            values.update(node.input)
    return before


def without_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy as Sightline writes graphs: nodes have no names, the operator set is ONNX's own, nothing is added."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        node.name = ""
    opsets = [helper.make_opsetid("", entry.version) for entry in model.opset_import if not entry.domain]
    del copy.opset_import[:]
    copy.opset_import.extend(opsets)
    del copy.metadata_props[:]
    return copy
