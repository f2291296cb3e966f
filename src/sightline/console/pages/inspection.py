"""One part judged once: all that is known of it."""

from fastapi import Request

from sightline.console.frame import framed
from sightline.console.viewer import Shape, Viewer
from sightline.service.routes.inspections import Detail


async def page(request: Request, inspection_id: str) -> None:
    with framed(request, "/inspections") as session:
        detail = await session.api.get(f"/inspections/{inspection_id}", Detail)
        view = detail.inspection.views[0]
        boxes = [
            Shape(kind="box", points=((d.x, d.y), (d.x + d.width, d.y + d.height)), label=d.label)
            for d in detail.defects
        ]
        Viewer(view.picture or "", overlay=view.overlay, boxes=boxes, editable=True, labels=["dent", "scratch"], model="cap", name="part")
