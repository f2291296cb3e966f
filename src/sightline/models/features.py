"""From a frame to patch features: the first part of every anomaly model's graph.

image (H, W, C) -> antialiased resize -> RGB in 0..1 -> backbone, tile by tile where asked -> 3 x 3 neighbourhood means
-> projection on the leading principal components, the maps joined -> one feature vector per cell of the finest map.

Pictures of one shape are resized to the working size. Where shapes differ, as of parts cut out of larger pictures, all
are resized by one factor, so that a scratch is as wide in every one, and only their features to the common grid.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto

from sightline.errors import FrameError, OptionError
from sightline.models.backbone import Backbone
from sightline.models.graph import RUNTIME_ERRORS, GraphBuilder, first_line, open_session
from sightline.models.heads import projected
from sightline.models.interpolation import append_enlarged, append_resized
from sightline.records import FloatArray, Frame

Progress = Callable[[str, int, int], None]  # stage, done, total


class Frames(Protocol):
    """Good frames to learn from, read several times; a list will do, or something that decodes when asked."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frame: ...


# Seen by a tile beyond the part it answers for. Less than the backbone's receptive field, which would cost several
# times the work: features beside a seam differ a little from those without tiles, alike in training and in inspection.
TILE_CONTEXT_PX = 32
WEIGHTS = "weights"  # input of a graph that names regions
MASKS = "masks"  # output of a graph that outlines defects
BOXES = "boxes"  # output of a graph that finds defects as boxes, with `confidences` and `classes`
_FIT_PATCHES = 40_000
_FIT_FRAMES = 200
_LEAST_SPREAD = 0.01  # of the median channel's
MOST_PIXELS = 2**20  # of what is seen at once
_LEAST_SIDE_PX, MOST_SIDE_PX = 64, 2048  # of what the backbone sees where frames keep their shape
_WHITENING = 0.5  # 0: components keep their variance; 1: all have the same; chosen on parts rendered or spoilt by us


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureConfig:
    """How frames are looked at."""

    height: int = 256  # working size, px; the whole frame is resized to it, or its features are
    width: int = 256
    scale: float | None = None  # of every frame, whatever its shape; None: to the working size
    tile: int | None = None  # side of the squares the backbone sees, px; None: the whole working size at once
    dimensions: int = 64  # of a patch feature after projection
    bit_depth: int = 8  # of the frames
    seed: int = 0

    def __post_init__(self) -> None:
        if self.dimensions < 1:
            raise OptionError(f"dimensions must be at least 1, got {self.dimensions}.")
        if self.scale is not None and self.tile:
            raise OptionError("tiles need one working size for all pictures; give a size, or leave the tile out.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """Principal components of the joined, neighbourhood-averaged feature maps."""

    offset: FloatArray  # (D,) subtracted after projection, so that features have zero mean over the good patches
    bases: tuple[FloatArray, ...]  # per stride (C, D), the channels' scale to unit variance included
    explained: float  # fraction of the channels' variance that the D components hold


class Extractor(Protocol):
    """Where patches come from: features fitted just now, or those of a finished model."""

    @property
    def config(self) -> FeatureConfig: ...

    @property
    def grid(self) -> tuple[int, int]: ...

    def append_to(self, builder: GraphBuilder, image: str) -> str: ...

    def extract(
        self, frames: Frames, chosen: Sequence[int], progress: Progress | None = None
    ) -> Iterator[FloatArray]: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """A fitted feature extractor."""

    config: FeatureConfig
    backbone: Backbone
    projection: Projection

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.config.height // self.backbone.stride, self.config.width // self.backbone.stride

    def append_to(self, builder: GraphBuilder, image: str) -> str:
        """Add the nodes from `image` to patches, (rows * columns, D) row-major; return the patches' name."""
        return self.append_patches(builder, append_resize(builder, image, self.config, self.backbone.multiple))

    def append_patches(self, builder: GraphBuilder, rgb: str) -> str:
        """The same from the resized picture, (1, 3, height, width) float32 in 0..1."""
        joined = _append_tiled(builder, rgb, self)
        return builder.node(
            "Reshape",
            [builder.node("Transpose", [joined], {"perm": [0, 2, 3, 1]}), builder.int64(-1, self.config.dimensions)],
        )

    def model(self) -> onnx.ModelProto:
        """The graph from `image` to `patches` alone."""
        builder = GraphBuilder()
        builder.rename(self.append_to(builder, "image"), "patches")
        rows, columns = self.grid
        return builder.build([image_input(self.config)], [("patches", (rows * columns, self.config.dimensions))])

    def extract(self, frames: Frames, chosen: Sequence[int], progress: Progress | None = None) -> Iterator[FloatArray]:
        """Yield the chosen frames' patches, (rows * columns, D) float32, in that order."""
        session = open_session(self.model())
        for done, index in enumerate(chosen):
            yield run_image(session, frames[index], self.config)[0]
            if progress:
                progress("features", done + 1, len(chosen))


def image_input(config: FeatureConfig) -> tuple[str, int, Sequence[str | int]]:
    """The graph's only input: decoded pixels of any size."""
    kind = TensorProto.UINT8 if config.bit_depth == 8 else TensorProto.UINT16
    return "image", kind, ("height", "width", "channels")


def run_image(
    session: ort.InferenceSession,
    frame: Frame,
    config: FeatureConfig,
    outputs: Sequence[str] | None = None,
    product: int | None = None,
    weights: NDArray[np.uint8] | None = None,
) -> list[FloatArray]:
    """Run a graph that starts at `image` for the outputs named; None: all, in the graph's order.

    Args:
        product: which of several the graph is to judge; None where it has no such input.
        weights: (H, W) how much each pixel counts, of a graph that names regions; else None.

    Raises:
        FrameError: the frame's depth is not the one that the graph scales by, or the graph fails on it. 12 significant
            bits in a 16-bit file are fine: files do not say how many of their bits the camera used.
    """
    if (frame.bit_depth == 8) != (config.bit_depth == 8) or frame.bit_depth < config.bit_depth:
        raise FrameError(
            f"{frame.source or 'frame'}: has {frame.bit_depth} bits per channel, the model was trained on "
            f"{config.bit_depth}. Give pictures as the camera made them at training."
        )
    feeds: dict[str, NDArray[Any]] = {"image": frame.pixels}
    if product is not None:
        feeds["product"] = np.array(product, np.int64)
    if weights is not None:
        feeds[WEIGHTS] = weights
    if takes_depth(session):
        if frame.depth is None:
            raise FrameError(f"{frame.source or 'frame'}: the model needs a depth map with the picture. Give both.")
        feeds["depth"] = frame.depth
    try:
        return list(session.run(outputs, feeds))
    except RUNTIME_ERRORS as error:  # out of memory, or a graph that only looks right
        raise FrameError(
            f"{frame.source or 'frame'}: the model cannot judge it ({first_line(error)}). Check its size and the model."
        ) from error


def takes_depth(session: ort.InferenceSession) -> bool:
    """Whether the graph judges a depth map beside the picture."""
    return any(port.name == "depth" for port in session.get_inputs())


def fit_features(
    frames: Frames, backbone: Backbone, config: FeatureConfig, progress: Progress | None = None
) -> Features:
    """Choose the projection from the good frames: PCA of a seeded sample of patches, channels at unit variance.

    Raises:
        OptionError: the working size does not suit the backbone.
        FrameError: a frame cannot be used.
    """
    check_sizes(config, backbone)
    rng = np.random.default_rng(config.seed)
    chosen = np.sort(rng.permutation(len(frames))[:_FIT_FRAMES])
    tiles = _tiles_of(config, backbone.multiple)
    height, width = (span.stop - span.start for span in tiles[0])  # of every tile, as all are of one size
    session = open_session(_raw_model(backbone, replace(config, height=height, width=width, tile=None)))
    samples: list[list[FloatArray]] = [[] for _ in backbone.strides]
    total = (height // backbone.stride) * (width // backbone.stride)
    per_tile = min(total, max(1, _FIT_PATCHES // (len(chosen) * len(tiles))))
    for done, index in enumerate(chosen):
        frame = frames[int(index)]
        for tile in tiles:
            cells = np.sort(rng.permutation(total)[:per_tile])
            for kept, full in zip(samples, run_image(session, _seen_by(tile, frame, config), config), strict=True):
                kept.append(full[cells])
        if progress:
            progress("projection", done + 1, len(chosen))
    return Features(
        config=config,
        backbone=backbone,
        projection=_principal_components([np.concatenate(s) for s in samples], config.dimensions),
    )


def _tiles_of(config: FeatureConfig, multiple: int) -> list[tuple["Span", "Span"]]:
    """Down and across, what is looked at in turn to fit the projection: the whole, unless it takes too much memory."""
    tile = config.tile if config.height * config.width > MOST_PIXELS else None
    down, across = (tile_spans(length, tile or length, multiple) for length in (config.height, config.width))
    return list(product(down, across))


def _seen_by(tile: tuple["Span", "Span"], frame: Frame, config: FeatureConfig) -> Frame:
    """The part of the frame that a tile sees."""
    if tuple(span.stop - span.start for span in tile) == (config.height, config.width):
        return frame
    (top, bottom), (left, right) = (
        (span.start * side // length, -(-span.stop * side // length))
        for span, side, length in zip(tile, frame.pixels.shape, (config.height, config.width), strict=False)
    )
    return replace(frame, pixels=frame.pixels[top:bottom, left:right].copy(), depth=None)


def check_sizes(config: FeatureConfig, backbone: Backbone) -> None:
    """Raise OptionError unless the working size and the tile suit the backbone's strides."""
    unit = backbone.multiple
    sides = {"height": config.height, "width": config.width} | ({"tile": config.tile} if config.tile else {})
    for what, value in sides.items():
        if value < 2 * unit or value % unit:
            near = max(2, round(value / unit)) * unit
            raise OptionError(
                f"{what} {value} px does not suit this backbone; use a multiple of {unit}, such as {near}."
            )
    least = 2 * _context(unit) + unit
    if config.tile and config.tile < least:
        raise OptionError(f"tile {config.tile} px is too small; use at least {least}.")


def _principal_components(samples: list[FloatArray], dimensions: int) -> Projection:
    scales = [_equalised(s) for s in samples]
    joined = np.concatenate([s.astype(np.float64) * scale for s, scale in zip(samples, scales, strict=True)], axis=1)
    mean = joined.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(joined - mean, rowvar=False, bias=True))
    keep = min(dimensions, joined.shape[1])
    leading = vectors[:, ::-1][:, :keep]
    # a component's sign is arbitrary; fix it, so that the same data give the same file everywhere
    leading = leading * np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(keep)])
    # defects show in components that vary little over good parts (Rippel et al. 2021, arXiv 2005.14140)
    leading = leading * (np.maximum(values[::-1][:keep], 1e-6) / max(values[-1], 1e-6)) ** (-_WHITENING / 2)
    basis = np.zeros((joined.shape[1], dimensions))
    basis[:, :keep] = leading
    edges = np.cumsum([s.shape[1] for s in samples])[:-1]
    bases = [part * scale[:, None] for part, scale in zip(np.split(basis, edges), scales, strict=True)]
    return Projection(
        offset=(mean @ basis).astype(np.float32),
        bases=tuple(part.astype(np.float32) for part in bases),
        explained=float(values[::-1][:keep].sum() / max(values.sum(), 1e-12)),
    )


def _equalised(sample: FloatArray) -> NDArray[np.float64]:
    """Per channel, what brings it to unit variance; a channel that hardly varies is not blown up to noise."""
    spread: NDArray[np.float64] = sample.std(axis=0, dtype=np.float64)
    least = max(_LEAST_SPREAD * float(np.median(spread)), 1e-6)
    return np.asarray(1 / np.maximum(spread, least), np.float64)


def _raw_model(backbone: Backbone, config: FeatureConfig) -> onnx.ModelProto:
    """image -> per stride (rows * columns, C): what the projection is fitted on."""
    builder = GraphBuilder()
    maps = builder.splice(backbone.model, append_resize(builder, "image", config, backbone.multiple))
    rows, columns = config.height // backbone.stride, config.width // backbone.stride
    outputs = []
    for index, (features, channels) in enumerate(zip(maps, backbone.channels, strict=True)):
        grid = append_to_grid(builder, _append_neighbourhood(builder, features), rows, columns)
        cells = builder.node("Transpose", [grid], {"perm": [0, 2, 3, 1]})
        builder.rename(builder.node("Reshape", [cells, builder.int64(-1, channels)]), f"raw{index}")
        outputs.append((f"raw{index}", (rows * columns, channels)))
    return builder.build([image_input(config)], outputs)


def append_resize(builder: GraphBuilder, image: str, config: FeatureConfig, multiple: int = 1) -> str:
    """(H, W, C) integers -> (1, 3, height, width) float32 in 0..1, or of the sides that the scale makes."""
    planes = builder.node("Transpose", [image], {"perm": [2, 0, 1]})
    batch = builder.node("Unsqueeze", [planes, builder.int64(0)])
    if config.bit_depth > 8:  # the runtime resizes 8-bit integers and floats only
        batch = builder.node("Cast", [batch], {"to": TensorProto.FLOAT})
    sides = (
        builder.int64(config.height, config.width)
        if config.scale is None
        else _append_sides(builder, image, config.scale, multiple)
    )
    small = builder.node(
        "Resize",
        [batch, "", "", sides],
        {"mode": "linear", "antialias": 1, "axes": [2, 3], "coordinate_transformation_mode": "half_pixel"},
    )
    if config.bit_depth == 8:
        small = builder.node("Cast", [small], {"to": TensorProto.FLOAT})
    scaled = builder.node("Mul", [small, builder.constant(np.float32(1 / (2**config.bit_depth - 1)))])
    return builder.node("Expand", [scaled, builder.int64(1, 3, 1, 1)])


def _append_sides(builder: GraphBuilder, image: str, scale: float, multiple: int) -> str:
    """The frame's height and width times the scale, to the nearest multiple, px, within bounds whatever comes in."""
    sides = builder.node("Shape", [image], {"start": 0, "end": 2})
    units = builder.node(
        "Mul",
        [
            builder.node("Cast", [sides], {"to": TensorProto.FLOAT}),
            builder.constant(np.float32(scale / multiple)),
        ],
    )
    low, high = (builder.constant(np.float32(max(2, side // multiple))) for side in (_LEAST_SIDE_PX, MOST_SIDE_PX))
    whole = builder.node("Clip", [builder.node("Round", [units]), low, high])
    return builder.node("Mul", [builder.node("Cast", [whole], {"to": TensorProto.INT64}), builder.int64(multiple)])


def _append_neighbourhood(builder: GraphBuilder, features: str) -> str:
    """Mean over 3 x 3 cells (Roth et al. 2022, arXiv 2106.08265, section 3.1, p = 3), zeros beyond the edge.

    The zeros draw the noisy features at the edge towards one another; without them the edges of good parts raise
    false alarms.
    """
    return builder.node(
        "AveragePool", [features], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}
    )


def append_to_grid(builder: GraphBuilder, features: str, rows: int, columns: int) -> str:
    return append_resized(builder, features, builder.int64(rows, columns))


def _append_projected(builder: GraphBuilder, rgb: str, features: Features, height: int, width: int) -> str:
    """(1, 3, height, width) -> (1, D, height / s, width / s), s the finest stride."""
    projection, strides = features.projection, features.backbone.strides
    total, sides = "", ""
    # projecting before averaging and resizing is the same, as all are linear, and there are fewer channels to move
    for level, cells in enumerate(builder.splice(projected(features.backbone.model, projection.bases), rgb)):
        means = _append_neighbourhood(builder, cells)
        if level and features.config.scale is None:
            before, after = ((height // stride, width // stride) for stride in (strides[level], strides[0]))
            means = append_enlarged(builder, means, before, after)
        elif level:
            means = append_resized(builder, means, sides)
        elif features.config.scale is not None:
            sides = builder.node("Shape", [means], {"start": 2, "end": 4})
        total = builder.node("Add", [total, means]) if total else means
    return builder.node("Sub", [total, builder.constant(projection.offset[None, :, None, None])])


def _append_tiled(builder: GraphBuilder, rgb: str, features: Features) -> str:
    config, stride = features.config, features.backbone.stride
    if config.tile is None:
        whole = _append_projected(builder, rgb, features, config.height, config.width)
        return whole if config.scale is None else append_to_grid(builder, whole, *features.grid)
    strips = []
    for down in tile_spans(config.height, config.tile, features.backbone.multiple):
        pieces = []
        for across in tile_spans(config.width, config.tile, features.backbone.multiple):
            seen = _append_slice(builder, rgb, (down.start, across.start), (down.stop, across.stop))
            size = (down.stop - down.start, across.stop - across.start)
            cells = _append_projected(builder, seen, features, *size)
            first = ((down.core_start - down.start) // stride, (across.core_start - across.start) // stride)
            last = ((down.core_stop - down.start) // stride, (across.core_stop - across.start) // stride)
            pieces.append(_append_slice(builder, cells, first, last))
        strips.append(builder.node("Concat", pieces, {"axis": 3}))
    return builder.node("Concat", strips, {"axis": 2})


def _append_slice(builder: GraphBuilder, source: str, first: tuple[int, int], last: tuple[int, int]) -> str:
    return builder.node("Slice", [source, builder.int64(*first), builder.int64(*last), builder.int64(2, 3)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Along one axis: what a tile sees, and the part within it that it answers for; px, stops excluded."""

    start: int
    stop: int
    core_start: int
    core_stop: int


def tile_spans(length: int, tile: int, multiple: int) -> list[Span]:
    """Tiles that cover `length` evenly, each core at least TILE_CONTEXT_PX inside its tile but at the frame's edge.

    The cores are disjoint and cover everything; all edges are multiples of `multiple`.
    """
    if tile >= length:
        return [Span(start=0, stop=length, core_start=0, core_stop=length)]
    usable = tile - 2 * _context(multiple)
    count = max(2, 1 + -(-(length - tile) // max(usable, multiple)))
    starts = [(index * (length - tile) // (count - 1)) // multiple * multiple for index in range(count)]
    edges = [
        0,
        *(((a + tile + b) // 2) // multiple * multiple for a, b in pairwise(starts)),
        length,
    ]
    return [
        Span(start=start, stop=start + tile, core_start=edges[i], core_stop=edges[i + 1])
        for i, start in enumerate(starts)
    ]


def _context(multiple: int) -> int:
    return -(-TILE_CONTEXT_PX // multiple) * multiple
