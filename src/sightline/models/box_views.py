"""Pictures and their boxes, changed together as a camera and a part could have changed them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sightline.models.augmentation import Changes, lit
from sightline.records import Boxes

# more than a part's play: boxes are to be found wherever they lie and however large they are
_ZOOM, _SHIFT = 0.2, 0.15  # logarithm of the size; share of the side
_LEAST_KEPT = 0.3  # of a box's area; one of which less is left in the picture is no example of its class
_LEAST_SIDE_PX = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Move:
    """Where a picture is looked at: a place p in -1..1 of the new picture shows `scale` * p + `shift` of the old."""

    scale: NDArray[np.float64]  # (2,) x, y; negative where it is mirrored
    shift: NDArray[np.float64]  # (2,)


def drawn_move(changes: Changes, rng: np.random.Generator) -> Move:
    """Larger or smaller, shifted, and mirrored where the material may be."""
    flips = np.where(rng.uniform(size=2) < 0.5 * changes.mirror, -1.0, 1.0)
    return Move(scale=flips * np.exp(rng.uniform(-_ZOOM, _ZOOM)), shift=rng.uniform(-2 * _SHIFT, 2 * _SHIFT, 2))


def moved(images: Tensor, moves: Sequence[Move]) -> Tensor:
    """(N, 3, H, W) -> the same; what comes in from outside is black, as there are no boxes there."""
    theta = np.zeros((len(images), 2, 3), np.float32)
    theta[:, (0, 1), (0, 1)] = [move.scale for move in moves]
    theta[:, :, 2] = [move.shift for move in moves]
    grid = functional.affine_grid(torch.from_numpy(theta).to(images.device), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def moved_boxes(boxes: Boxes, move: Move, size: tuple[int, int]) -> Boxes:
    """The boxes of a picture, px, as they lie afterwards; those mostly outside are left out.

    Args:
        size: height and width, px.
    """
    half = np.array(size[::-1], np.float64) / 2
    ends = boxes.corners.reshape(-1, 2, 2) / half - 1
    whole = (np.sort((ends - move.shift) / move.scale, axis=1) + 1) * half
    seen = np.clip(whole, 0, 2 * half)
    sides, before = np.diff(seen, axis=1)[:, 0], np.diff(whole, axis=1)[:, 0]
    kept = (sides.min(axis=1) >= _LEAST_SIDE_PX) & (sides.prod(axis=1) > _LEAST_KEPT * before.prod(axis=1))
    corners = seen.reshape(-1, 4).astype(np.float32)
    return Boxes(corners=corners, classes=boxes.classes, confidences=boxes.confidences).only(np.flatnonzero(kept))


def relit(images: Tensor, changes: Changes, rngs: Sequence[np.random.Generator]) -> Tensor:
    """(N, 3, H, W) in 0..1 under other lamps and exposure, each picture by its own generator."""
    drawn = np.array([rng.uniform(-changes.light, changes.light, 3) for rng in rngs], np.float32)
    brightness, contrast, gamma = torch.from_numpy(drawn.T.copy()).to(images.device)[..., None, None, None]
    return lit(images, brightness, contrast, gamma).clamp(0, 1)
