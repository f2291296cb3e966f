import re
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest

from sightline.datasets.dataset import GOOD
from sightline.errors import OptionError
from sightline.evaluation.axes import Axis, ticks
from sightline.evaluation.curves import Costs, cost_per_part, precision_recall, roc
from sightline.evaluation.intervals import rate
from sightline.evaluation.metrics import image_metrics
from sightline.evaluation.plots import confusion_matrix, recall_by_type, score_histogram
from sightline.evaluation.results import Evaluation, Judged
from sightline.records import Verdict

COSTS = Costs(escape=50, overkill=1, defect_rate=0.01)
NS = "{http://www.w3.org/2000/svg}"
NASTY = "<script>alert('1')</script>&\"\x00\ud800"


def evaluation(
    good: list[float], defects: list[float], *, threshold: float = 2.0, review: float | None = None
) -> Evaluation:
    def verdict(score: float) -> Verdict:
        if score >= threshold:
            return Verdict.REJECT
        return Verdict.REVIEW if review is not None and score >= review else Verdict.PASS

    judged = [
        Judged(source=f"{label}/{number}.png", label=label, score=score, verdict=verdict(score))
        for label, scores in ((GOOD, good), ("crack", defects))
        for number, score in enumerate(scores)
    ]
    missed = sum(one.is_defect and one.verdict is Verdict.PASS for one in judged)
    return Evaluation(
        model_id="m",
        method="patchcore",
        dataset="d",
        threshold=threshold,
        review_threshold=review,
        judged=tuple(judged),
        unjudged=(),
        image=image_metrics(good, defects),
        pixel=None,
        escape=rate(missed, len(defects)),
        overkill=rate(sum(score >= threshold for score in good), len(good)),
        review=rate(sum(one.verdict is Verdict.REVIEW for one in judged), len(judged)),
        recall_by_type={"crack": rate(len(defects) - missed, len(defects))} if defects else {},
        confusion={},
    )


def parsed(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{NS}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert root.findtext(f"{NS}title")
    assert "nan" not in svg
    assert "inf" not in re.sub(r"<title>.*?</title>", "", svg)
    return root


def words(root: ElementTree.Element) -> str:
    return " | ".join(element.text or "" for element in root.iter(f"{NS}text"))


def marks(root: ElementTree.Element, tag: str, kind: str) -> list[ElementTree.Element]:
    return [element for element in root.iter(f"{NS}{tag}") if element.get("class") == kind]


def of_all(made: Evaluation) -> list[str]:
    return [
        score_histogram(made),
        score_histogram(made, log=True),
        roc(made),
        precision_recall(made),
        cost_per_part(made, COSTS),
        recall_by_type(made.recall_by_type),
        confusion_matrix(made.confusion),
    ]


RNG = np.random.default_rng(0)
CASES = {
    "usual": evaluation(RNG.normal(1.4, 0.3, 300).tolist(), RNG.normal(3, 0.7, 200).tolist(), review=1.7),
    "nothing": evaluation([], []),
    "no defects": evaluation([1.0, 1.1], []),
    "no good": evaluation([], [1.0, 3.0]),
    "one picture": evaluation([1.0], []),
    "one of each": evaluation([1.0], [3.0]),
    "all equal": evaluation([2.0] * 5, [2.0] * 5),
    "negative": evaluation([-5.0, -4.0], [-1.0, 0.0], threshold=-2.0),
    "zero": evaluation([0.0], [0.0], threshold=0.0),
    "huge and tiny": evaluation([1e-9, 1e12], [1e-9, 1e15]),
    "not finite": evaluation([1.0], [3.0]),
    "many": evaluation(RNG.normal(1.4, 0.3, 9000).tolist(), RNG.normal(3, 0.7, 1000).tolist()),
}


@pytest.mark.parametrize("case", CASES)
def test_every_plot_is_well_formed_and_small_for_any_evaluation(case: str) -> None:
    for svg in of_all(CASES[case]):
        parsed(svg)
        assert len(svg) < 60_000


def test_a_score_that_is_not_finite_does_not_spoil_the_others() -> None:
    judged = Judged(source="x", label=GOOD, score=float("nan"), verdict=Verdict.FAULT)
    base = evaluation([1.0, 1.5], [3.0])
    broken = Evaluation(**{name: getattr(base, name) for name in base.__slots__} | {"judged": (*base.judged, judged)})
    assert score_histogram(broken) == score_histogram(base)
    assert roc(broken) == roc(base)


@pytest.mark.parametrize("draw", [roc, precision_recall, lambda made: cost_per_part(made, COSTS)])
def test_a_curve_that_needs_both_kinds_says_so(draw: Callable[[Evaluation], str]) -> None:
    assert "needs good pictures and defects" in draw(CASES["no defects"])
    assert "needs good pictures and defects" in draw(CASES["no good"])


def test_the_histogram_parts_right_from_wrong_exactly_at_the_threshold() -> None:
    below = float(np.nextafter(np.float32(2), np.float32(0)))
    root = parsed(score_histogram(evaluation([1.0, below, 2.0], [2.0, below, 4.0])))
    for kind, counts in (("good right", [1, 1]), ("good wrong", [1]), ("defect wrong", [1]), ("defect right", [1, 1])):
        told = [bar.findtext(f"{NS}title") or "" for bar in marks(root, "rect", kind)]
        assert [int(text.split()[0]) for text in told] == counts, kind


def test_the_histogram_counts_every_picture_and_says_when_it_gathers_the_last() -> None:
    root = parsed(score_histogram(evaluation([1.0] * 4, [2.5, 3.0, 1000.0, 2000.0])))
    told = [title.text or "" for bar in root.iter(f"{NS}rect") for title in bar]
    assert sum(int(text.split()[0]) for text in told) == 8
    assert "last bar: and above" in words(root)
    assert "last bar" not in score_histogram(evaluation([1.0] * 4, [2.5, 3.0]))


def test_the_review_band_is_marked() -> None:
    root = parsed(score_histogram(CASES["usual"]))
    assert marks(root, "rect", "good unsure")
    assert "review 1.7" in words(root)
    assert len(marks(root, "line", "level review")) == 1


def test_the_roc_passes_through_the_point_of_the_threshold() -> None:
    # of 4 good parts 1 reaches 2.0, of 4 defects 3: (0.25, 0.75)
    root = parsed(roc(evaluation([0.5, 1.0, 1.5, 2.5], [1.2, 2.0, 3.0, 4.0])))
    (dot,) = [one for one in marks(root, "circle", "threshold") if float(one.get("cx") or 0) < 400]
    x, y = Axis(low=0, high=1, begin=58, end=456), Axis(low=0, high=1, begin=264, end=16)
    assert (float(dot.get("cx") or 0), float(dot.get("cy") or 0)) == pytest.approx((x.at(0.25), y.at(0.75)), abs=0.06)
    (curve,) = marks(root, "polyline", "curve")
    assert f"{dot.get('cx')},{dot.get('cy')}" in (curve.get("points") or "").split()


def test_the_cost_curve_names_the_cheapest_and_the_present_threshold() -> None:
    # at 2.0 one good part of four is rejected: 0.99 / 4; just above 2.5 one defect of four passes: 0.5 / 4
    made = evaluation([0.5, 1.0, 1.5, 2.5], [2.2, 3.0, 3.0, 4.0])
    said = words(parsed(cost_per_part(made, COSTS)))
    assert "threshold 2: 0.247" in said
    assert "cheapest 2.5: 0.125" in said
    assert "passing every part: 0.5" in said


def test_a_cost_of_zero_is_refused() -> None:
    with pytest.raises(OptionError, match="cost of an escape"):
        cost_per_part(CASES["usual"], Costs(escape=0, overkill=1, defect_rate=0.01))


def test_recall_shows_the_worst_first_with_its_counts() -> None:
    root = parsed(recall_by_type({"a": rate(9, 10), "b": rate(5, 10), "none": rate(0, 0)}))
    said = words(root)
    assert said.index("b |") < said.index("a |") < said.index("none |")
    assert "50.0 % (5/10)" in said
    assert "none judged" in said


def test_many_types_and_long_names_stay_on_the_page() -> None:
    rates = {f"{number:03d}{'x' * 300}": rate(1, 2) for number in range(200)}
    confusion = {name: {"PASS": 1} for name in rates}
    for svg in (recall_by_type(rates), confusion_matrix(confusion)):
        assert len(list(parsed(svg).iter(f"{NS}text"))) < 200
        assert max(len(element.text or "") for element in parsed(svg).iter(f"{NS}text")) < 40


def test_the_confusion_matrix_puts_good_first_and_shows_every_count() -> None:
    svg = confusion_matrix({"crack": {"PASS": 7, "REJECT": 11}, GOOD: {"PASS": 13, "FAULT": 17}})
    assert words(parsed(svg)) == ("PASS | REVIEW | REJECT | FAULT | good | 13 | 0 | 0 | 17 | crack | 7 | 0 | 11 | 0")
    root = parsed(svg)
    assert [one.findtext(f"{NS}title") for one in marks(root, "rect", "share defect wrong")] == ["crack: 7 of 18 PASS"]


def test_names_from_folders_cannot_break_out_of_the_plot() -> None:
    for svg in (recall_by_type({NASTY: rate(1, 2)}), confusion_matrix({NASTY: {"PASS": 1}})):
        parsed(svg)
        assert "<script" not in svg
        svg.encode("utf-8")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.0, 1.25, ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25"]),
        (0.0, 120.0, ["0", "25", "50", "75", "100"]),
        (-3.0, 2.0, ["-3", "-2", "-1", "0", "1", "2"]),
        (0.0, 5e6, ["0", "1e+06", "2e+06", "3e+06", "4e+06", "5e+06"]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[str]) -> None:
    assert [shown for _, shown in ticks(Axis(low=low, high=high, begin=0, end=1))] == expected
