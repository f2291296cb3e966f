"""How well outlines fit: overlap of pixels, for each class and for all, and how many single defects are found by size.

Counts add up over pictures before anything is divided, so that figures are of all pixels of the data set; the mean over
pictures is given beside them, as one large defect weighs as much as a thousand small ones in the former.
"""

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.intervals import rate
from sightline.evaluation.results import InstanceRecall, Overlap, OverlapFigures
from sightline.records import BoolArray

POOLED = "all defects"
FOUND_SHARE = 0.25  # of a defect's pixels: with so many marked it is found
_BINS_PX = (0, 8, 16, 32, 64)  # lower ends of sizes; a defect's size is the root of its area


class OverlapTally:
    """Counts over pictures; memory does not grow with their number."""

    def __init__(self, names: Sequence[str]) -> None:
        """Args: names: the classes of defects, in the order of their places from 1 on."""
        self._names = tuple(names)
        self._both, self._found, self._true = (np.zeros(1 + len(names), np.int64) for _ in range(3))
        self._pixels, self._per_picture, self._pictures = 0, 0.0, 0
        self._bins: dict[int, list[int]] = defaultdict(lambda: [0, 0])  # lower end -> found, total

    def add(self, found: NDArray[np.uint8] | None, true: NDArray[np.uint8]) -> None:
        """Count one picture.

        Args:
            found: (h, w) 0 or the place of the class, over the whole picture; None: nothing was found.
            true: (H, W) likewise; a place beyond the names is a defect of another class.
        """
        here = np.zeros_like(true)
        if found is not None:
            nearest = cv2.resize(found, (true.shape[1], true.shape[0]), interpolation=cv2.INTER_NEAREST)
            here = np.asarray(nearest, np.uint8)
        marked, real = here > 0, true > 0
        self._pixels += true.size
        self._count(0, marked, real)
        for place in range(1, 1 + len(self._names)):
            self._count(place, here == place, true == place)
        if real.any():
            self._pictures += 1
            self._per_picture += float((marked & real).sum() / (marked | real).sum())
            self._count_instances(marked, real)

    def _count(self, place: int, found: BoolArray, true: BoolArray) -> None:
        self._both[place] += int((found & true).sum())
        self._found[place] += int(found.sum())
        self._true[place] += int(true.sum())

    def _count_instances(self, marked: BoolArray, real: BoolArray) -> None:
        count, regions, stats, _ = cv2.connectedComponentsWithStats(real.astype(np.uint8), connectivity=8)
        covered = np.bincount(regions[marked], minlength=count)
        for region in range(1, count):
            area = int(stats[region, cv2.CC_STAT_AREA])
            counts = self._bins[max(low for low in _BINS_PX if low * low <= area)]
            counts[0] += bool(covered[region] >= FOUND_SHARE * area)
            counts[1] += 1

    def overlap(self) -> Overlap | None:
        """The figures so far; None where no pixel is a defect."""
        if self._true[0] == 0:
            return None
        figures = [self._figures(place, name) for place, name in enumerate((POOLED, *self._names))]
        either = int(self._found[0] + self._true[0] - self._both[0])
        background = (self._pixels - either) / max(1, self._pixels - int(self._both[0]))
        pooled = figures[0].iou
        assert pooled is not None, "there are defects"
        return Overlap(
            pooled=figures[0],
            background_iou=background,
            mean_iou=(pooled + background) / 2,
            picture_iou=self._per_picture / self._pictures,
            pictures=self._pictures,
            classes=tuple(figures[1:]),
            instances=tuple(self._instances()),
            found_share=FOUND_SHARE,
        )

    def _figures(self, place: int, name: str) -> OverlapFigures:
        both, sizes = int(self._both[place]), int(self._found[place] + self._true[place])
        return OverlapFigures(
            name=name,
            pixels=int(self._true[place]),
            iou=both / (sizes - both) if sizes else None,
            dice=2 * both / sizes if sizes else None,
        )

    def _instances(self) -> list[InstanceRecall]:
        ends = (*_BINS_PX[1:], None)
        return [
            InstanceRecall(from_px=low, below_px=high, recall=rate(*self._bins[low]))
            for low, high in zip(_BINS_PX, ends, strict=True)
            if low in self._bins
        ]
