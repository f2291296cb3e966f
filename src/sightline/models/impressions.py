"""What a network that does not learn makes of each picture, changed in a few ways: computed once, learnt from often.

The network is most of the work of an epoch. Where it stays as it is, what lies behind it can learn from its maps.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sightline.models.album import Album
from sightline.models.augmentation import Changes, augment
from sightline.models.network import Network

_LEAST_VERSIONS, _MOST_VERSIONS = 2, 4  # of a picture: as it is, and changed

_SMALLEST = 1e-6  # span of a channel that is the same everywhere

Kept = list[tuple[Tensor, Tensor, Tensor]]  # as `_packed`: each map, and (1, h, w) the share of a cell that is marked


class Impressions:
    """Maps of pictures by version; kept as far as the memory reaches, else made again, the same each time."""

    def __init__(
        self, network: Network, pictures: Album, masks: Album, changes: Changes, *, count: int, room: int, seed: int
    ) -> None:
        """Args: count: of pictures that versions are asked of; room: bytes to keep maps in."""
        self._network, self._pictures, self._masks, self._changes = network, pictures, masks, changes
        self._room, self._seed = room, seed
        self._kept: dict[tuple[int, int], Kept] = {}
        fitting = room // (_size(self._made(0, [0])[0]) * max(1, count))
        self.versions = min(_MOST_VERSIONS, max(_LEAST_VERSIONS, fitting))

    def batch(
        self, versions: Sequence[int], chosen: Sequence[int], device: torch.device
    ) -> tuple[list[Tensor], Tensor]:
        """Maps (N, C, h, w) float32 of these pictures, and the share (N, 1, h, w) of the finest cells that is marked.

        Args:
            versions: one for each picture; 0: as it is.
        """
        asked = list(zip(versions, chosen, strict=True))
        made: dict[tuple[int, int], Kept] = {}
        for version in sorted({version for version, _ in asked}):
            missing = sorted({index for v, index in asked if v == version and (v, index) not in self._kept})
            made |= {(version, index): kept for index, kept in zip(missing, self._made(version, missing), strict=True)}
        for key, kept in made.items():
            if (size := _size(kept)) <= self._room:
                self._room -= size
                self._kept[key] = kept
        rows = [self._kept[key] if key in self._kept else made[key] for key in asked]
        *maps, shares = (_unpacked(parts).to(device) for parts in zip(*rows, strict=True))
        return maps, shares

    def _made(self, version: int, chosen: Sequence[int]) -> list[Kept]:
        """One by one: what is drawn for a picture must not depend on those beside it."""
        made = []
        device = next(self._network.parameters()).device
        for index in chosen:
            planes = [self._pictures.batch([index], device), self._masks.batch([index], device)[:, :1]]
            images = torch.cat(planes, dim=1)
            if version:
                images = augment(images, self._changes, np.random.default_rng((self._seed, 3, version, index)))
            with torch.inference_mode():
                maps = self._network(images[:, :3])
                shares = functional.avg_pool2d(images[:, 3:], images.shape[2] // maps[0].shape[2])
                made.append([_packed(part[0].cpu()) for part in (*maps, shares)])
        return made


def _packed(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(C, h, w) in 8 bits between each channel's lowest and highest, as exact as the shipped network itself."""
    low = values.amin(dim=(1, 2), keepdim=True)
    step = (values.amax(dim=(1, 2), keepdim=True) - low).clamp_min(_SMALLEST) / 255
    return ((values - low) / step).round().to(torch.uint8), low, step


def _unpacked(parts: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """(N, C, h, w) float32."""
    values, low, step = (torch.stack(each) for each in zip(*parts, strict=True))
    return values * step + low


def _size(kept: Kept) -> int:
    return sum(part.nbytes for packed in kept for part in packed)
