"""Which of the shapes in a viewer are which labels, and what is to become of labels when shapes are changed."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sightline.console.viewer import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What makes the labels what is drawn."""

    new: tuple[Shape, ...] = ()  # no label yet
    gone: tuple[int, ...] = ()  # labels of which a shape was deleted
    back: tuple[int, ...] = ()  # labels that were taken away, of which all shapes are there again
    apart: bool = False  # of one that is gone other parts are still shown: a mask goes with all of them


class LabelShapes:
    """Of one picture."""

    def __init__(self) -> None:
        self._parts = Counter[int]()  # shapes of each label that the viewer was filled with last
        self._made: dict[Shape, int] = {}  # what was drawn, by the label that it became

    def fill(self, shapes: Iterable[Shape]) -> None:
        """The viewer shows these from now on."""
        self._parts = Counter(int(shape.id) for shape in shapes if shape.id)

    def wanted(self, shapes: Sequence[Shape], standing: Collection[int], *, current: bool) -> Wanted:
        """What is to become of the labels.

        Args:
            shapes: all that the browser has.
            standing: ids of the labels that there are.
            current: the browser had what the viewer shows. Where it had not, only what is new to both counts: labels
                may have come and gone for other reasons since then.
        """
        new = tuple(dict.fromkeys(shape for shape in shapes if not shape.id and shape not in self._made))
        if not current:
            return Wanted(new=new)
        parts = Counter(int(shape.id) for shape in shapes if shape.id)
        here = {one for one, number in self._parts.items() if parts[one] == number}
        here |= {self._made[shape] for shape in shapes if shape in self._made}
        gone = tuple(one for one in standing if one not in here and self._has(one))
        back = tuple(sorted(here.difference(standing)))
        return Wanted(new=new, gone=gone, back=back, apart=any(self._parts[one] > 1 for one in gone))

    def became(self, shapes: Iterable[Shape], labels: Iterable[int]) -> None:
        """These shapes are these labels."""
        self._made |= dict(zip(shapes, labels, strict=True))

    def _has(self, label: int) -> bool:
        return label in self._parts or label in self._made.values()
