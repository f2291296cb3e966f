"""Labels of a stored picture as shapes in a viewer, and what people changed about them kept again."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from sightline.console.drawing import labelled
from sightline.console.session import Api
from sightline.console.viewer import Shape
from sightline.service.routes.labels import LabelRecord, NewLabel
from sightline.service.routes.pictures import TilesRecord

_COARSE_PX = 0.5  # that an outline of a mask may be off


async def shapes_of(api: Api, picture: str) -> list[Shape]:
    """What was drawn on a picture; names of the whole picture are left out."""
    found = await api.get(f"/pictures/{picture}/labels", list[LabelRecord])
    return [shape for label in found for shape in _shapes(label)]


async def keep(api: Api, picture: str, before: Sequence[Shape], after: Sequence[Shape]) -> int:
    """Remove the labels of which a shape is gone, and store the new shapes; returns how many labels changed.

    Raises:
        Refused: by the API; what was done until then stays.
    """
    gone = {shape.id for shape in {*before} - {*after}}
    size = await api.get(f"/pictures/{picture}/tiles", TilesRecord)
    new = [shape for shape in after if not shape.id]
    made = labelled(new, "", height=size.height, width=size.width)
    for one in made:
        body = NewLabel(label=one.label, geometry=one.geometry)
        await api.change("POST", f"/pictures/{picture}/labels", LabelRecord, body)
    for label in sorted(gone):
        await api.change("DELETE", f"/labels/{label}", LabelRecord)
    return len(made) + len(gone)


def _shapes(label: LabelRecord) -> list[Shape]:
    geometry, name, id_ = label.geometry, label.label, str(label.id)
    if "box" in geometry:
        left, top, right, bottom = geometry["box"]
        return [Shape(kind="box", points=((left, top), (right, bottom)), label=name, id=id_)]
    rings = [part["outline"] for part in geometry.get("parts", ())] or _outlines(geometry)
    return [Shape(kind="polygon", points=tuple((x, y) for x, y in ring), label=name, id=id_) for ring in rings]


def _outlines(geometry: dict[str, Any]) -> list[list[tuple[float, float]]]:
    """Those around the regions of a mask; their holes are not shown."""
    if "runs" not in geometry:
        return []
    runs, (height, width) = geometry["runs"], geometry["size"]
    flat = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8)
    mask = np.ascontiguousarray(flat.reshape(width, height).T)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    rings = [cv2.approxPolyDP(ring, _COARSE_PX, True)[:, 0, :] + 0.5 for ring in found]  # through pixels' middles
    return [[(float(x), float(y)) for x, y in ring] for ring in rings if len(ring) >= 3]
