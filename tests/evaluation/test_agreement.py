import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from sightline.errors import OptionError
from sightline.evaluation.agreement import cohen, fleiss
from sightline.evaluation.attribute_agreement import Limits, Rating, Standing, analyse

COHEN = [[88, 10, 2], [14, 40, 6], [18, 10, 12]]  # Cohen 1960, table 2
DIAGNOSES = [  # Fleiss 1971, table 1: 30 patients, 6 psychiatrists, 5 diagnoses
    *([0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0], [2, 0, 4, 0, 0]),
    *([0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6], [1, 0, 0, 5, 0], [1, 1, 0, 4, 0]),
    *([0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1], [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0]),
    *([0, 2, 0, 4, 0], [1, 0, 2, 0, 3], [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0]),
    *([1, 0, 0, 4, 1], [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6]),
]


def test_cohens_own_example() -> None:
    kappa = cohen(COHEN)
    assert (kappa.agreed, kappa.by_chance, kappa.items) == pytest.approx((0.70, 0.41, 200))
    assert kappa.value == pytest.approx(0.492, abs=5e-4)


def test_standard_errors_of_fleiss_statistical_methods_table_18_1() -> None:
    """Fleiss, Levin and Paik 2003, section 18.1: kappa 0.676, standard errors 0.087 (from rounded terms) and 0.076."""
    kappa = cohen([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
    assert kappa.value == pytest.approx(0.676, abs=5e-4)
    assert kappa.error == pytest.approx(0.087, abs=1e-3)
    assert kappa.chance_error == pytest.approx(0.076, abs=6e-4)


def test_cohen_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    first = rng.integers(0, 4, 300)
    second = np.where(rng.random(300) < 0.6, first, rng.integers(0, 4, 300))
    table = np.zeros((4, 4), int)
    np.add.at(table, (first, second), 1)
    assert cohen(table).value == pytest.approx(cohen_kappa_score(first, second))


def test_the_standard_error_is_that_of_the_delta_method() -> None:
    p, step = np.array(COHEN) / 200, 1e-6

    def value(shares: NDArray[np.float64]) -> float:
        chance = shares.sum(1) @ shares.sum(0)
        return float((np.trace(shares) - chance) / (1 - chance))

    slopes = np.array([(value(p + step * e) - value(p - step * e)) / (2 * step) for e in np.eye(9).reshape(9, 3, 3)])
    variance = (p.ravel() @ slopes**2 - (p.ravel() @ slopes) ** 2) / 200
    assert cohen(COHEN).error == pytest.approx(np.sqrt(variance), rel=1e-6)


@pytest.mark.parametrize(
    ("table", "value"),
    [
        pytest.param([[5, 0], [0, 5]], 1.0, id="always"),
        pytest.param([[5, 5], [5, 5]], 0.0, id="by chance"),
        pytest.param([[0, 5], [5, 0]], -1.0, id="never"),
        pytest.param([[9, 0], [0, 0]], None, id="one class alone"),
    ],
)
def test_ends_of_the_scale(table: list[list[int]], value: float | None) -> None:
    assert cohen(table).value == value


def test_fleiss_own_example() -> None:
    kappa = fleiss(DIAGNOSES)
    assert kappa.value == pytest.approx(0.430, abs=5e-4)
    assert kappa.value is not None
    assert kappa.chance_error is not None
    assert kappa.value / kappa.chance_error == pytest.approx(17.65, abs=0.05), "as R's irr tells it for these data"


def test_fleiss_with_ten_items_and_fourteen_raters() -> None:
    """The worked example that textbooks and Wikipedia give: 0.210."""
    table = [
        *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
        *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
    ]
    kappa = fleiss(table)
    assert (kappa.agreed, kappa.by_chance) == pytest.approx((0.378, 0.213), abs=5e-4)
    assert kappa.value == pytest.approx(0.210, abs=5e-4)


def test_the_jackknife_error_is_of_the_size_of_what_samples_show() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((400, 60, 1)) < 0.4
    ratings = np.where(rng.random((400, 60, 4)) < 0.15, ~truth, truth).sum(2)
    kappas = [fleiss(np.stack([4 - one, one], 1)) for one in ratings]
    errors = [kappa.error for kappa in kappas if kappa.error is not None]
    assert np.mean(errors) == pytest.approx(np.std([kappa.value or 0.0 for kappa in kappas]), rel=0.1)


@pytest.mark.parametrize("table", [[], [[1, 0]], [[2, 0], [1, 0]], [[-1, 3]]])
def test_fleiss_refuses_what_has_no_pairs(table: list[list[int]]) -> None:
    with pytest.raises(OptionError, match="kappa"):
        fleiss(table)


# AIAG MSA, 4th edition, chapter III section C: 50 parts, 16 of them bad, 3 rounds of 3 appraisers; by (bad, wrong in
# how many of the rounds) -> parts. What each said of single parts is arranged to give the manual's cross tabulations.
WRONG = {
    "A": [*((f"bad{n}", 1) for n in range(3)), *((f"good{n}", 1) for n in range(5))],
    "B": [*((f"bad{n}", 1) for n in range(3)), *((f"good{n}", 1) for n in range(2))],
    "C": [
        *((f"bad{n}", 2) for n in range(3)),
        *((f"good{n}", 2) for n in range(2)),
        *((f"good{n}", 1) for n in range(2, 7)),
    ],
}
STANDARD = {f"bad{n}": True for n in range(16)} | {f"good{n}": False for n in range(34)}


def msa() -> list[Rating]:
    wrong = {name: dict(parts) for name, parts in WRONG.items()}
    return [
        Rating(appraiser=name, item=item, round=number, reject=bad != (number <= wrong[name].get(item, 0)))
        for name in WRONG
        for item, bad in STANDARD.items()
        for number in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("name", "right", "low", "high", "miss", "false_alarm", "kappa", "standing"),
    [
        ("A", 42, 0.71, 0.93, 3 / 48, 5 / 102, 0.88, Standing.UNACCEPTABLE),
        ("B", 45, 0.78, 0.97, 3 / 48, 2 / 102, 0.92, Standing.UNACCEPTABLE),
        ("C", 40, 0.66, 0.90, 6 / 48, 9 / 102, 0.77, Standing.UNACCEPTABLE),
    ],
)
def test_the_example_of_the_msa_manual(
    name: str, right: int, low: float, high: float, miss: float, false_alarm: float, kappa: float, standing: Standing
) -> None:
    found = analyse(STANDARD, msa())
    one = next(appraiser for appraiser in found.appraisers if appraiser.name == name)
    assert (one.effectiveness.count, one.effectiveness.total) == (right, 50)
    assert (one.effectiveness.low, one.effectiveness.high) == pytest.approx((low, high), abs=0.005)
    assert (one.miss.value, one.false_alarm.value) == pytest.approx((miss, false_alarm))
    assert one.repeatability.count == right, "each of them was wrong in some rounds only"
    assert one.kappa is not None
    assert one.kappa.value == pytest.approx(kappa, abs=0.005)
    assert one.standing is standing


def test_the_whole_of_the_study_counts_items_that_all_got_right() -> None:
    found = analyse(STANDARD, msa())
    assert (found.items, found.bad) == (50, 16)
    assert (found.all_right.count, found.all_right.total) == (40, 50)
    assert found.all_agree.count == 40
    assert [(pair.first, pair.second) for pair in found.pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert found.between is not None
    assert found.between.value is not None
    assert 0.7 < found.between.value < 1


def test_limits_decide_the_standing() -> None:
    standard = {"a": True, "b": False}
    perfect = [Rating(appraiser="x", item=item, round=1, reject=bad) for item, bad in standard.items()]
    assert analyse(standard, perfect).appraisers[0].standing is Standing.ACCEPTABLE
    blind = [Rating(appraiser="x", item="b", round=1, reject=False)]
    assert analyse(standard, blind).appraisers[0].standing is Standing.UNKNOWN
    lenient = Limits(marginal_effectiveness=0.8, marginal_miss=0.2, marginal_false_alarm=0.2)
    assert (
        next(one for one in analyse(STANDARD, msa(), lenient).appraisers if one.name == "A").standing
        is Standing.MARGINAL
    )


def test_a_person_who_is_always_wrong_repeats_well() -> None:
    ratings = [Rating(appraiser="x", item="a", round=number, reject=False) for number in (1, 2)]
    one = analyse({"a": True}, ratings).appraisers[0]
    assert (one.effectiveness.value, one.repeatability.value, one.miss.value) == (0, 1, 1)


def test_ratings_that_cannot_be_are_refused() -> None:
    one = Rating(appraiser="x", item="a", round=1, reject=True)
    with pytest.raises(OptionError, match="no standard"):
        analyse({}, [one])
    with pytest.raises(OptionError, match="twice in round 1"):
        analyse({"a": True}, [one, one])


def test_a_study_that_nobody_rated_is_empty() -> None:
    found = analyse({"a": True}, [])
    assert (found.appraisers, found.between, found.all_right.total) == ((), None, 0)
