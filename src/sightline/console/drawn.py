"""Labels as shapes of the viewer, and what was drawn in it as geometry of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from sightline.console.viewer import MOST_SHAPES, Shape
from sightline.datasets.annotations import Rectangle, Ring
from sightline.datasets.geometry import decoded, encoded, outlines_of
from sightline.errors import DatasetError
from sightline.records import BoolArray
from sightline.store.drawing import from_document, painted, to_document

_MANY_POINTS = 200  # of an outline, from which on it is shown with fewer
_OFF_PX = 0.75  # that those may lie beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One label to be stored."""

    label: str
    geometry: dict[str, Any]  # as docs/review.md says


def labelled(shapes: Sequence[Shape], label: str, *, height: int, width: int) -> list[Labelled]:
    """New shapes as labels; all strokes of one name are one mask, and none where they lie beside the picture.

    Args:
        label: of shapes without one.
        height, width: px of the picture.
    """
    found, strokes = list[Labelled](), dict[str, BoolArray]()
    for shape in shapes:
        name = shape.label or label
        if shape.id:
            continue
        if shape.kind == "brush":
            strokes[name] = strokes.get(name, np.zeros((height, width), np.bool_)) | _painted(shape, height, width)
        else:
            points = tuple((min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in shape.points)
            found.append(Labelled(label=name, geometry=geometry_of(replace(shape, points=points))))
    masks = ((name, pixels) for name, pixels in strokes.items() if pixels.any())
    return found + [Labelled(label=name, geometry=to_document(encoded(pixels))) for name, pixels in masks]


def geometry_of(shape: Shape) -> dict[str, Any]:
    """The geometry by which the API keeps what was drawn; of a brush's stroke it makes a mask."""
    if shape.kind == "brush":
        return {"stroke": shape.points, "width": shape.width}
    if shape.kind == "polygon":
        return {"parts": [{"outline": shape.points, "holes": []}]}
    xs, ys = zip(*shape.points, strict=True)
    return {"box": [min(xs), min(ys), max(xs), max(ys)]}


def shapes_of(label: str, geometry: Mapping[str, Any], name: str) -> list[Shape]:
    """What shows a label; none for one of the whole picture. Holes are not shown.

    Args:
        name: id of the shapes.

    Raises:
        DatasetError: the geometry is none.
    """
    if not geometry:
        return []
    drawing = from_document(geometry)
    if isinstance(drawing, Rectangle):
        corners = ((drawing.left, drawing.top), (drawing.right, drawing.bottom))
        return [Shape(kind="box", points=corners, label=label, id=name)]
    rings = [part.outline for part in outlines_of(drawing).parts][:MOST_SHAPES]
    return [Shape(kind="polygon", points=_fewer(ring), label=label, id=name) for ring in rings]


def _painted(stroke: Shape, height: int, width: int) -> BoolArray:
    try:
        return decoded(painted(geometry_of(stroke), height, width))
    except DatasetError:  # it runs beside the picture
        return np.zeros((height, width), np.bool_)


def _fewer(ring: Ring) -> Ring:
    if len(ring) <= _MANY_POINTS:
        return ring
    points = cv2.approxPolyDP(np.asarray(ring, np.float32).reshape(-1, 1, 2), _OFF_PX, closed=True)
    return tuple((float(x), float(y)) for x, y in points.reshape(-1, 2))
