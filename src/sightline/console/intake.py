"""Files that somebody brings: the browser itself sends them to the API, with progress."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nicegui.element import Element

from sightline.console.session import Session


class Intake(Element, component=Path(__file__).parent / "assets" / "intake.js"):
    """A place to choose or drop files, which are shown before they are sent; refusals are told in it."""

    def __init__(
        self,
        session: Session,
        *,
        archive: bool,
        on_sent: Callable[[list[dict[str, Any]]], object],
        on_chosen: Callable[[int], object],
    ) -> None:
        """
        Args:
            archive: one ZIP; otherwise pictures.
            on_sent: gets `{"name": of the file, "answer": the API's}` of each.
            on_chosen: gets how many there are to send.
        """
        super().__init__()
        text = session.text
        self._props["archive"] = archive
        self._props["texts"] = {
            "choose": text("Choose a ZIP archive") if archive else text("Choose pictures"),
            "drop": text("or drop it here") if archive else text("or drop them here"),
            "none": text("There is no picture in it: PNG, JPEG, BMP, TIFF or WebP are taken."),
            "broken": text("This is no ZIP archive, or it is cut short. Pack the folder as ZIP again."),
            "many": text("At most 500 pictures at once; the others were left out. Pack more of them as a ZIP."),
            "away": text("the server did not answer; send it again."),
            "sending": text("Sending …"),
            "remove": text("Remove"),
        }
        self.on("sent", lambda event: on_sent(event.args))
        self.on("chosen", lambda event: on_chosen(int(event.args)))

    def send(self, path: str) -> None:
        """Send all that was chosen, each as the body of a POST to this path behind /api/v1."""
        self.run_method("send", path)
