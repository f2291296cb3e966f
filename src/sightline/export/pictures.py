"""The pictures an export is calibrated and judged on: the user's own, or made up where there are none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.datasets.dataset import Dataset
from sightline.datasets.frames import FrameFiles
from sightline.errors import DatasetError
from sightline.manifest import Manifest
from sightline.records import Frame

_MADE_UP = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Frames to judge on, each with its label, and ones to calibrate on; decoded when asked for."""

    source: str  # in words
    judged: FrameFiles | tuple[Frame, ...]
    labels: tuple[str | None, ...]  # as long as `judged`
    calibration: FrameFiles | tuple[Frame, ...]

    def __iter__(self) -> Iterator[tuple[Frame, str | None]]:
        return ((self.judged[index], label) for index, label in enumerate(self.labels))


def of_dataset(dataset: Dataset, manifest: Manifest, calibrating: int, max_megapixels: float) -> Pictures:
    """Judge on the test pictures, or where there is no test split on all; calibrate on good training pictures.

    A classifier calibrates on pictures of all classes.

    Args:
        calibrating: at most so many, spread evenly; those for training where there are any.

    Raises:
        DatasetError: there is no good picture to calibrate on.
    """
    judged = dataset.test or dataset.samples
    good = dataset.train_good or tuple(sample for sample in judged if sample.is_good)
    if manifest.naming is not None:
        good = dataset.train or judged
    if not good:
        raise DatasetError(f"{dataset.root}: has no good picture to calibrate on; add some.")
    chosen = _spread(len(good), calibrating)
    labelled = manifest.naming is not None or {sample.is_good for sample in judged} == {True, False}
    depth = manifest.input.depth
    return Pictures(
        source=f"{len(judged)} pictures of {dataset.name}, {'test split' if dataset.test else 'all of it'}",
        judged=FrameFiles(paths=[s.path for s in judged], max_megapixels=max_megapixels, depth=depth),
        labels=tuple(sample.label if labelled else None for sample in judged),
        calibration=FrameFiles(
            paths=[good[index].path for index in chosen], max_megapixels=max_megapixels, depth=depth
        ),
    )


def made_up(manifest: Manifest) -> Pictures:
    """Blurred noise of several brightnesses: enough to see that two runtimes compute the same, not how well."""
    height, width = manifest.working_size
    frames = tuple(_noise(manifest, height + height // 3, width + width // 4, seed) for seed in range(_MADE_UP))
    return Pictures(
        source=f"{_MADE_UP} made-up pictures, as no --images were given",
        judged=frames,
        labels=(None,) * _MADE_UP,
        calibration=(),
    )


def _noise(manifest: Manifest, height: int, width: int, seed: int) -> Frame:
    rng = np.random.default_rng(seed)
    bits = manifest.input.bit_depth
    blurred = cv2.GaussianBlur(rng.random((height, width, 3)), (0, 0), 1 + seed % 4)
    stretched = (blurred - blurred.min()) / np.ptp(blurred) * rng.uniform(0.3, 1)
    pixels = np.rint(stretched * (2**bits - 1)).astype(manifest.input.dtype)
    depth = None
    if manifest.input.depth:
        depth = (30_000 + 2_000 * cv2.GaussianBlur(rng.random((height, width)), (0, 0), 8)).astype(np.uint16)
    return Frame(pixels=pixels, bit_depth=bits, source=f"made-up picture {seed}", depth=depth)


def _spread(count: int, most: int) -> Sequence[int]:
    return [round(place) for place in np.linspace(0, count - 1, min(count, most)).tolist()]
