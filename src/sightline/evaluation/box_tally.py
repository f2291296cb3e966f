"""Boxes found and true, gathered picture by picture for an evaluation."""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec

from sightline.datasets.boxed import BoxedSet
from sightline.datasets.dataset import Sample
from sightline.evaluation.average_precision import LEVELS, Precisions, average_precision, figures
from sightline.evaluation.results import BoxFigures
from sightline.records import Boxes


class BoxTally:
    """What a model finds beside what is true, in the model's classes."""

    def __init__(self, truth: BoxedSet, names: Sequence[str], limits: Sequence[float], size: tuple[int, int]) -> None:
        """Args: limits: of each class, the confidence from which a box counts. size: that boxes are in px of."""
        self._truth, self._names, self._limits, self._size = truth, tuple(names), limits, size
        self._truths: list[Boxes] = []
        self._found: list[Boxes] = []

    def add(self, sample: Sample, found: Boxes | None) -> None:
        """A picture that the model could not judge counts as one in which it found nothing."""
        self._truths.append(self._truth.boxes_of(sample.path, self._names, self._size))
        self._found.append(self._truths[-1].only(self._truths[-1].classes[:0]) if found is None else found)

    def figures(self) -> BoxFigures:
        """By pycocotools where it is installed, else by our own computation, which agrees with it."""
        precisions, by = self._precisions()
        return figures(self._names, self._truths, self._found, self._limits, precisions, by)

    def _precisions(self) -> tuple[Precisions, str]:
        if find_spec("pycocotools") is None:
            return average_precision(self._truths, self._found, len(self._names), LEVELS), "sightline"
        from sightline.evaluation.coco_precision import coco_precision  # here, as it needs an extra

        return coco_precision(self._truths, self._found, len(self._names)), f"pycocotools {version('pycocotools')}"
