"""A segmenter: says of every pixel whether it is defect, and of what class.

A U-Net (Ronneberger et al. 2015, arXiv 1505.04597) whose way down is the shipped backbone, tapped at strides 2, 4, 8
and 16, or plain convolutions; only the way up differs from it by fewer channels, bilinear steps, and what the whole
picture shows, its means and maxima, at the lowest level: a shade is uneven only beside the rest of the picture.

Per pixel there is one logit that it is defect, and one per class of which class it is. Their probabilities multiply, so
that the masks of all classes add up to the probability of a defect, and its threshold does not depend on the classes.
"""

from collections.abc import Sequence
from itertools import pairwise

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.backbone import Backbone
from sightline.models.features import MASKS, FeatureConfig, append_resize, image_input
from sightline.models.gradient import exported, exported_from
from sightline.models.graph import GraphBuilder

_PLAIN_CHANNELS = (16, 32, 64, 96)  # of the plain way down, at strides 2, 4, 8 and 16
_LEVELS = (16, 32, 64, 96)  # channels of the way up, the lowest level last; levels beyond have as many as the first
_RARE = -2.0  # the first logit of a defect: most pixels are none


def _block(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Decoder(nn.Module):
    """Maps (N, C, H / s, W / s), finest first, of strides that divide one another -> logits (N, 1 + K, H, W)."""

    def __init__(self, strides: Sequence[int], channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.strides, self.channels = tuple(strides), tuple(channels)
        widths = (*[_LEVELS[0]] * len(channels), *_LEVELS)[-len(channels) :]
        self.across = nn.ModuleList(_block(c, w, 1) for c, w in zip(channels, widths, strict=True))
        self.whole = nn.Linear(2 * channels[-1], widths[-1])
        self.lowest = _block(widths[-1], widths[-1])
        self.up = nn.ModuleList(_block(below, w, 1) for w, below in pairwise(widths))
        self.joined = nn.ModuleList(nn.Sequential(_block(2 * w, w), _block(w, w)) for w in widths[:-1])
        self.out = nn.Conv2d(widths[0], 1 + classes, 3, padding=1)
        assert self.out.bias is not None, "as it is made"
        nn.init.constant_(self.out.bias[:1], _RARE)

    def forward(self, *maps: Tensor) -> Tensor:
        sides = [block(m) for block, m in zip(self.across, maps, strict=True)]
        whole = self.whole(torch.cat([maps[-1].mean(dim=(2, 3)), maps[-1].amax(dim=(2, 3))], dim=1))
        x = self.lowest(sides[-1] + whole[:, :, None, None])
        for at in reversed(range(len(self.up))):
            x = _enlarged(self.up[at](x), self.strides[at + 1] // self.strides[at])
            x = self.joined[at](torch.cat([x, sides[at]], dim=1))
        return _enlarged(self.out(x), self.strides[0])


class PlainUNet(nn.Module):
    """(N, 3, H, W) RGB in 0..1 -> logits (N, 1 + K, H, W): a way down of plain convolutions, and the same way up."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        pairs = zip((3, *_PLAIN_CHANNELS), _PLAIN_CHANNELS, strict=False)
        self.down = nn.ModuleList(nn.Sequential(_block(i, o, stride=2), _block(o, o)) for i, o in pairs)
        self.decoder = Decoder([2 << level for level in range(len(_PLAIN_CHANNELS))], _PLAIN_CHANNELS, classes)

    def forward(self, images: Tensor) -> Tensor:
        maps, x = [], (images - 0.5) * 4
        for block in self.down:
            x = block(x)
            maps.append(x)
        logits: Tensor = self.decoder(*maps)
        return logits


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return functional.interpolate(x, scale_factor=float(factor), mode="bilinear", align_corners=False)


def probabilities(logits: Tensor) -> Tensor:
    """(N, 1 + K, H, W) -> the masks, (N, K, H, W), whose sum over the classes is the probability of a defect."""
    return logits[:, :1].sigmoid() * logits[:, 1:].softmax(dim=1)


def whole_model(
    head: Decoder | PlainUNet, trunk: Backbone | None, features: FeatureConfig, classes: int, multiple: int
) -> onnx.ModelProto:
    """The one graph: image -> `masks` (K, h, w), `map` (h, w), their sum, and `score` (), the map's maximum.

    h and w are the working size, or where the features have a scale the picture's sides times it.

    Args:
        trunk: whose maps the head takes, in the rounding it was trained with; None: the head takes the picture.
    """
    builder = GraphBuilder()
    picture = append_resize(builder, "image", features, multiple)
    side = 2 * multiple
    if trunk is None:
        (logits,) = builder.splice(exported(head, (1, 3, side, side), ("logits",)), picture)
    else:
        pairs = zip(trunk.channels, trunk.strides, strict=True)
        shapes = [(1, channels, side // stride, side // stride) for channels, stride in pairs]
        (logits,) = builder.splice(exported_from(head, shapes, ("logits",)), *builder.splice(trunk.model, picture))
    first, last, axis = builder.int64(0), builder.int64(1 + classes), builder.int64(1)
    pooled = builder.node("Sigmoid", [builder.node("Slice", [logits, first, builder.int64(1), axis])])
    shares = builder.node("Softmax", [builder.node("Slice", [logits, builder.int64(1), last, axis])], {"axis": 1})
    builder.rename(builder.node("Squeeze", [builder.node("Mul", [pooled, shares]), first]), MASKS)
    values = builder.rename(builder.node("Squeeze", [pooled, builder.int64(0, 1)]), "map")
    builder.rename(builder.node("ReduceMax", [values], {"keepdims": 0}), "score")
    sides: tuple[str | int, str | int] = (features.height, features.width)
    if features.scale is not None:
        sides = ("rows", "columns")
    return builder.build([image_input(features)], [("score", ()), ("map", sides), (MASKS, (classes, *sides))])
