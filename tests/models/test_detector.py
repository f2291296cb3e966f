"""From distances to map and score: smoothed, enlarged, and the score is the map's highest value."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.models.backbone import Backbone
from sightline.models.detector import append_map, build_tail
from sightline.models.features import FeatureConfig, Features, Projection
from sightline.models.graph import GraphBuilder, open_session
from sightline.records import FloatArray

ROWS, COLUMNS = 5, 7


@pytest.fixture(scope="module")
def features(patchy: Backbone) -> Features:
    nothing = Projection(offset=np.zeros(1, np.float32), bases=(), explained=1.0)
    config = FeatureConfig(height=8 * ROWS, width=8 * COLUMNS)
    return Features(config=config, backbone=patchy, projection=nothing)


def tail(features: Features, distances: NDArray[Any]) -> tuple[float, FloatArray]:
    builder = GraphBuilder()
    append_map(builder, "distances", features)
    session = open_session(build_tail(builder, features, {"distances": (ROWS * COLUMNS,)}))
    score, values = session.run(["score", "map"], {"distances": distances.astype(np.float32).ravel()})
    return float(score), values


def test_equal_distances_give_an_even_map_of_that_value(features: Features) -> None:
    score, values = tail(features, np.full((ROWS, COLUMNS), 3.0))
    assert score == pytest.approx(3)
    np.testing.assert_allclose(values, np.full((40, 56), 3.0), rtol=1e-6)  # borders too: nothing bleeds in


def test_map_and_score_are_those_worked_out_in_float64(
    features: Features, map_in_float64: Callable[[NDArray[Any]], NDArray[np.float64]]
) -> None:
    distances = np.random.default_rng(0).gamma(2, size=(ROWS, COLUMNS))
    score, values = tail(features, distances)
    np.testing.assert_allclose(values, map_in_float64(distances), atol=1e-5)
    assert score == values.max()


def test_a_single_high_cell_is_highest_where_it_lies(features: Features) -> None:
    distances = np.zeros((ROWS, COLUMNS))
    distances[1, 4] = 10.0
    score, values = tail(features, distances)
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert 8 <= row < 16
    assert 32 <= column < 40
    # one way: the kernel's middle weighs 1 / (1 + 2 e^-2 + 2 e^-8) = 0.7866, its next e^-2 of that; the middle of the
    # cell lies between two pixels, 1/16 of a cell from each
    centre, beside = 0.7866, 0.7866 * np.exp(-2)
    assert score == pytest.approx(10 * (centre * 15 / 16 + beside / 16) ** 2, rel=1e-3)
