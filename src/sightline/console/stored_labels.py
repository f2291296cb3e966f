"""Labels of a stored picture as shapes in a viewer, and what people changed about them kept again."""

from collections.abc import Sequence

from nicegui import run

from sightline.console import drawn
from sightline.console.drawn import Labelled
from sightline.console.session import Api, Refused
from sightline.console.viewer import Shape
from sightline.service.routes.labels import LabelRecord, NewLabel
from sightline.service.routes.pictures import TilesRecord


async def shapes_of(api: Api, picture: str) -> list[Shape]:
    """What was drawn on a picture; names of the whole picture are left out."""
    found = await api.get(f"/pictures/{picture}/labels", list[LabelRecord])
    return await run.io_bound(_shapes, found) or []  # None while the server shuts down


async def labelled(shapes: Sequence[Shape], label: str, size: TilesRecord) -> list[Labelled]:
    """As `drawn.labelled`, while other pages go on.

    Raises:
        Refused: the server shuts down, and nothing was made.
    """
    made = await run.io_bound(drawn.labelled, shapes, label, height=size.height, width=size.width)
    if made is None:
        raise Refused(503, "the server shuts down; nothing was kept.")
    return made


async def keep(api: Api, picture: str, before: Sequence[Shape], after: Sequence[Shape]) -> int:
    """Remove the labels of which a shape is gone, and store the new shapes; returns how many labels changed.

    Raises:
        Refused: by the API; what was done until then stays.
    """
    gone = {shape.id for shape in {*before} - {*after}}
    size = await api.get(f"/pictures/{picture}/tiles", TilesRecord)
    new = [shape for shape in after if not shape.id]
    made = await labelled(new, "", size)
    for one in made:
        body = NewLabel(label=one.label, geometry=one.geometry)
        await api.change("POST", f"/pictures/{picture}/labels", LabelRecord, body)
    for label in sorted(gone):
        await api.change("DELETE", f"/labels/{label}", LabelRecord)
    return len(made) + len(gone)


def _shapes(labels: Sequence[LabelRecord]) -> list[Shape]:
    return [shape for one in labels for shape in drawn.shapes_of(one.label, one.geometry, str(one.id))]
