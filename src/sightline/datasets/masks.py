"""Masks: pictures that say which pixels of another picture are defect."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.datasets.dataset import Sample
from sightline.errors import DatasetError, FrameError
from sightline.imaging.decode import read_frame, read_size
from sightline.records import BoolArray, Frame

_USUAL_MEGAPIXELS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFiles:
    """The masks of pictures by index, as frames (H, W, 1): 255 is defect; each is decoded anew at every access."""

    samples: Sequence[Sample]
    max_megapixels: float = 50.0

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int, /) -> Frame:
        """One mask, all 0 and of any size where there is none; raises FrameError, or DatasetError as `read_mask`."""
        sample = self.samples[index]
        if sample.mask is None:
            return Frame(pixels=np.zeros((1, 1, 1), np.uint8), source=str(sample.path))
        mask = read_mask(sample.mask, *read_size(sample.path, max_megapixels=self.max_megapixels))
        return Frame(pixels=255 * mask[:, :, None].astype(np.uint8), source=str(sample.mask))


def read_mask(path: Path, height: int, width: int) -> BoolArray:
    """The mask of a picture of `height` x `width`.

    Returns:
        (height, width) bool, True where any channel is not zero: defect.

    Raises:
        DatasetError: it cannot be read, or is of another size than its picture.
    """
    try:
        frame = read_frame(path, max_megapixels=max(_USUAL_MEGAPIXELS, height * width / 1e6))
    except FrameError as error:
        raise DatasetError(str(error)) from error
    if (frame.height, frame.width) != (height, width):
        raise DatasetError(
            f"{path}: the mask is {frame.width} x {frame.height}, its picture {width} x {height} pixels; "
            "make the mask from the picture at its full size."
        )
    mask: BoolArray = np.any(frame.pixels, axis=2)
    return mask


def mask_fault(sample: Sample, height: int, width: int) -> str | None:
    """What is wrong with the mask of a picture of `height` x `width`, in one line; None if nothing is.

    That a picture has no mask is no fault here: whether one is missing depends on the rest of the data set.
    """
    if sample.mask is None:
        return None
    try:
        marked = bool(read_mask(sample.mask, height, width).any())
    except DatasetError as error:
        return str(error)
    if sample.is_good and marked:
        return f"{sample.mask}: marks a defect, but the picture is labelled good; correct the label or the mask."
    if not sample.is_good and not marked:
        return f'{sample.mask}: marks nothing, but the picture is labelled "{sample.label}"; draw the defect.'
    return None
