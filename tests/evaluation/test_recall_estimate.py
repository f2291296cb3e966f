import numpy as np
import pytest
from scipy.stats import hypergeom

from sightline.errors import OptionError
from sightline.evaluation.recall_estimate import Stratum, recall_from_audit
from sightline.evaluation.value import Manual, Prices, Quantities, first_pass_yield, value


def test_escapes_are_what_the_sample_stands_for() -> None:
    found = recall_from_audit([Stratum(name="all", passed=100_000, audited=1_000, bad=2)], caught=1_800)
    assert found.escapes == pytest.approx(200)
    assert found.recall == pytest.approx(0.9)
    assert found.recall_low is not None
    assert found.recall_high is not None
    assert found.recall_low < 0.9 < found.recall_high
    assert (found.escapes_low, found.escapes_high) == (25, 717), "close to Clopper-Pearson: 0.000242 to 0.007205"


def test_the_bounds_are_those_that_scipys_distribution_gives() -> None:
    found = recall_from_audit([Stratum(name="all", passed=500, audited=60, bad=3)], caught=10)
    low, high = found.escapes_low, found.escapes_high
    assert hypergeom.sf(2, 500, low, 60) > 0.025 >= hypergeom.sf(2, 500, low - 1, 60)
    assert hypergeom.cdf(3, 500, high, 60) > 0.025 >= hypergeom.cdf(3, 500, high + 1, 60)


def test_looking_at_everything_leaves_no_doubt() -> None:
    found = recall_from_audit([Stratum(name="all", passed=50, audited=50, bad=2)], caught=8)
    assert (found.escapes, found.escapes_low, found.escapes_high, found.recall) == (2, 2, 2, 0.8)


def test_nothing_found_in_the_sample_is_not_nothing_there() -> None:
    found = recall_from_audit([Stratum(name="all", passed=10_000, audited=299, bad=0)], caught=99)
    assert (found.escapes, found.recall, found.escapes_low) == (0, 1, 0)
    assert found.recall_low is not None
    assert found.recall_low < 0.5


def test_strata_are_weighted_by_their_passes() -> None:
    doubtful, clear = (
        Stratum(name="doubtful", passed=1_000, audited=500, bad=10),
        Stratum(name="clear", passed=99_000, audited=500, bad=0),
    )
    found = recall_from_audit([doubtful, clear], caught=80)
    assert found.escapes == pytest.approx(20)
    assert found.recall == pytest.approx(0.8)
    assert found.escapes_high > recall_from_audit([doubtful], caught=80).escapes_high


def test_a_stratum_that_nobody_looked_at_leaves_the_recall_open() -> None:
    found = recall_from_audit([Stratum(name="all", passed=10, audited=0, bad=0)], caught=5)
    assert (found.escapes, found.recall, found.escapes_high) == (None, None, 10)
    assert recall_from_audit([Stratum(name="none", passed=0, audited=0, bad=0)], caught=0).recall is None


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    bad = {"a": 40, "b": 6}
    covered = 0
    for _ in range(200):
        strata = [
            Stratum(name=name, passed=1_000, audited=100, bad=int(rng.hypergeometric(n, 1_000 - n, 100)))
            for name, n in bad.items()
        ]
        found = recall_from_audit(strata, caught=100)
        covered += found.escapes_low <= 46 <= found.escapes_high
    assert covered >= 190


def test_more_bad_than_audited_is_refused() -> None:
    with pytest.raises(OptionError, match="3 bad of 2 audited"):
        Stratum(name="all", passed=10, audited=2, bad=3)


def test_money_saved_by_hand() -> None:
    """1,000 parts, 20 bad; people: 300 for looking, 4 escapes of 50, 9.8 good ones thrown away at 2."""
    found = value(
        Quantities(parts=1_000, bad=20, escapes=1, overkill=15, reviewed=40),
        Prices(escape=50, overkill=2, review=0.25, manual=0.30, running=10),
        Manual(recall=0.8, overkill=0.01),
    )
    assert found.manual.total == pytest.approx(300 + 200 + 19.6)
    assert found.system.total == pytest.approx(50 + 30 + 10 + 10)
    assert found.saved == pytest.approx(419.6)


def test_prices_and_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(OptionError, match="price of review"):
        Prices(escape=1, overkill=1, review=-1, manual=1)
    with pytest.raises(OptionError, match=r"recall is 1\.2"):
        Manual(recall=1.2)
    prices = Prices(escape=1, overkill=1, review=1, manual=1)
    with pytest.raises(OptionError, match="bad of 5 parts"):
        value(Quantities(parts=5, bad=6, escapes=0, overkill=0, reviewed=0), prices, Manual())


def test_first_pass_yield() -> None:
    assert first_pass_yield(200, 190) == 0.95
    assert first_pass_yield(0, 0) is None
    with pytest.raises(OptionError, match="passed of"):
        first_pass_yield(3, 4)
