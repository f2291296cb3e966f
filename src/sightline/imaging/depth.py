"""Depth maps on disk: `part.depth.png` beside `part.png`, 16-bit grey of the picture's size, 0 where no point is."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sightline.errors import FrameError
from sightline.imaging.decode import decode, read_frame
from sightline.records import Frame

DepthMap = NDArray[np.uint16]  # (H, W)
DEPTH_MARK = ".depth"
DEPTH_SUFFIXES = (".png", ".tif", ".tiff")  # lossless, and with 16 bits


def is_depth_name(path: Path) -> bool:
    """Whether the name is one of a depth map, `NAME.depth.png`, .tif or .tiff in any case, and so not of a picture."""
    name = path.name.lower()
    return any(name.endswith(f"{DEPTH_MARK}{suffix}") and name != f"{DEPTH_MARK}{suffix}" for suffix in DEPTH_SUFFIXES)


def depth_files(path: Path) -> list[Path]:
    """What lies beside the picture at `path` under the name of its depth map: one file, or none, or by mistake more."""
    places = (path.with_name(f"{path.stem}{DEPTH_MARK}{suffix}") for suffix in DEPTH_SUFFIXES)
    return [place for place in places if place.is_file()]


def depth_beside(path: Path) -> Path | None:
    """The depth map that belongs to the picture at `path`; None if there is none.

    Raises:
        FrameError: there are several.
    """
    found = depth_files(path)
    if len(found) > 1:
        raise FrameError(f"{path}: has two depth maps, {found[0].name} and {found[1].name}. Keep the right one.")
    return found[0] if found else None


def read_depth(path: Path, *, max_megapixels: float = 50.0) -> DepthMap:
    """The depth map in a file, (H, W) uint16.

    Raises:
        FrameError: it cannot be read, is in colour or has 8 bits per pixel.
    """
    return _depth_of(read_frame(path, max_megapixels=max_megapixels), str(path))


def decode_depth(data: bytes, *, max_megapixels: float = 50.0) -> DepthMap:
    """`read_depth` of a file's bytes."""
    return _depth_of(decode(data, max_megapixels=max_megapixels), "depth map")


def read_frame_with_depth(path: Path, *, max_megapixels: float = 50.0) -> Frame:
    """A picture with the depth map that lies beside it.

    Raises:
        FrameError: one of them cannot be read, there is no depth map, or it is of another size.
    """
    frame = read_frame(path, max_megapixels=max_megapixels)
    beside = depth_beside(path)
    if beside is None:
        raise FrameError(
            f"{path}: has no depth map. Put it beside the picture as {path.stem}{DEPTH_MARK}.png, 16 bits, grey."
        )
    depth = read_depth(beside, max_megapixels=max_megapixels)
    try:
        return replace(frame, depth=depth)
    except FrameError as error:
        raise FrameError(f"{beside}: is not fit for its picture: {error}") from error


def _depth_of(frame: Frame, name: str) -> DepthMap:
    if frame.pixels.dtype != np.uint16 or frame.pixels.shape[2] != 1:
        found = f"{8 * frame.pixels.dtype.itemsize}-bit {'grey' if frame.pixels.shape[2] == 1 else 'colour'}"
        raise FrameError(f"{name}: is a {found} picture; a depth map is 16-bit grey. Export the heights, not a view.")
    return cast(DepthMap, frame.pixels[:, :, 0])
