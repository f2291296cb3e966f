"""The depth maps beside a data set's pictures: which are missing, which do not fit, which belong to no picture."""

from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.errors import FrameError
from sightline.imaging.depth import DEPTH_MARK, depth_files, is_depth_name, read_frame_with_depth


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthMaps:
    """What was found beside the pictures."""

    found: int
    faults: tuple[str, ...]  # one line each: unreadable, 8-bit, of another size than the picture
    missing: tuple[Path, ...]  # pictures without one, where others have one
    without_picture: tuple[Path, ...]


def depth_maps(dataset: Dataset, *, max_megapixels: float = 50.0) -> DepthMaps:
    """Read every depth map, and its picture once more; where there are none, only names are looked at."""
    beside = {sample.path: depth_files(sample.path) for sample in dataset.samples}
    owned = {path for paths in beside.values() for path in paths}
    some = bool(owned)
    return DepthMaps(
        found=len(owned),
        faults=tuple(fault for path, maps in beside.items() if maps and (fault := _fault(path, max_megapixels))),
        missing=tuple(path for path, maps in beside.items() if some and not maps),
        without_picture=tuple(sorted(_lying_around(dataset) - owned)),
    )


def _fault(path: Path, max_megapixels: float) -> str:
    try:
        read_frame_with_depth(path, max_megapixels=max_megapixels)
    except FrameError as error:
        return str(error)
    return ""


def _lying_around(dataset: Dataset) -> set[Path]:
    """Depth maps in the folders where there are pictures."""
    folders = {sample.path.parent for sample in dataset.samples}
    return {path for folder in folders for path in folder.glob(f"*{DEPTH_MARK}.*") if is_depth_name(path)}
