"""Write the trained student as the ONNX file that ships: batch norm folded, weights stored in half precision.

Half precision halves the file; the runtime casts the weights back once, when it loads, and computes in float32.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from student import Bottleneck, Student, StudentConfig

OPSET = 18
MOST_BYTES = 6_000_000


class _Writer:
    """Nodes and half-precision weights, in the order in which the network applies them."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def stored(self, values: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float16), name))
        return self.node("Cast", [name], {"to": TensorProto.FLOAT})

    def node(self, op: str, inputs: list[str], attributes: dict[str, int | list[int]] | None = None) -> str:
        node = helper.make_node(op, inputs, [f"x{len(self.nodes)}"])
        node.attribute.extend(helper.make_attribute(name, value) for name, value in (attributes or {}).items())
        self.nodes.append(node)
        output: str = node.output[0]
        return output

    def convolution(self, source: str, conv: nn.Conv2d, norm: nn.BatchNorm2d | None) -> str:
        weight, bias = _folded(conv, norm)
        kernel, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
        inputs = [source, self.stored(weight), self.stored(bias)]
        return self.node("Conv", inputs, {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4})

    def apply(self, source: str, module: nn.Module) -> str:
        """Translate one module; sequences of Conv, BatchNorm and ReLU, and Bottlenecks."""
        if isinstance(module, Bottleneck):
            return self.node("Relu", [self.node("Add", [source, self.apply(source, module.body)])])
        if isinstance(module, nn.ReLU):
            return self.node("Relu", [source])
        if isinstance(module, nn.Conv2d):
            return self.convolution(source, module, None)
        if not isinstance(module, nn.Sequential):
            raise TypeError(f"no translation for {type(module).__name__}")
        parts = list(module)
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            if isinstance(part, nn.BatchNorm2d):
                continue  # folded into the convolution before it
            if isinstance(part, nn.Conv2d):
                source = self.convolution(source, part, following if isinstance(following, nn.BatchNorm2d) else None)
            else:
                source = self.apply(source, part)
        return source


def to_onnx(student: Student) -> onnx.ModelProto:
    """(N, 3, H, W) float32 RGB in 0..1 -> `stride8` and `stride16`."""
    writer = _Writer()
    scaled = writer.node("Mul", ["image", writer.stored(np.array(4.0))])
    centred = writer.node("Sub", [scaled, writer.stored(np.array(2.0))])
    near = writer.apply(centred, student.to_stride8)
    far = writer.apply(near, student.to_stride16)
    outputs = {"stride8": writer.apply(near, student.head8), "stride16": writer.apply(far, student.head16)}
    writer.nodes.extend(helper.make_node("Identity", [source], [name]) for name, source in outputs.items())
    graph = helper.make_graph(
        writer.nodes,
        "sightline_backbone",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "height", "width"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, None, None]) for name in outputs],
        writer.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="sightline")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[np.ndarray, np.ndarray]:
    weight = conv.weight.detach().double()
    bias = conv.bias.detach().double() if conv.bias is not None else torch.zeros(len(weight), dtype=torch.double)
    if norm is not None:
        assert norm.running_mean is not None, "the student keeps running statistics"
        assert norm.running_var is not None, "the student keeps running statistics"
        scale = norm.weight.detach().double() / torch.sqrt(norm.running_var.double() + norm.eps)
        weight = weight * scale[:, None, None, None]
        bias = norm.bias.detach().double() + (bias - norm.running_mean.double()) * scale
    return weight.numpy(), bias.numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("backbone/cache"), help="folder with student.pt")
    parser.add_argument("--output", "-o", type=Path, default=Path("src/sightline/models/backbone.onnx"))
    parser.add_argument("--untrained", action="store_true", help="random weights, for comparison")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    student = Student(StudentConfig()).eval()
    if not arguments.untrained:
        student.load_state_dict(torch.load(arguments.cache / "student.pt", weights_only=True))
    data = to_onnx(student).SerializeToString(deterministic=True)
    if len(data) > MOST_BYTES:
        raise SystemExit(
            f"the file would take {len(data)} bytes, over the limit of {MOST_BYTES}. Make the student smaller."
        )
    partial = arguments.output.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(arguments.output)
    print(f"{arguments.output}: {len(data) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
