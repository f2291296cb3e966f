"""Labels as shapes of the viewer, and what was drawn in it as geometry of labels."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from sightline.console.viewer import MOST_SHAPES, Shape
from sightline.datasets.annotations import Rectangle, Ring
from sightline.datasets.geometry import outlines_of
from sightline.store.drawing import from_document

_MANY_POINTS = 200  # of an outline, from which on it is shown with fewer
_OFF_PX = 0.75  # that those may lie beside it


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


def _fewer(ring: Ring) -> Ring:
    if len(ring) <= _MANY_POINTS:
        return ring
    points = cv2.approxPolyDP(np.asarray(ring, np.float32).reshape(-1, 1, 2), _OFF_PX, closed=True)
    return tuple((float(x), float(y)) for x, y in points.reshape(-1, 2))
