"""The student in 8-bit arithmetic, imitated in floating point: what is calibrated, fine-tuned and then exported.

Batch norm is folded first. Activations have 256 levels with one scale per map, weights 129 levels with one scale per
output channel (Jacob et al. 2018, arXiv 1712.05877; Krishnamoorthi 2018, arXiv 1806.08342, section 3). Two places stay
in floating point: the first convolution, because 8 bits of the whole brightness range are too few for a dim picture,
and the outputs, because detectors weigh weak components as much as strong ones.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from student import Bottleneck, Student

# Seven bits and a sign, not eight: x86 processors without VNNI add two products of an unsigned and a signed byte in
# 16 bits, saturating at 32,767. 2 x 255 x 64 = 32,640 fits and 2 x 255 x 127 does not, so that with 64 the same file
# gives the same answer on every processor.
MOST_WEIGHT = 64
LEVELS = 256
CLIPPED = 0.1  # share of the pictures that may leave a range at either end; wide black areas go tenfold beyond


class Levels(nn.Module):
    """Rounds to 256 levels; the gradient passes straight through, except where values were clipped."""

    scale: Tensor
    zero_point: Tensor

    def __init__(self, low: float, high: float) -> None:
        """`low` <= 0 < `high`; zero is always a level, or padding would not be exact."""
        super().__init__()
        scale = (high - low) / (LEVELS - 1)
        self.register_buffer("scale", torch.tensor(scale))
        self.register_buffer("zero_point", torch.tensor(float(round(-low / scale))))  # float: it is averaged with them

    def forward(self, x: Tensor) -> Tensor:
        zero_point = self.zero_point.to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(x, self.scale, zero_point, 0, LEVELS - 1)


class IntegerConv2d(nn.Conv2d):
    """A convolution whose weights are whole multiples, -64..64, of a scale per output channel."""

    def scales(self) -> Tensor:
        """(outputs,) the weights' step per channel."""
        return (self.weight.detach().abs().amax((1, 2, 3)) / MOST_WEIGHT).clamp(min=1e-9)

    def forward(self, x: Tensor) -> Tensor:
        scales = self.scales()
        zeros = torch.zeros_like(scales, dtype=torch.int32)
        weight = torch.fake_quantize_per_channel_affine(self.weight, scales, zeros, 0, -MOST_WEIGHT, MOST_WEIGHT)
        convolved: Tensor = self._conv_forward(x, weight, self.bias)
        return convolved


def folded(student: Student) -> Student:
    """A copy in which every batch norm is part of the convolution before it."""
    network = deepcopy(student).eval()
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            for index in range(len(module) - 1):
                conv, norm = module[index], module[index + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    module[index] = fuse_conv_bn_eval(conv, norm)
                    module[index + 1] = nn.Identity()
    return network


def quantised(student: Student, pictures: Iterable[Tensor] = ()) -> Student:
    """A copy in 8-bit arithmetic, calibrated on batches of (N, 3, H, W) RGB in 0..1.

    Without pictures the ranges mean nothing until a state dict is loaded.
    """
    network = folded(student)
    places = list(_rounded_places(network))
    ranges = _ranges([getattr(parent, name) for parent, name in places], network, pictures)
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d) and child is not first:
                setattr(module, name, _integer(child))
    for (parent, name), (low, high) in zip(places, ranges, strict=True):
        setattr(parent, name, Levels(low, high))
    return network


def _rounded_places(network: Student) -> Iterator[tuple[nn.Module, str]]:
    """Where levels go: each ReLU, whose clipping at zero they take over, and the end of each bottleneck's body."""
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                yield module, name
        if isinstance(module, Bottleneck):
            yield module.body, str(len(module.body) - 1)


@torch.no_grad()
def _ranges(modules: list[nn.Module], network: Student, pictures: Iterable[Tensor]) -> list[tuple[float, float]]:
    """Per module (lowest, highest) output: of all but the `CLIPPED` share of the pictures, all values."""
    extremes: dict[nn.Module, list[Tensor]] = {module: [] for module in modules}

    def watch(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        extremes[module].append(torch.stack(output.flatten(1).aminmax(dim=1), dim=1).cpu())

    hooks = [module.register_forward_hook(watch) for module in modules]
    for batch in pictures:
        network(batch)
    for hook in hooks:
        hook.remove()
    return [_range(torch.cat(seen)) if seen else (0.0, 1.0) for seen in extremes.values()]


def _range(extremes: Tensor) -> tuple[float, float]:
    low = float(extremes[:, 0].quantile(CLIPPED))
    high = float(extremes[:, 1].quantile(1 - CLIPPED))
    return min(low, 0.0), max(high, 1e-6)


def _integer(conv: nn.Conv2d) -> IntegerConv2d:
    kernel, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
    twin = IntegerConv2d(conv.in_channels, conv.out_channels, kernel, stride, padding, bias=conv.bias is not None)
    twin.load_state_dict(conv.state_dict())
    return twin
