"""The feature extractor of a finished model, cut out of its graph: the same nodes, so old and new patches compare."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from sightline.errors import BundleError
from sightline.models.features import FeatureConfig, Frames, Progress, image_input, run_image
from sightline.models.graph import IR_VERSION, OPSET, GraphBuilder, open_session
from sightline.records import FloatArray, Frame

PATCHES = "patches"  # the value at which a graph parts into features and search


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredFeatures:
    """A feature extractor that was fitted once and stays as it is."""

    config: FeatureConfig
    grid: tuple[int, int]  # rows and columns of patches
    model: onnx.ModelProto  # `image` to `patches`, (rows * columns, D) float32

    def append_to(self, builder: GraphBuilder, image: str) -> str:
        """Add the nodes from `image` to patches; return the patches' name."""
        (patches,) = builder.splice(self.model, image)
        return patches

    def extract(self, frames: Frames, chosen: Sequence[int], progress: Progress | None = None) -> Iterator[FloatArray]:
        """Yield the chosen frames' patches, (rows * columns, D) float32, in that order."""
        session = open_session(self.model)
        for done, index in enumerate(chosen):
            yield run_image(session, frames[index], self.config)[0]
            if progress:
                progress("features", done + 1, len(chosen))


def stored_features(graph: bytes, config: FeatureConfig, grid: tuple[int, int]) -> StoredFeatures:
    """The part of a finished graph that makes patches, its values named anew so that names do not grow by extending.

    Raises:
        BundleError: the graph has no such part; without the path.
    """
    whole = onnx.load_model_from_string(graph).graph
    makers = {output: node for node in whole.node for output in node.output}
    edge = makers.get(PATCHES)
    if edge is None or edge.op_type != "Identity" or edge.input[0] not in makers:
        raise BundleError("has a graph without separate features, so it cannot be extended; train again")
    needed, waiting = set[str](), [edge.input[0]]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += makers[name].input if name in makers else []
    constants = [tensor for tensor in whole.initializer if tensor.name in needed]
    nodes = [node for node in whole.node if needed.intersection(node.output)]
    features = StoredFeatures(config=config, grid=grid, model=_renamed(nodes, constants, edge.input[0], config))
    pixels = np.zeros((16, 16, 1), np.uint8) if config.bit_depth == 8 else np.zeros((16, 16, 1), np.uint16)
    blank = Frame(pixels=pixels, bit_depth=config.bit_depth)
    (patches,) = features.extract([blank], [0])
    if patches.shape != (grid[0] * grid[1], config.dimensions):
        raise BundleError("has a graph whose patches are not those of its window; train again")
    return features


def _renamed(
    nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto], last: str, config: FeatureConfig
) -> onnx.ModelProto:
    names = {"": "", "image": "image"}
    for node in nodes:
        names |= {name: f"v{len(names) + place}" for place, name in enumerate(node.output) if name}
    names[last] = PATCHES
    for tensor in constants:
        names[tensor.name] = f"c{len(names)}"
        tensor.name = names[tensor.name]
    for node in nodes:
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "features",
            [helper.make_tensor_value_info(*port) for port in [image_input(config)]],
            [helper.make_tensor_value_info(PATCHES, TensorProto.FLOAT, None)],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    model.ir_version = IR_VERSION
    return model
