"""What the unusual places of a part looked most like, beside it, when somebody asks."""

from html import escape
from urllib.parse import quote

from nicegui import ui

from sightline.console.figures import number
from sightline.console.session import Session
from sightline.explaining import SHOWN_PX, WHY_NOT
from sightline.service.answer import DAMAGED
from sightline.service.routes.nearest import NearestReply, PieceReply, ResemblanceReply

REASONS = tuple(reason.capitalize() for reason in (*WHY_NOT, DAMAGED))  # for a picture that is sent


class NearestCard:
    """A card that is empty but for a button, as the model looks at the picture once more for it."""

    def __init__(self, session: Session, inspection: str) -> None:
        """
        Args:
            inspection: its id.
        """
        self._session, self._inspection, self._view = session, inspection, ""
        with ui.element("section").classes("card"):
            ui.html(f"<h2>{escape(session.text('What it looked most like'))}</h2>", sanitize=False)
            self._content = ui.element("div").classes("stack").props("aria-live=polite")

    def of(self, view: str) -> None:
        """Offer it for a view, in place of what was shown before."""
        self._view = view
        self._content.clear()
        with self._content:
            ui.label(self._session.text("Of each place, the good one that it is nearest to.")).classes("muted")
            button = ui.button(self._session.text("Show the good pictures"), icon="compare", on_click=self._show)
            button.props("outline no-caps")

    async def _show(self) -> None:
        view = self._view
        path = f"/inspections/{self._inspection}/views/{quote(view, '')}/nearest"
        found = await self._session.api.get(path, NearestReply)
        if view != self._view:
            return  # another one was chosen meanwhile
        self._content.clear()
        with self._content:
            if found.reason:
                ui.label(self._session.text(found.reason.capitalize())).classes("muted")
            ui.html("".join(resemblance(self._session, one) for one in found.regions), sanitize=False)


def resemblance(session: Session, found: ResemblanceReply) -> str:
    """A place of the part beside the good one, as HTML of which every text from outside is escaped."""
    said = session.text("This looked most like {source}", source=found.source)
    figures = session.text(
        "Value {peak}, distance {distance}",
        peak=number(session, found.peak, 3),
        distance=number(session, found.distance, 3),
    )
    pieces = _piece(session.text("This part"), found.part) + _piece(session.text("Good part"), found.good)
    return (
        f'<figure class="alike"><figcaption>{escape(said)}</figcaption>{pieces}'
        f'<p class="muted">{escape(figures)}</p></figure>'
    )


def _piece(name: str, piece: PieceReply) -> str:
    place = piece.place
    sides = {"left": place.x, "top": place.y, "width": place.width, "height": place.height}
    style = ";".join(f"{side}:{100 * length / SHOWN_PX:.2f}%" for side, length in sides.items())
    image = f'<img src="data:image/jpeg;base64,{escape(piece.jpeg)}" alt="{escape(name)}">'
    return f'<div><span>{image}<i style="{style}"></i></span>{escape(name)}</div>'
