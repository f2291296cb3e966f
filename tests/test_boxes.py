"""Which boxes become defects, where, and what that makes of the part."""

import numpy as np
import pytest

from sightline.boxes import find_boxes, verdict_of
from sightline.errors import BundleError
from sightline.manifest import ClassRule, Locating, Thresholds
from sightline.records import Box, Boxes, Verdict


def found(*confidences: float, classes: tuple[int, ...] = ()) -> Boxes:
    return Boxes(
        corners=np.array([[10.2, 20, 30, 60]] * len(confidences), np.float32).reshape(-1, 4),
        classes=np.array(classes or [0] * len(confidences), np.int64),
        confidences=np.array(confidences, np.float32),
    )


def locating(threshold: float | None = None, confidence: float = 0.4) -> Locating:
    rules = (ClassRule(name="crack", images=5), ClassRule(name="dent", images=5, threshold=threshold))
    return Locating(classes=rules, confidence=confidence)


def limits(reject: float, review: float | None = None) -> Thresholds:
    return Thresholds(reject=reject, review=review, rule="", promise="", max_overkill=None)


def confidences(rule: Locating, thresholds: Thresholds, boxes: Boxes) -> list[float]:
    return [round(one.peak, 3) for one in find_boxes(rule, thresholds, boxes, (100, 100), (100, 100))]


@pytest.mark.parametrize(
    ("rule", "thresholds", "boxes", "expected"),
    [
        pytest.param(locating(), limits(0.5), found(0.9, 0.5, 0.45), [0.9, 0.5], id="equal to the threshold"),
        pytest.param(locating(), limits(0.1), found(0.9, 0.3), [0.9], id="the improbable are not shown"),
        pytest.param(locating(), limits(0.1), found(0.3, 0.2), [0.3], id="but for the surest"),
        pytest.param(locating(), limits(0.5), found(0.3), [], id="of a part that is passed none"),
        pytest.param(locating(), limits(0.9, 0.6), found(0.7), [0.7], id="the review band counts"),
        pytest.param(locating(0.2), limits(0.9), found(0.8, 0.6, classes=(0, 1)), [0.6], id="a class of its own"),
        pytest.param(locating(), limits(0.5), found(), [], id="nothing"),
    ],
)
def test_boxes_shown(rule: Locating, thresholds: Thresholds, boxes: Boxes, expected: list[float]) -> None:
    assert confidences(rule, thresholds, boxes) == expected


def test_edges_go_outwards_in_the_frames_own_pixels() -> None:
    [defect] = find_boxes(locating(), limits(0.5), found(0.9), (100, 100), (50, 201))
    assert defect.box == Box(x=20, y=10, width=41, height=20)
    assert defect.label == "crack"
    assert defect.confidence == pytest.approx(0.9)
    assert defect.area_px == round(19.8 * 2.01 * 40 * 0.5)


def test_a_box_outside_still_has_a_pixel_in_the_frame() -> None:
    boxes = found(0.9)
    boxes.corners[:] = [100, 100, 100, 100]
    [defect] = find_boxes(locating(), limits(0.5), boxes, (100, 100), (10, 10))
    assert (defect.box, defect.area_px) == (Box(x=9, y=9, width=1, height=1), 1)


@pytest.mark.parametrize(("sure", "verdict"), [(0.19, Verdict.PASS), (0.2, Verdict.REJECT), (0.8, Verdict.REJECT)])
def test_a_class_rejects_from_its_own_threshold_on(sure: float, verdict: Verdict) -> None:
    assert verdict_of(locating(0.2), Verdict.PASS, found(sure, classes=(1,))) is verdict
    assert verdict_of(locating(0.2), Verdict.PASS, found(sure, classes=(0,))) is Verdict.PASS


def test_impossible_rules_are_refused() -> None:
    with pytest.raises(BundleError, match="must be from 0 to 1"):
        locating(confidence=1.5)
    with pytest.raises(BundleError, match="one class at least"):
        Locating(classes=(), confidence=0.5)
