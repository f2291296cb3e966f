"""Squares cut out of pictures together with their truth, for networks that judge every pixel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.models.album import Album

Truth = NDArray[np.uint8]  # (2, height, width): share of each pixel that is defect, of 255; and its class, from 1 on
_AT_DEFECT = 0.7  # of the excerpts of a picture with a defect: so many are cut out around a pixel of it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenes:
    """Pictures at the working size with their truth, which is kept as long as the album's memory reaches."""

    album: Album
    classes_of: Callable[[int], NDArray[np.uint8] | None]  # (H, W) of the picture as it is; None: nothing is wrong
    classes: int  # K
    room: int  # bytes for truths
    _kept: dict[int, Truth] = field(default_factory=dict, repr=False)

    def truth(self, index: int) -> Truth:
        if index in self._kept:
            return self._kept[index]
        height, width = self.album[index].shape[1:]
        classes = self.classes_of(index)
        found = np.zeros((2, height, width), np.uint8)
        if classes is not None:
            found = _reduced(classes, height, width)
            if found.nbytes * (1 + len(self._kept)) <= self.room:
                self._kept[index] = found
        return found

    def excerpts(self, indices: Sequence[int], side: int, rng: np.random.Generator) -> Tensor:
        """(N, 4 + K, side, side) in 0..1: red, green, blue, how much is defect, and how much of each class."""
        return torch.stack([self._excerpt(index, side, rng) for index in indices])

    def _excerpt(self, index: int, side: int, rng: np.random.Generator) -> Tensor:
        picture, truth = self.album[index], self.truth(index)
        down, across = (max(0, side - length) for length in picture.shape[1:])
        if down or across:  # mirrored beyond its edges, both alike
            margins = ((0, 0), (down // 2, down - down // 2), (across // 2, across - across // 2))
            picture, truth = (np.pad(planes, margins, mode="symmetric") for planes in (picture, truth))
        top, left = _place(truth[0], side, rng)
        window = np.s_[:, top : top + side, left : left + side]
        cut, share = picture[window], torch.from_numpy(truth[window][0].astype(np.float32) / 255)
        whole = 255 if cut.dtype == np.uint8 else 1
        rgb = torch.from_numpy(cut.astype(np.float32) / whole).expand(3, -1, -1)
        of_class = torch.from_numpy(truth[window][1].astype(np.int64))
        each = [(of_class == 1 + place).float() * share for place in range(self.classes)]
        return torch.stack([*rgb, share, *each])


def _place(share: NDArray[np.uint8], side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Top and left of an excerpt: anywhere, or with a pixel of the defect in its middle half."""
    most = np.array(share.shape) - side
    anywhere = rng.integers(most + 1)
    drawn, offset = rng.uniform(size=2), rng.integers(side // 4, max(side // 4 + 1, 3 * side // 4), 2)
    if drawn[0] < _AT_DEFECT and (places := np.flatnonzero(share >= 128)).size:
        pixel = np.array(np.unravel_index(places[int(drawn[1] * places.size)], share.shape))
        anywhere = np.clip(pixel - offset, 0, most)
    return int(anywhere[0]), int(anywhere[1])


def _reduced(classes: NDArray[np.uint8], height: int, width: int) -> Truth:
    """At the working size: how much of each pixel is defect, and the class that has most of it."""
    share = cv2.resize((classes > 0).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    most, of_class = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)
    for number in np.unique(classes[classes > 0]):
        part = cv2.resize((classes == number).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        of_class[part > most] = number
        most = np.maximum(most, part)
    return np.stack([np.rint(255 * share).astype(np.uint8), of_class])
