"""The models of several products in one graph: what they have in common runs once, the rest is a branch per product.

The graphs come from any method's `fit`, product by product, so each product scores as in a model of its own. Values
that all of them compute in the same way are found by value numbering (Cocke and Schwartz 1970, "Programming Languages
and Their Compilers") and kept once: resizing, and the backbone with its weights. Everything else goes into the
branches of `If`, of which the runtime executes one. So a picture costs what it costs in a model of one product, and
banks of different sizes need no padding.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PRODUCT = "product"  # the input that chooses: int64 without axes, from 0 up


def join(models: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """One graph with a further input, `product`, that judges as `models[product]` does; another number is an error.

    Args:
        models: two or more with the same inputs, outputs and opset, their constants inside.
    """
    graphs = [model.graph for model in models]
    first = graphs[0]
    assert all(list(graph.input) == list(first.input) for graph in graphs), "they take the same pictures"
    assert all(list(graph.output) == list(first.output) for graph in graphs), "they give the same maps"
    numbers = [_numbers(graph) for graph in graphs]
    common = set.intersection(*(set(found.values()) for found in numbers))
    names = {number: f"all_{name}" for name, number in reversed(numbers[0].items()) if number in common}
    names |= {numbers[0][port.name]: port.name for port in first.input} | {b"": ""}
    branches = [
        _branch(graph, found, names, f"p{place}_")
        for place, (graph, found) in enumerate(zip(graphs, numbers, strict=True))
    ]
    tree = _choice(branches, first.output)
    nodes, constants = _renamed(first, numbers[0], names, common)
    checked, check = _checked(len(models))
    joined = helper.make_graph(
        [*nodes, *check, *tree.node],
        "sightline",
        [*first.input, helper.make_tensor_value_info(PRODUCT, TensorProto.INT64, [])],
        list(first.output),
        [*constants, *checked, *tree.initializer],
    )
    model = helper.make_model(joined, opset_imports=models[0].opset_import, producer_name="sightline")
    model.ir_version = models[0].ir_version
    return model


def _numbers(graph: onnx.GraphProto) -> dict[str, bytes]:
    """Name of a value -> a digest of how it comes about: values with equal digests are equal, in whatever graph."""
    numbers = {"": b""} | {port.name: _digest(b"input", port.name.encode()) for port in graph.input}
    for tensor in graph.initializer:
        bare = onnx.TensorProto()
        bare.CopyFrom(tensor)
        bare.ClearField("name")
        numbers[tensor.name] = _digest(b"constant", bare.SerializeToString(deterministic=True))
    for node in graph.node:
        bare_node = onnx.NodeProto()
        bare_node.CopyFrom(node)
        for field in ("name", "input", "output", "doc_string"):
            bare_node.ClearField(field)
        made = _digest(
            b"node", bare_node.SerializeToString(deterministic=True), *(numbers[name] for name in node.input)
        )
        for position, name in enumerate(node.output):
            if name:
                numbers[name] = _digest(made, position.to_bytes(4, "big"))
    return numbers


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def _renamed(
    graph: onnx.GraphProto, numbers: dict[str, bytes], names: dict[bytes, str], kept: set[bytes]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Copies, under new names, of the nodes and constants whose numbers are among `kept`, each once."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    missing = set(kept)
    for tensor in graph.initializer:
        if numbers[tensor.name] in missing:
            missing.remove(numbers[tensor.name])
            constants.append(onnx.TensorProto())
            constants[-1].CopyFrom(tensor)
            constants[-1].name = names[numbers[tensor.name]]
    for node in graph.node:
        made = {numbers[name] for name in node.output if name}
        if made <= missing:
            missing -= made
            nodes.append(onnx.NodeProto())
            nodes[-1].CopyFrom(node)
            nodes[-1].ClearField("name")
            nodes[-1].input[:] = [names[numbers[name]] for name in node.input]
            nodes[-1].output[:] = [names[numbers[name]] for name in node.output]
    return nodes, constants


def _branch(graph: onnx.GraphProto, numbers: dict[str, bytes], names: dict[bytes, str], prefix: str) -> onnx.GraphProto:
    """What this product alone computes; its constants lie within, where the runtime can prepare them."""
    own = set(numbers.values()) - names.keys()
    local = names | {number: prefix + name for name, number in reversed(numbers.items()) if number in own}
    nodes, constants = _renamed(graph, numbers, local, own)
    outputs = []
    for port in graph.output:
        result = _named(port, f"{prefix}out_{port.name}")
        # a branch must make its own outputs, even where a common value is one
        nodes.append(helper.make_node("Identity", [local[numbers[port.name]]], [result.name]))
        outputs.append(result)
    return helper.make_graph(nodes, f"{prefix}only", [], outputs, constants)


def _checked(count: int) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """`product` as `place`, which fails unless it is 0 to count - 1; no product is ever taken for another."""
    constants = {"places": np.arange(count), "count": np.array(count), "zero": np.array(0)}
    nodes = [
        helper.make_node("Less", [PRODUCT, "zero"], ["negative"]),
        helper.make_node("Where", ["negative", "count", PRODUCT], ["within"]),  # -1 would be the last
        helper.make_node("Gather", ["places", "within"], ["place"]),
    ]
    return [numpy_helper.from_array(values.astype(np.int64), name) for name, values in constants.items()], nodes


def _choice(
    branches: Sequence[onnx.GraphProto], ports: Sequence[onnx.ValueInfoProto], start: int = 0, prefix: str = ""
) -> onnx.GraphProto:
    """A graph that runs `branches[place - start]`, found by halving, so that the nesting stays shallow."""
    if len(branches) == 1:
        return branches[0]
    half = len(branches) // 2
    middle = start + half
    below = _choice(branches[:half], ports, start, f"below{middle}_")
    above = _choice(branches[half:], ports, middle, f"above{middle}_")
    outputs = [_named(port, prefix + port.name) for port in ports]
    nodes = [
        helper.make_node("Less", ["place", f"middle{middle}"], [f"is_below{middle}"]),
        helper.make_node(
            "If", [f"is_below{middle}"], [port.name for port in outputs], then_branch=below, else_branch=above
        ),
    ]
    constant = numpy_helper.from_array(np.array(middle, np.int64), f"middle{middle}")
    return helper.make_graph(nodes, f"choice{middle}", [], outputs, [constant])


def _named(port: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    renamed = onnx.ValueInfoProto()
    renamed.CopyFrom(port)
    renamed.name = name
    return renamed
