"""One Gaussian for each place: NumPy's moments, SciPy's distances, and cells that share are neighbours."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from scipy.spatial.distance import mahalanobis

from sightline.models.gaussians import (
    MOST_PLACES,
    RIDGE,
    Moments,
    Places,
    append_mahalanobis,
    gaussians_of,
    places_of,
    squares_of,
    summed,
)
from sightline.models.graph import GraphBuilder, open_session
from sightline.records import FloatArray

SHARED = (34, 33)  # 1,122 cells in squares of 2 x 2, the last column's half beyond the edge


def drawn(frames: int, grid: tuple[int, int], dimensions: int = 5) -> FloatArray:
    """(frames, P, D) patches, each place with a mean and a spread of its own."""
    rng = np.random.default_rng(7)
    cells = grid[0] * grid[1]
    mean, mixing = rng.normal(0, 2, (cells, dimensions)), rng.normal(0, 1, (cells, dimensions, dimensions))
    return np.asarray(mean + np.einsum("pde,npe->npd", mixing, rng.normal(0, 1, (frames, cells, dimensions))), "f4")


def moments_of(patches: FloatArray, places: Places) -> Moments:
    moments = Moments.none(places.count, patches.shape[2])
    moments.add(patches, places)
    return moments


def distances_of(moments: Moments, places: Places, patches: FloatArray) -> FloatArray:
    builder = GraphBuilder()
    builder.rename(append_mahalanobis(builder, "patches", gaussians_of(moments), places), "distances")
    graph = builder.build([("patches", TensorProto.FLOAT, patches.shape)], [("distances", (len(patches),))])
    found: FloatArray = open_session(graph).run(None, {"patches": patches})[0]
    return found


# --- places


@pytest.mark.parametrize(
    "grid", [(1, 1), (2, 3), (32, 32), (33, 32), SHARED, (65, 31), (33, 123), (1, 5000), (256, 256)]
)
def test_every_cell_has_one_place_and_all_cells_of_a_place_lie_in_one_small_square(grid: tuple[int, int]) -> None:
    places, (rows, columns) = places_of(grid), grid
    cells = np.arange(rows * columns)
    assert places.count <= MOST_PLACES
    assert np.array_equal(places.cells.reshape(-1)[places.order], cells)
    assert set(places.cells.flat) == set(cells)
    place = places.order // places.cells.shape[1]
    side = round(places.cells.shape[1] ** 0.5)
    across = -(-columns // side)
    assert np.array_equal(place, cells // columns // side * across + cells % columns // side)


def test_cells_have_places_of_their_own_while_there_are_few() -> None:
    places = places_of((32, 32))
    assert places.cells.tolist() == [[cell] for cell in range(1024)]
    assert places_of((33, 32)).cells.shape == (17 * 16, 4)


def test_the_squares_are_the_smallest_that_are_few_enough() -> None:
    assert squares_of((33, 123)) == (3, 11, 41)  # 17 x 62 of side 2 would be 1,054
    assert squares_of((1, 5000)) == (5, 1, 1000)
    assert squares_of((2**32 - 1, 2**32 - 1)) == (2**27, 32, 32)  # as a damaged file may state, at once


def test_at_the_edge_the_last_cells_count_again() -> None:
    places = places_of(SHARED)
    assert places.count == 17 * 17
    assert places.cells[0].tolist() == [0, 1, 33, 34]
    assert places.cells[16].tolist() == [32, 32, 65, 65]  # the 33rd column has no neighbour


# --- moments


def test_mean_and_covariance_are_those_of_numpy() -> None:
    patches, places = drawn(40, (3, 4)), places_of((3, 4))
    found = gaussians_of(moments_of(patches, places))
    covariances = [np.cov(patches[:, cell].astype(np.float64), rowvar=False, bias=True) for cell in range(12)]
    ridge = RIDGE * np.mean([covariance.trace() / 5 for covariance in covariances])
    np.testing.assert_allclose(found.mean, patches.mean(axis=0), atol=1e-5)
    for covariance, factor in zip(covariances, found.whitening.astype(np.float64), strict=True):
        white = factor.T @ (covariance + ridge * np.eye(5)) @ factor
        np.testing.assert_allclose(white, np.eye(5), atol=0.01)  # half precision, and whitening multiplies its error


def test_a_place_of_several_cells_has_the_moments_of_all_of_them() -> None:
    patches, places = drawn(6, SHARED), places_of(SHARED)
    moments = moments_of(patches, places)
    assert moments.count == 6 * 4
    values = patches[:, [0, 1, 33, 34]].reshape(-1, 5)
    np.testing.assert_allclose(moments.total[0], values.sum(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(moments.squares[0], values.T @ values, rtol=1e-4, atol=1e-4)


def test_the_moments_of_parts_add_up_to_those_of_the_whole() -> None:
    patches, places = drawn(30, (3, 4)), places_of((3, 4))
    parts = [moments_of(patches[start:stop], places) for start, stop in ((0, 7), (7, 8), (8, 30))]
    before = parts[0].squares.copy()
    found, whole = summed(parts), moments_of(patches, places)
    assert found.count == whole.count == 30
    np.testing.assert_allclose(found.total, whole.total, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.squares, whole.squares, rtol=1e-4, atol=1e-4)
    assert np.array_equal(parts[0].squares, before)  # what is summed stays as it was


def test_weighted_moments_count_less_and_describe_the_same_gaussian() -> None:
    moments = moments_of(drawn(30, (3, 4)), places_of((3, 4)))
    half = moments.weighted(0.5)
    assert half.count == 15
    np.testing.assert_array_equal(half.total, moments.total / 2)
    for one, other in product([gaussians_of(half)], [gaussians_of(moments)]):
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-6)
        np.testing.assert_allclose(one.whitening, other.whitening, rtol=2e-3, atol=1e-3)


# --- distances


@pytest.mark.parametrize(
    ("grid", "dimensions"),
    [
        pytest.param((3, 4), 5, id="a place per cell"),
        pytest.param(SHARED, 5, id="shared places"),
        pytest.param((3, 4), 2, id="two halves of one each"),
        pytest.param((3, 4), 1, id="nothing to halve"),
    ],
)
def test_the_graphs_distances_are_those_of_scipy(grid: tuple[int, int], dimensions: int) -> None:
    patches, places = drawn(30, grid, dimensions), places_of(grid)
    moments = moments_of(patches, places)
    odd = patches[0] + np.float32(3)
    found = distances_of(moments, places, odd)
    mean = moments.total.astype(np.float64) / moments.count
    covariance = moments.squares / np.float64(moments.count) - mean[:, :, None] * mean[:, None, :]
    covariance += RIDGE * np.trace(covariance, axis1=1, axis2=2).mean() / dimensions * np.eye(dimensions)
    inverse = np.linalg.inv(covariance)
    place = places.order // places.cells.shape[1]
    expected = [mahalanobis(x, mean[g], inverse[g]) for x, g in zip(odd.astype(np.float64), place, strict=True)]
    # a factor in half precision is off by 2^-11; the bound allows for terms of a sum that cancel
    np.testing.assert_allclose(found, expected, rtol=16 * 2**-11)


def test_the_graph_leaves_out_the_zeros_of_the_left_half() -> None:
    patches, places = drawn(40, (3, 4), 6), places_of((3, 4))
    found = gaussians_of(moments_of(patches, places))
    assert np.array_equal(found.whitening, np.triu(found.whitening))
    builder = GraphBuilder()
    builder.rename(append_mahalanobis(builder, "patches", found, places), "distances")
    graph = builder.build([("patches", TensorProto.FLOAT, (12, 6))], [("distances", (12,))]).graph
    halves = [tuple(tensor.dims) for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT16]
    assert halves == [(12, 3, 3), (12, 6, 3)]


def test_the_mean_itself_has_no_distance() -> None:
    patches, places = drawn(30, (3, 4)), places_of((3, 4))
    moments = moments_of(patches, places)
    assert distances_of(moments, places, gaussians_of(moments).mean).max() == 0


@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 300.0], ids="features of about {}".format)
def test_pictures_that_are_all_the_same_give_finite_distances(size: float) -> None:
    patches, places = np.float32(size) * np.repeat(drawn(1, (3, 4), 64), 23, axis=0), places_of((3, 4))
    moments = summed([moments_of(patches[:11], places), moments_of(patches[11:], places)])
    same = distances_of(moments, places, patches[0])
    other = distances_of(moments, places, patches[0] + np.float32(1))
    assert np.isfinite(gaussians_of(moments).whitening).all()
    assert np.isfinite(same).all()
    assert np.isfinite(other).all()
    assert (other > same).all()


def test_nothing_learnt_gives_finite_distances() -> None:
    places = places_of((3, 4))
    distances: NDArray[np.float32] = distances_of(Moments.none(12, 5), places, drawn(1, (3, 4))[0])
    assert np.isfinite(distances).all()
