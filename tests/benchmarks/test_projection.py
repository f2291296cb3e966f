"""The projection that is learnt with pasted pieces: what is spoilt is marked, and what tells it apart is brought in."""

import numpy as np
import pytest
from scipy.stats import rankdata

import projection

SHAPE = (64, 96, 3)


def test_what_is_pasted_is_marked_and_nothing_else_changes() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        picture = rng.integers(0, 256, SHAPE, dtype=np.uint8)
        made, mask = projection.spoilt(picture, np.random.default_rng(seed))
        assert set(np.unique(mask)) == {0, 1}
        assert 0.01 < mask.mean() < 0.2
        assert np.array_equal(made[mask == 0], picture[mask == 0])
        assert (made[mask == 1] != picture[mask == 1]).mean() > 0.9


def test_a_component_that_tells_spoilt_from_good_is_brought_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "STEPS", 200)
    monkeypatch.setattr(projection, "BATCH", 256)
    monkeypatch.setattr(projection, "_RATES", (1e-2, 1e-2))
    rng = np.random.default_rng(1)
    good, bad = (rng.normal(size=(4000, 8)).astype(np.float32) for _ in range(2))
    bad[:, 6] += 3  # beyond the components that are kept
    found = projection.learnt(good, bad, 4, seed=0)
    assert found.shape == (8, 4)
    assert _told_apart(good[:, :4], bad[:, :4]) == pytest.approx(0.5, abs=0.05)
    assert _told_apart(good @ found, bad @ found) > 0.8
    assert np.array_equal(found, projection.learnt(good, bad, 4, seed=0))


def _told_apart(good: np.ndarray, bad: np.ndarray) -> float:
    """AUROC of the squared Mahalanobis distance from the good ones."""
    mean, inverse = good.mean(axis=0), np.linalg.inv(np.cov(good.T))
    scores = [np.einsum("nd,de,ne->n", one - mean, inverse, one - mean) for one in (good, bad)]
    ranks = rankdata(np.concatenate(scores))[len(good) :]
    return float((ranks.sum() - len(bad) * (len(bad) + 1) / 2) / (len(good) * len(bad)))
