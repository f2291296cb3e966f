"""Pictures tried on a model, one after the other, in the browser itself: nothing of them is kept."""

from collections.abc import Sequence
from pathlib import Path

from nicegui.element import Element

from sightline.console.nearest import REASONS
from sightline.console.session import Session
from sightline.evaluation.wording import Language

_ASSETS = Path(__file__).parent / "assets"
_TEXTS = (
    *("Drop pictures here, paste them, or", "Choose pictures", "Take a picture", "Model", "Product", "Heat map"),
    *("Colours", "Regions", "Score", "Threshold", "Confidence", "Kind of defect", "No defect was found.", "Try again"),
    *("Size", "Waiting", "Decoding", "Model at work", "In all, with the way there and back", "Pictures tried"),
    *("The model is at work …", "PASS", "REJECT", "REVIEW", "FAULT", "The server's model", "anomaly"),
    *("Only the first {number} pictures are tried at once.", "viridis", "inferno", "blue-orange", "grey"),
    *("What it looked most like", "This looked most like {source}", "Value {peak}, distance {distance}"),
    *("This part", "Good part", *REASONS),
    "Drop a picture of a part to see what the model says of it.",
)


class Trial(Element, component=_ASSETS / "trial.js", esm={"sightline-viewer": str(_ASSETS / "viewer")}):
    """Where pictures are dropped, chosen, pasted or taken, and what a model says of them."""

    def __init__(self, session: Session, models: Sequence[tuple[str, Sequence[str]]], chosen: str) -> None:
        """
        Args:
            models: names, each with the products of which one must be chosen.
            chosen: the name of one of them, or anything else: the first.
        """
        super().__init__()
        self._props["models"] = [{"name": name, "products": [*products]} for name, products in models]
        self._props["chosen"] = chosen
        self._props["texts"] = {english: session.text(english) for english in _TEXTS}
        self._props["language"] = {Language.ENGLISH: "en", Language.GERMAN: "de"}[session.language]
