"""From probabilities to a name and a verdict: what is doubtful is never passed."""

import numpy as np
import pytest

from sightline.errors import DatasetError, OptionError
from sightline.manifest import Thresholds
from sightline.name_rules import ClassRule, Naming
from sightline.naming import name, with_recall
from sightline.records import Verdict

LIMITS = Thresholds(reject=0.5, review=None, rule="", promise="", max_overkill=None)


def naming(confidence: float | None = None, crack: float | None = None, good: str = "good") -> Naming:
    rules = (
        ClassRule(name=good, images=9),
        ClassRule(name="crack", images=9, threshold=None if crack is None else float(np.float32(crack))),
        ClassRule(name="dent", images=9),
    )
    return Naming(classes=rules, review_confidence=confidence)


@pytest.mark.parametrize(
    ("shares", "rules", "label", "verdict"),
    [
        pytest.param((0.9, 0.06, 0.04), naming(), "good", Verdict.PASS, id="good"),
        pytest.param((0.2, 0.3, 0.5), naming(), "dent", Verdict.REJECT, id="the most probable defect"),
        pytest.param((0.5, 0.3, 0.2), naming(), "crack", Verdict.REJECT, id="at the threshold"),
        pytest.param((0.4, 0.3, 0.3), naming(0.5), "crack", Verdict.REVIEW, id="a doubtful name"),
        pytest.param((0.55, 0.3, 0.15), naming(0.6), "good", Verdict.REVIEW, id="doubtfully good"),
        pytest.param((0.2, 0.2, 0.6), naming(0.6), "dent", Verdict.REJECT, id="at the confidence"),
        pytest.param((0.9, 0.06, 0.04), naming(crack=0.06), "crack", Verdict.REJECT, id="at its class's threshold"),
        pytest.param((0.9, 0.06, 0.04), naming(0.5, 0.06), "crack", Verdict.REVIEW, id="caught, but not by name"),
        pytest.param((0.9, 0.04, 0.06), naming(0.5, 0.06), "good", Verdict.PASS, id="another class's share"),
    ],
)
def test_the_verdict_follows_the_rule(shares: tuple[float, ...], rules: Naming, label: str, verdict: Verdict) -> None:
    found = name(rules, LIMITS, np.array(shares, np.float32), score=1 - shares[0])
    assert (found.label, found.verdict) == (label, verdict)
    assert found.confidence == pytest.approx(shares[rules.names.index(label)])


def test_without_a_good_class_no_picture_passes() -> None:
    found = name(naming(good="bent"), LIMITS, np.array([0.98, 0.01, 0.01], np.float32), score=1.0)
    assert (found.label, found.verdict) == ("bent", Verdict.REJECT)


def test_the_scores_review_band_holds_for_good_parts() -> None:
    band = Thresholds(reject=0.5, review=0.2, rule="", promise="", max_overkill=None)
    assert name(naming(), band, np.array([0.8, 0.1, 0.1], np.float32), score=0.2).verdict is Verdict.REVIEW


def test_a_recall_sets_the_highest_threshold_that_reaches_it() -> None:
    of_class = np.array([0.9, 0.8, 0.7, 0.02], np.float32)
    rule, warnings = with_recall(ClassRule(name="crack", images=9), of_class, np.array([0.01], np.float32), 0.75)
    assert rule.threshold == pytest.approx(0.7)
    assert (rule.caught, rule.examples, rule.min_recall) == (3, 4, 0.75)
    assert "proves a recall of" in warnings[0]


def test_too_few_pictures_cannot_guarantee_a_recall() -> None:
    rule = ClassRule(name="crack", images=9)
    with pytest.raises(OptionError, match="10 examples of crack cannot guarantee a recall of 99 %"):
        with_recall(rule, np.ones(10, np.float32), np.ones(0, np.float32), 0.99, guaranteed=True)
    with pytest.raises(DatasetError, match="no defect examples"):
        with_recall(rule, np.ones(0, np.float32), np.ones(0, np.float32), 0.99)
