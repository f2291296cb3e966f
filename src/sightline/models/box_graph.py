"""What a detector of boxes says, as one graph: boxes without doubles, score and map."""

import numpy as np
import onnx
from onnx import TensorProto

from sightline.models.box_detector import BoxDetector, grids
from sightline.models.detector import boxes_of
from sightline.models.features import BOXES, FeatureConfig, append_resize, image_input
from sightline.models.gradient import exported
from sightline.models.graph import GraphBuilder, open_session
from sightline.records import Boxes, FloatArray

MOST_BOXES = 100  # of a picture; one with more is bad all over
# both chosen on validation pictures of NEU-DET: mAP50 0.682 at 0.6 and 0.01, 0.697 at 0.5 and 0.01, 0.700 at these
_LEAST_RAW = 0.001  # confidence, before it is calibrated, of a box that is given at all
_DOUBLE = 0.5  # intersection over union from which the less sure of two boxes of a class goes
_LEAST = 1e-30  # so that a map of nothing but zeros can be scaled


class Suppressor:
    """From what the network says of one picture to boxes, by the very nodes of the whole graph."""

    def __init__(self, classes: int, size: tuple[int, int]) -> None:
        builder = GraphBuilder()
        raw = builder.node("Sigmoid", ["logits"])
        _append_found(builder, raw, raw, "places", size)
        inputs = [("logits", TensorProto.FLOAT, (1, "cells", classes)), ("places", TensorProto.FLOAT, (1, "cells", 4))]
        self._session = open_session(builder.build(inputs, _FOUND))

    def __call__(self, logits: FloatArray, places: FloatArray) -> Boxes:
        """(A, K) and (A, 4) -> at most MOST_BOXES boxes, the most confident first."""
        corners, confidences, classes = self._session.run(None, {"logits": logits[None], "places": places[None]})
        return boxes_of(corners, confidences, classes)


def whole_model(
    detector: BoxDetector, features: FeatureConfig, slope: float = 1.0, offset: float = 0.0
) -> onnx.ModelProto:
    """The one graph: image -> `boxes` (n, 4), `confidences` (n,), `classes` (n,), `score` () and `map` (h, w).

    Boxes are left, top, right, bottom in px of the working picture, at most MOST_BOXES, the most confident first, all
    that are not all but impossible; of two of a class that overlap by more than half the surer one is given. Classes
    are places in the list of classes, whole numbers as float32. The map shows for each cell its most probable class's
    confidence, and its maximum is the score, the highest confidence of any box. If the network gives one value that is
    not finite, neither score nor map is a number, whatever the boxes.

    Args:
        slope, offset: a logit's confidence is sigmoid(slope * logit + offset).
    """
    size = (features.height, features.width)
    builder = GraphBuilder()
    picture = append_resize(builder, "image", features)
    logits, places = builder.splice(exported(detector, (1, 3, *size), ["logits", "places"]), picture)
    confidences = _append_confidences(builder, logits, slope, offset)
    _append_found(builder, builder.node("Sigmoid", [logits]), confidences, places, size)
    _append_score(builder, confidences, [logits, places], size, detector.strides)
    return builder.build([image_input(features)], [("score", ()), ("map", size), *_FOUND])


_FOUND: list[tuple[str, tuple[str | int, ...]]] = [
    (BOXES, ("boxes", 4)),
    ("confidences", ("boxes",)),
    ("classes", ("boxes",)),
]


def _append_confidences(builder: GraphBuilder, logits: str, slope: float, offset: float) -> str:
    """(1, A, K)."""
    scaled = builder.node("Mul", [logits, builder.constant(np.float32(slope))])
    return builder.node("Sigmoid", [builder.node("Add", [scaled, builder.constant(np.float32(offset))])])


def _append_found(builder: GraphBuilder, raw: str, confidences: str, places: str, size: tuple[int, int]) -> None:
    """The outputs of boxes; `raw` (1, A, K) chooses, `confidences`, which rise with it, are given."""
    height, width = size
    edges = builder.constant(np.array([width, height, width, height], np.float32))
    inside = builder.node("Max", [builder.node("Min", [places, edges]), builder.constant(np.float32(0))])
    scores, by_class = (builder.node("Transpose", [each], {"perm": [0, 2, 1]}) for each in (raw, confidences))
    limits = (builder.constant(np.array([value], np.float32)) for value in (_DOUBLE, _LEAST_RAW))
    single = builder.node("NonMaxSuppression", [inside, scores, builder.int64(MOST_BOXES), *limits])  # (m, 3)
    values = builder.node("GatherND", [by_class, single])
    count = builder.node("Min", [builder.node("Shape", [values]), builder.int64(MOST_BOXES)])
    most, order = builder.nodes("TopK", [values, count], 2)
    chosen = builder.node("Gather", [single, order], {"axis": 0})
    classes, cells = (builder.node("Gather", [chosen, column], {"axis": 1}) for column in _columns(builder))
    corners = builder.node("Gather", [builder.node("Squeeze", [inside, builder.int64(0)]), cells], {"axis": 0})
    builder.rename(corners, BOXES)
    builder.rename(most, "confidences")
    builder.rename(builder.node("Cast", [classes], {"to": TensorProto.FLOAT}), "classes")


def _columns(builder: GraphBuilder) -> tuple[str, str]:
    """Where a suppressed box names its class, and its cell."""
    one, two = (builder.constant(np.array(column, np.int64)) for column in (1, 2))
    return one, two


def _append_score(
    builder: GraphBuilder, confidences: str, raw: list[str], size: tuple[int, int], strides: tuple[int, ...]
) -> None:
    """`score` and `map`; a value in `raw` that is not finite makes both so."""
    sums = [builder.node("ReduceSum", [values], {"keepdims": 0}) for values in raw]
    poison = builder.node("Mul", [builder.node("Add", sums), builder.constant(np.float32(0))])
    highest = builder.node("ReduceMax", [confidences], {"keepdims": 0})
    score = builder.rename(builder.node("Add", [highest, poison]), "score")
    of_cell = builder.node("ReduceMax", [confidences, builder.int64(2)], {"keepdims": 0})  # (1, A)
    layers, start = [], 0
    for rows, columns in grids(*size, strides):
        part = builder.node("Slice", [of_cell, *(builder.int64(at) for at in (start, start + rows * columns, 1))])
        start += rows * columns
        layers.append(_append_enlarged(builder, part, (rows, columns), size))
    values = builder.node("Max", layers)
    peak = builder.node("ReduceMax", [values], {"keepdims": 0})
    least = builder.constant(np.float32(_LEAST))
    share = builder.node("Div", [builder.node("Add", [part, least]) for part in (values, peak)])
    builder.rename(builder.node("Mul", [share, score]), "map")


def _append_enlarged(builder: GraphBuilder, cells: str, grid: tuple[int, int], size: tuple[int, int]) -> str:
    """(1, rows * columns) -> (height, width)."""
    plane = builder.node("Reshape", [cells, builder.int64(1, 1, *grid)])
    full = builder.node(
        "Resize",
        [plane, "", "", builder.int64(*size)],
        {"mode": "linear", "axes": [2, 3], "coordinate_transformation_mode": "half_pixel"},
    )
    return builder.node("Squeeze", [full, builder.int64(0, 1)])
