"""A small builder for ONNX graphs, and the way we run them.

Everything Sightline computes on pixels is assembled here from standard operators, so that one graph serves
training, calibration, evaluation, the line and every export.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from sightline.errors import OptionError

OPSET = 18  # the first with an antialiased Resize
IR_VERSION = 9
# the runtime's own exceptions, which share no base but Exception
RUNTIME_ERRORS = tuple(
    getattr(ort_state, name)
    for name in (
        "EPFail",
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "ModelLoaded",
        "NoModel",
        "NoSuchFile",
        "NotImplemented",
        "RuntimeException",
    )
)
Attribute = int | float | str | Sequence[int] | Sequence[float]


class GraphBuilder:
    """Collects nodes and constants; names are generated, equal constants are stored once."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._by_content: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def constant(self, given: NDArray[Any] | np.float32) -> str:
        """Name of an initializer that holds these values."""
        values = np.ascontiguousarray(given).reshape(np.shape(given))
        key = (str(values.dtype), values.shape, values.tobytes())
        if key not in self._by_content:
            name = f"c{len(self._constants)}"
            self._constants[name] = numpy_helper.from_array(values, name)
            self._by_content[key] = name
        return self._by_content[key]

    def named_constant(self, name: str, values: NDArray[Any]) -> str:
        """An initializer that keeps its name, so that a finished graph's can be found and replaced."""
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def int64(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def node(self, op: str, inputs: Sequence[str], attributes: Mapping[str, Attribute] | None = None) -> str:
        """Append a node with one output and return that output's name."""
        return self.nodes(op, inputs, 1, attributes)[0]

    def nodes(
        self, op: str, inputs: Sequence[str], outputs: int, attributes: Mapping[str, Attribute] | None = None
    ) -> list[str]:
        """The same for a node with several outputs."""
        names = [f"n{len(self._nodes)}{f'_{place}' if place else ''}" for place in range(outputs)]
        node = helper.make_node(op, list(inputs), names)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in sorted((attributes or {}).items()))
        self._nodes.append(node)
        return names

    def splice(self, model: onnx.ModelProto, *sources: str) -> list[str]:
        """Append another model's nodes, fed with `sources`; a second splice shares the first one's constants.

        Args:
            model: as many inputs as there are sources, opset OPSET, its initializers inside.

        Returns:
            The names its outputs have here.
        """
        graph = model.graph
        names = {port.name: source for port, source in zip(graph.input, sources, strict=True)} | {"": ""}
        for tensor in graph.initializer:
            names[tensor.name] = self.constant(numpy_helper.to_array(tensor))
        prefix = f"b{len(self._nodes)}_"
        for original in graph.node:
            node = onnx.NodeProto()
            node.CopyFrom(original)
            node.name = ""
            for position, name in enumerate(original.input):
                node.input[position] = names[name]
            for position, name in enumerate(original.output):
                names[name] = prefix + name if name else ""
                node.output[position] = names[name]
            self._nodes.append(node)
        return [names[output.name] for output in graph.output]

    def rename(self, source: str, name: str) -> str:
        """Give a value the name that it has at the graph's edge."""
        self._nodes.append(helper.make_node("Identity", [source], [name]))
        return name

    def build(
        self, inputs: Sequence[tuple[str, int, Sequence[str | int]]], outputs: Sequence[tuple[str, Sequence[str | int]]]
    ) -> onnx.ModelProto:
        """The finished model; `inputs` are (name, TensorProto type, shape), outputs are float32."""
        graph = helper.make_graph(
            self._nodes,
            "sightline",
            [helper.make_tensor_value_info(name, kind, list(shape)) for name, kind, shape in inputs],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in outputs],
            list(self._constants.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="sightline")
        model.ir_version = IR_VERSION
        return model


def open_session(model: onnx.ModelProto | bytes, *, threads: int | None = None) -> ort.InferenceSession:
    """A CPU session; `threads` of None lets the runtime use every core.

    Raises:
        OptionError: the runtime cannot run this graph.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    graph = model if isinstance(model, bytes) else model.SerializeToString()
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except RUNTIME_ERRORS as error:
        raise OptionError(f"ONNX Runtime {ort.__version__} cannot run this graph: {first_line(error)}.") from error


def first_line(error: BaseException) -> str:
    """The beginning of a foreign error's text, fit for one line, without a full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(". ")
