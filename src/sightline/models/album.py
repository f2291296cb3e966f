"""Pictures at the working size, kept as far as the memory reaches, else made again each time they are looked at."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.models.features import FeatureConfig, Frames, append_resize, image_input, run_image
from sightline.models.graph import GraphBuilder, open_session


class Album:
    """The pictures as the finished graph resizes them; 8-bit ones exactly, others to half precision."""

    def __init__(
        self,
        frames: Frames,
        features: FeatureConfig,
        memory_bytes: int,
        weights: Frames | None = None,
        multiple: int = 1,
    ) -> None:
        """Make an empty one.

        Args:
            weights: grey 8-bit pictures of the same sizes, how much each pixel counts; None: all alike.
            multiple: of the sides, where the features have a scale; each picture then has a size of its own.
        """
        builder = GraphBuilder()
        builder.rename(append_resize(builder, "image", features, multiple), "picture")
        shape = (1, 3, "height", "width")
        self._session = open_session(builder.build([image_input(features)], [("picture", shape)]))
        self._frames, self._features = frames, features
        self._weights = None if weights is None else Album(weights, replace(features, bit_depth=8), memory_bytes // 4)
        self._room = memory_bytes
        self._kept: dict[int, NDArray[Any]] = {}

    def __getitem__(self, index: int) -> NDArray[Any]:
        """(1 or 3, height, width), uint8 where 255 is white, or float16 where 1 is; one channel where it is grey."""
        if index in self._kept:
            return self._kept[index]
        picture = run_image(self._session, self._frames[index], self._features)[0][0]
        if (picture[0] == picture[1]).all() and (picture[0] == picture[2]).all():
            picture = picture[:1]
        exact = self._features.bit_depth == 8
        kept: NDArray[Any] = np.rint(picture * 255).astype(np.uint8) if exact else picture.astype(np.float16)
        if kept.nbytes <= self._room:
            self._room -= kept.nbytes
            self._kept[index] = kept
        return kept

    def batch(self, indices: Sequence[int], device: torch.device) -> Tensor:
        """(N, 3, height, width) float32 in 0..1; a fourth plane where there are weights."""
        pictures = [torch.from_numpy(self[index]).expand(3, -1, -1) for index in indices]
        stacked = torch.stack(pictures).to(device)
        images = stacked.float() / 255 if stacked.dtype == torch.uint8 else stacked.float()
        if self._weights is None:
            return images
        return torch.cat([images, self._weights.batch(indices, device)[:, :1]], dim=1)

    def is_grey(self, indices: Sequence[int]) -> bool:
        return all(len(self[index]) == 1 for index in indices)
