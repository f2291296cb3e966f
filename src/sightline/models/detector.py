"""The end that all anomaly models share: from distances to map and score, and a graph that judges frames."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import onnx
from onnx import TensorProto

from sightline.models.features import FeatureConfig, image_input, run_image
from sightline.models.graph import GraphBuilder, open_session
from sightline.records import AnomalyMap, FloatArray, Frame

_SMOOTHING_CELLS = 0.5  # sigma; 4 px at stride 8, as in Roth et al. 2022, arXiv 2106.08265, section 3.3


Method = Literal["patchcore", "padim", "efficientad", "fastflow", "stfpm"]


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
    graph: onnx.ModelProto  # image -> score, map
    good_scores: FloatArray  # (n,) one per frame, each by a model that has not learnt from it
    calibration: str  # how those were made, in words
    settings: dict[str, int | float | str | None]  # what the fit was asked for and chose, for the record
    held_out: tuple[int, ...] | None = None  # the frames that `good_scores` belong to; None: all, in order

    def detector(self) -> "GraphDetector":
        return GraphDetector(self.graph.SerializeToString(), self.features.bit_depth)


class GraphDetector:
    """Runs a finished graph; safe to use from several threads at once."""

    def __init__(self, graph: bytes, bit_depth: int, threads: int | None = None) -> None:
        self._session = open_session(graph, threads=threads)
        self._config = FeatureConfig(bit_depth=bit_depth)

    def score(self, frame: Frame) -> AnomalyMap:
        """Score one frame; raises FrameError when its bit depth is not the model's or the graph fails on it."""
        score, values = run_image(self._session, frame, self._config, ("score", "map"))
        return AnomalyMap(score=float(score), values=values)


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
    full = builder.node(
        "Resize",
        [smooth, "", "", builder.int64(layout.config.height, layout.config.width)],
        {"mode": "linear", "axes": [2, 3], "coordinate_transformation_mode": "half_pixel"},
    )
    values = builder.rename(builder.node("Squeeze", [full, builder.int64(0, 1)]), "map")
    builder.rename(builder.node("ReduceMax", [values], {"keepdims": 0}), "score")


def build_graph(builder: GraphBuilder, layout: Layout) -> onnx.ModelProto:
    """Finish a graph that starts at `image`."""
    return builder.build([image_input(layout.config)], _outputs(layout))


def build_tail(builder: GraphBuilder, layout: Layout, name: str, shape: tuple[int, ...]) -> onnx.ModelProto:
    """Finish a graph that starts behind the features, for calibration: the very nodes of the whole one."""
    return builder.build([(name, TensorProto.FLOAT, shape)], _outputs(layout))


def _outputs(layout: Layout) -> list[tuple[str, tuple[int, ...]]]:
    return [("score", ()), ("map", (layout.config.height, layout.config.width))]


def _gaussian(sigma: float) -> FloatArray:
    reach = max(1, int(np.ceil(3 * sigma)))
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = np.outer(line, line)
    smooth: FloatArray = (kernel / kernel.sum())[None, None].astype(np.float32)
    return smooth
