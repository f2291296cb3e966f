"""The graph at the working size alone, for runtimes that want fixed shapes and have no antialiased resize.

The one graph is cut at its resize: what comes before is run here, by ONNX Runtime and by the very nodes of the model,
so that judging an export compares the rest and nothing else; whoever deploys the file does that part with a library of
theirs, as `rule` says.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sightline.bundle import Bundle
from sightline.errors import OptionError
from sightline.models.graph import open_session
from sightline.models.prototypes import PROBABILITIES, SIMILARITIES
from sightline.products import limits_of
from sightline.records import AnomalyMap, Frame

Run = Callable[[NDArray[Any]], AnomalyMap]  # of (height, width, 3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FixedSize:
    """`image` (height, width, 3), RGB, to `score` () and `map` (height, width)."""

    graph: onnx.ModelProto = field(repr=False)
    resizing: onnx.ModelProto = field(repr=False)  # (H, W, C) integers -> (1, C, height, width), as in the whole graph
    height: int
    width: int
    dtype: str  # "uint8"; "float32" in counts of the camera where the model takes more than 8 bits

    @property
    def rule(self) -> str:
        """What the caller has to do to a picture first."""
        return (
            f"image ({self.height}, {self.width}, 3) {self.dtype}, RGB, grey repeated; resized by antialiased linear "
            "interpolation with half-pixel centres, as Pillow's Image.resize(..., BILINEAR)"
        )

    def frames(self) -> Callable[[Frame], NDArray[Any]]:
        """From a frame to what the graph takes."""
        session = open_session(self.resizing, threads=1)

        def prepared(frame: Frame) -> NDArray[Any]:
            planes = np.asarray(session.run(None, {"image": frame.pixels})[0])[0]
            return np.ascontiguousarray(np.broadcast_to(planes, (3, *planes.shape[1:])).transpose(1, 2, 0))

        return prepared

    def scorer(self, run: Run) -> Callable[[Frame], AnomalyMap]:
        """A whole detector from what runs the graph."""
        prepared = self.frames()

        return lambda frame: run(prepared(frame))


def answer(found: Mapping[str, Any]) -> AnomalyMap:
    """A detector's answer from a graph's outputs by name, those of a classifier among them."""
    probabilities, similarities = (
        np.array(found[name], np.float32) if name in found else None for name in (PROBABILITIES, SIMILARITIES)
    )
    return AnomalyMap(
        score=float(np.asarray(found["score"]).item()),
        values=np.array(found["map"], np.float32),
        probabilities=probabilities,
        similarities=similarities,
    )


def fixed_size(bundle: Bundle, product: str | None, wanted_for: str) -> FixedSize:
    """Cut the model's graph at its resize.

    Args:
        product: which of several it will judge, for good; None where the model has one bank.

    Raises:
        OptionError: the model's resize depends on the picture, or it takes a depth map, so that no one size will do.
    """
    manifest = bundle.manifest
    if manifest.input.depth:
        raise OptionError(f"{bundle.path}: takes depth maps, and {wanted_for} does not; export it to onnx.")
    place = limits_of(bundle, product).place
    model = onnx.load_model_from_string(bundle.graph)
    resize = _resize(model.graph)
    if resize is None:
        raise OptionError(
            f"{bundle.path}: resizes every picture by one factor, and {wanted_for} needs one size; export it to onnx, "
            "or train with --size on pictures of one shape."
        )
    resizing = _until(model, resize)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == resize.output[0]:
                node.input[index] = resize.input[0]
    model.graph.node.remove(resize)
    height, width = manifest.working_size
    dtype = "uint8" if manifest.input.dtype == "uint8" else "float32"
    kind = TensorProto.UINT8 if dtype == "uint8" else TensorProto.FLOAT
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("image", kind, [height, width, 3]))
    if place is not None:
        model.graph.initializer.append(numpy_helper.from_array(np.array(place, np.int64), "product"))
    return FixedSize(graph=model, resizing=resizing, height=height, width=width, dtype=dtype)


def _resize(graph: onnx.GraphProto) -> onnx.NodeProto | None:
    """The node that brings a picture to the working size; None: its target is computed from the picture."""
    stored = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Resize" and any(a.name == "antialias" and a.i for a in node.attribute):
            return node if node.input[3] in stored else None
    return None


def _until(model: onnx.ModelProto, last: onnx.NodeProto) -> onnx.ModelProto:
    """The part of the model that makes this node's output."""
    nodes = list(_makers(model.graph, last.output[0]))[::-1]
    used = {name for node in nodes for name in node.input}
    output = helper.make_tensor_value_info(last.output[0], _type_of(model), [None] * 4)
    graph = helper.make_graph(
        nodes,
        "resizing",
        [port for port in model.graph.input if port.name == "image"],
        [output],
        [tensor for tensor in model.graph.initializer if tensor.name in used],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _makers(graph: onnx.GraphProto, output: str) -> Iterator[onnx.NodeProto]:
    """The nodes that `output` needs, last first."""
    needed = {output}
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            yield node


def _type_of(model: onnx.ModelProto) -> int:
    """Of resized pixels: integers of 8 bits stay so, others are floats."""
    kind = next(port for port in model.graph.input if port.name == "image").type.tensor_type.elem_type
    return int(kind) if kind == TensorProto.UINT8 else TensorProto.FLOAT
