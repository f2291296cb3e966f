"""EfficientAD: a small student imitates the teacher on good parts, an autoencoder learns how they are composed.

Batzner et al. 2024, "EfficientAD: Accurate Visual Anomaly Detection at Millisecond-Level Latencies", arXiv 2303.14535.
Differences: the teacher is our backbone, its features the principal components of both levels at unit variance; drawn
textures stand for the pictures of ImageNet in the penalty (section 3.2), so that nothing is downloaded; the autoencoder
sees good frames as they are, not with their colours changed, so that the teacher need not look at them again; fewer
values count as hard, as there are fewer steps.
Symbols: T teacher, S student, S' its second half, A autoencoder, q_a and q_b quantiles of the good maps.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.backbone import Backbone
from sightline.models.detector import FittedDetector, append_map, build_graph
from sightline.models.features import (
    FeatureConfig,
    Features,
    Frames,
    Progress,
    append_resize,
    fit_features,
    image_input,
)
from sightline.models.gradient import (
    GradientConfig,
    Lessons,
    append_planes,
    append_standardised,
    as_planes,
    calibrated,
    centred,
    descend,
    down,
    downsampling,
    draw_weights,
    exported,
    hold_out,
    seeded,
)
from sightline.models.graph import GraphBuilder
from sightline.records import FloatArray

STEPS = 800
_WIDTH = 96
_LATENT = 64  # of the autoencoder (section 3.3)
_LEARNING_RATE = 1e-3
_HARD = 0.9  # p_hard of section 3.2, 0.999 there: in so few steps so few values teach too slowly (rendered parts)
_TEXTURES, _TEXTURES_PER_STEP = 64, 1
_QUANTILES = (0.9, 0.995)  # a and b, section 3.4


class Networks(nn.Module):
    """Student and autoencoder: (N, 3, H, W) RGB in 0..1 -> S, S' and A, (N, D, H / s, W / s) each."""

    def __init__(self, dimensions: int, height: int, width: int, stride: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for index, step in enumerate(downsampling(stride)):
            outputs = _WIDTH if index else _WIDTH // 2
            layers += [down(inputs, outputs, step), nn.ReLU()]
            inputs = outputs
        for _ in range(2):
            layers += [nn.Conv2d(inputs, _WIDTH, 3, padding=1), nn.ReLU()]
            inputs = _WIDTH
        self.student = nn.Sequential(*layers, nn.Conv2d(inputs, 2 * dimensions, 1))
        self.autoencoder = Autoencoder(dimensions, height, width, stride)
        draw_weights(self)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, second = self.student(centred(picture)).float().chunk(2, dim=1)
        return first, second, self.autoencoder(centred(picture)).float()


class Autoencoder(nn.Module):
    """Through a bottleneck of 64 numbers, so that it knows what belongs together but no details."""

    def __init__(self, dimensions: int, height: int, width: int, stride: int) -> None:
        super().__init__()
        self.grid = height // stride, width // stride
        self.least = height // 32, width // 32
        area = self.least[0] * self.least[1]
        self.encoder = nn.Sequential(
            nn.AvgPool2d(2),
            *(down(3, 32, 2), nn.ReLU(), down(32, 64, 2), nn.ReLU()),
            *(down(64, 64, 2), nn.ReLU(), down(64, 64, 2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(64 * area, _LATENT)),
        )
        self.spread = nn.Linear(_LATENT, 64 * area)
        self.middle = nn.Conv2d(64, 64, 3, padding=1)
        self.fine = nn.Conv2d(64, 64, 3, padding=1)
        self.last = nn.Conv2d(64, dimensions, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        x = functional.relu(self.spread(self.encoder(picture))).reshape(-1, 64, *self.least)
        half = max(1, self.grid[0] // 2), max(1, self.grid[1] // 2)
        x = functional.relu(self.middle(functional.interpolate(x, half, mode="bilinear")))
        x = functional.relu(self.fine(functional.interpolate(x, self.grid, mode="bilinear")))
        composed: Tensor = self.last(x)
        return composed


class _Maps(nn.Module):
    """What inspection needs of the networks: S, and the gap between A and S' at each position."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.networks = networks

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        first, second, composed = self.networks(picture)
        return first, (composed - second).square().mean(1, keepdim=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """From a map's good quantiles to 0 and 0.1, as M -> factor * M + offset (section 3.4)."""

    factor: float
    offset: float


def fit(
    frames: Frames,
    backbone: Backbone,
    feature_config: FeatureConfig,
    config: GradientConfig,
    progress: Progress | None = None,
) -> FittedDetector:
    """Learn from four fifths of the good frames and calibrate with the others.

    Raises:
        OptionError: too few frames, or options that cannot work.
        FrameError: a frame cannot be used.
    """
    split = hold_out(len(frames), config.seed)
    features = fit_features(frames, backbone, feature_config, progress)
    lessons = Lessons(frames, _teacher_model(features), feature_config, config.memory_bytes)
    ((mean, spread),) = lessons.moments(split.learn, 1, progress)
    height, width = feature_config.height, feature_config.width
    with seeded(config.seed):
        networks = Networks(feature_config.dimensions, height, width, backbone.stride)
    rng = np.random.default_rng(config.seed)
    drawn = torch.from_numpy(textures(_TEXTURES, height, width, rng))
    offset, scale = torch.from_numpy(as_planes(mean)), torch.from_numpy(as_planes(1 / spread))

    def loss(picture: Tensor, taught: Tensor) -> Tensor:
        chosen = drawn[torch.from_numpy(rng.choice(_TEXTURES, _TEXTURES_PER_STEP, replace=False))]
        standard = (taught - offset.to(taught.device)) * scale.to(taught.device)
        return training_loss(networks, picture, standard, chosen.to(picture.device))

    steps = config.steps or STEPS
    descend(
        networks,
        loss,
        lessons,
        split.learn,
        steps=steps,
        learning_rate=_LEARNING_RATE,
        seed=config.seed,
        progress=progress,
    )
    scales = _scales(networks, lessons, split.held_out, offset, scale)
    graph = _whole_model(features, networks, (mean, spread), scales)
    settings = {"steps": steps, "explained_variance": round(features.projection.explained, 4)}
    return calibrated("efficientad", frames, feature_config, graph, split, settings, progress)


def training_loss(networks: Networks, picture: Tensor, taught: Tensor, foreign: Tensor) -> Tensor:
    """Algorithm 1 of the paper.

    Args:
        picture: (N, 3, H, W) RGB in 0..1. taught: (N, D, h, w) what T says of it, at unit variance.
        foreign: (M, 3, H, W) pictures of something else, on which the student shall not imitate the teacher.
    """
    first, second, composed = networks(picture)
    penalty: Tensor = networks.student(centred(foreign)).float()[:, : taught.shape[1]].square().mean()
    composed_loss: Tensor = (composed - taught).square().mean()
    imitation_loss: Tensor = (composed.detach() - second).square().mean()  # S' follows A alone
    return hard_loss(first, taught) + penalty + composed_loss + imitation_loss


def hard_loss(student: Tensor, taught: Tensor) -> Tensor:
    """The mean of those squared differences that reach their 0.9 quantile (section 3.2)."""
    squared = (taught - student).square().flatten()
    count = max(1, round((1 - _HARD) * squared.numel()))
    return squared.topk(count).values.mean()


def textures(count: int, height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """(count, 3, height, width) in 0..1: coloured noise of several octaves, ridged or not, with bands across."""
    drawn = np.empty((count, 3, height, width), np.float32)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    for picture in drawn:
        total = np.zeros((height, width, 3), np.float32)
        for octave in range(1, 7):
            cells = min(2**octave, height), min(2**octave, width)
            noise = rng.normal(0, 1, (*cells, 3)).astype(np.float32)
            noise[:] += rng.normal(0, 1, (*cells, 1))  # what the channels share, so that not all is colourful
            enlarged = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
            total += float(rng.uniform(0, 1)) * (np.abs(enlarged) if rng.random() < 0.3 else enlarged)
        turn, period = rng.uniform(0, np.pi), rng.uniform(4, 64)
        bands = np.sin(2 * np.pi * (rows * np.sin(turn) + columns * np.cos(turn)) / period)
        total += float(rng.choice([0.0, 1.0, 2.0])) * (bands > 0)[:, :, None] * rng.normal(0, 1, 3).astype(np.float32)
        total = (total - total.mean()) / max(float(total.std()), 1e-6)
        picture[:] = (rng.uniform(0.2, 0.8) + rng.uniform(0.05, 0.3) * total).clip(0, 1).transpose(2, 0, 1)
    return drawn


def _scales(
    networks: Networks, lessons: Lessons, held_out: tuple[int, ...], offset: Tensor, scale: Tensor
) -> tuple[_Scale, _Scale]:
    """Of the maps of the student and of the autoencoder, from frames that neither has learnt from."""
    maps, cpu = _Maps(networks).eval(), torch.device("cpu")
    found: list[list[Tensor]] = [[], []]
    with torch.inference_mode():
        for index in held_out:
            picture, taught = lessons.batch([index], cpu)
            first, gap = maps(picture)
            found[0].append(((taught - offset) * scale - first).square().mean(1).flatten())
            found[1].append(gap.flatten())
    scales = []
    for values in found:
        low, high = np.quantile(torch.cat(values).numpy(), _QUANTILES)
        factor = 0.1 / max(float(high - low), 1e-6)
        scales.append(_Scale(factor=factor, offset=-factor * float(low)))
    return scales[0], scales[1]


def _teacher_model(features: Features) -> onnx.ModelProto:
    """image -> the resized picture, and the patches as planes, (1, D, rows, columns)."""
    builder, config = GraphBuilder(), features.config
    picture = append_resize(builder, "image", config)
    patches = features.append_patches(builder, picture)
    builder.rename(picture, "picture")
    builder.rename(append_planes(builder, patches, config.dimensions, features.grid), "planes")
    return builder.build(
        [image_input(config)],
        [("picture", (1, 3, config.height, config.width)), ("planes", (1, config.dimensions, *features.grid))],
    )


def _whole_model(
    features: Features,
    networks: Networks,
    moments: tuple[FloatArray, FloatArray],
    scales: tuple[_Scale, _Scale],
) -> onnx.ModelProto:
    builder, config = GraphBuilder(), features.config
    picture = append_resize(builder, "image", config)
    planes = append_planes(builder, features.append_patches(builder, picture), config.dimensions, features.grid)
    model = exported(_Maps(networks), (1, 3, config.height, config.width), ["first", "gap"])
    first, gap = builder.splice(model, picture)
    difference = builder.node("Sub", [append_standardised(builder, planes, *moments), first])
    squared = builder.node("Mul", [difference, difference])
    details = builder.node("ReduceMean", [squared, builder.int64(1)])
    both = [_append_scaled(builder, *pair) for pair in ((details, scales[0]), (gap, scales[1]))]
    append_map(builder, builder.node("Add", both), features)
    return build_graph(builder, features)


def _append_scaled(builder: GraphBuilder, values: str, scale: _Scale) -> str:
    """Half of the normalised map, as the two are averaged."""
    scaled = builder.node("Mul", [values, builder.constant(as_planes([scale.factor / 2]))])
    return builder.node("Add", [scaled, builder.constant(as_planes([scale.offset / 2]))])
