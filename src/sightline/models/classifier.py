"""A classifier: says what kind of defect a picture shows, how sure it is, and where.

Feature maps of the backbone -> of every channel its mean and its maximum over the picture, as a stain fills the
picture and a crack does not -> a linear score of every class -> calibrated probabilities.

A linear score of means and maxima is a sum over cells, exactly: a mean is shared by all cells, a maximum belongs to
the cell that has it, or to those that share it. So the class activation map (Zhou et al. 2016, arXiv 1512.04150,
section 2, there for means) needs no gradient: the graph computes the cells' shares first, and the score as their sum.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sightline.datasets.dataset import GOOD
from sightline.models.convolutions import HEAD
from sightline.models.features import WEIGHTS, FeatureConfig, append_resize, image_input
from sightline.models.gradient import exported
from sightline.models.graph import GraphBuilder
from sightline.models.network import Network
from sightline.models.prototypes import EMBEDDING, SIMILARITIES, Space, append_similarities
from sightline.records import FloatArray

Labels = NDArray[np.int64]
_DROPPED = 0.2  # share of the embedding's values, in training
_LEAST_SPREAD = 0.25  # of the median value's; else fine-tuning would shake the logits by values that hardly vary
_SMOOTHED_CELLS = 3  # side of the means that the map shows, as maxima lie in single cells
LEAST_WEIGHT = 1e-3  # of a cell, so that weights of 0 everywhere are weights all alike
_COLDEST, _HOTTEST = 0.05, 100.0  # temperatures looked at


class Head(nn.Module):
    """Embedding (N, D) -> logits (N, K)."""

    mean: Tensor
    spread: Tensor

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        width = 2 * sum(channels)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.dropout = nn.Dropout(_DROPPED)
        self.linear = nn.Linear(width, classes)
        nn.init.zeros_(self.linear.weight)  # convex in the head alone: no start is better than none
        nn.init.zeros_(self.linear.bias)

    def forward(self, embedding: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.dropout((embedding - self.mean) / self.spread))
        return logits

    def standardise(self, embeddings: Tensor) -> None:
        """Bring values to zero mean and unit variance over these; one that hardly varies is not blown up to noise."""
        spread = embeddings.std(dim=0)
        self.mean, self.spread = (
            embeddings.mean(dim=0),
            spread.clamp_min(max(_LEAST_SPREAD * float(spread.median()), 1e-6)),
        )

    def folded(self) -> tuple[FloatArray, FloatArray]:
        """Weight (K, D) and bias (K,) that take the embedding as it is."""
        weight = (self.linear.weight / self.spread).detach().cpu().double()
        bias = self.linear.bias.detach().cpu().double() - weight @ self.mean.cpu().double()
        return weight.float().numpy(), bias.float().numpy()


class Classifier(nn.Module):
    """(N, 3, H, W) RGB in 0..1, or (N, 4, H, W) with the weight of each pixel -> logits (N, K)."""

    def __init__(self, network: Network, head: Head) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embedding(images))
        return logits

    def embedding(self, images: Tensor) -> Tensor:
        """(N, D), what the head takes."""
        maps = self.network(images[:, :3])
        return embed(maps, images[:, 3:] if images.shape[1] > 3 else None)


def embed(maps: Sequence[Tensor], weights: Tensor | None = None) -> Tensor:
    """Feature maps (N, C, h, w), finest first -> (N, D): per map all channels' means, then all their maxima.

    Args:
        weights: (N, 1, H, W) in 0..1, how much each pixel counts in the means, and by what its features are
            multiplied before the maxima, the largest being 1; None: all alike.
    """
    if weights is None:
        return torch.cat([part for m in maps for part in (m.mean(dim=(2, 3)), m.amax(dim=(2, 3)))], dim=1).float()
    parts = []
    for m in maps:
        cells = functional.avg_pool2d(weights, weights.shape[2] // m.shape[2]) + LEAST_WEIGHT
        parts.append((m * (cells / cells.sum(dim=(2, 3), keepdim=True))).sum(dim=(2, 3)))
        parts.append((m * (cells / cells.amax(dim=(2, 3), keepdim=True))).amax(dim=(2, 3)))
    return torch.cat(parts, dim=1).float()


def temperature(logits: FloatArray, labels: Labels) -> float:
    """The T by which logits become calibrated: least cross-entropy of softmax(logits / T) on pictures not learnt from.

    Guo et al. 2017, arXiv 1706.04599, section 4.2; with targets (n + 1) / (n + 2) instead of 1, n the pictures of the
    class (Platt 1999), as a model without an error here would otherwise be called certain.
    """
    counts = np.bincount(labels, minlength=logits.shape[1])[labels]
    sure = (counts + 1) / (counts + 2)

    def cost(log_t: float) -> float:
        scaled = logits.astype(np.float64) / math.exp(log_t)
        log_p = scaled - scaled.max(axis=1, keepdims=True)
        log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
        right = log_p[np.arange(len(labels)), labels]
        others = (log_p.sum(axis=1) - right) / (logits.shape[1] - 1)
        return float(-(sure * right + (1 - sure) * others).mean())

    low, high = math.log(_COLDEST), math.log(_HOTTEST)
    for _ in range(60):  # convex in 1 / T: one minimum
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if cost(left) <= cost(right) else (left, high)
    return math.exp((low + high) / 2)


def whole_model(
    network: Network,
    head: Head,
    space: Space,
    features: FeatureConfig,
    names: Sequence[str],
    degrees: float,
    *,
    weighted: bool = False,
) -> onnx.ModelProto:
    """The one graph: image -> `probabilities` (K,), `activations` (K, h, w), `score` () and `map` (height, width).

    Beside them `embedding` and `similarities`, by which classes are taught later (`models.prototypes`).

    `activations` are each cell's share in each class's logit and sum up to it. `score` is 1 - p(good), summed over the
    defects, which keeps its digits where p(good) is almost 1; it is 1 where no class is good. `map` shows where the
    most probable defect comes from: its activations beyond the mean of all classes, smoothed, from 0 where they speak
    against it to the score where they speak for it most. Its maximum is the score, so that both reach a threshold
    together.

    Args:
        degrees: the temperature; logits and activations are divided by it.
        weighted: whether it takes `weights` (H, W) uint8 beside the picture, how much each pixel counts.
    """
    builder = GraphBuilder()
    picture = append_resize(builder, "image", features)
    plane = _append_weights(builder, features) if weighted else None
    with torch.no_grad():
        shapes = [tuple(m.shape) for m in network(torch.zeros(1, 3, features.height, features.width))]
    core = exported(network, (1, 3, features.height, features.width), [f"level{i}" for i in range(len(shapes))])
    weight, bias = (part / np.float32(degrees) for part in head.folded())
    rows, columns = shapes[0][2:]
    levels = list(zip(builder.splice(core, picture), shapes, strict=True))
    total, embedded = _append_levels(builder, levels, plane, weight, features.height)
    even = builder.named_constant(f"{HEAD}bias", (bias / (rows * columns))[:, None, None].astype(np.float32))
    cells = builder.node("Add", [builder.node("Squeeze", [total, builder.int64(0)]), even])
    activations = builder.rename(cells, "activations")
    logits = builder.node("ReduceSum", [activations, builder.int64(1, 2)], {"keepdims": 0})
    probabilities = builder.rename(builder.node("Softmax", [logits], {"axis": 0}), "probabilities")
    defects = [place for place, name in enumerate(names) if name != GOOD]
    named = builder.node("Gather", [probabilities, builder.int64(*defects)], {"axis": 0})
    score = _append_score(builder, named, all_bad=len(defects) == len(names))
    _append_map(builder, activations, named, defects, score, features)
    append_similarities(builder, embedded, space)
    outputs: list[tuple[str, tuple[int, ...]]] = [
        ("score", ()),
        ("map", (features.height, features.width)),
        ("probabilities", (len(names),)),
        ("activations", (len(names), rows, columns)),
        (EMBEDDING, (len(space.steps),)),
        (SIMILARITIES, (len(names),)),
    ]
    ports = [image_input(features)]
    if weighted:
        ports.append((WEIGHTS, onnx.TensorProto.UINT8, ("rows", "columns")))
    return builder.build(ports, outputs)


def _append_levels(
    builder: GraphBuilder,
    levels: Sequence[tuple[str, tuple[int, ...]]],
    plane: str | None,
    weight: FloatArray,
    height_px: int,
) -> tuple[str, str]:
    """Feature maps and their shapes -> (1, K, h, w) the shares of all, at the finest grid, and (D,) the embedding."""
    total, at = "", 0
    values: list[str] = []
    rows, columns = levels[0][1][2:]
    for level, (maps, (_, channels, height, width)) in enumerate(levels):
        mean, most = _append_weighted(builder, maps, plane, height_px // height, height * width)
        shares = _append_shares(builder, mean, most, weight[:, at : at + 2 * channels], level)
        if (height, width) != (rows, columns):
            shares = _append_spread(builder, shares, (rows, columns), height * width / (rows * columns))
        total, at = builder.node("Add", [total, shares]) if total else shares, at + 2 * channels
        values += [
            builder.node(op, [part, builder.int64(2, 3)], {"keepdims": 0})
            for op, part in (("ReduceSum", mean), ("ReduceMax", most))
        ]
    return total, builder.node("Squeeze", [builder.node("Concat", values, {"axis": 1}), builder.int64(0)])


def _append_weights(builder: GraphBuilder, features: FeatureConfig) -> str:
    """`weights` (H, W) uint8 -> (1, 1, height, width) in 0..1, resized as the picture is."""
    image = builder.node("Unsqueeze", [WEIGHTS, builder.int64(2)])
    resized = append_resize(builder, image, replace(features, bit_depth=8))
    return builder.node("Slice", [resized, builder.int64(0), builder.int64(1), builder.int64(1)])


def _append_weighted(builder: GraphBuilder, maps: str, plane: str | None, stride: int, cells: int) -> tuple[str, str]:
    """(1, C, h, w) -> twice the same shape: what sums up to the means, and what the maxima are taken of; as `embed`."""
    if plane is None:
        return builder.node("Mul", [maps, builder.constant(np.float32(1 / cells))]), maps
    pooled = builder.node("AveragePool", [plane], {"kernel_shape": [stride, stride], "strides": [stride, stride]})
    weights = builder.node("Add", [pooled, builder.constant(np.float32(LEAST_WEIGHT))])
    whole, largest = (builder.node(op, [weights, builder.int64(2, 3)]) for op in ("ReduceSum", "ReduceMax"))
    mean, most = (builder.node("Mul", [maps, builder.node("Div", [weights, by])]) for by in (whole, largest))
    return mean, most


def _append_shares(builder: GraphBuilder, mean: str, most: str, weight: FloatArray, level: int) -> str:
    """(1, C, h, w) twice -> (1, K, h, w): each cell's share in the score; weight (K, 2 C) of means and maxima."""
    of_mean, of_most = np.split(weight, 2, axis=1)
    top = builder.node("ReduceMax", [most, builder.int64(2, 3)])
    has_it = builder.node("Cast", [builder.node("Equal", [most, top])], {"to": onnx.TensorProto.FLOAT})
    holders = builder.node("ReduceSum", [has_it, builder.int64(2, 3)])
    at_most = builder.node("Mul", [has_it, builder.node("Div", [top, holders])])
    parts = [("mean", mean, of_mean), ("max", at_most, of_most)]
    shares = [
        builder.node("Conv", [source, builder.named_constant(f"{HEAD}{level}_{kind}", part[:, :, None, None])])
        for kind, source, part in parts
    ]
    return builder.node("Add", shares)


def _append_spread(builder: GraphBuilder, shares: str, grid: tuple[int, int], part: float) -> str:
    """Each cell's share divided evenly among the finer cells it covers."""
    finer = builder.node(
        "Resize",
        [shares, "", "", builder.int64(*grid)],
        {"mode": "nearest", "axes": [2, 3], "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    )
    return builder.node("Mul", [finer, builder.constant(np.float32(part))])


def _append_score(builder: GraphBuilder, named: str, *, all_bad: bool) -> str:
    one = builder.constant(np.float32(1))
    total = builder.node("ReduceSum", [named, builder.int64(0)], {"keepdims": 0})
    if all_bad:  # the sum is 1 but for rounding, and what is not a number must stay so
        nothing = builder.node("Mul", [total, builder.constant(np.float32(0))])
        return builder.rename(builder.node("Add", [nothing, one]), "score")
    return builder.rename(builder.node("Min", [total, one]), "score")


def _append_map(
    builder: GraphBuilder, activations: str, named: str, defects: Sequence[int], score: str, features: FeatureConfig
) -> None:
    leading = builder.node("ArgMax", [named], {"axis": 0, "keepdims": 1})
    place = builder.node("Gather", [builder.int64(*defects), leading], {"axis": 0})
    # what speaks for all classes alike speaks for none
    common = builder.node("ReduceMean", [activations, builder.int64(0)])
    cells = builder.node("Sub", [builder.node("Gather", [activations, place], {"axis": 0}), common])
    margin = _SMOOTHED_CELLS // 2
    smooth = builder.node(
        "AveragePool",
        [builder.node("Unsqueeze", [cells, builder.int64(0)])],
        {"kernel_shape": [_SMOOTHED_CELLS] * 2, "pads": [margin] * 4, "count_include_pad": 0},
    )
    full = builder.node(
        "Resize",
        [smooth, "", "", builder.int64(features.height, features.width)],
        {"mode": "linear", "axes": [2, 3], "coordinate_transformation_mode": "half_pixel"},
    )
    values = builder.node("Squeeze", [full, builder.int64(0, 1)])
    lowest, highest = (builder.node(op, [values], {"keepdims": 0}) for op in ("ReduceMin", "ReduceMax"))
    nothing, least = builder.constant(np.float32(0)), builder.constant(np.float32(1e-9))
    base = builder.node("Max", [lowest, builder.node("Min", [nothing, highest])])
    # the least: where no cell speaks for the class, all have the score
    above, span = (
        builder.node("Add", [builder.node("Max", [builder.node("Sub", [value, base]), nothing]), least])
        for value in (values, highest)
    )
    builder.rename(builder.node("Mul", [builder.node("Div", [above, span]), score]), "map")
