"""A graph of ours as a torch module, for converters that start from torch.

It knows the operators that Sightline's graphs and usual backbones are made of, at fixed shapes, and computes what they
are defined to compute. 8-bit levels are imitated in float, which holds them exactly.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import OptionError

Attributes = Mapping[str, Any]
Array = NDArray[Any]
Operator = Callable[..., Tensor]  # of the attributes and the inputs; an input left out is None


class TorchNetwork(nn.Module):
    """From `image` to the graph's outputs, in its order; a scalar becomes (1,)."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Raises OptionError where the graph has an operator that is not known here."""
        super().__init__()
        self._outputs = [port.name for port in model.graph.output]
        self._steps: list[tuple[Operator, Attributes, list[Any], str]] = []
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for node in model.graph.node:
            attributes = {found.name: helper.get_attribute_value(found) for found in node.attribute}
            known = _folded(node, attributes, constants)
            if known is not None:
                constants[node.output[0]] = known
                continue
            if node.op_type not in _OPERATORS:
                raise OptionError(f"the graph has the operator {node.op_type}, which cannot be converted; use onnx.")
            inputs = [self._input(node.op_type, place, name, constants) for place, name in enumerate(node.input)]
            self._steps.append((_OPERATORS[node.op_type], attributes, inputs, node.output[0]))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        values = {"image": image}
        for operator, attributes, inputs, output in self._steps:
            values[output] = operator(attributes, *(found(self, values) for found in inputs))
        return tuple(values[name].reshape(1) if values[name].ndim == 0 else values[name] for name in self._outputs)

    def _input(self, op: str, place: int, name: str, constants: Mapping[str, Array]) -> Any:
        """What finds this input when the module runs."""
        if name not in constants:
            return lambda _, values: values.get(name)
        if place in _SETTINGS.get(op, ()):
            setting = constants[name]
            return lambda *_: setting
        buffer = f"constant_{name}".replace(".", "_")
        if buffer not in dict(self.named_buffers(recurse=False)):
            self.register_buffer(buffer, torch.from_numpy(np.array(constants[name])))
        return lambda module, _: getattr(module, buffer)


def _folded(node: onnx.NodeProto, attributes: Attributes, constants: Mapping[str, Array]) -> Array | None:
    """The value of a node that does not depend on the picture; None: it does."""
    if node.op_type == "Constant":
        return np.asarray(numpy_helper.to_array(attributes["value"]))
    if node.op_type not in ("Cast", "DequantizeLinear") or any(name not in constants for name in node.input if name):
        return None
    value, *rest = (constants[name] for name in node.input if name)
    if node.op_type == "Cast":
        return value.astype(helper.tensor_dtype_to_np_dtype(attributes["to"]))
    axis = attributes.get("axis", 1)
    scale, *zero = (part.reshape([-1 if place == axis else 1 for place in range(value.ndim)]) for part in rest)
    moved = value.astype(np.float32) - (zero[0].astype(np.float32) if zero else 0)
    return np.asarray((moved * scale).reshape(value.shape), np.float32)


def _whole(values: Array) -> list[int]:
    return [int(value) for value in np.asarray(values).reshape(-1)]


def _conv(a: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    top, left, bottom, right = a.get("pads", (0, 0, 0, 0))
    padded = functional.pad(x, (left, right, top, bottom)) if (top, left) != (bottom, right) else x
    padding = (0, 0) if padded is not x else (top, left)
    return functional.conv2d(
        padded, weight, bias, a.get("strides", (1, 1)), padding, a.get("dilations", (1, 1)), a.get("group", 1)
    )


def _pool(a: Attributes) -> dict[str, Any]:
    top, left, bottom, right = a.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right) or a.get("ceil_mode") or a.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise OptionError("the graph has a pooling with uneven edges, which cannot be converted; use onnx.")
    return {"kernel_size": a["kernel_shape"], "stride": a.get("strides", (1, 1)), "padding": (top, left)}


def _quantize(_: Attributes, x: Tensor, scale: Array, zero: Array) -> Tensor:
    limits = np.iinfo(zero.dtype)
    return torch.clamp(torch.round(x / float(scale)) + float(zero), float(limits.min), float(limits.max))


def _resize(a: Attributes, x: Tensor, _roi: None, _scales: None, sizes: Array) -> Tensor:
    if a.get("mode") != b"linear" or a.get("coordinate_transformation_mode", b"half_pixel") != b"half_pixel":
        raise OptionError("the graph has a resize that is not linear, which cannot be converted; use onnx.")
    return functional.interpolate(x, size=_whole(sizes)[-2:], mode="bilinear", align_corners=False)


def _slice(_: Attributes, x: Tensor, starts: Array, ends: Array, axes: Array) -> Tensor:
    for start, end, axis in zip(_whole(starts), _whole(ends), _whole(axes), strict=True):
        x = torch.narrow(x, axis, start, min(end, x.shape[axis]) - start)
    return x


def _pad(a: Attributes, x: Tensor, pads: Array, *_: None) -> Tensor:
    top, left, bottom, right = (_whole(pads)[place] for place in (2, 3, 6, 7))
    mode = "replicate" if a.get("mode") == b"edge" else "constant"
    return functional.pad(x, (left, right, top, bottom), mode=mode)


def _reduced(reduce: Callable[..., Tensor]) -> Operator:
    def run(a: Attributes, x: Tensor, axes: Array | None = None) -> Tensor:
        return reduce(x, list(range(x.ndim)) if axes is None else _whole(axes), bool(a.get("keepdims", 1)))

    return run


def _gemm(a: Attributes, x: Tensor, factors: Tensor, offsets: Tensor) -> Tensor:
    if set(a) - {"alpha", "beta"} or a.get("alpha", 1.0) != 1.0 or a.get("beta", 1.0) != 1.0:
        raise OptionError("the graph has a scaled matrix product, which cannot be converted; use onnx.")
    return x @ factors + offsets


# inputs that are settings and not pixels: known when the module is made
_SETTINGS = {
    **dict.fromkeys(("Reshape", "Unsqueeze", "Squeeze", "Expand", "Gather"), (1,)),
    **dict.fromkeys(("ReduceMin", "ReduceMax", "ReduceMean", "ReduceSum", "ReduceSumSquare"), (1,)),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), (1, 2)),
    **dict.fromkeys(("Slice", "Resize", "Pad"), (1, 2, 3, 4)),
}
_OPERATORS: dict[str, Operator] = {
    "Add": lambda _, x, y: x + y,
    "AveragePool": lambda a, x: functional.avg_pool2d(
        x, **_pool(a), count_include_pad=bool(a.get("count_include_pad", 0))
    ),
    "Cast": lambda _, x: x.float(),
    "Concat": lambda a, *parts: torch.cat(parts, a["axis"]),
    "Conv": _conv,
    "DequantizeLinear": lambda _, x, scale, zero: (x - float(zero)) * float(scale),
    "Div": lambda _, x, y: x / y,
    "Expand": lambda _, x, shape: x.expand(np.broadcast_shapes(tuple(x.shape), tuple(_whole(shape)))),
    "Gather": lambda a, x, places: torch.index_select(x, a.get("axis", 0), torch.from_numpy(places).reshape(-1)),
    "Gemm": _gemm,
    "Identity": lambda _, x: x,
    "MatMul": lambda _, x, y: torch.matmul(x, y),
    "Max": lambda _, x, y: torch.maximum(x, y),
    "MaxPool": lambda a, x: functional.max_pool2d(x, **_pool(a)),
    "Mul": lambda _, x, y: x * y,
    "Pad": _pad,
    "QuantizeLinear": _quantize,
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _reduced(torch.mean),
    "ReduceMin": _reduced(torch.amin),
    "ReduceSum": _reduced(torch.sum),
    "ReduceSumSquare": _reduced(lambda x, axes, keep: torch.sum(x * x, axes, keep)),
    "Relu": lambda _, x: functional.relu(x),
    "Reshape": lambda _, x, shape: x.reshape(_whole(shape)),
    "Resize": _resize,
    "Sigmoid": lambda _, x: torch.sigmoid(x),
    "Slice": _slice,
    "Softmax": lambda a, x: functional.softmax(x, a.get("axis", -1)),
    "Sqrt": lambda _, x: torch.sqrt(x),
    "Squeeze": lambda _, x, axes: x.squeeze(tuple(_whole(axes))),
    "Sub": lambda _, x, y: x - y,
    "Tanh": lambda _, x: torch.tanh(x),
    "Transpose": lambda a, x: x.permute(*a["perm"]),
    "Unsqueeze": lambda _, x, axes: x.unsqueeze(_whole(axes)[0]),
}
