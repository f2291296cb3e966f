"""What each cell of a picture shows, learnt from masks: one more feature map, beside those of the network.

A label says that a picture shows a crack; a mask says where. A crack fills a thousandth of its picture, and from few
pictures the last layer cannot find out which thousandth it was named for. So a small network scores every cell for
every kind of defect, taught cell by cell by the masks. Its scores go where the network's other maps go: means and
maxima over the picture, and a linear score. The class activation map therefore stays exact.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.classifier import Head
from sightline.models.network import Network

_WIDTH = 64  # of what the maps are mixed to; half of it of what looks around
_RARE = -3.0  # logit of a cell before anything is learnt: few cells show a defect
_LEAST_SPREAD = 1e-3
_SHOWS = 0.02  # share of a cell that is marked, from which it shows the defect; below it nothing is asked of the cell
_HARDEST = 0.1  # share of the scores that should be low and count: those that are highest
_UNIT = 3.0  # of the scores, in the head


class Evidence(Network):
    """A network's maps, and after them scores (N, defects, h, w) at the finest one's cells."""

    def __init__(self, network: Network, defects: int) -> None:
        super().__init__()
        self.network, self.defects = network, defects
        self.strides = (*network.strides, network.strides[0])
        self.channels = (*network.channels, defects)
        self.name, self.sha256 = network.name, network.sha256
        for level, channels in enumerate(network.channels):
            self.register_buffer(f"mean{level}", torch.zeros(1, channels, 1, 1))
            self.register_buffer(f"spread{level}", torch.ones(1, channels, 1, 1))
        # each map by itself and then enlarged, which is less work than the other way round
        self.mixed = nn.ModuleList(nn.Conv2d(channels, _WIDTH, 1) for channels in network.channels)
        self.around = nn.Conv2d(_WIDTH, _WIDTH // 2, 3, padding=1)
        self.scores = nn.Conv2d(_WIDTH // 2, defects, 1)
        nn.init.zeros_(self.scores.weight)
        nn.init.constant_(self.scores.bias, _RARE)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.judged(self.network(images))

    def judged(self, maps: list[Tensor]) -> list[Tensor]:
        """The network's maps, and the scores of their cells."""
        size = maps[0].shape[2:]
        parts = [
            mix((m - self.get_buffer(f"mean{level}")) / self.get_buffer(f"spread{level}"))
            for level, (m, mix) in enumerate(zip(maps, self.mixed, strict=True))
        ]
        for part in parts[1:]:
            parts[0] = parts[0] + functional.interpolate(part, size=size, mode="nearest")
        return [*maps, self.scores(functional.relu(self.around(functional.relu(parts[0]))))]

    def new_parameters(self) -> list[nn.Parameter]:
        """All but those of the network that was given."""
        return [weight for part in (self.mixed, self.around, self.scores) for weight in part.parameters()]

    def standardise(self, maps: list[Tensor]) -> None:
        """Bring the network's maps to zero mean and unit variance over the cells of some pictures, for the scores."""
        for level, m in enumerate(maps):
            self.get_buffer(f"mean{level}").copy_(m.mean(dim=(0, 2, 3), keepdim=True))
            self.get_buffer(f"spread{level}").copy_(m.std(dim=(0, 2, 3), keepdim=True) + _LEAST_SPREAD)

    def late_parameters(self) -> list[nn.Parameter]:
        return self.network.late_parameters()

    def connect(self, head: Head, places: Sequence[int]) -> None:
        """Let each defect's highest score speak for it; scores that have learnt nothing yet say nothing.

        Args:
            places: of the defects among the head's classes, in the order of the scores.
        """
        means, maxima = slice(-2 * self.defects, -self.defects), slice(-self.defects, None)
        with torch.no_grad():
            for part in (means, maxima):
                head.mean[part], head.spread[part] = _RARE, _UNIT
            head.linear.weight[list(places), maxima] = _UNIT * torch.eye(self.defects, device=head.mean.device)


def cell_loss(scores: Tensor, share: Tensor, kinds: Tensor) -> Tensor:
    """The mean over pictures: binary cross-entropy of the cells that show their defect, and of the likeliest others.

    A picture of a defect that is not marked anywhere says nothing of its own kind's cells.

    Args:
        scores: (N, defects, h, w) logits.
        share: (N, 1, h, w) in 0..1, how much of each cell the masks mark.
        kinds: (N,) places among the defects; -1: good.
    """
    own = functional.one_hot(kinds.clamp_min(0), scores.shape[1]) * (kinds >= 0)[:, None]
    own = own[:, :, None, None].float()
    shows = own * (share >= _SHOWS)
    unmarked = share.amax(dim=(1, 2, 3), keepdim=True) < _SHOWS
    absent = 1 - own * ((share > 0) | unmarked)
    found = (functional.softplus(-scores) * shows).sum(dim=(1, 2, 3)) / shows.sum(dim=(1, 2, 3)).clamp_min(1)
    false = (functional.softplus(scores) * absent).flatten(1)
    hardest = false.topk(max(1, round(_HARDEST * false.shape[1] / scores.shape[1])), dim=1).values
    loss: Tensor = (found + hardest.mean(dim=1)).mean()
    return loss
