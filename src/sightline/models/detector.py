"""The end that all anomaly models share: from distances to map and score, and a graph that judges frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from sightline.errors import FrameError
from sightline.models.features import BOXES, MASKS, FeatureConfig, image_input, run_image, takes_depth
from sightline.models.graph import GraphBuilder, open_session
from sightline.models.interpolation import append_enlarged
from sightline.models.prototypes import EMBEDDING, SIMILARITIES
from sightline.models.window import Memory
from sightline.records import AnomalyMap, Boxes, FloatArray, Frame

_SMOOTHING_CELLS = 0.5  # sigma; 4 px at stride 8, as in Roth et al. 2022, arXiv 2106.08265, section 3.3
_BOXES = (BOXES, "confidences", "classes")


Method = Literal["patchcore", "padim", "efficientad", "fastflow", "stfpm", "classifier", "segmenter", "detector"]


class Layout(Protocol):
    """The working size and the grid of cells that distances lie on, as `Features` has them."""

    @property
    def config(self) -> FeatureConfig: ...

    @property
    def grid(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedDetector:
    """What `fit` of every method returns: the one graph, and how it scored the good frames it had not seen."""

    method: Method
    features: FeatureConfig
    graph: onnx.ModelProto  # image, and depth where it was learnt from -> score, map
    good_scores: FloatArray  # (n,) one per frame, each by a model that has not learnt from it
    calibration: str  # how those were made, in words
    settings: dict[str, int | float | str | None]  # what the fit was asked for and chose, for the record
    held_out: tuple[int, ...] | None = None  # the frames that `good_scores` belong to; None: all, in order
    memory: Memory | None = None  # what extending it takes; None: the method cannot be extended

    def detector(self) -> "GraphDetector":
        return GraphDetector(self.graph.SerializeToString(), self.features.bit_depth)


class GraphDetector:
    """Runs a finished graph; safe to use from several threads at once."""

    def __init__(self, graph: bytes, bit_depth: int, threads: int | None = None) -> None:
        self._session = open_session(graph, threads=threads)
        self._config = FeatureConfig(bit_depth=bit_depth)
        self.takes_depth = takes_depth(self._session)
        given = {port.name for port in self._session.get_outputs()}
        self._outputs = [
            name for name in ("score", "map", "probabilities", SIMILARITIES, MASKS, *_BOXES) if name in given
        ]

    def score(self, frame: Frame, product: int | None = None, weights: NDArray[np.uint8] | None = None) -> AnomalyMap:
        """Score one frame.

        Args:
            product: which of several the graph is to judge; None where it has no such input.
            weights: (H, W) how much each pixel counts, of a graph that names regions; else None.

        Raises:
            FrameError: its bit depth is not the model's, it lacks a depth map or has one that the model has no use
                for, or the graph fails on it.
        """
        if frame.depth is not None and not self.takes_depth:
            raise FrameError(
                f"{frame.source or 'frame'}: has a depth map, but the model learned from pictures alone. "
                "Leave it out, or train with --depth."
            )
        made = run_image(self._session, frame, self._config, self._outputs, product, weights)
        found = dict(zip(self._outputs, made, strict=True))
        return AnomalyMap(
            score=float(found["score"]),
            values=found["map"],
            probabilities=found.get("probabilities"),
            similarities=found.get(SIMILARITIES),
            masks=found.get(MASKS),
            boxes=boxes_of(*(found[name] for name in _BOXES)) if BOXES in found else None,
        )

    def embedding(self, frame: Frame, weights: NDArray[np.uint8] | None = None) -> FloatArray:
        """(D,) where a frame lies by what it shows, of length 1; of a graph that has `similarities`."""
        return run_image(self._session, frame, self._config, (EMBEDDING,), None, weights)[0]


def boxes_of(corners: FloatArray, confidences: FloatArray, classes: FloatArray) -> Boxes:
    """A graph's outputs as a value."""
    return Boxes(corners=corners, confidences=confidences, classes=np.asarray(classes, np.int64))


def append_map(builder: GraphBuilder, distances: str, layout: Layout) -> None:
    """(rows * columns,) distances -> outputs `map` (height, width) and `score`, its maximum.

    Score and map thus cannot contradict each other: a score reaches the threshold if and only if a region does.
    """
    rows, columns = layout.grid
    cells = builder.node("Reshape", [distances, builder.int64(1, 1, rows, columns)])
    kernel = _gaussian(_SMOOTHING_CELLS)
    margin = kernel.shape[-1] // 2
    pads = builder.int64(0, 0, margin, margin, 0, 0, margin, margin)
    padded = builder.node("Pad", [cells, pads], {"mode": "edge"})
    smooth = builder.node("Conv", [padded, builder.constant(kernel)])
    full = append_enlarged(builder, smooth, layout.grid, (layout.config.height, layout.config.width))
    builder.rename(builder.node("Squeeze", [full, builder.int64(0, 1)]), "map")
    builder.rename(builder.node("ReduceMax", [full], {"keepdims": 0}), "score")  # of "map" itself it would be copied


def build_graph(builder: GraphBuilder, layout: Layout) -> onnx.ModelProto:
    """Finish a graph that starts at `image`."""
    return builder.build([image_input(layout.config)], _outputs(layout))


def build_tail(builder: GraphBuilder, layout: Layout, inputs: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """Finish a graph that starts behind the features, for calibration: the very nodes of the whole one.

    Args:
        inputs: the shapes, by name, of the values it starts from.
    """
    ports = [(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    return builder.build(ports, _outputs(layout))


def _outputs(layout: Layout) -> list[tuple[str, tuple[int, ...]]]:
    return [("score", ()), ("map", (layout.config.height, layout.config.width))]


def _gaussian(sigma: float) -> FloatArray:
    reach = max(1, int(np.ceil(3 * sigma)))
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = np.outer(line, line)
    smooth: FloatArray = (kernel / kernel.sum())[None, None].astype(np.float32)
    return smooth
