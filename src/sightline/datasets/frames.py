"""Pictures on disk as frames that are decoded when asked for, so that memory does not grow with their number."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.imaging.decode import read_frame
from sightline.imaging.depth import read_frame_with_depth
from sightline.records import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFiles:
    """Frames by index; each is decoded anew at every access."""

    paths: Sequence[Path]
    max_megapixels: float = 50.0
    depth: bool = False  # with the depth map beside each picture

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> Frame:
        """Decode one; raises FrameError if it cannot be read, or has no depth map where one is asked for."""
        if self.depth:
            return read_frame_with_depth(self.paths[index], max_megapixels=self.max_megapixels)
        return read_frame(self.paths[index], max_megapixels=self.max_megapixels)
