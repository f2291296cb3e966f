"""Looking at every picture of a data set once, and keeping of each only what fits in a few kilobytes."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sightline.datasets.dataset import Dataset, Sample
from sightline.datasets.masks import mask_fault
from sightline.errors import FrameError
from sightline.imaging.decode import read_frame
from sightline.records import Frame

THUMBNAIL = 32  # side of a thumbnail, pixels
_BLANK = 1e-3  # of white: a thumbnail with less contrast shows nothing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """What is kept of one picture that could be read."""

    sample: Sample
    height: int
    width: int
    channels: int  # 1 grey, 3 RGB
    bit_depth: int
    digest: bytes  # SHA-256 of the decoded pixels with their shape and type
    file_digest: bytes  # SHA-256 of the file
    brightness: float  # mean over pixels and channels, 0 black to 1 white
    contrast: float  # standard deviation over pixels, mean over channels, same unit
    thumbnail: NDArray[np.float16]  # (32, 32) grey, mean 0 and deviation 1; all 0 if the picture is blank
    mask_fault: str | None  # what is wrong with the mask; None: nothing, or there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A picture that could not be read."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    dataset: Dataset
    looks: tuple[Look, ...]
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Where a quantity lies over the pictures."""

    lowest: float
    median: float
    highest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Figures of a data set; all but `counts` over the readable pictures only."""

    counts: dict[str, dict[str, int]]  # split -> label -> pictures
    sizes: dict[str, int]  # "640 x 480" (width x height) -> pictures, most frequent first
    formats: dict[str, int]  # "8-bit grey" -> pictures, most frequent first
    brightness: dict[str, Spread]  # label -> mean level, 0 black to 1 white
    contrast: dict[str, Spread]  # label -> standard deviation of the level, same unit
    unreadable: int


def survey(dataset: Dataset, *, max_megapixels: float = 50.0, progress: bool | None = None) -> Survey:
    """Read each picture, and its mask, once; memory is one picture plus about 3 KB for each picture seen.

    Args:
        max_megapixels: larger pictures count as unreadable, before they are decoded.
        progress: show a bar on standard error; None: if that is a terminal.
    """
    looks: list[Look] = []
    unreadable: list[Unreadable] = []
    bar = tqdm(dataset.samples, desc="reading", unit=" pictures", disable=None if progress is None else not progress)
    for sample in bar:
        try:
            looks.append(_look(sample, max_megapixels))
        except FrameError as error:
            unreadable.append(Unreadable(path=sample.path, reason=str(error)))
    return Survey(dataset=dataset, looks=tuple(looks), unreadable=tuple(unreadable))


def statistics(survey: Survey) -> Statistics:
    """Counts, sizes and light of the pictures."""
    looks = survey.looks
    labels = [label for label in survey.dataset.labels if any(look.sample.label == label for look in looks)]
    return Statistics(
        counts=survey.dataset.counts,
        sizes=_frequencies(f"{look.width} x {look.height}" for look in looks),
        formats=_frequencies(f"{look.bit_depth}-bit {'grey' if look.channels == 1 else 'RGB'}" for look in looks),
        brightness={name: _spread(look.brightness for look in looks if look.sample.label == name) for name in labels},
        contrast={name: _spread(look.contrast for look in looks if look.sample.label == name) for name in labels},
        unreadable=len(survey.unreadable),
    )


def _look(sample: Sample, max_megapixels: float) -> Look:
    frame = read_frame(sample.path, max_megapixels=max_megapixels)
    found = look_of(sample, frame, _file_digest(sample.path))
    return replace(found, mask_fault=mask_fault(sample, frame.height, frame.width))


def look_of(sample: Sample, frame: Frame, file_digest: bytes) -> Look:
    """What is kept of a picture that was decoded already; its mask is not looked at."""
    white = 2**frame.bit_depth - 1
    mean, deviation = cv2.meanStdDev(frame.pixels)
    pixels = hashlib.sha256(f"{frame.pixels.shape} {frame.pixels.dtype}".encode())
    pixels.update(np.ascontiguousarray(frame.pixels).data)
    return Look(
        sample=sample,
        height=frame.height,
        width=frame.width,
        channels=frame.pixels.shape[2],
        bit_depth=frame.bit_depth,
        digest=pixels.digest(),
        file_digest=file_digest,
        brightness=float(np.mean(mean)) / white,
        contrast=float(np.mean(deviation)) / white,
        thumbnail=_thumbnail(frame),
        mask_fault=None,
    )


def _file_digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:  # gone since it was decoded
        raise FrameError(f"{path}: cannot be read ({error.strerror}); check the disk.") from error


def _thumbnail(frame: Frame) -> NDArray[np.float16]:
    # in two steps: floating point copies of a large picture would take gigabytes
    small = (min(frame.width, 8 * THUMBNAIL), min(frame.height, 8 * THUMBNAIL))
    reduced = cv2.resize(frame.pixels, small, interpolation=cv2.INTER_AREA).reshape(small[1], small[0], -1)
    grey = reduced.mean(axis=2, dtype=np.float32) / (2**frame.bit_depth - 1)
    thumbnail = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    deviation = float(thumbnail.std())
    if deviation <= _BLANK:
        return np.zeros((THUMBNAIL, THUMBNAIL), np.float16)
    return np.asarray((thumbnail - thumbnail.mean()) / deviation, np.float16)


def _frequencies(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(sorted(values)).most_common())


def _spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    return Spread(lowest=ordered[0], median=median(ordered), highest=ordered[-1])
