"""STFPM: a student learns to see good parts as the teacher does; where their directions differ, something is new to it.

Wang et al. 2021, "Student-Teacher Feature Pyramid Matching for Anomaly Detection", arXiv 2103.04257. Differences: our
backbone for ResNet-18's first three stages, its channels at zero mean and unit variance over good frames; a student of
another, smaller architecture; the levels' maps meet on the finest level's grid, not at the size of the picture.
Symbols: t, s features of teacher and student at one position, of unit length.
"""

from dataclasses import dataclass
from itertools import pairwise

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import OptionError
from sightline.models.backbone import Backbone
from sightline.models.detector import FittedDetector, append_map, build_graph
from sightline.models.features import (
    FeatureConfig,
    Frames,
    Progress,
    append_resize,
    append_to_grid,
    check_sizes,
    image_input,
)
from sightline.models.gradient import (
    GradientConfig,
    Lessons,
    append_standardised,
    as_planes,
    calibrated,
    centred,
    descend,
    down,
    downsampling,
    exported,
    hold_out,
    seeded,
)
from sightline.models.graph import GraphBuilder
from sightline.records import FloatArray

STEPS = 500
_WIDTHS = (48, 96, 128)  # channels of the student's stages; the last for all further ones
_LEARNING_RATE = 2e-3
_LEAST_LENGTH = 1e-6  # of a feature: one of zeros has no direction

Moments = list[tuple[FloatArray, FloatArray]]  # per level: mean and spread, (C,)


class Residual(nn.Module):
    """Two 3 x 3 convolutions around which the input passes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


class Student(nn.Module):
    """(N, 3, H, W) RGB in 0..1 -> per level (N, C, H / s, W / s), each position's vector of unit length."""

    def __init__(self, strides: tuple[int, ...], channels: tuple[int, ...]) -> None:
        super().__init__()
        self.levels, self.heads = nn.ModuleList(), nn.ModuleList()
        width, stage = 3, 0
        for (above, stride), outputs in zip(pairwise((1, *strides)), channels, strict=True):
            layers: list[nn.Module] = []
            for step in downsampling(stride // above):
                wider = _WIDTHS[min(stage, len(_WIDTHS) - 1)]
                layers += [down(width, wider, step), nn.BatchNorm2d(wider), nn.ReLU()]
                width, stage = wider, stage + 1
            self.levels.append(nn.Sequential(*layers, Residual(width)))
            self.heads.append(nn.Conv2d(width, outputs, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x, found = centred(x), []
        for level, head in zip(self.levels, self.heads, strict=True):
            x = level(x)
            found.append(functional.normalize(head(x).float(), dim=1, eps=_LEAST_LENGTH))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    config: FeatureConfig
    grid: tuple[int, int]


def fit(
    frames: Frames,
    backbone: Backbone,
    feature_config: FeatureConfig,
    config: GradientConfig,
    progress: Progress | None = None,
) -> FittedDetector:
    """Learn from four fifths of the good frames and calibrate with the others; `dimensions` has no part in it.

    Raises:
        OptionError: too few frames, or options that cannot work; tiles are among them.
        FrameError: a frame cannot be used.
    """
    if feature_config.tile is not None:
        raise OptionError("stfpm looks at the whole working size at once; leave the tile out, or use another method.")
    check_sizes(feature_config, backbone)
    split = hold_out(len(frames), config.seed)
    lessons = Lessons(frames, _teacher_model(backbone, feature_config), feature_config, config.memory_bytes)
    moments = lessons.moments(split.learn, 1, progress)
    with seeded(config.seed):
        student = Student(backbone.strides, backbone.channels)
    steps = config.steps or STEPS
    descend(
        student,
        lambda picture, *levels: matching_loss(student(picture), _directions(levels, moments)),
        lessons,
        split.learn,
        steps=steps,
        learning_rate=_LEARNING_RATE,
        seed=config.seed,
        progress=progress,
    )
    graph = _whole_model(backbone, feature_config, student, moments)
    return calibrated("stfpm", frames, feature_config, graph, split, {"steps": steps}, progress)


def matching_loss(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...]) -> Tensor:
    """Half the squared distance of unit vectors, 1 - cos, averaged over positions, summed over levels (eq. 1 to 3)."""
    return torch.stack([0.5 * (s - t).square().sum(1).mean() for s, t in zip(student, teacher, strict=True)]).sum()


def _directions(levels: tuple[Tensor, ...], moments: Moments) -> tuple[Tensor, ...]:
    """The teacher's features, standardised and of unit length."""
    directions = []
    for level, (mean, spread) in zip(levels, moments, strict=True):
        offset, scale = (torch.from_numpy(as_planes(values)).to(level.device) for values in (mean, 1 / spread))
        directions.append(functional.normalize((level - offset) * scale, dim=1, eps=_LEAST_LENGTH))
    return tuple(directions)


def _teacher_model(backbone: Backbone, config: FeatureConfig) -> onnx.ModelProto:
    """image -> the resized picture, and the backbone's levels."""
    builder = GraphBuilder()
    picture = append_resize(builder, "image", config)
    outputs: list[tuple[str, tuple[int, ...]]] = [("picture", (1, 3, config.height, config.width))]
    builder.rename(picture, "picture")
    for index, level in enumerate(builder.splice(backbone.model, picture)):
        stride = backbone.strides[index]
        outputs.append(
            (f"level{index}", (1, backbone.channels[index], config.height // stride, config.width // stride))
        )
        builder.rename(level, f"level{index}")
    return builder.build([image_input(config)], outputs)


def _whole_model(backbone: Backbone, config: FeatureConfig, student: Student, moments: Moments) -> onnx.ModelProto:
    builder = GraphBuilder()
    layout = _Layout(config=config, grid=(config.height // backbone.stride, config.width // backbone.stride))
    picture = append_resize(builder, "image", config)
    taught = builder.splice(backbone.model, picture)
    names = [f"level{index}" for index in range(len(taught))]
    learnt = builder.splice(exported(student, (1, 3, config.height, config.width), names), picture)
    product = ""
    for level, (t, s, (mean, spread)) in enumerate(zip(taught, learnt, moments, strict=True)):
        gap = _append_gap(builder, append_standardised(builder, t, mean, spread), s)
        if level:
            gap = append_to_grid(builder, gap, *layout.grid)
        product = builder.node("Mul", [product, gap]) if product else gap  # section 3.3
    append_map(builder, product, layout)
    return build_graph(builder, layout)


def _append_gap(builder: GraphBuilder, teacher: str, student: str) -> str:
    """(1, C, h, w) teacher of any length and student of unit length -> (1, 1, h, w), half their squared distance."""
    axis = builder.int64(1)
    length = builder.node("ReduceL2", [teacher, axis])
    least = builder.node("Max", [length, builder.constant(as_planes([_LEAST_LENGTH]))])
    difference = builder.node("Sub", [builder.node("Div", [teacher, least]), student])
    squared = builder.node("ReduceSumSquare", [difference, axis])
    return builder.node("Mul", [squared, builder.constant(as_planes([0.5]))])
