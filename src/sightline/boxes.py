"""From the boxes that a model finds to defects and a verdict; what is doubtful is never passed."""

import math

from sightline.manifest import Locating, Thresholds
from sightline.records import Box, Boxes, Defect, Verdict


def find_boxes(
    locating: Locating, thresholds: Thresholds, boxes: Boxes, working: tuple[int, int], size: tuple[int, int]
) -> tuple[Defect, ...]:
    """The boxes that count as defects, the most confident first, in the frame's own pixels.

    A box counts if its confidence reaches the model's threshold, that for REVIEW where there is one, or its class's
    own. Its edges are moved outwards to whole pixels.

    Args:
        boxes: in px of the working picture, finite.
        working, size: height and width of the working picture and of the frame, px.
    """
    marked = thresholds.reject if thresholds.review is None else thresholds.review
    (height, width), across, down = size, size[1] / working[1], size[0] / working[0]
    found = []
    for corner, place, confidence in zip(boxes.corners, boxes.classes, boxes.confidences, strict=True):
        rule, sure = locating.classes[place], float(confidence)
        if sure < marked and (rule.threshold is None or sure < rule.threshold):
            continue
        left = min(width - 1, max(0, math.floor(corner[0] * across)))
        top = min(height - 1, max(0, math.floor(corner[1] * down)))
        right = min(width, max(left + 1, math.ceil(corner[2] * across)))
        bottom = min(height, max(top + 1, math.ceil(corner[3] * down)))
        box = Box(x=left, y=top, width=right - left, height=bottom - top)
        area = max(1, round(float((corner[2] - corner[0]) * (corner[3] - corner[1])) * across * down))
        found.append(Defect(box=box, area_px=area, peak=sure, label=rule.name, confidence=sure))
    return tuple(found)


def verdict_of(locating: Locating, by_score: Verdict, defects: tuple[Defect, ...]) -> Verdict:
    """REJECT where the score says so or a defect reaches its class's own threshold; else what the score says."""
    limits = {rule.name: rule.threshold for rule in locating.classes}
    for defect in defects:
        limit = limits[defect.label]
        if limit is not None and not defect.peak < limit:
            return Verdict.REJECT
    return by_score
