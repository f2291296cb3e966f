"""Labels as shapes of the viewer, and what was drawn in it as geometry of labels."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from sightline.console.viewer import MOST_SHAPES, Shape
from sightline.datasets.annotations import Rectangle, Ring
from sightline.datasets.geometry import Window, encoded_window, outlines_of
from sightline.store.drawing import from_document, painted_window, to_document

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
    found, strokes = list[Labelled](), defaultdict[str, list[Window]](list)
    for shape in shapes:
        name = shape.label or label
        if shape.id:
            continue
        if shape.kind == "brush":
            window = painted_window(geometry_of(shape), height, width)
            strokes[name] += [window] if window else []
        else:
            points = tuple((min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in shape.points)
            found.append(Labelled(label=name, geometry=geometry_of(replace(shape, points=points))))
    masks = ((name, encoded_window(_together(windows), height, width)) for name, windows in strokes.items() if windows)
    return found + [Labelled(label=name, geometry=to_document(mask)) for name, mask in masks]


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


def _together(windows: Sequence[Window]) -> Window:
    """The smallest that holds all of them."""
    top, left = min(one.top for one in windows), min(one.left for one in windows)
    bottom = max(one.top + one.pixels.shape[0] for one in windows)
    right = max(one.left + one.pixels.shape[1] for one in windows)
    pixels = np.zeros((bottom - top, right - left), np.bool_)
    for one in windows:
        height, width = one.pixels.shape
        pixels[one.top - top :, one.left - left :][:height, :width] |= one.pixels
    return Window(pixels=pixels, top=top, left=left)


def _fewer(ring: Ring) -> Ring:
    if len(ring) <= _MANY_POINTS:
        return ring
    points = cv2.approxPolyDP(np.asarray(ring, np.float32).reshape(-1, 1, 2), _OFF_PX, closed=True)
    return tuple((float(x), float(y)) for x, y in points.reshape(-1, 2))
