"""What a classifier learns from: pictures, the class of each, and where masks say so, the defects in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.datasets.dataset import GOOD
from sightline.models.album import Album
from sightline.models.classifier import Labels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What is learnt: pictures and the class of each, and which of them only judge."""

    album: Album
    labels: Labels  # (N,) places in `names`
    names: tuple[str, ...]
    learn: tuple[int, ...]
    held_out: tuple[int, ...]
    masks: Album | None = None  # where the defects lie in each; None: not known of any
    room_bytes: int = 384 * 2**20  # for what is computed once and learnt from often

    def marked(self, chosen: Sequence[int], device: torch.device) -> Tensor:
        """(n, 4, H, W): pictures, and their masks as a fourth plane."""
        assert self.masks is not None, "there are masks"
        return torch.cat([self.album.batch(chosen, device), self.masks.batch(chosen, device)[:, :1]], dim=1)

    @property
    def defects(self) -> tuple[int, ...]:
        return tuple(place for place, name in enumerate(self.names) if name != GOOD)

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.bincount(self.labels[list(self.learn)], minlength=len(self.names))
