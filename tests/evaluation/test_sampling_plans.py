import pytest
from scipy.stats import binom, hypergeom
from scipy.stats import poisson as poisson_distribution

from sightline.errors import OptionError
from sightline.evaluation.operating_characteristic import (
    binomial,
    hypergeometric,
    operating,
    poisson,
    quality_accepted_with,
)
from sightline.evaluation.sampling_plans import AQLS, LETTERS, Severity, code_letter, of_letter, plan, tighter_aql
from sightline.evaluation.sampling_switching import Lot, State, after

N, T, R = Severity.NORMAL, Severity.TIGHTENED, Severity.REDUCED


@pytest.mark.parametrize(  # ISO 2859-1, table 1
    ("lot", "level", "letter"),
    [
        *((2, "II", "A"), (8, "II", "A"), (9, "II", "B"), (50, "II", "D"), (51, "II", "E"), (280, "II", "G")),
        *((500, "II", "H"), (501, "II", "J"), (1200, "II", "J"), (3200, "II", "K"), (10_000, "II", "L")),
        *((35_000, "II", "M"), (150_000, "II", "N"), (500_000, "II", "P"), (500_001, "II", "Q")),
        *((1000, "I", "G"), (1000, "III", "K"), (500_001, "III", "R"), (5, "III", "B"), (20, "I", "B")),
        *((1000, "S-1", "C"), (1000, "S-2", "C"), (1000, "S-3", "E"), (1000, "S-4", "F"), (500_001, "S-4", "K")),
    ],
)
def test_code_letters(lot: int, level: str, letter: str) -> None:
    assert code_letter(lot, level) == letter


@pytest.mark.parametrize(  # ISO 2859-1, tables 2-A and 2-B; MIL-STD-105E, table II-C
    ("letter", "aql", "severity", "found"),
    [
        pytest.param("K", 1.0, N, ("K", 125, 3, 4), id="K 1.0"),
        pytest.param("J", 1.0, N, ("J", 80, 2, 3), id="J 1.0"),
        pytest.param("L", 2.5, N, ("L", 200, 10, 11), id="L 2.5"),
        pytest.param("M", 4.0, N, ("M", 315, 21, 22), id="M 4.0"),
        pytest.param("H", 0.25, N, ("H", 50, 0, 1), id="H 0.25"),
        pytest.param("Q", 0.010, N, ("Q", 1250, 0, 1), id="Q 0.010"),
        pytest.param("E", 250.0, N, ("E", 13, 44, 45), id="E 250"),
        pytest.param("A", 1000.0, N, ("A", 2, 30, 31), id="A 1000"),
        pytest.param("G", 1.0, N, ("H", 50, 1, 2), id="arrow down"),
        pytest.param("F", 1.0, N, ("E", 13, 0, 1), id="arrow up"),
        pytest.param("A", 1.0, N, ("E", 13, 0, 1), id="several down"),
        pytest.param("A", 10.0, N, ("C", 5, 1, 2), id="nothing above A"),
        pytest.param("R", 0.015, N, ("P", 800, 0, 1), id="nothing below R"),
        pytest.param("R", 10.0, N, ("K", 125, 21, 22), id="several up"),
        pytest.param("K", 1.0, T, ("K", 125, 2, 3), id="tightened K 1.0"),
        pytest.param("N", 1.0, T, ("N", 500, 8, 9), id="tightened N 1.0"),
        pytest.param("Q", 1.0, T, ("Q", 1250, 18, 19), id="tightened Q 1.0"),
        pytest.param("H", 1.0, T, ("J", 80, 1, 2), id="tightened arrow down"),
        pytest.param("E", 1.0, T, ("F", 20, 0, 1), id="tightened, one larger than normal"),
        pytest.param("R", 0.025, T, ("S", 3150, 1, 2), id="S is in tightened inspection only"),
        pytest.param("K", 1.0, R, ("K", 50, 1, 4), id="reduced K 1.0"),
        pytest.param("L", 1.0, R, ("L", 80, 2, 5), id="reduced L 1.0"),
        pytest.param("N", 1.0, R, ("N", 200, 5, 8), id="reduced N 1.0"),
        pytest.param("J", 1.0, R, ("J", 32, 1, 3), id="reduced J 1.0"),
    ],
)
def test_plans(letter: str, aql: float, severity: Severity, found: tuple[str, int, int, int]) -> None:
    chosen = of_letter(letter, aql, severity)
    assert (chosen.letter, chosen.size, chosen.accept, chosen.refuse) == found


@pytest.mark.parametrize("severity", list(Severity))
def test_every_letter_and_aql_has_a_plan(severity: Severity) -> None:
    for letter in LETTERS[:16]:
        for aql in AQLS:
            chosen = of_letter(letter, aql, severity)
            assert chosen.accept < chosen.refuse
            if aql <= 10 and severity is N:  # the producer is protected: table 5 of the standard, 86 % at the least
                assert binomial(chosen.size, chosen.accept, aql / 100) > 0.85


def test_tightened_is_never_easier_and_reduced_never_larger() -> None:
    for letter in LETTERS[:16]:
        for aql in (one for one in AQLS if one <= 10):
            normal, tightened, reduced = (of_letter(letter, aql, severity) for severity in (N, T, R))
            if normal.letter == tightened.letter:
                assert tightened.accept <= normal.accept
            assert reduced.size <= normal.size or reduced.letter > normal.letter


def test_a_sample_as_large_as_the_lot_is_all_of_it() -> None:
    chosen = plan(40, 0.25)
    assert (chosen.size, chosen.accept, chosen.whole_lot) == (40, 0, True)
    assert not plan(51, 0.25).whole_lot
    assert plan(2000, 1.0) == of_letter("K", 1.0)


@pytest.mark.parametrize(
    ("lot", "aql", "level", "said"),
    [(1, 1.0, "II", "begins at 2"), (100, 1.1, "II", "AQL of 1.1"), (100, 1.0, "IV", "no level")],
)
def test_what_the_standard_does_not_have_is_refused(lot: int, aql: float, level: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        plan(lot, aql, level)


def test_the_aql_one_step_stricter() -> None:
    assert (tighter_aql(1.0), tighter_aql(0.010)) == (0.65, None)


def test_operating_characteristic_of_code_letter_k() -> None:
    """ISO 2859-1, table 10-K: with n = 125, Ac = 3 lots of 1.10 % are accepted with 95 %, of 5.27 % with 10 %."""
    found = operating(125, 3, [0, 0.01, 0.02, 1])
    assert found.accepted == pytest.approx([1, binom.cdf(3, 125, 0.01), binom.cdf(3, 125, 0.02), 0])
    assert found.producer == pytest.approx(0.0110, abs=5e-5)
    assert found.consumer == pytest.approx(0.0527, abs=5e-5)
    assert quality_accepted_with(0.5, 125, 3) == pytest.approx(0.0293, abs=5e-5)


def test_the_three_distributions_are_scipys() -> None:
    assert poisson(125, 3, 0.02) == pytest.approx(poisson_distribution.cdf(3, 2.5))
    assert poisson(125, 3, 0) == 1
    for bad in (0, 1, 5, 40, 60):
        assert hypergeometric(20, 2, 60, bad) == pytest.approx(hypergeom.cdf(2, 60, bad, 20), abs=1e-12)
    with pytest.raises(OptionError, match="do not fit"):
        hypergeometric(70, 2, 60, 5)


def follow(bads: list[int], state: State | None = None) -> list[tuple[Severity, bool]]:
    state, seen = state or State(), []
    for bad in bads:
        decision = after(state, Lot(parts=2000, bad=bad), 1.0)
        state = decision.state
        seen.append((state.severity, decision.accepted))
    return seen


def test_two_refused_of_five_tighten_and_five_accepted_relax() -> None:
    seen = follow([4, 0, 0, 0, 4, *[0] * 5])  # Ac 3 in normal, 2 in tightened inspection
    assert [severity for severity, _ in seen] == [N, N, N, N, T, T, T, T, T, N]
    assert [accepted for _, accepted in seen] == [False, True, True, True, False, *[True] * 5]


def test_refused_lots_far_apart_do_not_tighten() -> None:
    assert {severity for severity, _ in follow([4, 0, 0, 0, 0, 4])} == {N}


def test_ten_clean_lots_reduce_and_one_bad_lot_ends_it() -> None:
    seen = follow([0] * 10)
    assert [severity for severity, _ in seen] == [*[N] * 9, R], "3 points each for a plan with Ac 2 or more"
    reduced = State(severity=R)
    between = after(reduced, Lot(parts=2000, bad=2), 1.0)  # Ac 1, Re 4
    assert (between.accepted, between.state.severity) == (True, N)
    assert after(reduced, Lot(parts=2000, bad=4), 1.0).accepted is False
    assert after(reduced, Lot(parts=2000, bad=1), 1.0).state is reduced
    assert after(reduced, Lot(parts=2000, bad=0), 1.0, may_reduce=False).state.severity is N


def test_a_lot_that_a_stricter_aql_would_refuse_sets_the_score_back() -> None:
    state = after(State(score=27), Lot(parts=2000, bad=3), 1.0).state  # accepted, but Ac is 2 at an AQL of 0.65
    assert (state.severity, state.score) == (N, 0)
    assert after(State(score=27), Lot(parts=2000, bad=3), 1.0).accepted


def test_a_plan_with_ac_0_takes_15_lots_to_reduce() -> None:
    state, lots = State(), 0
    while state.severity is N:
        state, lots = after(state, Lot(parts=280, bad=0), 0.40).state, lots + 1
    assert (state.severity, lots) == (R, 15)


def test_five_refused_in_tightened_inspection_stop_it() -> None:
    state = State(severity=T)
    for _ in range(5):
        state = after(state, Lot(parts=2000, bad=9), 1.0).state
    assert state.stopped
    with pytest.raises(OptionError, match="stopped"):
        after(state, Lot(parts=2000, bad=0), 1.0)


def test_more_bad_parts_than_the_sample_holds_are_refused() -> None:
    with pytest.raises(OptionError, match="in a sample of 125"):
        after(State(), Lot(parts=2000, bad=126), 1.0)
