"""From a depth map to a picture of its surface normals, as ONNX nodes: what lets a picture's backbone look at shape.

depth (H, W) -> working size, missing points filled -> slopes -> unit normals, shorter where points are missing
-> (height, width, 3) 16-bit picture. Missing points are 0; units and the sign of height do not matter, as slopes are
scaled by a gain.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from sightline.models.graph import GraphBuilder

WHITE = 65_535  # of the picture of normals
_SUPPORT_PX = 5  # a normal is of full length if at least half of the points this far around it were measured
_TRUSTED = 4.0  # a pixel of which this many-th part was measured is as good as a whole one
_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Relief:
    """Names of what was made of a depth map, at the working size."""

    slope_x: str  # (1, 1, h, w) change of depth per pixel of the depth map, in its counts, to the right
    slope_y: str  # the same, downwards
    support: str  # (1, 1, h, w) 0 no points around .. 1 enough


def depth_input() -> tuple[str, int, tuple[str, str]]:
    """The port of a graph that takes a depth map of any size."""
    return "depth", TensorProto.UINT16, ("height", "width")


def append_relief(builder: GraphBuilder, depth: str, height: int, width: int) -> Relief:
    """Add the nodes from `depth` (H, W) uint16 to its slopes; where points are missing, those of a smooth filling."""
    counts = builder.node("Cast", [depth], {"to": TensorProto.FLOAT})
    counts = builder.node("Unsqueeze", [counts, builder.int64(0, 1)])
    measured = builder.node("Min", [counts, builder.constant(np.float32(1))])  # 0 or 1, as counts are whole
    # a missing point is 0 and thus adds nothing to the sum of counts
    total = _append_resize(builder, counts, height, width, antialias=True)
    share = _append_resize(builder, measured, height, width, antialias=True)
    known = builder.node("Div", [total, builder.node("Max", [share, builder.constant(np.float32(_SMALLEST))])])
    weight = _append_weight(builder, share)
    guess = _append_filled(builder, known, weight, height, width)
    # once more with the guess where points are missing: the mean of what is left on one side of a slope is off
    present = builder.node("Greater", [counts, builder.constant(np.float32(0))])
    fine = _append_enlarged(builder, guess, depth)
    filled = _append_resize(builder, builder.node("Where", [present, counts, fine]), height, width, antialias=True)
    columns, rows = (_append_step(builder, depth, axis, size) for axis, size in ((1, width), (0, height)))
    around = builder.node(
        "AveragePool",
        [weight],
        {"kernel_shape": [_SUPPORT_PX] * 2, "pads": [_SUPPORT_PX // 2] * 4, "count_include_pad": 0},
    )
    doubled = builder.node("Add", [around, around])
    return Relief(
        slope_x=builder.node("Div", [_append_gradient(builder, filled, _ACROSS), columns]),
        slope_y=builder.node("Div", [_append_gradient(builder, filled, _ACROSS.T), rows]),
        support=builder.node("Min", [doubled, builder.constant(np.float32(1))]),
    )


def append_normals(builder: GraphBuilder, relief: Relief, gain: float) -> str:
    """Add the nodes from slopes to the picture of normals; return its name, (height, width, 3) float32, whole 0..WHITE.

    The channels are x, y and z of n = (-p, -q, 1) / |(-p, -q, 1)|, p and q the slopes times `gain`, from -1 as black to
    1 as white. Where points are missing n is shortened down to the zero vector, middle grey, which no surface has: a
    hole in the data is a thing to be seen.

    Args:
        gain: depth unit / pixel pitch gives true normals; a larger one exaggerates the relief.
    """
    factor = builder.constant(np.float32(-gain))
    x, y = (builder.node("Mul", [slope, factor]) for slope in (relief.slope_x, relief.slope_y))
    one = builder.constant(np.ones((1, 1, 1, 1), np.float32))
    squared = builder.node("Add", [builder.node("Mul", [x, x]), builder.node("Mul", [y, y])])
    length = builder.node("Sqrt", [builder.node("Add", [squared, one])])
    scale = builder.node("Div", [relief.support, length])
    planes = [builder.node("Mul", [part, scale]) for part in (x, y)]
    normals = builder.node("Concat", [*planes, scale], {"axis": 1})
    half = builder.constant(np.float32(WHITE / 2))
    levels = builder.node("Round", [builder.node("Add", [builder.node("Mul", [normals, half]), half])])
    picture = builder.node("Transpose", [levels], {"perm": [0, 2, 3, 1]})
    return builder.node("Squeeze", [picture, builder.int64(0)])


def append_missing(builder: GraphBuilder, relief: Relief) -> str:
    """The share of the picture, 0..1, without enough points; a name of shape ()."""
    mean = builder.node("ReduceMean", [relief.support], {"keepdims": 0})
    return builder.node("Sub", [builder.constant(np.float32(1)), mean])


def normals_model(height: int, width: int, gain: float) -> onnx.ModelProto:
    """depth -> `normals` (height, width, 3), `missing` ()."""
    builder = GraphBuilder()
    relief = append_relief(builder, "depth", height, width)
    builder.rename(append_normals(builder, relief, gain), "normals")
    builder.rename(append_missing(builder, relief), "missing")
    return builder.build([depth_input()], [("normals", (height, width, 3)), ("missing", ())])


def slopes_model(height: int, width: int) -> onnx.ModelProto:
    """depth -> `slope_x`, `slope_y` and `support`, each (1, 1, height, width)."""
    builder = GraphBuilder()
    relief = append_relief(builder, "depth", height, width)
    names = ("slope_x", "slope_y", "support")
    for name in names:
        builder.rename(getattr(relief, name), name)
    return builder.build([depth_input()], [(name, (1, 1, height, width)) for name in names])


def _append_resize(builder: GraphBuilder, source: str, height: int, width: int, *, antialias: bool = False) -> str:
    return builder.node(
        "Resize",
        [source, "", "", builder.int64(height, width)],
        {
            "mode": "linear",
            "antialias": int(antialias),
            "axes": [2, 3],
            "coordinate_transformation_mode": "half_pixel",
        },
    )


def _append_enlarged(builder: GraphBuilder, source: str, depth: str) -> str:
    """(1, 1, h, w) at the size of the depth map."""
    size = builder.node("Shape", [depth])
    return builder.node(
        "Resize",
        [source, "", "", size],
        {"mode": "linear", "axes": [2, 3], "coordinate_transformation_mode": "half_pixel"},
    )


def _append_weight(builder: GraphBuilder, share: str) -> str:
    more = builder.node("Mul", [share, builder.constant(np.float32(_TRUSTED))])
    return builder.node("Min", [more, builder.constant(np.float32(1))])


def _append_filled(builder: GraphBuilder, known: str, weight: str, height: int, width: int) -> str:
    """Fill what has no weight from its surroundings: averages at ever coarser levels, then back to the finest.

    Push-pull, Gortler et al. 1996, "The Lumigraph", section 3.4.
    """
    if height == width == 1:
        return known
    coarse = (-(-height // 2), -(-width // 2))
    total, share = (_append_halved(builder, name) for name in (builder.node("Mul", [known, weight]), weight))
    mean = builder.node("Div", [total, builder.node("Max", [share, builder.constant(np.float32(_SMALLEST))])])
    below = _append_filled(builder, mean, _append_weight(builder, share), *coarse)
    guess = _append_resize(builder, below, height, width)
    surplus = builder.node("Mul", [builder.node("Sub", [known, guess]), weight])
    return builder.node("Add", [guess, surplus])


def _append_halved(builder: GraphBuilder, source: str) -> str:
    return builder.node(
        "AveragePool", [source], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1, "count_include_pad": 0}
    )


def _append_step(builder: GraphBuilder, depth: str, axis: int, size: int) -> str:
    """How many of the depth map's pixels one of the working size spans."""
    side = builder.node("Shape", [depth], {"start": axis, "end": axis + 1})
    count = builder.node("Cast", [side], {"to": TensorProto.FLOAT})
    return builder.node("Div", [count, builder.constant(np.float32(size))])


_ACROSS = np.asarray([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32) / 8  # central differences, three rows averaged


def _append_gradient(builder: GraphBuilder, filled: str, kernel: np.ndarray) -> str:
    """At the border the nearest inner value, so that a tilted plane has one slope everywhere."""
    inner = builder.node("Conv", [filled, builder.constant(np.ascontiguousarray(kernel[None, None]))])
    return builder.node("Pad", [inner, builder.int64(0, 0, 1, 1, 0, 0, 1, 1)], {"mode": "edge"})
