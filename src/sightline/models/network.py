"""Backbones that learn: our own, or another in ONNX, as a torch module that can be fine-tuned.

The shipped file holds 8-bit weights into which the batch norms are folded. Here they are floats again. Of the 8-bit
activations only what they do beside rounding is kept: where 0 is the lowest value they can hold, they are the
network's ReLU. Features agree with those of ONNX Runtime within what rounding does (tests/models/test_network.py).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import OptionError
from sightline.models.backbone import Backbone
from sightline.models.heads import is_plain, stored_value

Nodes = Mapping[str, onnx.NodeProto]  # by the name of what they make
Stored = Mapping[str, onnx.TensorProto]


class Network(nn.Module, ABC):
    """(N, 3, H, W) RGB in 0..1, H and W multiples of the coarsest stride -> feature maps, finest first.

    What the networks that are trained here have in common; classifiers, segmenters and detectors build on it.
    """

    strides: tuple[int, ...]
    channels: tuple[int, ...]
    name: str
    sha256: str  # of the file that the weights came from; of nothing where it is not known

    @abstractmethod
    def late_parameters(self) -> list[nn.Parameter]:
        """The weights that only the coarsest map depends on: the last blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One operator, its inputs and its output by name."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


class GraphNetwork(Network):
    """A backbone's graph as a `Network`.

    Its maps are those from which a last 1 x 1 convolution computes the backbone's outputs, where there is one: that
    only mixes them, for matching patches.
    """

    def __init__(self, backbone: Backbone, *, heads: bool = False) -> None:
        """Read the weights.

        Args:
            heads: give the backbone's own outputs instead, the last convolutions included.

        Raises:
            OptionError: the graph has an operator that cannot be trained here.
        """
        super().__init__()
        graph = backbone.model.graph
        makers = {name: node for node in graph.node for name in node.output}
        stored = {tensor.name: tensor for tensor in graph.initializer}
        self.strides, self.name, self.sha256 = backbone.strides, backbone.name, backbone.sha256
        self.weights = nn.ParameterDict()
        self._input = graph.input[0].name
        self._taps = tuple(o.name if heads else before_head(o.name, makers, stored) for o in graph.output)
        needed = [_needed(tap, makers) for tap in self._taps]
        fixed = {name for name in makers if stored_value(name, makers, stored) is not None}
        self._steps = tuple(
            self._read(node, makers, stored)
            for node in graph.node
            if node.output[0] not in fixed and any(node.output[0] in level for level in needed)
        )
        early = set[str]().union(*needed[:-1])
        self._late = {
            _key(name)
            for step in self._steps
            if step.output not in early
            for name in step.inputs
            if _key(name) in self.weights
        }
        with torch.no_grad():
            maps = self(torch.zeros(1, 3, 2 * backbone.multiple, 2 * backbone.multiple))
        self.channels = tuple(int(level.shape[1]) for level in maps)

    def forward(self, images: Tensor) -> list[Tensor]:
        values = {self._input: images}
        for step in self._steps:
            given = [values[name] if name in values else self.weights[_key(name)] for name in step.inputs]
            values[step.output] = _OPERATORS[step.op](given, step.attributes)
        return [values[tap] for tap in self._taps]

    def late_parameters(self) -> list[nn.Parameter]:
        return [weight for name, weight in self.weights.items() if name in self._late]

    def _read(self, node: onnx.NodeProto, makers: Nodes, stored: Stored) -> _Step:
        if node.op_type not in _OPERATORS:
            raise OptionError(
                f"the backbone has the operator {node.op_type}, which cannot be trained here "
                f"({', '.join(sorted(_OPERATORS))} can). Take another backbone."
            )
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        inputs = tuple(node.input)
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            attributes = {"clips": node.op_type == "QuantizeLinear" and _clips_at_zero(node, stored)}
            inputs = inputs[:1]
        if node.op_type == "Pad":
            pads = stored_value(inputs[1], makers, stored)
            if pads is None or attributes.get("mode", b"constant") != b"constant":
                raise OptionError("the backbone pads by what it computes, which cannot be trained here.")
            attributes, inputs = {"pads": [int(side) for side in pads]}, inputs[:1]
        for name in inputs:
            value = stored_value(name, makers, stored)
            if value is not None and _key(name) not in self.weights:
                tensor = torch.from_numpy(np.array(value, np.float32))
                self.weights[_key(name)] = nn.Parameter(tensor, requires_grad=tensor.ndim > 0)
        return _Step(op=node.op_type, inputs=inputs, output=node.output[0], attributes=attributes)


def _key(name: str) -> str:
    return name.replace(".", "_")  # torch keeps the full stop for itself


def before_head(output: str, makers: Nodes, stored: Stored) -> str:
    """What a last 1 x 1 convolution is computed from; the output itself where there is none."""
    name = output
    while (node := makers.get(name)) is not None and node.op_type == "Identity":
        name = node.input[0]
    weight = None if node is None or node.op_type != "Conv" else stored_value(node.input[1], makers, stored)
    if node is None or weight is None or weight.shape[2:] != (1, 1) or not is_plain(node):
        return output
    return str(node.input[0])


def _needed(output: str, makers: Nodes) -> set[str]:
    """Names of all that `output` is computed from, and its own."""
    found: set[str] = set()
    waiting = [output]
    while waiting:
        name = waiting.pop()
        if name in makers and name not in found:
            found.add(name)
            waiting += makers[name].input
    return found


def _clips_at_zero(node: onnx.NodeProto, stored: Stored) -> bool:
    zero = numpy_helper.to_array(stored[node.input[2]]) if len(node.input) > 2 else np.zeros(1, np.uint8)
    return bool((zero == np.iinfo(zero.dtype).min).all())


def _convolve(given: list[Tensor], attributes: Mapping[str, Any]) -> Tensor:
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    image = given[0]
    if (top, left) != (bottom, right):
        image, top, left = functional.pad(image, (left, right, top, bottom)), 0, 0
    return functional.conv2d(
        image,
        given[1],
        given[2] if len(given) > 2 else None,
        stride=tuple(attributes.get("strides", (1, 1))),
        padding=(top, left),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=attributes.get("group", 1),
    )


def _pad(given: list[Tensor], attributes: Mapping[str, Any]) -> Tensor:
    top, left, bottom, right = (attributes["pads"][place] for place in (2, 3, 6, 7))
    return functional.pad(given[0], (left, right, top, bottom))


def _pool(given: list[Tensor], attributes: Mapping[str, Any]) -> Tensor:
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    image = functional.pad(given[0], (left, right, top, bottom), value=-math.inf)
    return functional.max_pool2d(
        image,
        attributes["kernel_shape"],
        attributes.get("strides", (1, 1)),
        ceil_mode=bool(attributes.get("ceil_mode")),
    )


# Tanh and Clip occur in backbones of others
_OPERATORS: dict[str, Callable[[list[Tensor], Mapping[str, Any]], Tensor]] = {
    "Add": lambda given, _: given[0] + given[1],
    "Clip": lambda given, _: torch.clamp(given[0], *given[1:]),
    "Conv": _convolve,
    "DequantizeLinear": lambda given, _: given[0],
    "Div": lambda given, _: given[0] / given[1],
    "Identity": lambda given, _: given[0],
    "MaxPool": _pool,
    "Mul": lambda given, _: given[0] * given[1],
    "Pad": _pad,
    "QuantizeLinear": lambda given, said: functional.relu(given[0]) if said["clips"] else given[0],
    "Relu": lambda given, _: functional.relu(given[0]),
    "Sub": lambda given, _: given[0] - given[1],
    "Tanh": lambda given, _: torch.tanh(given[0]),
}
