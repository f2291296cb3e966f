"""FastFlow: a normalising flow learns the density of good features; what is unlikely is anomalous.

Yu et al. 2021, "FastFlow: Unsupervised Anomaly Detection and Localization via 2D Normalizing Flows", arXiv 2111.07677.
Differences: our backbone; one flow on the principal components of both levels joined, at unit variance, in place of one
flow per level; the map is the negative log-likelihood per dimension rather than minus the likelihood.
Symbols: x feature map, z its image under the flow, D dimensions, log|J| the log-determinant at each position.
"""

from typing import cast

import onnx
import torch
from torch import Tensor, nn

from sightline.errors import OptionError
from sightline.models.backbone import Backbone
from sightline.models.detector import FittedDetector, append_map, build_graph
from sightline.models.features import FeatureConfig, Features, Frames, Progress, fit_features, image_input
from sightline.models.gradient import (
    GradientConfig,
    Lessons,
    append_planes,
    append_standardised,
    calibrated,
    descend,
    exported,
    hold_out,
    seeded,
)
from sightline.models.graph import GraphBuilder
from sightline.records import FloatArray

STEPS = 600
_COUPLINGS = 6  # section 4.2 takes 8 for ResNets
_LEARNING_RATE = 2e-3
_CLAMP = 1.9  # of the log-scale of a coupling, as is usual for affine couplings (Ardizzone et al. 2019)


class Coupling(nn.Module):
    """Mixes the channels by a fixed rotation, then scales and shifts half of them by what the other half says.

    The subnets' kernels alternate between 3 x 3 and 1 x 1 (section 3.3).
    """

    rotation: Tensor

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.kept = channels // 2
        moved = channels - self.kept
        self.register_buffer("rotation", torch.linalg.qr(torch.randn(channels, channels))[0][:, :, None, None])
        last = nn.Conv2d(channels, 2 * moved, kernel, padding=kernel // 2)
        nn.init.zeros_(last.weight)  # the flow begins as a rotation
        nn.init.constant_(cast(Tensor, last.bias), 0)
        self.subnet = nn.Sequential(nn.Conv2d(self.kept, channels, kernel, padding=kernel // 2), nn.ReLU(), last)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, D, h, w) -> the same shape, and log|J| at each position, (N, 1, h, w)."""
        turned = nn.functional.conv2d(x, self.rotation)
        kept, moved = turned[:, : self.kept], turned[:, self.kept :]
        scale, shift = self.subnet(kept).float().chunk(2, dim=1)
        scale = _CLAMP * torch.tanh(scale / _CLAMP)
        return torch.cat([kept.float(), moved.float() * torch.exp(scale) + shift], dim=1), scale.sum(1, keepdim=True)

    def inverse(self, z: Tensor) -> Tensor:
        kept, moved = z[:, : self.kept], z[:, self.kept :]
        scale, shift = self.subnet(kept).chunk(2, dim=1)
        moved = (moved - shift) * torch.exp(-_CLAMP * torch.tanh(scale / _CLAMP))
        return nn.functional.conv_transpose2d(torch.cat([kept, moved], dim=1), self.rotation)


class Flow(nn.Module):
    """From features to a standard normal distribution."""

    def __init__(self, channels: int, couplings: int = _COUPLINGS) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(Coupling(channels, 1 if index % 2 else 3) for index in range(couplings))

    def transformed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, D, h, w) -> z of the same shape, and log|J| at each position, (N, 1, h, w)."""
        total = torch.zeros_like(x[:, :1])
        for coupling in self.couplings:
            x, log_det = coupling(x)
            total = total + log_det
        return x, total

    def inverse(self, z: Tensor) -> Tensor:
        for coupling in reversed(self.couplings):
            z = cast(Coupling, coupling).inverse(z)
        return z

    def forward(self, x: Tensor) -> Tensor:
        """Negative log-likelihood per dimension at each position but for a constant, (N, 1, h, w) (eq. 2)."""
        z, log_det = self.transformed(x)
        return (0.5 * z.square().sum(1, keepdim=True) - log_det) / x.shape[1]


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
    if feature_config.dimensions < 2:
        raise OptionError("1 dimension cannot be split into the two halves of a flow; use at least 2.")
    split = hold_out(len(frames), config.seed)
    features = fit_features(frames, backbone, feature_config, progress)
    lessons = Lessons(frames, _teacher_model(features), feature_config, config.memory_bytes)
    ((mean, spread),) = lessons.moments(split.learn, 0, progress)
    offset, scale = torch.from_numpy(mean[:, None, None]), torch.from_numpy(1 / spread[:, None, None])
    with seeded(config.seed):
        flow = Flow(feature_config.dimensions)
    steps = config.steps or STEPS
    descend(
        flow,
        lambda x: flow((x - offset.to(x.device)) * scale.to(x.device)).mean(),
        lessons,
        split.learn,
        steps=steps,
        learning_rate=_LEARNING_RATE,
        seed=config.seed,
        progress=progress,
    )
    graph = _whole_model(features, flow, mean, spread)
    settings = {"steps": steps, "explained_variance": round(features.projection.explained, 4)}
    return calibrated("fastflow", frames, feature_config, graph, split, settings, progress)


def _teacher_model(features: Features) -> onnx.ModelProto:
    """image -> patches as planes, (1, D, rows, columns)."""
    builder = GraphBuilder()
    patches = features.append_to(builder, "image")
    dimensions, grid = features.config.dimensions, features.grid
    builder.rename(append_planes(builder, patches, dimensions, grid), "planes")
    return builder.build([image_input(features.config)], [("planes", (1, dimensions, *grid))])


def _whole_model(features: Features, flow: Flow, mean: FloatArray, spread: FloatArray) -> onnx.ModelProto:
    builder = GraphBuilder()
    planes = append_planes(builder, features.append_to(builder, "image"), features.config.dimensions, features.grid)
    model = exported(flow, (1, features.config.dimensions, *features.grid), ["unlikelihood"])
    (distances,) = builder.splice(model, append_standardised(builder, planes, mean, spread))
    append_map(builder, distances, features)
    return build_graph(builder, features)
