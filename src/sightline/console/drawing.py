"""What was drawn in a viewer, as labels of its picture are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.console.viewer import Shape

_FRACTION_BITS = 4  # of the coordinates of strokes: a sixteenth of a pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One label to be stored."""

    label: str
    geometry: dict[str, Any]  # as docs/review.md says


def labelled(shapes: Sequence[Shape], label: str, *, height: int, width: int) -> list[Labelled]:
    """New shapes as labels; all strokes of one name are one mask.

    Args:
        label: of shapes without one.
        height, width: px of the picture.
    """
    new = [shape for shape in shapes if not shape.id]
    found = [
        Labelled(label=shape.label or label, geometry=_outlined(shape, height, width))
        for shape in new
        if shape.kind != "brush"
    ]
    strokes: dict[str, list[Shape]] = {}
    for shape in new:
        if shape.kind == "brush":
            strokes.setdefault(shape.label or label, []).append(shape)
    for name, each in strokes.items():
        mask = painted(each, height=height, width=width)
        if mask.any():
            found.append(Labelled(label=name, geometry={"size": [height, width], "runs": runs(mask)}))
    return found


def painted(strokes: Sequence[Shape], *, height: int, width: int) -> NDArray[np.uint8]:
    """(H, W) uint8, 1 where a stroke went over a pixel; parts outside the picture are left out."""
    mask = np.zeros((height, width), np.uint8)
    one = 1 << _FRACTION_BITS
    for stroke in strokes:
        points = np.round((np.array(stroke.points) - 0.5) * one).astype(np.int32)  # to the middles of pixels
        thick = max(1, round(stroke.width))
        cv2.polylines(mask, [points], False, 1, thick, cv2.LINE_8, _FRACTION_BITS)
        for x, y in (points[0], points[-1]):
            cv2.circle(mask, (int(x), int(y)), round(stroke.width / 2 * one), 1, -1, cv2.LINE_8, _FRACTION_BITS)
    return mask


def runs(mask: NDArray[np.uint8]) -> list[int]:
    """Lengths of what is unmarked, marked, unmarked, ...; column after column, as COCO counts them."""
    flat = np.concatenate([[0], mask.ravel(order="F") > 0, [0]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(flat))
    lengths: list[int] = np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()
    return lengths if lengths[-1] else lengths[:-1]


def _outlined(shape: Shape, height: int, width: int) -> dict[str, Any]:
    points = [[min(max(x, 0.0), width), min(max(y, 0.0), height)] for x, y in shape.points]
    if shape.kind == "polygon":
        return {"parts": [{"outline": points}]}
    (left, top), (right, bottom) = points
    return {"box": [min(left, right), min(top, bottom), max(left, right), max(top, bottom)]}
