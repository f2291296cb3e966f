"""The network that ships: a small residual network with feature maps at strides 8 and 16."""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentConfig:
    """Widths and depths; about 0.43 G multiply-adds and 0.9 M weights at 256 x 256 as given."""

    widths: tuple[int, int, int, int] = (16, 48, 96, 192)  # channels at strides 2, 4, 8, 16
    bottlenecks: tuple[int, int, int] = (24, 64, 96)  # inner channels at strides 4, 8, 16
    depths: tuple[int, int, int] = (1, 3, 4)  # residual blocks at strides 4, 8, 16
    outputs: tuple[int, int] = (192, 256)  # components predicted at strides 8 and 16


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut (He et al. 2016, arXiv 1512.03385, section 4.1)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, inner, 3, 1, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.activation(x + self.body(x))
        return joined


class Student(nn.Module):
    """(N, 3, H, W) RGB in 0..1, H and W multiples of 16 -> predicted targets at strides 8 and 16."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        w2, w4, w8, w16 = config.widths
        inner4, inner8, inner16 = config.bottlenecks
        depth4, depth8, depth16 = config.depths
        self.to_stride8 = nn.Sequential(
            _halve(3, w2),
            _halve(w2, w4),
            *(Bottleneck(w4, inner4) for _ in range(depth4)),
            _halve(w4, w8),
            *(Bottleneck(w8, inner8) for _ in range(depth8)),
        )
        self.to_stride16 = nn.Sequential(_halve(w8, w16), *(Bottleneck(w16, inner16) for _ in range(depth16)))
        self.head8 = nn.Conv2d(w8, config.outputs[0], 1)
        self.head16 = nn.Conv2d(w16, config.outputs[1], 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        stride8 = self.to_stride8(images * 4 - 2)  # roughly unit variance for photographs
        return self.head8(stride8), self.head16(self.to_stride16(stride8))


def _halve(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
