"""A backbone's maps at all strides, the fine ones too: for outlines, which the coarse ones cannot hold."""

from dataclasses import replace

import onnx
from onnx import helper

from sightline.models.backbone import Backbone
from sightline.models.network import before_head

_PROBE_PX = 256


def tapped(backbone: Backbone) -> Backbone:
    """The same network, weights and rounding with more outputs.

    For each power of two from 2 up that is finer than its own maps, the last map that it computes there; and its own
    maps before their last 1 x 1 convolution, which only mixes channels for matching patches.
    """
    graph = backbone.model.graph
    makers = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in graph.initializer}
    shapes = _shapes(backbone.model)
    found: dict[int, str] = {}
    for node in graph.node:
        shape = shapes.get(node.output[0], ())
        stride = _PROBE_PX // shape[2] if len(shape) == 4 and shape[0] == 1 and shape[2] == shape[3] else 0
        if 2 <= stride < backbone.stride and stride & (stride - 1) == 0:
            found[stride] = node.output[0]
    own = {s: before_head(out.name, makers, stored) for s, out in zip(backbone.strides, graph.output, strict=True)}
    found = dict(sorted((found | own).items()))
    model = onnx.ModelProto()
    model.CopyFrom(backbone.model)
    del model.graph.output[:]
    for name in found.values():
        model.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ("n", "c", "h", "w")))
    channels = tuple(shapes[name][1] for name in found.values())
    return replace(backbone, model=model, strides=tuple(found), channels=channels)


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """The shape of each value for one square picture; none where it cannot be told."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for axis, side in zip(fixed.graph.input[0].type.tensor_type.shape.dim, (1, 3, _PROBE_PX, _PROBE_PX), strict=True):
        axis.Clear()
        axis.dim_value = side
    for port in fixed.graph.output:
        port.type.tensor_type.ClearField("shape")
    known = onnx.shape_inference.infer_shapes(fixed).graph
    return {
        value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        for value in (*known.value_info, *known.output)
    }
