"""A detector of boxes without anchors: every cell says what lies on it, and how far its four sides are.

Backbone's maps, and one twice as coarse -> from coarse to fine and back (Liu et al. 2018, arXiv 1803.01534, section
3.1) by sums, with one convolution of 5 x 5 and one of 1 x 1 at each stop, as in PP-PicoDet (Yu et al. 2021, arXiv
2111.00902, section 3.1) -> per cell and class a logit, and for each side a distribution over distances, whose mean
counts (Li et al. 2020, arXiv 2006.04388, section 3.2).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import OptionError
from sightline.models.network import Network

CHANNELS = 96
BINS = 16  # distances 0 .. 15 strides; the coarsest cells reach boxes of 30 strides
_RARE = 0.01  # probability of a class in a cell at first, so that empty cells do not drown the others


class BoxHead(nn.Module):
    """Feature maps (N, C, h, w), finest first -> logits (N, A, K) and sides (N, A, 4, BINS), A all cells of all maps.

    Sides are left, top, right, bottom, as logits over whole distances in strides.
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.norms = nn.ModuleList(nn.BatchNorm2d(count, affine=False) for count in channels)
        self.laterals = nn.ModuleList(_pointwise(count, CHANNELS) for count in channels)
        self.coarser = _separable(step=2)
        self.fines = nn.ModuleList(_separable() for _ in channels)
        self.coarses = nn.ModuleList(_separable(step=2) for _ in channels)
        self.towers = nn.ModuleList(_separable() for _ in (*channels, None))
        self.logits = nn.Conv2d(CHANNELS, classes, 1)
        self.sides = nn.Conv2d(CHANNELS, 4 * BINS, 1)
        for layer, first in ((self.logits, -math.log(1 / _RARE - 1)), (self.sides, 0.0)):
            assert layer.bias is not None, "it has one"
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, first)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        levels = [lateral(norm(m)) for lateral, norm, m in zip(self.laterals, self.norms, maps, strict=True)]
        levels.append(self.coarser(levels[-1]))
        for place in reversed(range(len(maps))):
            above = functional.interpolate(levels[place + 1], size=levels[place].shape[2:], mode="nearest")
            levels[place] = self.fines[place](levels[place] + above)
        for place, down in enumerate(self.coarses):
            levels[place + 1] = levels[place + 1] + down(levels[place])
        levels = [tower(level) for tower, level in zip(self.towers, levels, strict=True)]
        return _cells([self.logits(level) for level in levels]), _cells([self.sides(level) for level in levels])

    def standardise(self, maps: Sequence[Tensor]) -> None:
        """Bring each channel to zero mean and unit variance over these maps, and keep that."""
        for norm, values in zip(self.norms, maps, strict=True):
            assert isinstance(norm, nn.BatchNorm2d)
            norm.running_mean, norm.running_var = values.mean(dim=(0, 2, 3)), values.var(dim=(0, 2, 3))

    def train(self, mode: bool = True) -> "BoxHead":
        super().train(mode)
        self.norms.eval()  # what `standardise` has seen stays
        return self


class BoxDetector(nn.Module):
    """(N, 3, H, W) RGB in 0..1, sides multiples of `coarsest` -> logits (N, A, K) and corners (N, A, 4) in px."""

    def __init__(self, network: Network, head: BoxHead) -> None:
        super().__init__()
        self.network, self.head = network, head
        self.strides = (*network.strides, 2 * network.strides[-1])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits, sides = self.head(self.network(images))
        points, steps = self.cells(images.shape[2], images.shape[3], images.device)
        return logits, corners(sides, points, steps)

    def cells(self, height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Centres (A, 2) x, y and strides (A,) of all cells, px, in the order of the outputs."""
        centres, steps = [], []
        for (rows, columns), stride in zip(grids(height, width, self.strides), self.strides, strict=True):
            y, x = (
                (torch.arange(count, device=device, dtype=torch.float32) + 0.5) * stride for count in (rows, columns)
            )
            centres.append(torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2))
            steps.append(torch.full((rows * columns,), float(stride), device=device))
        return torch.cat(centres), torch.cat(steps)


def grids(height: int, width: int, strides: Sequence[int]) -> list[tuple[int, int]]:
    """Rows and columns of each map; the coarsest, which the head makes, is rounded up."""
    return [(-(-height // stride), -(-width // stride)) for stride in strides]


def corners(sides: Tensor, points: Tensor, steps: Tensor) -> Tensor:
    """(N, A, 4) left, top, right, bottom, px, from distributions over distances; may lie outside the picture."""
    cells = steps.shape[0]
    shares = sides.reshape(-1, cells, 4, BINS).softmax(dim=-1)
    distances = (shares * torch.arange(BINS, device=sides.device, dtype=sides.dtype)).sum(dim=-1) * steps[:, None]
    return torch.cat([points - distances[..., :2], points + distances[..., 2:]], dim=-1)


def check_strides(network: Network) -> None:
    """Raise OptionError unless each of its maps is twice as coarse as the one before."""
    if any(coarse != 2 * fine for fine, coarse in pairwise(network.strides)):
        raise OptionError(
            f"the backbone {network.name} has maps at strides {', '.join(map(str, network.strides))}; a detector of "
            "boxes needs each twice the one before. Take another backbone."
        )


def _cells(levels: Sequence[Tensor]) -> Tensor:
    """(N, C, h, w) each -> (N, A, C)."""
    return torch.cat([level.flatten(2) for level in levels], dim=2).transpose(1, 2)


def _pointwise(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def _separable(step: int = 1) -> nn.Sequential:
    depthwise = nn.Conv2d(CHANNELS, CHANNELS, 5, step, padding=2, groups=CHANNELS, bias=False)
    # nothing between the two: Chollet 2017, arXiv 1610.02357, section 4.7
    return nn.Sequential(depthwise, *_pointwise(CHANNELS, CHANNELS))
