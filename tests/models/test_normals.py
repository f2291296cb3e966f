"""Normals from depth: right on planes and spheres, whole over gaps, and grey where nothing was measured."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.models.graph import open_session
from sightline.models.normals import WHITE, normals_model, slopes_model

Depth = NDArray[np.uint16]
SIZE = 64, 96  # of the working size: height, width
INNER = slice(2, -2)  # resizing takes half a pixel of slope from the outermost row


def normals(depth: Depth, gain: float) -> tuple[NDArray[np.float64], float]:
    """(h, w, 3) in -1..1, and the share that is missing."""
    picture, missing = open_session(normals_model(*SIZE, gain)).run(None, {"depth": depth})
    assert picture.min() >= 0
    assert picture.max() <= WHITE
    return picture.astype(np.float64) / WHITE * 2 - 1, float(missing)


def slopes(depth: Depth) -> list[NDArray[np.float32]]:
    return [plane[0, 0] for plane in open_session(slopes_model(*SIZE)).run(None, {"depth": depth})]


def tilted(height: int, width: int, across: float, down: float) -> Depth:
    y, x = np.mgrid[:height, :width]
    return np.asarray(np.rint(20_000 + across * x + down * y), np.uint16)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (128, 192), (32, 192), (200, 150)])
def test_a_tilted_plane_has_its_slope_whatever_the_size_of_its_map(height: int, width: int) -> None:
    x, y, support = slopes(tilted(height, width, 6.0, -10.0))
    np.testing.assert_allclose(x[INNER, INNER], 6.0, rtol=0.05)
    np.testing.assert_allclose(y[INNER, INNER], -10.0, rtol=0.05)
    assert support.min() == 1


def test_a_tilted_plane_has_its_normal() -> None:
    # 1 count = 0.01 mm, 0.1 mm per pixel: slopes of 0.6 and -1.0
    found, missing = normals(tilted(128, 192, 6.0, -10.0), gain=0.01 / 0.1)
    expected = np.array([-0.6, 1.0, 1.0]) / np.sqrt(0.36 + 1 + 1)
    np.testing.assert_allclose(found[INNER, INNER], np.broadcast_to(expected, (60, 92, 3)), atol=0.01)
    assert missing == 0


def test_a_sphere_has_the_normals_of_a_sphere() -> None:
    radius = 300.0  # px; the map shows its cap, 100 counts to the pixel
    y, x = np.mgrid[:128, :192] - np.array([63.5, 95.5])[:, None, None]
    depth = np.rint(5_000 + 100 * np.sqrt(radius**2 - x**2 - y**2)).astype(np.uint16)
    found, _ = normals(depth, gain=0.01)
    rows, columns = (np.arange(64) * 2 + 0.5 - 63.5), (np.arange(96) * 2 + 0.5 - 95.5)
    nx, ny = np.broadcast_to(columns / radius, SIZE), np.broadcast_to(rows[:, None] / radius, SIZE)
    expected = np.stack([nx, ny, np.sqrt(1 - nx**2 - ny**2)], axis=2)
    np.testing.assert_allclose(found[INNER, INNER], expected[INNER, INNER], atol=0.005)


def test_single_missing_points_change_next_to_nothing() -> None:
    depth = tilted(128, 192, 6.0, -10.0)
    depth[np.random.default_rng(0).random(depth.shape) < 0.03] = 0
    x, y, support = slopes(depth)
    assert support.min() == 1
    assert np.quantile(np.abs(x - 6)[INNER, INNER], 0.99) < 0.5
    assert np.quantile(np.abs(y + 10)[INNER, INNER], 0.99) < 0.5


def test_a_hole_is_grey_inside_and_leaves_its_surroundings_alone() -> None:
    depth = tilted(128, 192, 6.0, -10.0)
    depth[40:80, 60:120] = 0  # rows 20..40, columns 30..60 of the working size
    found, missing = normals(depth, gain=0.1)
    np.testing.assert_allclose(found[24:36, 34:56], 0, atol=1e-4)
    whole, _ = normals(tilted(128, 192, 6.0, -10.0), gain=0.1)
    far = np.ones(SIZE, bool)
    far[17:43, 27:63] = False
    np.testing.assert_allclose(found[far], whole[far], atol=1e-4)
    assert 16 * 26 < missing * 64 * 96 < 20 * 30  # its edge has points within reach


def test_a_map_of_which_one_corner_is_measured_stays_finite() -> None:
    depth = np.zeros((128, 192), np.uint16)
    depth[:9, :9] = 65_535
    found, missing = normals(depth, gain=1.0)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[40:], 0, atol=1e-4)
    assert missing > 0.98


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (700, 2)])
def test_maps_of_odd_sizes_are_taken(shape: tuple[int, int]) -> None:
    found, _ = normals(np.full(shape, 900, np.uint16), gain=1.0)
    np.testing.assert_allclose(found, np.broadcast_to([0, 0, 1], (*SIZE, 3)), atol=2e-3)


def test_a_gain_exaggerates_and_the_sign_of_height_only_mirrors() -> None:
    low, _ = normals(tilted(128, 192, 1.0, 0.0), gain=0.1)
    high, _ = normals(tilted(128, 192, 1.0, 0.0), gain=1.0)
    mirrored, _ = normals(tilted(128, 192, -1.0, 0.0), gain=1.0)
    assert abs(high[30, 30, 0]) > 5 * abs(low[30, 30, 0])
    np.testing.assert_allclose(mirrored[INNER, INNER, 0], -high[INNER, INNER, 0], atol=1e-4)
