"""A picture that one looks into, and draws on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments
from pydantic import TypeAdapter, ValidationError

from sightline.console.german.viewer import TEXTS
from sightline.console.texts import in_language
from sightline.errors import OptionError
from sightline.evaluation.wording import Language

TOOLS = ("box", "polygon", "brush")
MOST_SHAPES, MOST_POINTS = 500, 20_000  # as in assets/viewer/shapes.js
_ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Something marked in a picture; all lengths in px of the picture at full size, from its left top corner."""

    kind: Literal["box", "polygon", "brush"]
    points: tuple[tuple[float, float], ...]  # box: left top and right bottom corner; polygon: corners; brush: a stroke
    label: str = ""
    width: float = 0.0  # of a brush's stroke
    id: str = ""  # of a stored label; empty: a new one, or a finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What somebody made of a picture's shapes."""

    shapes: tuple[Shape, ...]  # all there are now
    picture: str  # that it was drawn on
    turn: int  # of the shapes that were shown then
    number: int  # counts changes


_SHAPES = TypeAdapter(tuple[Shape, ...])


class Viewer(
    Element,
    component=_ASSETS / "viewer.js",
    esm={"sightline-viewer": str(_ASSETS / "viewer")},
):
    """A picture in tiles, to single pixels; over it a stored overlay, a model's map, findings, and what people draw.

    It fills what it is put into, at least 20 rem high; give it a `height` by `style` for more.
    """

    def __init__(
        self,
        picture: str,
        *,
        overlay: str | None = None,
        boxes: Sequence[Shape] = (),
        editable: bool = False,
        tools: Sequence[str] = TOOLS,
        labels: Sequence[str] = (),
        on_change: Callable[[Drawn], object] | None = None,
        model: str = "",
        product: str = "",
        name: str = "",
    ) -> None:
        """
        Args:
            picture: digest of a stored picture; empty: none yet.
            overlay: digest of the picture with its map drawn over it, for a slider.
            boxes: what is marked in it. Where it is editable, those with an id can be deleted and are among `shapes`;
                those without one are findings, which are only shown.
            editable: there are tools to draw.
            tools: some of TOOLS.
            labels: that a shape may have; the first one is chosen.
            on_change: called after each change that a person makes. Others may have been shown since then, or another
                picture, of which the browser did not know yet.
            model: whose map of the picture is shown on demand.
            product: that is seen, for a model with a bank for each of several.
            name: of the picture, for those who do not see it.

        Raises:
            OptionError: there is no such tool.
        """
        super().__init__()
        if unknown := set(tools) - set(TOOLS):
            raise OptionError(f"tools {', '.join(sorted(unknown))}: are not known; there are {', '.join(TOOLS)}.")
        german = str(ui.context.client.page.language or "").startswith("de")
        language = Language.GERMAN if german else Language.ENGLISH
        self._on_change = on_change
        self._turn = 0
        self._props["editable"], self._props["tools"], self._props["labels"] = editable, [*tools], [*labels]
        self._wishes = 0
        self._props["wanted"] = {}
        if labels:
            self._want("label", labels[0])
        self._props["model"], self._props["product"] = model, product
        self._props["name"], self._props["second"] = name, None
        self._props["texts"] = {english: in_language(english, language) for english in TEXTS}
        self.show(picture, overlay, boxes)
        self.on("shapes", self._changed)

    @property
    def turn(self) -> int:
        """Counts what was shown."""
        return self._turn

    @property
    def shapes(self) -> list[Shape]:
        """What is marked: stored labels that are still there, and new ones; findings are none of them."""
        return list(self._shapes)

    def show(
        self, picture: str, overlay: str | None = None, boxes: Sequence[Shape] = (), *, taken: int | None = None
    ) -> None:
        """Another picture; what was drawn on the one before is forgotten. Where one looked stays, if it is as large.

        Args:
            taken: number of the last change that is among `boxes`. Where the picture is the same, what was drawn after
                it stays. None: nothing does.
        """
        editable = self._props["editable"]
        self._shapes = [shape for shape in boxes if editable and shape.id]
        self._turn += 1
        self._props["picture"], self._props["overlay"], self._props["turn"] = picture, overlay, self._turn
        self._props["taken"] = taken
        self._props["stored"] = [asdict(shape) for shape in self._shapes]
        self._props["boxes"] = [asdict(shape) for shape in boxes if not (editable and shape.id)]
        self.update()

    def beside(self, picture: str | None, name: str = "") -> None:
        """Another picture beside this one, looked at in the same place; None: this one alone."""
        self._props["second"] = {"picture": picture, "name": name} if picture else None
        self.update()

    def set_tool(self, name: str) -> None:
        """One of the tools, or `move`."""
        self._want("tool", name)

    def set_label(self, name: str) -> None:
        """For what is drawn from now on, and for the shape that is selected."""
        self._want("label", name)

    def offer(self, labels: Sequence[str]) -> None:
        """The labels that a shape may have from now on."""
        self._props["labels"] = [*labels]
        self.update()

    def undo(self) -> None:
        """Take back the last change."""
        self.run_method("undo")

    def clear(self) -> Self:
        """Remove all shapes; it can be undone."""
        self.run_method("clear")
        return self

    def _want(self, what: Literal["tool", "label"], name: str) -> None:
        """What was wanted of the other stays: both may reach the browser at once."""
        self._wishes += 1
        self._props["wanted"] = self._props["wanted"] | {what: {"turn": self._wishes, "name": name}}
        self.update()

    def _changed(self, event: GenericEventArguments) -> object:
        drawn = changed(event.args)
        if drawn.turn == self._turn:  # else others are shown by now
            self._shapes = [*drawn.shapes]
        return self._on_change(drawn) if self._on_change else None


def changed(found: Mapping[str, object]) -> Drawn:
    """A change as a browser tells it; raises OptionError where it is none."""
    picture, turn, number = (found.get(name) for name in ("picture", "turn", "number"))
    if not (isinstance(picture, str) and isinstance(turn, int) and isinstance(number, int)):
        raise OptionError("the browser sent a change that is none; load the page again.")
    return Drawn(shapes=checked(found.get("shapes")), picture=picture, turn=turn, number=number)


def checked(found: object) -> tuple[Shape, ...]:
    """Shapes as a browser sends them.

    Raises:
        OptionError: they are none, or too many.
    """
    try:
        shapes = _SHAPES.validate_python(found)
    except ValidationError as error:
        raise OptionError("the browser sent shapes that are none; load the page again.") from error
    points = [value for shape in shapes for point in shape.points for value in point]
    fits = len(shapes) <= MOST_SHAPES and len(points) <= 2 * MOST_POINTS + 2
    if not fits or not all(math.isfinite(value) and 0 <= value <= 1e6 for value in points):
        raise OptionError(f"at most {MOST_SHAPES} shapes of {MOST_POINTS} points in all, inside the picture.")
    return shapes
