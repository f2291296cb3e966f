import pytest
from scipy.stats import binom

from sightline.errors import OptionError
from sightline.evaluation.challenge import claim, sample_size
from sightline.evaluation.intervals import zero_miss_sample_size


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (59, "59 of 59 found: at least 95.04 % with 95 % confidence."),
        (149, "149 of 149 found: at least 98 % with 95 % confidence."),
        (299, "299 of 299 found: at least 99 % with 95 % confidence."),
        (2995, "2995 of 2995 found: at least 99.9 % with 95 % confidence."),
    ],
)
def test_what_no_miss_proves(shown: int, said: str) -> None:
    found = claim(shown, shown)
    assert found.recall_at_least == pytest.approx(0.05 ** (1 / shown))
    assert found.sentence == said


def test_one_part_fewer_does_not_prove_it() -> None:
    assert claim(299, 299).proves(0.99)
    assert not claim(298, 298).proves(0.99)
    assert claim(298, 298).sentence.startswith("298 of 298 found: at least 98.99 %")
    assert not claim(298, 299).proves(0.99)


@pytest.mark.parametrize(
    ("recall", "misses", "needed"),
    [(0.95, 0, 59), (0.98, 0, 149), (0.99, 0, 299), (0.999, 0, 2995), (0.95, 1, 93), (0.95, 2, 124), (0.99, 1, 473)],
)
def test_how_many_parts_a_claim_needs(recall: float, misses: int, needed: int) -> None:
    assert sample_size(recall, misses) == needed
    assert binom.cdf(misses, needed, 1 - recall) <= 0.05 < binom.cdf(misses, needed - 1, 1 - recall)
    assert claim(needed - misses, needed).proves(recall)


@pytest.mark.parametrize("recall", [0.5, 0.8, 0.97, 0.9999])
def test_without_a_miss_it_is_the_known_formula(recall: float) -> None:
    assert sample_size(recall) == zero_miss_sample_size(recall)


def test_nothing_shown_proves_nothing() -> None:
    assert claim(0, 0).sentence == "No challenge part was shown: nothing is proven."
    assert claim(0, 5).recall_at_least == 0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(OptionError, match="6 found of 5"):
        claim(6, 5)
    with pytest.raises(OptionError, match="misses"):
        sample_size(0.99, -1)
    with pytest.raises(OptionError, match="more than"):
        sample_size(1 - 1e-9)
