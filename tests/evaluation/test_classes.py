"""Figures of named classes, worked out by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sightline.datasets.dataset import Sample
from sightline.evaluation.classes import most_probable, naming
from sightline.evaluation.document import to_json
from sightline.evaluation.intervals import rate
from sightline.evaluation.plots import class_confusion
from sightline.evaluation.report import write_report
from sightline.evaluation.results import Evaluation
from sightline.evaluation.run import evaluate
from sightline.records import Inspection, Verdict

PAIRS = [*[("good", "good")] * 6, ("good", "dent"), *[("crack", "crack")] * 2, ("crack", "good"), ("dent", "dent")]


def inspection(named: str) -> Inspection:
    return Inspection(
        source="",
        verdict=Verdict.PASS if named == "good" else Verdict.REJECT,
        score=0.1 if named == "good" else 0.9,
        threshold=0.5,
        review_threshold=None,
        p_value=None,
        model_id="m",
        probabilities={name: 0.8 if name == named else 0.1 for name in ("good", "crack", "dent")},
    )


@pytest.fixture
def evaluation() -> Evaluation:
    pictures = [
        (Sample(path=Path(f"{number}.png"), label=truth), inspection(named))
        for number, (truth, named) in enumerate(PAIRS)
    ]
    return evaluate(pictures, model_id="m", method="classifier", dataset="parts", threshold=0.5, review_threshold=None)


def test_each_class_has_its_figures(evaluation: Evaluation) -> None:
    assert evaluation.naming is not None
    figures = {one.name: one for one in evaluation.naming.classes}
    assert list(figures) == ["good", "crack", "dent"]
    assert figures["crack"].precision == rate(2, 2)
    assert figures["crack"].recall == rate(2, 3)
    assert figures["crack"].f1.value == pytest.approx(4 / 5)
    assert figures["dent"].precision == rate(1, 2)
    assert figures["good"].pictures == 7
    assert evaluation.naming.macro_f1 == pytest.approx((12 / 14 + 4 / 5 + 2 / 3) / 3)
    assert evaluation.naming.confusion["crack"] == {"good": 1, "crack": 2, "dent": 0}


def test_the_interval_of_f1_is_that_of_the_share_it_is_made_of(evaluation: Evaluation) -> None:
    assert evaluation.naming is not None
    f1, share = evaluation.naming.classes[1].f1, rate(2, 3)
    assert share.low is not None
    assert f1.low == pytest.approx(2 * share.low / (1 + share.low))
    assert f1.low is not None
    assert f1.value is not None
    assert f1.high is not None
    assert f1.low < f1.value < f1.high


def test_a_model_that_names_nothing_has_no_such_figures() -> None:
    assert naming([]) is None
    assert most_probable(None) is None
    assert most_probable({"good": 0.5, "crack": 0.5}) == "good"


def test_the_figures_are_in_the_json_document_and_in_the_report(evaluation: Evaluation, tmp_path: Path) -> None:
    document = json.loads(json.dumps(to_json(evaluation)))
    assert document["naming"]["classes"][1]["recall"]["count"] == 2
    write_report(tmp_path / "r.html", evaluation, [], [], title="t")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "What the model names" in page
    assert "crack: 1 of 3 named good" in page
    assert "0.7746" in page


def test_a_report_of_a_model_that_names_nothing_has_no_such_section(tmp_path: Path) -> None:
    plain = [(Sample(path=Path("a.png"), label="good"), replace(inspection("good"), probabilities=None))]
    found = evaluate(plain, model_id="m", method="patchcore", dataset="d", threshold=0.5, review_threshold=None)
    write_report(tmp_path / "r.html", found, [], [], title="t")
    assert found.naming is None
    assert "What the model names" not in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_names_of_classes_cannot_break_the_plot() -> None:
    name = "<script>&\x00"
    assert "<script>" not in class_confusion({name: {name: 1}})
