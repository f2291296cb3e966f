"""From the boxes that a model finds to defects and a verdict; what is doubtful is never passed."""

import math

import numpy as np

from sightline.manifest import Thresholds
from sightline.name_rules import Locating
from sightline.records import BoolArray, Box, Boxes, Defect, FloatArray, Verdict


def find_boxes(
    locating: Locating, thresholds: Thresholds, boxes: Boxes, working: tuple[int, int], size: tuple[int, int]
) -> tuple[Defect, ...]:
    """The defects of a part that is not passed, the most confident first, in the frame's own pixels.

    A box counts if its confidence reaches the model's threshold, for REVIEW where there is one, or its class's own.
    Of those that count, the ones are shown that are probably right; where none is, the surest, as a part is not
    rejected without a place. Edges are moved outwards to whole pixels.

    Args:
        boxes: in px of the working picture, finite, the most confident first.
        working, size: height and width of the working picture and of the frame, px.
    """
    marked = thresholds.reject if thresholds.review is None else thresholds.review
    counted = np.flatnonzero(~(boxes.confidences < np.float32(marked)) | reaching_class(locating, boxes))
    probable = counted[~(boxes.confidences[counted] < np.float32(locating.confidence))]
    chosen = boxes.only(probable if probable.size else counted[:1])
    return tuple(
        _defect(corner, locating.classes[place].name, float(sure), working, size)
        for corner, place, sure in zip(chosen.corners, chosen.classes, chosen.confidences, strict=True)
    )


def reaching_class(locating: Locating, boxes: Boxes) -> BoolArray:
    """(n,) whether each box reaches the threshold of its class, where that has one."""
    limits = np.array([math.inf if one.threshold is None else one.threshold for one in locating.classes], np.float32)
    return ~(boxes.confidences < limits[boxes.classes])


def verdict_of(locating: Locating, by_score: Verdict, boxes: Boxes) -> Verdict:
    """REJECT where a box reaches its class's own threshold; else what the score says."""
    return Verdict.REJECT if reaching_class(locating, boxes).any() else by_score


def _defect(corner: FloatArray, label: str, sure: float, working: tuple[int, int], size: tuple[int, int]) -> Defect:
    (height, width), across, down = size, size[1] / working[1], size[0] / working[0]
    left = min(width - 1, max(0, math.floor(corner[0] * across)))
    top = min(height - 1, max(0, math.floor(corner[1] * down)))
    right = min(width, max(left + 1, math.ceil(corner[2] * across)))
    bottom = min(height, max(top + 1, math.ceil(corner[3] * down)))
    area = max(1, round(float((corner[2] - corner[0]) * (corner[3] - corner[1])) * across * down))
    box = Box(x=left, y=top, width=right - left, height=bottom - top)
    return Defect(box=box, area_px=area, peak=sure, label=label, confidence=sure)
