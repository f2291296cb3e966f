"""PatchCore as it was published, with any network: what ours is compared with. It stays when our own recipe changes.

Roth et al. 2022, "Towards Total Recall in Industrial Anomaly Detection", arXiv 2106.08265:

    section 3.1   features of two depths (strides 8 and 16), each averaged over 3 x 3 cells, the coarser enlarged to
                  the finer, joined, and used as they are: neither standardised nor reduced
    section 3.2   the bank is a greedy coreset over the patches of all training pictures, by default 1 % of them; it is
                  chosen in a random projection to 128 dimensions, as the authors' program does, and keeps full features
    section 3.3   a picture's score is the largest of its patches' distances to the nearest of the bank, without the
                  re-weighting of eq. 7; the map is those distances, enlarged by bilinear interpolation to 256 x 256
                  and smoothed with sigma 4 px

One thing differs: the whole frame is resized to 256 x 256, whatever its shape, where the authors crop the middle
224 x 224. A crop would lose defects at the border. Everything is one ONNX graph, run as ours is.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from sightline.models.coreset import greedy_coreset
from sightline.models.features import Frames
from sightline.models.graph import Attribute, GraphBuilder, open_session
from sightline.records import FloatArray

SIDE_PX, STRIDE = 256, 8
CELLS = (SIDE_PX // STRIDE) ** 2
SELECTION_DIMENSIONS = 128
SIGMA_PX = 4.0


def fit(frames: Frames, teacher: Path, fraction: float = 0.01, seed: int = 0) -> onnx.ModelProto:
    """Learn from good frames, which are read twice; return the graph from `image` to `score` and `map`.

    Args:
        teacher: an ONNX network from (N, 3, H, W) RGB in 0..1 to features at strides 8 and 16, in this order.
        fraction: of all patches that the bank keeps.
    """
    network, white = onnx.load(teacher), _white(frames)
    chosen = _chosen(frames, network, white, fraction, seed)
    kept = []
    for index, patches in enumerate(_patches(frames, network, white)):
        mine = chosen[(chosen >= index * CELLS) & (chosen < (index + 1) * CELLS)]
        kept.append(patches[mine - index * CELLS])
    return graph(network, np.concatenate(kept), white)


def graph(network: onnx.ModelProto, bank: FloatArray, white: int = 255) -> onnx.ModelProto:
    """The whole of it for a bank (M, C): pixels (H, W, 1 or 3) to `score` () and `map` (256, 256).

    Args:
        white: the pixel value that becomes 1; above 255 pixels are uint16.
    """
    builder = GraphBuilder()
    distances = _append_nearest(builder, _append_patches(builder, network, white), bank)
    _append_answers(builder, distances)
    return builder.build([_image(white)], [("score", ()), ("map", (SIDE_PX, SIDE_PX))])


def patch_graph(network: onnx.ModelProto, white: int = 255) -> onnx.ModelProto:
    """Its first part alone: pixels to `patches` (1024, C)."""
    builder = GraphBuilder()
    builder.rename(_append_patches(builder, network, white), "patches")
    return builder.build([_image(white)], [("patches", (CELLS, "channels"))])


def answers(distances: FloatArray) -> tuple[float, FloatArray]:
    """Score and (256, 256) map of (32, 32) distances, by the very nodes of the graph."""
    builder = GraphBuilder()
    _append_answers(builder, "distances")
    shape = (SIDE_PX // STRIDE, SIDE_PX // STRIDE)
    model = builder.build([("distances", TensorProto.FLOAT, shape)], [("score", ()), ("map", (SIDE_PX, SIDE_PX))])
    score, values = open_session(model, threads=1).run(["score", "map"], {"distances": distances})
    return float(score), values


def _chosen(frames: Frames, network: onnx.ModelProto, white: int, fraction: float, seed: int) -> np.ndarray:
    """Indices of the coreset over all patches of all frames, chosen in the random projection."""
    rng = np.random.default_rng(seed)
    projected = np.empty((len(frames) * CELLS, SELECTION_DIMENSIONS), np.float32)
    projection: FloatArray | None = None
    for index, patches in enumerate(_patches(frames, network, white)):
        if projection is None:
            projection = rng.standard_normal((patches.shape[1], SELECTION_DIMENSIONS), np.float32)
            projection /= np.float32(np.sqrt(SELECTION_DIMENSIONS))
        np.matmul(patches, projection, out=projected[index * CELLS : (index + 1) * CELLS])
    count = max(1, round(fraction * len(projected)))
    return greedy_coreset(projected, count, seed=seed).indices


def _patches(frames: Frames, network: onnx.ModelProto, white: int) -> Iterator[FloatArray]:
    """(1024, C) of each frame."""
    session = open_session(patch_graph(network, white))
    for index in range(len(frames)):
        yield session.run(["patches"], {"image": frames[index].pixels})[0]


def _white(frames: Frames) -> int:
    """255, or for deeper frames the highest value of as many bits as these frames use."""
    if frames[0].pixels.dtype == np.uint8:
        return 255
    highest = max(int(frames[index].pixels.max()) for index in range(len(frames)))
    return (1 << max(9, highest.bit_length())) - 1


def _image(white: int) -> tuple[str, int, Sequence[str | int]]:
    return "image", TensorProto.UINT8 if white == 255 else TensorProto.UINT16, ("height", "width", "channels")


def _append_patches(builder: GraphBuilder, network: onnx.ModelProto, white: int) -> str:
    batch = builder.node("Unsqueeze", [builder.node("Transpose", ["image"], {"perm": [2, 0, 1]}), builder.int64(0)])
    real = builder.node("Cast", [batch], {"to": TensorProto.FLOAT})
    small = _append_resize(builder, real, SIDE_PX, antialias=True)
    scaled = builder.node("Mul", [small, builder.constant(np.float32(1 / white))])
    rgb = builder.node("Expand", [scaled, builder.int64(1, 3, SIDE_PX, SIDE_PX)])
    mean: dict[str, Attribute] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}
    fine, coarse = (builder.node("AveragePool", [features], mean) for features in builder.splice(network, rgb))
    joined = builder.node("Concat", [fine, _append_resize(builder, coarse, SIDE_PX // STRIDE)], {"axis": 1})
    return builder.node(
        "Reshape", [builder.node("Transpose", [joined], {"perm": [0, 2, 3, 1]}), builder.int64(CELLS, -1)]
    )


def _append_resize(builder: GraphBuilder, source: str, side: int, *, antialias: bool = False) -> str:
    settings: dict[str, Attribute] = {
        "mode": "linear",
        "axes": [2, 3],
        "coordinate_transformation_mode": "half_pixel",
        "antialias": int(antialias),
    }
    return builder.node("Resize", [source, "", "", builder.int64(side, side)], settings)


def _append_nearest(builder: GraphBuilder, patches: str, bank: FloatArray) -> str:
    """The plain distance matrix: all patches times the whole bank, then the least of each row."""
    norms = builder.constant(np.square(bank).sum(axis=1))
    product = builder.node("Gemm", [patches, builder.constant(np.ascontiguousarray(-2 * bank.T)), norms])
    least = builder.node("ReduceMin", [product, builder.int64(1)], {"keepdims": 0})
    lengths = builder.node("ReduceSumSquare", [patches, builder.int64(1)], {"keepdims": 0})
    squared = builder.node("Max", [builder.node("Add", [least, lengths]), builder.constant(np.float32(0))])
    return builder.node("Sqrt", [squared])


def _append_answers(builder: GraphBuilder, distances: str) -> None:
    builder.rename(builder.node("ReduceMax", [distances], {"keepdims": 0}), "score")
    cells = builder.node("Reshape", [distances, builder.int64(1, 1, SIDE_PX // STRIDE, SIDE_PX // STRIDE)])
    reach = round(3 * SIGMA_PX)
    line = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SIGMA_PX) ** 2).astype(np.float32)
    line /= line.sum()
    pads = builder.int64(0, 0, reach, reach, 0, 0, reach, reach)
    smooth = builder.node("Pad", [_append_resize(builder, cells, SIDE_PX), pads], {"mode": "edge"})
    for kernel in (line[None, None, :, None], line[None, None, None, :]):
        smooth = builder.node("Conv", [smooth, builder.constant(kernel)])
    builder.rename(builder.node("Squeeze", [smooth, builder.int64(0, 1)]), "map")
