import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.datasets.dataset import Sample
from sightline.errors import DatasetError, FrameError
from sightline.evaluation.document import to_json
from sightline.evaluation.results import Evaluation
from sightline.evaluation.run import evaluate, worst
from sightline.records import FloatArray, Inspection, Verdict

Judgement = tuple[Sample, Inspection]
THRESHOLD, REVIEW_THRESHOLD = 5.0, 4.0


def judgement(
    name: str, label: str, score: float | None, mask: Path | None = None, values: FloatArray | None = None
) -> Judgement:
    """A picture of 4 x 6 pixels, judged by the thresholds; without a score it is a FAULT."""
    if score is None:
        verdict = Verdict.FAULT
    elif score < REVIEW_THRESHOLD:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.REVIEW if score < THRESHOLD else Verdict.REJECT
    inspection = Inspection(
        source=name,
        verdict=verdict,
        score=score,
        threshold=THRESHOLD,
        review_threshold=REVIEW_THRESHOLD,
        p_value=None,
        model_id="m1",
        width=6,
        height=4,
        map=values,
        fault="no light" if score is None else None,
    )
    return Sample(path=Path(name), label=label, split="test", mask=mask), inspection


def evaluated(*judgements: Judgement) -> Evaluation:
    return evaluate(
        iter(judgements),
        model_id="m1",
        method="patchcore",
        dataset="discs",
        threshold=THRESHOLD,
        review_threshold=REVIEW_THRESHOLD,
    )


SHIFT = (
    judgement("g1.png", "good", 1.0),
    judgement("g2.png", "good", 4.5),
    judgement("g3.png", "good", 5.0),  # reaches the threshold
    judgement("g4.png", "good", None),
    judgement("c1.png", "crack", 9.0),
    judgement("c2.png", "crack", 3.0),
    judgement("d1.png", "dent", 4.0),  # reaches the review threshold
    judgement("d2.png", "dent", 2.0),
    judgement("s1.png", "scratch", None),
)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """The left third of the picture."""
    pixels = np.zeros((4, 6), np.uint8)
    pixels[:, :2] = 255
    path = tmp_path / "mask.png"
    assert cv2.imwrite(str(path), pixels)
    return path


def found_map(left: float) -> FloatArray:
    values = np.ones((4, 6), np.float32)
    values[:, :2] = left
    return values


def test_every_picture_counts_where_it_belongs() -> None:
    result = evaluated(*SHIFT)
    assert [item.source for item in result.judged] == [
        "g1.png",
        "g2.png",
        "g3.png",
        "c1.png",
        "c2.png",
        "d1.png",
        "d2.png",
    ]
    assert [(item.source, item.label, item.reason) for item in result.unjudged] == [
        ("g4.png", "good", "no light"),
        ("s1.png", "scratch", "no light"),
    ]
    assert list(result.confusion) == ["good", "crack", "dent", "scratch"]
    assert result.confusion["good"] == {"PASS": 1, "REJECT": 1, "REVIEW": 1, "FAULT": 1}
    assert result.confusion["crack"] == {"PASS": 1, "REJECT": 1, "REVIEW": 0, "FAULT": 0}
    assert result.confusion["scratch"] == {"PASS": 0, "REJECT": 0, "REVIEW": 0, "FAULT": 1}


def test_rates_are_over_judged_pictures_and_review_is_neither_escape_nor_overkill() -> None:
    result = evaluated(*SHIFT)
    assert (result.escape.count, result.escape.total) == (2, 4)
    assert (result.overkill.count, result.overkill.total) == (1, 3)
    assert (result.review.count, result.review.total) == (2, 7)
    assert {name: (rate.count, rate.total) for name, rate in result.recall_by_type.items()} == {
        "crack": (1, 2),
        "dent": (1, 2),
    }


def test_image_figures_are_over_judged_pictures() -> None:
    assert evaluated(*SHIFT).image.auroc == pytest.approx((3 + 1 + 1 + 1) / 12)


def test_without_masks_there_are_no_pixel_figures() -> None:
    assert evaluated(*(judgement("a", "good", 1.0, values=found_map(1)),)).pixel is None
    assert evaluated(judgement("a", "crack", 9.0, values=found_map(9))).pixel is None


def test_good_pictures_and_masked_defects_make_the_pixel_figures(mask: Path) -> None:
    result = evaluated(
        judgement("good.png", "good", 1.0, values=found_map(1)),
        judgement("found.png", "crack", 9.0, mask, found_map(9)),
        judgement("no mask.png", "crack", 9.0, None, found_map(0)),
        judgement("no map.png", "crack", 9.0, mask, None),
        judgement("fault.png", "crack", None, mask, found_map(0)),
    )
    assert result.pixel is not None
    assert result.pixel.pictures == 2
    assert (result.pixel.auroc, result.pixel.average_precision) == (1, 1)
    assert result.pixel.aupro == pytest.approx(1)


def test_a_mask_that_marks_nothing_is_no_mask(mask: Path) -> None:
    assert cv2.imwrite(str(mask), np.zeros((4, 6), np.uint8))
    assert evaluated(judgement("a", "crack", 9.0, mask, found_map(9))).pixel is None


def test_a_mask_of_another_size_is_refused_by_name(mask: Path) -> None:
    assert cv2.imwrite(str(mask), np.ones((5, 6), np.uint8))
    with pytest.raises(DatasetError, match=r"mask\.png"):
        evaluated(judgement("a", "crack", 9.0, mask, found_map(9)))


def test_a_map_with_nan_is_refused_by_name() -> None:
    with pytest.raises(FrameError, match=r"^bad\.png: the anomaly map"):
        evaluated(judgement("bad.png", "good", 1.0, values=found_map(np.nan)))


def test_no_pictures_are_refused() -> None:
    with pytest.raises(DatasetError, match="discs: there are no pictures to evaluate"):
        evaluated()


def test_only_faults_make_an_evaluation_without_figures() -> None:
    result = evaluated(judgement("a", "crack", None))
    assert (result.image.auroc, result.pixel, result.escape.value, result.recall_by_type) == (None, None, None, {})


def test_pictures_are_judged_one_at_a_time_and_maps_are_let_go() -> None:
    alive = []

    def judged() -> Iterator[Judgement]:
        for index in range(3):
            yield judgement(f"{index}.png", "good", 1.0, values=found_map(index))
            alive.append(index)

    result = evaluate(judged(), model_id="m", method="x", dataset="d", threshold=5.0, review_threshold=None)
    assert alive == [0, 1, 2]
    assert len(result.judged) == 3


def test_the_worst_are_passed_defects_from_the_lowest_and_good_ones_from_the_highest() -> None:
    found = worst(evaluated(*SHIFT), count=3)
    assert [item.source for item in found.escapes] == ["d2.png", "c2.png", "d1.png"]
    assert [item.source for item in found.overkills] == ["g3.png", "g2.png", "g1.png"]


def test_a_passed_defect_comes_before_one_that_was_stopped_at_a_lower_score() -> None:
    stopped = judgement("stopped.png", "crack", 1.0)
    stopped = (stopped[0], replace(stopped[1], verdict=Verdict.REJECT))
    found = worst(evaluated(stopped, judgement("passed.png", "crack", 3.0)))
    assert [item.source for item in found.escapes] == ["passed.png", "stopped.png"]


def test_the_json_document_has_stable_keys_and_plain_values(mask: Path) -> None:
    result = evaluated(*SHIFT, judgement("c3.png", "crack", 9.0, mask, found_map(9)))
    document = json.loads(json.dumps(to_json(result), allow_nan=False))
    assert document == to_json(result)
    assert list(document) == [
        *("schema", "model_id", "method", "dataset", "threshold", "review_threshold", "judged", "unjudged"),
        *("image", "pixel", "escape", "overkill", "review", "recall_by_type", "confusion", "naming"),
        *("overlap", "boxes"),
    ]
    assert document["schema"] == "sightline.evaluation/1"
    first = {"source": "g1.png", "label": "good", "score": 1.0, "verdict": "PASS", "named": None}
    assert document["judged"][0] == first
    assert type(to_json(result)["judged"][0]["verdict"]) is str
    assert list(document["escape"]) == ["count", "total", "value", "low", "high"]
    assert list(document["image"]) == [
        *("auroc", "average_precision", "best_f1", "best_f1_threshold", "recall_at_1pct_overkill"),
    ]
    assert list(document["pixel"]) == ["auroc", "average_precision", "aupro", "pictures"]
