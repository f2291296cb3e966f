"""Depth maps on disk: found by their name, 16-bit grey, as large as their picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.errors import FrameError
from sightline.imaging.depth import depth_beside, is_depth_name, read_depth, read_frame_with_depth
from sightline.records import Frame

HEIGHTS = np.arange(1, 49, dtype=np.uint16).reshape(6, 8) * 1000


def save(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "part.png", np.full((6, 8, 3), 90, np.uint8))


@pytest.mark.parametrize("name", ["a.depth.png", "A.DEPTH.PNG", "a.b.depth.tif", "a.depth.tiff"])
def test_a_depth_map_is_known_by_its_name(name: str) -> None:
    assert is_depth_name(Path("folder") / name)


@pytest.mark.parametrize("name", ["depth.png", ".depth.png", "a.depth.jpg", "a_depth.png", "a.depth", "adepth.png"])
def test_other_names_are_pictures(name: str) -> None:
    assert not is_depth_name(Path("folder") / name)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
def test_the_depth_map_beside_a_picture_is_read_with_it(picture: Path, suffix: str) -> None:
    save(picture.with_name(f"part.depth{suffix}"), HEIGHTS)
    frame = read_frame_with_depth(picture)
    assert frame.depth is not None
    np.testing.assert_array_equal(frame.depth, HEIGHTS)
    assert (frame.pixels.shape, frame.source) == ((6, 8, 3), str(picture))


def test_a_picture_without_one_is_refused_with_the_name_it_needs(picture: Path) -> None:
    assert depth_beside(picture) is None
    with pytest.raises(FrameError, match=r"part\.png: has no depth map\. .*part\.depth\.png"):
        read_frame_with_depth(picture)


def test_two_of_them_are_refused(picture: Path) -> None:
    for suffix in (".png", ".tif"):
        save(picture.with_name(f"part.depth{suffix}"), HEIGHTS)
    with pytest.raises(FrameError, match=r"two depth maps, part\.depth\.png and part\.depth\.tif"):
        depth_beside(picture)


@pytest.mark.parametrize(
    ("pixels", "found"),
    [(np.ones((6, 8), np.uint8), "8-bit grey"), (np.ones((6, 8, 3), np.uint16), "16-bit colour")],
)
def test_what_is_no_depth_map_is_refused(
    picture: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16], found: str
) -> None:
    path = save(picture.with_name("part.depth.png"), pixels)
    with pytest.raises(FrameError, match=rf"part\.depth\.png: is a {found} picture; a depth map is 16-bit grey"):
        read_depth(path)


def test_another_size_is_refused_with_both(picture: Path) -> None:
    save(picture.with_name("part.depth.png"), HEIGHTS[:4])
    with pytest.raises(FrameError, match=r"part\.depth\.png: .* depth map is 8 x 4, the picture 8 x 6 pixels"):
        read_frame_with_depth(picture)


def test_a_depth_map_without_a_point_is_refused() -> None:
    with pytest.raises(FrameError, match="has no point"):
        Frame(pixels=np.ones((4, 5, 1), np.uint8), depth=np.zeros((4, 5), np.uint16))


def test_a_depth_map_of_another_type_is_refused() -> None:
    with pytest.raises(FrameError, match="depth map is float32; give uint16"):
        Frame(pixels=np.ones((4, 5, 1), np.uint8), depth=np.ones((4, 5), np.float32))
