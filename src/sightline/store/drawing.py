"""What is drawn on a picture, as JSON: a box, outlines or a mask, in pixels; docs/review.md.

{"box": [left, top, right, bottom]}
{"parts": [{"outline": [[x, y], ...], "holes": [[[x, y], ...], ...]}, ...]}
{"size": [height, width], "runs": [unmarked, marked, ...]}     column after column, as COCO counts them

A brush's stroke, {"stroke": [[x, y], ...], "width": W}, is taken as well and is kept as the mask that it paints.
"""

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from sightline.datasets.annotations import Annotation, Geometry, Mask, Polygon, Polygons, Rectangle, Ring
from sightline.datasets.geometry import Window, encoded_window
from sightline.errors import DatasetError

MOST_POINTS = 20_000  # of one drawing
MOST_RUNS = 400_000
_FAR = 32_000  # px, that a stroke may lead out of the picture
_MOST_REACH = 1000.0  # px, of a brush to each side


def to_document(geometry: Geometry) -> dict[str, Any]:
    """The JSON of a drawing."""
    if isinstance(geometry, Rectangle):
        return {"box": [geometry.left, geometry.top, geometry.right, geometry.bottom]}
    if isinstance(geometry, Mask):
        return {"size": [geometry.height, geometry.width], "runs": list(geometry.runs)}
    parts = [
        {"outline": _points(part.outline), "holes": [_points(ring) for ring in part.holes]} for part in geometry.parts
    ]
    return {"parts": parts}


def from_document(document: Mapping[str, Any]) -> Geometry:
    """The drawing in this JSON; DatasetError where it is none, or has more points or runs than a person draws."""
    try:
        if set(document) == {"box"}:
            left, top, right, bottom = map(_number, document["box"])
            return Rectangle(left=left, top=top, right=right, bottom=bottom)
        if set(document) == {"size", "runs"}:
            height, width = map(_whole, document["size"])
            return Mask(height=height, width=width, runs=_runs(document["runs"]))
        if set(document) == {"parts"}:
            return _polygons(document["parts"])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise DatasetError("a drawing is not well formed; give a box, parts or runs as docs/review.md says.") from error
    raise DatasetError("a drawing is none that is known; give a box, parts, or size and runs.")


def painted(document: Mapping[str, Any], height: int, width: int) -> Mask:
    """The mask that a stroke paints on a picture of this size: pixels within half its width of the ones it runs over.

    Raises:
        DatasetError: it is none, or runs beside the picture.
    """
    window = painted_window(document, height, width)
    if window is None:
        raise DatasetError("the stroke runs beside the picture, and marks nothing of it.")
    return encoded_window(window, height, width)


def painted_window(document: Mapping[str, Any], height: int, width: int) -> Window | None:
    """As `painted`, but only where the stroke is, as a picture may be a thousand times as large.

    Returns:
        None where it runs beside the picture.

    Raises:
        DatasetError: it is none.
    """
    try:
        if set(document) != {"stroke", "width"} or not 0 < len(document["stroke"]) <= MOST_POINTS:
            raise ValueError(document)
        points = np.array(_ring(document["stroke"]), np.float64)
        reach = min(_number(document["width"]) / 2, _MOST_REACH)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"a stroke is not well formed; give 1 to {MOST_POINTS} points, and its width.") from error
    steps = np.floor(points[[*range(len(points)), -1]]).clip(-_FAR, _FAR).astype(np.int32)
    edge = math.ceil(max(reach, 0.0))
    low = np.maximum(steps.min(axis=0) - edge, -edge)
    high = np.minimum(steps.max(axis=0) + edge + 1, (width + edge, height + edge))
    if not (high > low).all():
        return None
    clear = np.ones((high - low)[::-1], np.uint8)
    cv2.polylines(clear, [(steps - low).reshape(-1, 1, 2)], isClosed=False, color=(0,))
    near = cv2.distanceTransform(clear, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= reach
    (left, top), (right, bottom) = np.maximum(low, 0), np.minimum(high, (width, height))
    if right <= left or bottom <= top or clear.all():
        return None
    pixels = near[top - low[1] : bottom - low[1], left - low[0] : right - low[0]]
    return Window(pixels=pixels, top=int(top), left=int(left)) if pixels.any() else None


def annotation_document(annotation: Annotation) -> dict[str, Any]:
    return {
        "label": annotation.label,
        "geometry": to_document(annotation.geometry),
        "confidence": annotation.confidence,
    }


def annotation_from(document: Mapping[str, Any]) -> Annotation:
    """Raises DatasetError as `from_document`."""
    return Annotation(
        label=str(document.get("label", "")),
        geometry=from_document(document.get("geometry", {})),
        confidence=document.get("confidence"),
    )


def _polygons(parts: list[Mapping[str, Any]]) -> Polygons:
    rings = [ring for part in parts for ring in (part["outline"], *part.get("holes", ()))]
    if sum(map(len, rings)) > MOST_POINTS:
        raise DatasetError(f"an outline has more than {MOST_POINTS} points; draw it with fewer, or as a mask.")
    return Polygons(
        parts=tuple(
            Polygon(outline=_ring(part["outline"]), holes=tuple(map(_ring, part.get("holes", ())))) for part in parts
        )
    )


def _ring(points: list[list[float]]) -> Ring:
    return tuple((_number(x), _number(y)) for x, y in points)


def _runs(runs: list[int]) -> tuple[int, ...]:
    if len(runs) > MOST_RUNS:
        raise DatasetError(f"a mask has more than {MOST_RUNS} runs; draw it smoother.")
    return tuple(map(_whole, runs))


def _points(ring: Ring) -> list[list[float]]:
    return [[x, y] for x, y in ring]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e6:
        raise ValueError(value)
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 40:
        raise ValueError(value)
    return value
