"""The ways to search that are compared: exact ones are, and candidates are measured exactly."""

import numpy as np
import pytest
from onnx import TensorProto
from scipy.spatial.distance import cdist

from searches import CELLS, FORMS, bytes_of
from sightline.models.graph import GraphBuilder, open_session
from sightline.records import FloatArray

BY_CANDIDATES = [name for name in FORMS if "candidate" in name]


@pytest.fixture(scope="module")
def drawn() -> tuple[FloatArray, FloatArray]:
    """(CELLS, D) patches and an (M, D) bank, whose vectors differ in length."""
    rng = np.random.default_rng(0)
    patches, bank = (rng.standard_normal((count, 16)).astype(np.float32) for count in (CELLS, 301))
    return patches, bank * rng.uniform(0.5, 2, (301, 1)).astype(np.float32)


def found(name: str, patches: FloatArray, bank: FloatArray) -> FloatArray:
    builder = GraphBuilder()
    builder.rename(FORMS[name](builder, "patches", bank), "distances")
    model = builder.build([("patches", TensorProto.FLOAT, patches.shape)], [("distances", (CELLS,))])
    distances: FloatArray = open_session(model).run(None, {"patches": patches})[0]
    return distances


@pytest.mark.parametrize("name", [name for name in FORMS if name not in BY_CANDIDATES])
def test_the_exact_ways_find_the_nearest(name: str, drawn: tuple[FloatArray, FloatArray]) -> None:
    np.testing.assert_allclose(found(name, *drawn), cdist(*drawn).min(axis=1), rtol=1e-4)


@pytest.mark.parametrize("name", BY_CANDIDATES)
def test_what_is_measured_is_the_distance_to_one_of_the_bank(name: str, drawn: tuple[FloatArray, FloatArray]) -> None:
    gaps = cdist(*drawn) - found(name, *drawn)[:, None]
    assert np.abs(gaps).min(axis=1).max() < 1e-4


def test_in_8_bits_the_nearest_has_the_least_product(drawn: tuple[FloatArray, FloatArray]) -> None:
    # by hand, as the runtime's products overflow on processors without VNNI
    patches, bank = drawn
    inside = np.clip(patches, bank.min(), bank.max())
    made = bytes_of(bank)
    levels = np.clip(np.round(inside / made.step) + 128, 0, 255).astype(np.int64)
    rows = np.concatenate([levels, np.tile(made.further, (CELLS, 1))], axis=1)
    chosen = (rows @ made.factors.T.astype(np.int64)).argmin(axis=1)
    distances = cdist(inside, bank)
    np.testing.assert_allclose(distances[np.arange(CELLS), chosen], distances.min(axis=1), rtol=0.05)
    assert (chosen == distances.argmin(axis=1)).mean() > 0.95
