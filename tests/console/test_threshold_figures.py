"""What a threshold does to parts."""

import numpy as np

from sightline.console.threshold_figures import Prices, Proven, cheapest, guaranteed, histogram, outcome, scores_of

ROWS = [("good", 1.0), ("good", 2.0), ("good", 3.0), ("crack", 2.5), ("dent", 4.0)]
PRICES = Prices(escape=100, overkill=2, defect_share=0.1)


def test_a_score_that_reaches_the_threshold_is_rejected() -> None:
    found = outcome(scores_of(ROWS), 2.5, PRICES)
    assert (found.caught.count, found.escaped, found.overkill.count, found.passed) == (2, 0, 1, 2)
    assert found.cost is not None
    assert round(found.cost, 6) == round(1000 * 0.9 * 2 / 3, 6)


def test_the_cheapest_catches_what_is_dear() -> None:
    best = cheapest(scores_of(ROWS), PRICES)
    assert best is not None
    assert 2.0 < best <= 2.5
    assert cheapest(scores_of(ROWS[:3]), PRICES) is None
    assert cheapest(scores_of(ROWS), Prices(escape=0, overkill=1, defect_share=0.1)) is None


def test_a_recall_is_proven_by_enough_examples_or_it_says_how_many() -> None:
    many = scores_of([("good", 0.0), *(("crack", float(score)) for score in range(1, 60))])
    found = guaranteed(many, 0.95)
    assert isinstance(found, Proven)
    assert (found.threshold, found.recall >= 0.95) == (1.0, True)
    assert "At least 59 examples" in str(guaranteed(scores_of(ROWS), 0.95))
    assert guaranteed(scores_of(ROWS[:3]), 0.95) == ""


def test_a_histogram_counts_every_score() -> None:
    scores = scores_of(ROWS)
    assert sum(histogram(scores.good, scores.reach)) == 3
    assert scores_of([]).reach == (0.0, 1.0)
    low, high = scores.reach_with([-3.0, 9.0])
    assert (low < -3.0, high > 9.0) == (True, True)
    low, high = scores_of([("good", 2.0)]).reach
    assert low < 2.0 < high
    assert np.isfinite(low)
