"""Write the trained student as the ONNX file that ships: 8-bit integers, or floating point with `--float`.

The 8-bit file says with QuantizeLinear and DequantizeLinear what is rounded where, in standard operators only; runtimes
that have integer kernels use them, and others compute the same in floating point.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from quantise import IntegerConv2d, Levels, folded, quantised
from student import Bottleneck, Student, StudentConfig

OPSET = 18
MOST_BYTES = 6_000_000


class _Writer:
    """Nodes and weights, in the order in which the network applies them."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.steps: dict[str, float] = {}  # of the values that have 256 levels

    def stored(self, values: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def node(self, op: str, inputs: list[str], attributes: dict[str, int | list[int]] | None = None) -> str:
        node = helper.make_node(op, inputs, [f"x{len(self.nodes)}"])
        node.attribute.extend(helper.make_attribute(name, value) for name, value in (attributes or {}).items())
        self.nodes.append(node)
        output: str = node.output[0]
        return output

    def levels(self, source: str, module: Levels) -> str:
        step = module.scale.numpy()
        parameters = [self.stored(step), self.stored(module.zero_point.numpy().astype(np.uint8))]
        output = self.node("DequantizeLinear", [self.node("QuantizeLinear", [source, *parameters]), *parameters])
        self.steps[output] = float(step)
        return output

    def integers(self, source: str, conv: IntegerConv2d) -> list[str]:
        """Weights as int8, the bias as int32 in units of the products."""
        scales = conv.scales()
        weight = torch.round(conv.weight.detach() / scales[:, None, None, None]).to(torch.int8)
        steps = scales * self.steps[source]
        bias = torch.round(_bias(conv).double() / steps.double()).to(torch.int32)
        return [
            self.node("DequantizeLinear", [self.stored(values.numpy()), self.stored(scale.numpy())], {"axis": 0})
            for values, scale in ((weight, scales), (bias, steps))
        ]

    def convolution(self, source: str, conv: nn.Conv2d) -> str:
        if isinstance(conv, IntegerConv2d):
            parameters = self.integers(source, conv)
        else:
            parameters = [self.stored(conv.weight.detach().numpy()), self.stored(_bias(conv).numpy())]
        kernel, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
        attributes: dict[str, int | list[int]] = {
            "kernel_shape": [kernel] * 2,
            "strides": [stride] * 2,
            "pads": [padding] * 4,
        }
        return self.node("Conv", [source, *parameters], attributes)

    def apply(self, source: str, module: nn.Module) -> str:
        """Translate one module of a folded or quantised student."""
        if isinstance(module, nn.Sequential):
            for part in module:
                source = self.apply(source, part)
            return source
        if isinstance(module, Bottleneck):
            return self.apply(self.node("Add", [source, self.apply(source, module.body)]), module.activation)
        if isinstance(module, nn.Conv2d):
            return self.convolution(source, module)
        if isinstance(module, Levels):
            return self.levels(source, module)
        if isinstance(module, nn.ReLU):
            return self.node("Relu", [source])
        if isinstance(module, nn.Identity):
            return source
        raise TypeError(f"no translation for {type(module).__name__}")


def to_onnx(network: Student) -> onnx.ModelProto:
    """A folded or quantised student as (N, 3, H, W) float32 RGB in 0..1 -> `stride8` and `stride16`."""
    writer = _Writer()
    scaled = writer.node("Mul", ["image", writer.stored(np.array(4, np.float32))])
    centred = writer.node("Sub", [scaled, writer.stored(np.array(2, np.float32))])
    near = writer.apply(centred, network.to_stride8)
    far = writer.apply(near, network.to_stride16)
    outputs = {"stride8": writer.apply(near, network.head8), "stride16": writer.apply(far, network.head16)}
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


def _bias(conv: nn.Conv2d) -> torch.Tensor:
    assert conv.bias is not None, "folding gives every convolution a bias"
    return conv.bias.detach()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("backbone/cache"), help="folder with what was trained")
    parser.add_argument("--output", "-o", type=Path, default=Path("src/sightline/models/backbone.onnx"))
    parser.add_argument("--float", action="store_true", dest="floating", help="student.pt as it is, in floating point")
    parser.add_argument("--untrained", action="store_true", help="random weights, for comparison; implies --float")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    network = Student(StudentConfig()).eval()
    if arguments.floating or arguments.untrained:
        if not arguments.untrained:
            network.load_state_dict(torch.load(arguments.cache / "student.pt", weights_only=True))
        network = folded(network)
    else:
        network = quantised(network)
        network.load_state_dict(torch.load(arguments.cache / "quantised.pt", weights_only=True))
    data = to_onnx(network).SerializeToString(deterministic=True)
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
