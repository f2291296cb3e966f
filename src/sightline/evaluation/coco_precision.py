"""Average precision by pycocotools, the field's own program, from the same boxes."""

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sightline.evaluation.average_precision import LEVELS, Precisions
from sightline.records import Boxes


def coco_precision(truths: Sequence[Boxes], found: Sequence[Boxes], classes: int) -> Precisions:
    """As `average_precision` at LEVELS."""
    whole = {
        "images": [{"id": number + 1} for number in range(len(truths))],
        "categories": [{"id": place + 1} for place in range(classes)],
    }
    told = [_document(number, boxes) for number, boxes in enumerate(found)]
    answers = [answer for picture in told for answer in picture]
    annotations = [entry for number, boxes in enumerate(truths) for entry in _document(number, boxes)]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth, seen = COCO(), COCO()
        for collection, entries in ((truth, annotations), (seen, answers)):
            numbered = [{**entry, "id": number + 1} for number, entry in enumerate(entries)]
            collection.dataset = {**whole, "annotations": numbered}
            collection.createIndex()
        judge = COCOeval(truth, seen, "bbox")
        judge.evaluate()
        judge.accumulate()
    assert np.allclose(judge.params.iouThrs, LEVELS), "COCO's levels are ours"
    table = judge.eval["precision"][:, :, :, 0, 2]  # level, recall, class; all areas, at most 100 boxes
    return Precisions(levels=LEVELS, values=np.where(table < 0, np.nan, table).mean(axis=1))


def _document(number: int, boxes: Boxes) -> list[dict[str, object]]:
    corners = boxes.corners.astype(np.float64)
    sides = corners[:, 2:] - corners[:, :2]
    return [
        {
            "image_id": number + 1,
            "category_id": int(place) + 1,
            "bbox": [*map(float, corner[:2]), *map(float, side)],
            "area": float(side.prod()),
            "iscrowd": 0,
            "score": float(confidence),
        }
        for corner, side, place, confidence in zip(corners, sides, boxes.classes, boxes.confidences, strict=True)
    ]
